"""A folder of feeds loaded into a store by a process of its own: how long, by phase, and its peak.

`python -m benchmarks.loading FEEDS STORE` does what `mpi load` does and prints what it took. A
process of its own, because the peak of a process is that of all that it ever did.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter

from benchmarks.suite import ROOT
from mpi.batch.index.load import load_folder
from mpi.cli.footprint import peak_memory_mib, workers_count
from mpi.config import Settings


@dataclass(slots=True)
class PhaseClock:
    """A `Progress` that notes how long each phase took."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str, _total: int | None = None) -> Iterator[PhaseClock]:
        """Adds the wall-clock seconds that the phase takes to those of its name."""
        began = perf_counter()
        yield self
        self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - began

    def advance(self, count: int = 1) -> None:
        """Steps are not timed."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one load did and took."""

    rows: int
    records: int
    seconds: float
    """From the raw files to the committed store; the start of Python is not in it."""
    phases: dict[str, float]
    """Seconds by name."""
    peak_mib: int
    """Of the process and its workers, at most (see `mpi.cli.footprint`)."""
    store_mib: float


def load_apart(feeds: Path, store: Path) -> Load:
    """Load feeds into a new SQLite store, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.loading", feeds, store],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return Load(**json.loads(done.stdout))


def _load(feeds: Path, store: Path) -> Load:
    settings = Settings(database_url=f"sqlite:///{store}")
    clock, began = PhaseClock(), perf_counter()
    report = load_folder(feeds, settings=settings, progress=clock)
    return Load(
        rows=sum(report.rows.values()),
        records=report.written.records,
        seconds=perf_counter() - began,
        phases=clock.seconds,
        peak_mib=peak_memory_mib(workers_count=workers_count(settings)),
        store_mib=store.stat().st_size / 2**20,
    )


if __name__ == "__main__":
    print(json.dumps(asdict(_load(*map(Path, sys.argv[1:])))))
