"""A synthetic region loaded into a store: what speed is measured on.

The suites of a run share regions: the first that needs one of a size makes it, in the folder that
`__main__.py` names for the whole run. A shared store is only asked; a suite that tells a store
anything takes a copy.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks.loading import Load, load_apart
from benchmarks.suite import ROOT, SEED
from mpi.batch.index.load import load_folder
from mpi.batch.progress import SilentProgress
from mpi.config import Settings
from mpi.domain.identifiers import RecordKey
from mpi.domain.records import RecordVersion
from mpi.storage.engine import open_store
from mpi.storage.records import list_records
from mpi.storage.unit_of_work import reading
from mpi.storage.versions import list_versions_of

CONNECTIONS_MAX = 300
"""Enough for two servers of two workers, with a connection for each of their threads."""
REGIONS_VARIABLE: Final = "MPI_BENCHMARK_REGIONS"
"""Names the folder of the regions that a run shares; without it nothing is shared."""
_SYNTH: Final = "from mpi.cli.main import run; run()"


@dataclass(frozen=True, slots=True)
class LoadedRegion:
    """Where a region and its store lie, and what loading took."""

    folder: Path
    """For what a suite writes beside the store."""
    feeds: Path
    """The folder of raw feeds, with the truth."""
    store: Path
    load: Load

    @property
    def settings(self) -> Settings:
        """Those that name the store."""
        return Settings(database_url=f"sqlite:///{self.store}")

    def some_records(self, count: int) -> list[tuple[RecordKey, RecordVersion]]:
        """So many of the loaded records by chance, the same ones every time, as they are now.

        From the store, which knows what is newest: reading the feeds of a whole region for a few
        thousand records takes minutes.
        """
        loaded = range(1, self.load.records + 1)
        numbers = random.Random(count).sample(loaded, min(count, len(loaded)))
        store = open_store(self.settings.database_url)
        with reading(store) as unit:
            keys = {each.number: each.key for each in list_records(unit, numbers)}
            found = [
                (keys[number], list_versions_of(unit, keys[number], [number])[-1].version)
                for number in numbers
            ]
        store.close()
        return found


@contextmanager
def loaded_region(people: int) -> Iterator[LoadedRegion]:
    """To be asked, not changed: the one that the run shares, or one that goes afterwards."""
    shared = os.environ.get(REGIONS_VARIABLE)
    if shared:
        yield _made_once(Path(shared) / str(people), people)
    else:
        with own_region(people) as region:
            yield region


@contextmanager
def copied_region(people: int) -> Iterator[LoadedRegion]:
    """The same to be changed: a copy, durable before it is used, that goes afterwards."""
    with loaded_region(people) as region, tempfile.TemporaryDirectory() as name:
        copy = Path(name) / region.store.name
        with closing(sqlite3.connect(region.store)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # The copy is of one file.
        shutil.copyfile(region.store, copy)
        with copy.open("rb") as file:
            os.fsync(file.fileno())  # Else a later commit would wait for it.
        yield replace(region, folder=Path(name), store=copy)


@contextmanager
def own_region(people: int) -> Iterator[LoadedRegion]:
    """One that no other suite needs: made anew, and removed afterwards."""
    with tempfile.TemporaryDirectory() as name:
        yield _made_once(Path(name) / "region", people)


def _made_once(folder: Path, people: int) -> LoadedRegion:
    """The region of this folder; whole once its `load.json` is there, else it is begun again."""
    feeds, store, note = (folder / each for each in ("feeds", "index.sqlite3", "load.json"))
    if not note.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_feeds_apart(feeds, people)
        load = load_apart(feeds, store)
        unfinished = note.with_suffix(".part")
        unfinished.write_text(json.dumps(asdict(load)), encoding="utf-8")
        unfinished.rename(note)
    return LoadedRegion(folder, feeds, store, Load(**json.loads(note.read_text(encoding="utf-8"))))


def write_feeds_apart(feeds: Path, people: int) -> None:
    """The raw feeds of a region with its truth, by `mpi synth`: its memory goes with it."""
    words = ["synth", "--out", feeds, "--people", str(people), "--seed", str(SEED)]
    subprocess.run(
        [sys.executable, "-c", _SYNTH, *words], cwd=ROOT, stdout=subprocess.DEVNULL, check=True
    )


@contextmanager
def postgresql_region(feeds: Path) -> Iterator[str]:
    """The URL of the same region on a PostgreSQL server of our own that keeps its promises."""
    from tests.databases import postgresql_server

    with postgresql_server(is_durable=True, connections_max=CONNECTIONS_MAX) as server:
        server.prepare_template()
        url = server.create_database()
        load_folder(feeds, settings=Settings(database_url=url), progress=SilentProgress())
        yield url
