"""A synthetic region loaded into a store, phase by phase: what speed is measured on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from benchmarks.cases.region import write_feeds
from benchmarks.suite import SEED
from mpi.batch.load import LoadReport, load_folder
from mpi.config import Settings

CONNECTIONS_MAX = 300
"""Enough for two servers of two workers, with a connection for each of their threads."""


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
class LoadedRegion:
    """Where the region and its store lie, and how many seconds loading took, by phase too."""

    folder: Path
    settings: Settings
    report: LoadReport
    seconds: float
    """From the raw files to the committed store."""
    phases: dict[str, float]

    @property
    def feeds(self) -> Path:
        """The folder of raw feeds, with the truth."""
        return self.folder / "feeds"


@contextmanager
def loaded_region(people: int) -> Iterator[LoadedRegion]:
    """Made and loaded anew, and removed afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        feeds = write_feeds(folder / "feeds", people=people, seed=SEED)
        settings = Settings(database_url=f"sqlite:///{folder / 'index.sqlite3'}")
        clock, began = PhaseClock(), perf_counter()
        report = load_folder(feeds, settings=settings, progress=clock)
        seconds = perf_counter() - began
        yield LoadedRegion(folder, settings, report, seconds, clock.seconds)


@contextmanager
def postgresql_region(feeds: Path) -> Iterator[str]:
    """The URL of the same region on a PostgreSQL server of our own that keeps its promises."""
    from tests.databases import postgresql_server

    with postgresql_server(is_durable=True, connections_max=CONNECTIONS_MAX) as server:
        server.prepare_template()
        url = server.create_database()
        load_folder(feeds, settings=Settings(database_url=url), progress=PhaseClock())
        yield url
