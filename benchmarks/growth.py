"""What grows with the region: look-ups, registrations, load, memory, store; and a plot of it.

The same is done to regions of four sizes, one after another: loaded by `mpi load` in a process of
its own, asked in process, told records by eight senders, and removed.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.cases.region import write_feeds
from benchmarks.memory import peak_mib
from benchmarks.register import send_all, statements_about
from benchmarks.resolve import questions_about
from benchmarks.suite import SEED, Outcome, Scale, Table, stand_alone
from benchmarks.timing import latencies_of
from mpi.batch.charts import svg_of
from mpi.clock import SystemClock
from mpi.config import read_source_systems
from mpi.domain.demographics import Demographics
from mpi.services.linkage_index import LinkageIndex, compile_linkage_index
from mpi.services.prepare import prepare_store, rest_garbage_collector
from mpi.services.resolve import resolve_by_demographics
from mpi.storage.engine import Store, open_store
from mpi.storage.releases import read_release, release_in_force
from mpi.storage.unit_of_work import reading
from mpi.storage.writer import Writer

PEOPLE = {"quick": (1_000, 2_000, 4_000), "full": (23_500, 94_000, 376_000, 800_000)}
"""In full about 100 thousand, 400 thousand, 1.6 million and 3.4 million records."""
QUESTIONS = {"quick": 500, "full": 3_000}
SENT = {"quick": 400, "full": 3_000}
SENDERS = 8
ROUNDS = 3
"""Of which the median is told; one more before them warms up."""
GROWTH_MAX = 2.0
"""Budget of the architecture, a ratio: the median look-up in the largest region to the smallest."""


@dataclass(frozen=True, slots=True)
class Size:
    """What was measured of one region."""

    people: int
    records: int
    resolve_p50_ms: float
    resolve_p99_ms: float
    registered_per_second: float
    load_seconds: float
    load_peak_mib: float
    store_mib: float


def run(scale: Scale) -> Outcome:
    """Load regions of several sizes, ask and tell each; gives a table by size and a plot."""
    sources = read_source_systems()
    index = compile_linkage_index(read_release(release_in_force(None)), sources)
    sizes = [_measured(people, index, scale.name) for people in PEOPLE[scale.name]]
    growth = sizes[-1].resolve_p50_ms / sizes[0].resolve_p50_ms
    header = ("people", "records", "resolve p50 ms", "p99 ms", "registered a second",
              "load s", "load at most MiB", "store MiB")  # fmt: skip
    rows: list[tuple[object, ...]] = [tuple(asdict(size).values()) for size in sizes]
    title = f"Growth (resolve p50 grows {growth:.2f} times; budget: {GROWTH_MAX:g})"
    figures = {"sizes": [asdict(size) for size in sizes], "resolve_p50_growth": growth}
    plot = stand_alone(svg_of(_chart(sizes)))
    return Outcome([Table(title, header, rows)], figures, {f"growth-{scale.name}.svg": plot})


def _measured(people: int, index: LinkageIndex, scale: str) -> Size:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        feeds = write_feeds(folder / "feeds", people=people, seed=SEED)
        path = folder / "index.sqlite3"
        url, began = f"sqlite:///{path}", perf_counter()
        peak = peak_mib(["load", str(feeds), "--database-url", url])
        seconds, size = perf_counter() - began, path.stat().st_size
        records = _records_in(path)
        store = open_store(url)
        prepare_store(store, index, read_source_systems(), clock=SystemClock())
        rest_garbage_collector()
        asked = [about for _, about in questions_about(feeds, QUESTIONS[scale])]
        taken = latencies_of(_asker(store, index), asked)
        rate = _registered_per_second(store, index, feeds, SENT[scale])
        store.close()
    return Size(people, records, taken.p50_ms, taken.p99_ms, rate, seconds, peak, size / 2**20)


def _records_in(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("select count(*) from source_record").fetchone()[0])


def _asker(store: Store, index: LinkageIndex) -> Any:
    def ask(about: Demographics) -> object:
        with reading(store) as unit:
            return resolve_by_demographics(unit, index, about)

    return ask


def _registered_per_second(store: Store, index: LinkageIndex, feeds: Path, count: int) -> float:
    """The median of some rounds, as in the suite `register`."""
    writer = Writer(store)
    statements = statements_about(feeds, feeds.parent, count)
    parts = [statements[at :: ROUNDS + 1] for at in range(ROUNDS + 1)]
    sent = [send_all(writer, index, part, SENDERS) for part in parts]
    writer.close()
    return median(each.per_second for each in sent[1:])


_MEASURES = {
    "resolve, p50, ms": "resolve_p50_ms",
    "resolve, p99, ms": "resolve_p99_ms",
    "registered a second": "registered_per_second",
    "load, seconds": "load_seconds",
    "load, at most MiB": "load_peak_mib",
    "store, MiB": "store_mib",
}


def _chart(sizes: Sequence[Size]) -> dict[str, Any]:
    """A small chart for each measure; records on a log scale, each measure from zero."""
    values = [
        {"measure": words, "records": size.records, "value": getattr(size, name)}
        for words, name in _MEASURES.items()
        for size in sizes
    ]
    records = {"field": "records", "type": "quantitative", "scale": {"type": "log"}}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": values},
        "columns": 3,
        "facet": {"field": "measure", "type": "nominal", "sort": list(_MEASURES), "title": None},
        "spec": {
            "width": 180,
            "height": 120,
            "mark": {"type": "line", "point": True},
            "encoding": {
                "x": {**records, "axis": {"format": "~s", "tickCount": 4}},
                "y": {"field": "value", "type": "quantitative", "title": None},
            },
        },
        "resolve": {"scale": {"x": "shared", "y": "independent"}},
    }
