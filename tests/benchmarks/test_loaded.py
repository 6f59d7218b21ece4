"""Regions that suites share: made once, asked by all, changed by none."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.cases.region import newest_versions
from benchmarks.loaded import REGIONS_VARIABLE, LoadedRegion, copied_region, loaded_region
from benchmarks.plain_splink import predict_and_cluster, read_people
from benchmarks.register import send_all, statements_about
from mpi.batch.engines import open_engine
from mpi.config import Settings, read_source_systems
from mpi.services.linkage_index import compile_linkage_index
from mpi.storage.engine import open_store
from mpi.storage.releases import read_release, release_in_force
from mpi.storage.writer import Writer

PEOPLE = 300


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a run that was killed while it made a region of this size."""
    folder = tmp_path_factory.mktemp("regions")
    begun = folder / str(PEOPLE)
    begun.mkdir()
    (begun / "index.sqlite3").write_text("half a store")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(REGIONS_VARIABLE, str(folder))
        yield folder


@pytest.fixture
def region(shared: Path) -> LoadedRegion:
    """Made by the first test that asks for it."""
    with loaded_region(PEOPLE) as found:
        assert found.folder.parent == shared
        return found


def test_a_region_is_made_whole_and_once(region: LoadedRegion) -> None:
    load, made_at = region.load, region.store.stat().st_mtime_ns
    assert load.rows > load.records > PEOPLE
    assert {"standardise", "score pairs", "write persons"} <= set(load.phases)
    assert sum(load.phases.values()) < load.seconds
    assert load.peak_mib > 100
    assert load.store_mib == pytest.approx(region.store.stat().st_size / 2**20)
    with loaded_region(PEOPLE) as again:
        assert (again, again.store.stat().st_mtime_ns) == (region, made_at)


def test_what_is_told_to_a_copy_stays_there(region: LoadedRegion) -> None:
    before = hashlib.sha256(region.store.read_bytes()).digest()
    index = compile_linkage_index(read_release(release_in_force(None)), read_source_systems())
    with copied_region(PEOPLE) as copy:
        statements = statements_about(copy, 40)
        store = open_store(copy.settings.database_url)
        writer = Writer(store)
        assert send_all(writer, index, statements, 2).records == 40
        writer.close()
        store.close()
        assert copy.store.stat().st_size >= region.store.stat().st_size
    assert not copy.folder.exists()
    assert hashlib.sha256(region.store.read_bytes()).digest() == before


def test_some_records_are_always_the_same_ones_as_they_are_now(region: LoadedRegion) -> None:
    some, newest = region.some_records(100), newest_versions(region.feeds)
    assert len(dict(some)) == 100
    assert all(newest[key] == version for key, version in some)
    assert some == region.some_records(100)
    assert len(region.some_records(10**9)) == len(newest)


def test_plain_splink_leaves_nothing_for_its_next_run(region: LoadedRegion) -> None:
    with open_engine(Settings()) as connection:
        records = read_people(connection, open_store(region.settings.database_url))
        assert records == region.load.records
        first = predict_and_cluster(connection)
        tables = connection.execute("select table_name from duckdb_tables()").fetchall()
        assert tables == [("people",)]
        assert predict_and_cluster(connection) == first > PEOPLE
