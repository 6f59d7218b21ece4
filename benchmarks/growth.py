"""What grows with the region: look-ups, registrations, load, memory, store; and a plot of it.

The same is done to regions of several sizes, one after another: loaded in a process of its own,
asked in process, and told records by eight senders. The largest is a copy of the region that the
other suites of a run ask.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from benchmarks.loaded import LoadedRegion, copied_region, own_region
from benchmarks.register import send_all, statements_about
from benchmarks.resolve import questions_about
from benchmarks.suite import Outcome, Scale, Table, stand_alone
from benchmarks.timing import latencies_of
from mpi.batch.quality.charts import svg_of
from mpi.clock import SystemClock
from mpi.config import read_source_systems
from mpi.domain.demographics import Demographics
from mpi.services.linkage_index import LinkageIndex, compile_linkage_index
from mpi.services.prepare import prepare_store, rest_garbage_collector
from mpi.services.resolve import resolve_by_demographics
from mpi.storage.engine import Store, open_store
from mpi.storage.releases import read_release, release_in_force
from mpi.storage.unit_of_work import reading
from mpi.storage.warming import warm
from mpi.storage.writer import Writer

SMALLER = {"quick": (1_000, 2_000), "full": (23_500, 94_000, 376_000)}
"""People, beside the scale's own; in full about 100 thousand, 400 thousand, 1.6 million records."""
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
    load_peak_mib: int
    store_mib: float


def run(scale: Scale) -> Outcome:
    """Load regions of several sizes, ask and tell each; gives a table by size and a plot."""
    sources = read_source_systems()
    index = compile_linkage_index(read_release(release_in_force(None)), sources)
    sizes = list(_sizes(scale, index))
    growth = sizes[-1].resolve_p50_ms / sizes[0].resolve_p50_ms
    header = ("people", "records", "resolve p50 ms", "p99 ms", "registered a second",
              "load s", "load at most MiB", "store MiB")  # fmt: skip
    rows: list[tuple[object, ...]] = [tuple(asdict(size).values()) for size in sizes]
    title = f"Growth (resolve p50 grows {growth:.2f} times; budget: {GROWTH_MAX:g})"
    figures = {"sizes": [asdict(size) for size in sizes], "resolve_p50_growth": growth}
    plot = stand_alone(svg_of(_chart(sizes)))
    return Outcome([Table(title, header, rows)], figures, {f"growth-{scale.name}.svg": plot})


def _sizes(scale: Scale, index: LinkageIndex) -> Iterator[Size]:
    for people in SMALLER[scale.name]:
        if people < scale.people:
            with own_region(people) as region:
                yield _measured(people, region, index, scale.name)
    with copied_region(scale.people) as region:
        yield _measured(scale.people, region, index, scale.name)


def _measured(people: int, region: LoadedRegion, index: LinkageIndex, scale: str) -> Size:
    warm(region.settings.database_url)
    store = open_store(region.settings.database_url)
    prepare_store(store, index, read_source_systems(), clock=SystemClock())
    rest_garbage_collector()
    asked = [about for _, about in questions_about(region, QUESTIONS[scale])]
    taken = latencies_of(_asker(store, index), asked)
    rate = _registered_per_second(store, index, region, SENT[scale])
    store.close()
    load = region.load
    return Size(
        people, load.records, taken.p50_ms, taken.p99_ms, rate,
        load.seconds, load.peak_mib, load.store_mib,
    )  # fmt: skip


def _asker(store: Store, index: LinkageIndex) -> Any:
    def ask(about: Demographics) -> object:
        with reading(store) as unit:
            return resolve_by_demographics(unit, index, about)

    return ask


def _registered_per_second(
    store: Store, index: LinkageIndex, region: LoadedRegion, count: int
) -> float:
    """The median of some rounds, as in the suite `register`."""
    writer = Writer(store)
    statements = statements_about(region, count)
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
