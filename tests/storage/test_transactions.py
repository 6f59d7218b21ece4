"""What was committed stays, what was not never was, and one writer waits for another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext, suppress
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
import sqlalchemy as sa

from mpi.errors import Conflict, StorageUnavailable
from mpi.storage.bulk import bulk_transaction, bulk_write, read_table
from mpi.storage.engine import Store, open_store
from mpi.storage.models import find_release_in_force
from mpi.storage.tables import source_record, source_system
from mpi.storage.unit_of_work import UnitOfWork, reading, writing

DYING_LOAD = """
import os, signal, sys
import pyarrow as pa
from mpi.storage.bulk import bulk_transaction
from mpi.storage.engine import open_store

store = open_store(sys.argv[1])
with bulk_transaction(store) as bulk:
    bulk.append("source_system", pa.table({"source": ["gp"]}))
    numbers = pa.array(range(200_000))
    bulk.append("blocking_key", pa.table({"key": numbers, "record": numbers}))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def address(store: Store) -> str:
    return store.engine.url.render_as_string(hide_password=False)


def test_a_load_that_is_killed_leaves_nothing(store: Store) -> None:
    killed = run(DYING_LOAD, store)
    assert killed.returncode == -signal.SIGKILL
    for table in ("source_system", "blocking_key"):
        assert read_table(store, table).num_rows == 0
    bulk_write(store, {"source_system": pa.table({"source": ["gp"]})})
    with store.engine.connect() as connection:
        assert sa.inspect(connection).get_indexes("source_record")


def test_a_block_that_raises_changes_nothing(store: Store) -> None:
    def add_and_fail() -> None:
        with writing(store) as unit:
            unit.connection.execute(source_system.insert().values(source="gp"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_and_fail()
    assert read_table(store, "source_system").num_rows == 0


def test_a_unit_that_reads_sees_one_state(store: Store) -> None:
    count = sa.select(sa.func.count()).select_from(source_system)
    with reading(store) as unit:
        before = unit.connection.execute(count).scalar()
        with writing(store) as other:
            other.connection.execute(source_system.insert().values(source="gp"))
        assert unit.connection.execute(count).scalar() == before == 0
    with reading(store) as unit:
        assert unit.connection.execute(count).scalar() == 1


def test_broken_rules_are_reported_without_values(store: Store) -> None:
    def add(**values: object) -> None:
        with writing(store) as unit:
            unit.connection.execute(source_record.insert().values(registered_at=None, **values))

    with pytest.raises(Conflict) as refused:
        add(source="CANARY", local_id="CANARY")
    assert "CANARY" not in str(refused.value)


READING = """
import sys
import sqlalchemy as sa
from mpi.storage.engine import open_store
from mpi.storage.unit_of_work import reading

with reading(open_store(sys.argv[1])) as unit:
    print(len(unit.rows(sa.text("SELECT source FROM source_system"))))
"""


def run(program: str, store: Store) -> subprocess.CompletedProcess[str]:
    """Run a program on the store in another process."""
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", program, address(store)],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        check=False,
        capture_output=True,
        text=True,
    )


def test_other_processes_read_during_a_bulk_load(store: Store) -> None:
    bulk_write(store, {"source_system": pa.table({"source": ["gp"]})})
    bulk_write(store, {"source_record": one_record()})
    with bulk_transaction(store) as bulk:
        bulk.append("source_system", pa.table({"source": ["ed", "council"]}))
        assert run(READING, store).stdout == "1\n"
    assert run(READING, store).stdout == "3\n"


def one_record() -> pa.Table:
    at = pa.array([0], pa.timestamp("us", "UTC"))
    return pa.table({"source": ["gp"], "local_id": ["1"], "registered_at": at})


def test_writers_wait_for_a_bulk_load(store: Store) -> None:
    order: list[str] = []

    def write() -> None:
        with writing(store) as unit:
            order.append("writer")
            unit.connection.execute(source_system.insert().values(source="late"))

    with bulk_transaction(store) as bulk:
        bulk.append("source_system", pa.table({"source": ["early"]}))
        writer = threading.Thread(target=write)
        writer.start()
        writer.join(timeout=0.2)
        order.append("load")
    writer.join()
    assert order == ["load", "writer"]


def test_no_writer_gives_up_because_others_wait_for_bulk_work_too(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mpi.storage.engine.BUSY_TIMEOUT_MS", 50)

    def write(source: str) -> None:
        with writing(store) as unit:
            unit.connection.execute(source_system.insert().values(source=source))

    with ThreadPoolExecutor() as writers, bulk_transaction(store):
        written = [writers.submit(write, source) for source in ("gp", "ed")]
        wait(written, timeout=0.3)
    assert [each.result() for each in written] == [None, None]


def test_bulk_work_inside_a_unit_of_work_is_a_mistake(store: Store) -> None:
    if not store.is_sqlite:
        pytest.skip("only SQLite files know two libraries")
    with reading(store), pytest.raises(AssertionError, match="cannot nest"):
        read_table(store, "link")


def test_a_store_that_is_away_is_reported(store: Store, tmp_path: Path) -> None:
    if not store.is_sqlite:
        pytest.skip("a server that is not there is tested with the schema")
    store.close()
    path = Path(store.sqlite_path)
    path.rename(tmp_path / "moved")
    path.mkdir()
    with pytest.raises(StorageUnavailable, match="cannot be opened"), reading(store):
        pass


def test_what_was_prepared_on_postgresql_outlives_what_is_undone(
    new_database: Callable[[str], str],
) -> None:
    store = open_store(new_database("postgresql"))

    def prepared(unit: UnitOfWork) -> int:
        rows = unit.driver_rows("SELECT count(*) FROM pg_prepared_statements", {})
        return int(rows[0][0])

    for _ in range(10):
        with reading(store) as unit:
            find_release_in_force(unit)
    with suppress(ZeroDivisionError), writing(store) as unit:
        before = prepared(unit)
        raise ZeroDivisionError
    with reading(store) as unit:
        assert prepared(unit) >= before > 0
    store.close()


def test_a_failure_behind_others_on_postgresql_leaves_a_connection_that_works(
    new_database: Callable[[str], str],
) -> None:
    store = open_store(new_database("postgresql"))
    texts = [f"SELECT {number} / %(divisor)s" for number in range(8)]
    for divisor in (*[1] * 5, 0, 1):
        # The sixth time the driver prepares each of them, and only the first is looked at.
        failing = pytest.raises(psycopg.Error) if divisor == 0 else nullcontext()
        with failing, writing(store) as unit:
            for text in texts:
                unit.driver_run(text, {"divisor": divisor})
            assert unit.driver_rows("SELECT 8 / %(divisor)s", {"divisor": divisor}) == [(8,)]
    store.close()


def test_what_waits_on_postgresql_is_done_before_what_is_read(store: Store) -> None:
    with writing(store) as unit:
        unit.driver_run("CREATE TEMPORARY TABLE said (word text)", {})
        for word in ("one", "two"):
            unit.driver_run(f"INSERT INTO said VALUES ('{word}')", {})
        assert unit.driver_rows("SELECT word FROM said ORDER BY word", {}) == [("one",), ("two",)]
        unit.driver_run("DELETE FROM said WHERE word = 'one'", {})
        assert unit.first(sa.text("SELECT count(*) FROM said")) == (1,)
        unit.driver_run("DROP TABLE said", {})


def test_nothing_is_told_to_be_durable_after_a_failure_that_nobody_heard(
    new_database: Callable[[str], str],
) -> None:
    store = open_store(new_database("postgresql"))

    def add_and_go_on() -> None:
        with writing(store) as unit:
            unit.connection.execute(source_system.insert().values(source="gp"))
            with suppress(psycopg.Error):
                unit.driver_rows("SELECT 1 / 0", {})

    with pytest.raises(AssertionError, match="went on"):
        add_and_go_on()
    assert read_table(store, "source_system").num_rows == 0
    with writing(store) as unit:
        unit.connection.execute(source_system.insert().values(source="ed"))
    assert read_table(store, "source_system").num_rows == 1
    store.close()


def test_what_fails_behind_another_on_postgresql_is_not_logged(
    new_database: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(new_database("postgresql"))
    add = "INSERT INTO source_system (source) VALUES (%(source)s)"
    with suppress(psycopg.DataError), writing(store) as unit:
        # The server refuses the second, but before it is heard of the driver refuses the third.
        unit.driver_run_many(
            add, [{"source": said} for said in ("CANARY", "CANARY", "no text: \0")]
        )
    assert read_table(store, "source_system").num_rows == 0
    assert not caplog.records
    store.close()


def test_savepoints_are_for_sqlite(store: Store) -> None:
    add = source_system.insert()
    refused = nullcontext() if store.is_sqlite else pytest.raises(AssertionError, match="its own")
    with refused, writing(store) as unit:
        unit.connection.execute(add.values(source="gp"))
        with suppress(ZeroDivisionError), unit.savepoint():
            unit.connection.execute(add.values(source="ed"))
            raise ZeroDivisionError
    kept = ["gp"] if store.is_sqlite else []
    assert read_table(store, "source_system", ["source"]).column(0).to_pylist() == kept
