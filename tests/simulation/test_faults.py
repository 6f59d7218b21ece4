"""Whatever statement or commit fails: nothing is half done, nobody is told a lie, a retry works."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from mpi.domain.demographics import Demographics
from mpi.domain.identifiers import RecordKey
from mpi.domain.records import (
    VersionVerdict,
    content_digest,
    content_json,
    demographics_to_dict,
)
from mpi.errors import StorageUnavailable
from mpi.services.linkage_index import LinkageIndex
from mpi.storage.engine import open_store
from mpi.storage.unit_of_work import UnitOfWork
from tests.live_index import LiveIndex
from tests.simulation.invariants import check_store
from tests.small_region import ADA, JOHN

EVERY = int(os.environ.get("MPI_EVERY_STATEMENT", "9"))
"""Every how manieth statement is made to fail; 1 is all of them."""
NUMBER = {"nhs_number": "9990000018", "nhs_number_status": "01"}
OTHER = {"nhs_number": "9990000026", "nhs_number_status": "01"}
HELD = content_digest(content_json(demographics_to_dict(Demographics(**JOHN))))
ACTS: dict[str, Callable[[LiveIndex], Any]] = {
    "register": lambda live: live.say("gp:9", ADA | OTHER, request_key="m9"),
    "update": lambda live: live.say("gp:1", JOHN, day=9),
    "delete": lambda live: live.delete("gp:1"),
    "merge": lambda live: live.merge("gp:2", "gp:1"),
    "unmerge": lambda live: live.unmerge("gp:4"),
    "same": lambda live: live.decide(
        "same", "gp:1", "poole:1", wrong_numbers=(RecordKey("poole", "1"),)
    ),
    "different": lambda live: live.decide("different", "gp:1", "poole:3"),
    "judge": lambda live: live.judge("poole:3", HELD, VersionVerdict.ANOTHER_HUMAN),
    "retract": lambda live: live.retract(1),
}


def fill(live: LiveIndex) -> None:
    """A little of everything."""
    live.say("gp:1", ADA | NUMBER)
    live.say("poole:1", ADA | OTHER)
    live.say("gp:2", ADA | {"given_name": "Beatrice"})
    live.say("poole:3", ADA | {"phone": ""})
    live.say("poole:3", JOHN, day=9)
    live.say("dorset-county:1", JOHN)
    live.say("gp:4", JOHN)
    live.merge("gp:4", "gp:1")
    live.decide("same", "gp:2", "dorset-county:1")


@contextlib.contextmanager
def failing_at(nth: int, live: LiveIndex, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The nth statement of the block, or its commit, fails as a lost database does."""
    seen = [0]

    def counted(*_: Any) -> None:
        seen[0] += 1
        if seen[0] == nth:
            raise lost(live)

    def watched(name: str) -> Callable[..., Any]:
        real = getattr(UnitOfWork, name)

        def run(*given: Any) -> Any:
            counted()
            return real(*given)

        return run

    with monkeypatch.context() as patched:
        for name in ("driver_rows", "driver_run", "driver_run_many"):
            patched.setattr(UnitOfWork, name, watched(name))
        sa.event.listen(live.store.engine, "before_cursor_execute", counted)
        sa.event.listen(live.store.engine, "commit", counted)
        try:
            yield seen
        finally:
            sa.event.remove(live.store.engine, "before_cursor_execute", counted)
            sa.event.remove(live.store.engine, "commit", counted)


def lost(live: LiveIndex) -> Exception:
    if not live.store.is_sqlite:
        return psycopg.OperationalError("the connection is lost")
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    return error


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_failure_at_any_statement_undoes_all_and_a_retry_succeeds(
    kind: str,
    act: str,
    new_database: Callable[[str], str],
    index: LinkageIndex,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live = LiveIndex(open_store(new_database(kind)), index)
    fill(live)
    before = content(live)
    for nth in count(1, EVERY):
        with failing_at(nth, live, monkeypatch) as seen:
            try:
                ACTS[act](live)
            except StorageUnavailable:
                assert content(live) == before, f"statement {nth}"
                continue
            assert seen[0] < nth, "a failure was swallowed"
        break
    assert content(live) != before
    check_store(live)
    live.close()
    live.store.close()


def content(live: LiveIndex) -> list[Any]:
    """Everything but audit: what a reader sees."""
    tables = ("source_record", "record_version", "link", "person", "edge", "task", "decision")
    return [sorted(map(repr, live.query(f"SELECT * FROM {name}"))) for name in tables] + [
        live.events()
    ]


def test_a_full_disk_refuses_and_recovers_by_itself(
    new_database: Callable[[str], str], index: LinkageIndex, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.system(f"mount -t tmpfs -o size=4m none {disk}"):
        pytest.skip("whoever runs this may not mount a small disk")
    try:
        path = new_database("sqlite").removeprefix("sqlite:///")
        shutil.copy(path, disk / "store.sqlite3")
        live = LiveIndex(open_store(f"sqlite:///{disk}/store.sqlite3"), index)
        told = fill_up(live)
        assert len(live.query("SELECT 1 FROM record_version")) == told
        os.system(f"mount -o remount,size=64m {disk}")
        live.say("poole:1", ADA)
        check_store(live)
        live.close()
        live.store.close()
    finally:
        os.system(f"umount --lazy {disk}")  # A failure may have left the store open.


def fill_up(live: LiveIndex) -> int:
    """Register until the disk is full; gives how many were acknowledged."""
    for number in count():
        try:
            live.say(f"gp:{number}", {"title": "x" * 20_000, "given_name": f"N{number}"})
        except StorageUnavailable:
            return number
    raise AssertionError("a disk is finite")


def test_a_locked_store_is_refused_and_comes_back(
    new_database: Callable[[str], str], index: LinkageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mpi.storage.engine.BUSY_TIMEOUT_MS", 100)
    live = LiveIndex(open_store(new_database("sqlite")), index)
    holder = sqlite3.connect(live.store.sqlite_path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailable, match="locked"):
        live.say("gp:1", ADA)
    holder.close()
    live.say("gp:1", ADA)
    check_store(live)
    live.close()
    live.store.close()


def test_a_lost_connection_comes_back(
    new_database: Callable[[str], str], index: LinkageIndex
) -> None:
    live = LiveIndex(open_store(new_database("postgresql")), index)
    live.say("gp:1", ADA)
    for number in range(3):
        drop = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
        live.query(f"{drop} current_database() AND pid <> pg_backend_pid()")
        with contextlib.suppress(StorageUnavailable):
            live.say(f"poole:{number}", ADA)
        live.say(f"poole:{number}", ADA)
    check_store(live)
    live.close()
    live.store.close()
