"""Work that shares a commit: each piece is there or not, whatever becomes of the others."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from threading import Event, current_thread
from time import sleep
from typing import Any

import pytest
import sqlalchemy as sa

from mpi.errors import Conflict
from mpi.storage.audit import AuditEvent, add_audit_events, list_audit_events
from mpi.storage.blocking_keys import add_crowded, list_crowded
from mpi.storage.engine import open_store
from mpi.storage.locks import Locks
from mpi.storage.unit_of_work import UnitOfWork, reading, writing
from mpi.storage.waiting import GROUP_WORK_MAX, Piece, WaitingLine
from mpi.storage.writer import Work, Writer

NOW = datetime(2026, 3, 3, tzinfo=UTC)
KEYS = range(1, 41)


@pytest.fixture
def writer(new_database: Callable[[str], str]):
    opened = Writer(open_store(new_database("sqlite")))
    yield opened
    opened.close()
    opened.store.close()


def adding(key: int, *, fails: bool = False) -> Work[int]:
    def work(unit: UnitOfWork, _locks: Locks) -> int:
        add_crowded(unit, key, records_count=key, at=NOW)
        if fails:
            raise Conflict("key: is one of those that fail")
        return key

    return work


@contextmanager
def busy(writer: Writer):
    """Whoever comes while the block runs waits for the next group."""
    has_begun, may_end = Event(), Event()

    def work(_unit: UnitOfWork, _locks: Locks) -> None:
        has_begun.set()
        may_end.wait(10)

    writer.submit(work)
    has_begun.wait(10)
    yield
    may_end.set()


def submitted(writer: Writer, works: list[Work[int]]):
    """All of them in one group."""
    with busy(writer):
        return [writer.submit(work) for work in works]


@pytest.fixture
def slow_commits(writer: Writer):
    """Each commit takes a moment, which is all that preparing has."""
    sa.event.listen(writer.store.engine, "commit", lambda _connection: sleep(0.2))


def kept(writer: Writer) -> set[int]:
    with reading(writer.store) as unit:
        return list_crowded(unit, KEYS)


@pytest.mark.parametrize("failing", [set(), {1}, {20}, {40}, {2, 3, 39}, set(KEYS)], ids=str)
def test_a_piece_that_fails_takes_no_other_with_it(writer: Writer, failing: set[int]) -> None:
    futures = submitted(writer, [adding(key, fails=key in failing) for key in KEYS])
    for key, future in zip(KEYS, futures, strict=True):
        if key in failing:
            assert isinstance(future.exception(), Conflict)
        else:
            assert future.result() == key
    assert kept(writer) == {*KEYS} - failing


def test_a_rule_of_the_database_that_is_broken_takes_no_other_with_it(writer: Writer) -> None:
    first, again, other = submitted(writer, [adding(1), adding(1), adding(2)])
    assert (first.result(), other.result()) == (1, 2)
    assert isinstance(again.exception(), Conflict)
    assert kept(writer) == {1, 2}


def audited(key: int, *, action: Any = "looked", fails: bool = False) -> Work[int]:
    """What nobody reads before the commit is written once for a group."""

    def work(unit: UnitOfWork, locks: Locks) -> int:
        event = AuditEvent(
            action=action, actor=f"number {key}", purpose="test", person_id="P1", recorded_at=NOW
        )
        add_audit_events(unit, [event])
        return adding(key, fails=fails)(unit, locks)

    return work


def told_of(writer: Writer) -> list[str]:
    with reading(writer.store) as unit:
        return [event.actor for event in list_audit_events(unit, "P1")]


@pytest.mark.parametrize("failing", [set(), {1}, {2, 5}], ids=str)
def test_the_trail_tells_of_what_was_done_and_of_nothing_else(
    writer: Writer, failing: set[int]
) -> None:
    futures = submitted(writer, [audited(key, fails=key in failing) for key in range(1, 6)])
    assert {key for key, each in enumerate(futures, 1) if each.exception()} == failing
    done = [key for key in range(1, 6) if key not in failing]
    assert told_of(writer) == [f"number {key}" for key in reversed(done)]
    assert kept(writer) == {*done}


def test_a_trail_that_the_database_refuses_undoes_its_own_piece_only(writer: Writer) -> None:
    futures = submitted(writer, [audited(1), audited(2, action=None), audited(3)])
    assert [type(each.exception()) for each in futures] == [type(None), Conflict, type(None)]
    assert told_of(writer) == ["number 3", "number 1"]
    assert kept(writer) == {1, 3}


def test_a_trail_that_the_database_refuses_undoes_a_piece_alone(writer: Writer) -> None:
    with pytest.raises(Conflict):
        writer.run(audited(1, action=None))
    assert (told_of(writer), kept(writer)) == ([], set())


def test_what_was_told_before_a_savepoint_outlives_it(writer: Writer) -> None:
    with writing(writer.store) as unit:
        audited(1)(unit, Locks(unit))
        with suppress(Conflict), unit.savepoint():
            audited(2, fails=True)(unit, Locks(unit))
        audited(3)(unit, Locks(unit))
    assert told_of(writer) == ["number 3", "number 1"]
    assert kept(writer) == {1, 3}


def test_who_fails_alone_leaves_nothing(writer: Writer) -> None:
    with pytest.raises(Conflict):
        writer.run(adding(1, fails=True))
    assert writer.run(adding(2)) == 2
    assert kept(writer) == {2}


def test_who_waits_is_prepared_while_others_are_committed(
    writer: Writer, slow_commits: None
) -> None:
    told: list[str] = []

    def preparing(key: int) -> Callable[[], None]:
        return lambda: told.append(f"{key} by {current_thread().name}")

    def noted(key: int) -> Work[int]:
        def work(unit: UnitOfWork, locks: Locks) -> int:
            told.append(f"{key} at work")
            return adding(key)(unit, locks)

        return work

    with busy(writer):
        futures = [writer.submit(noted(key), prepare=preparing(key)) for key in (1, 2)]
    assert [future.result() for future in futures] == [1, 2]
    helper = "mpi-preparing_0"
    assert told == [f"1 by {helper}", f"2 by {helper}", "1 at work", "2 at work"]


def test_who_waits_is_prepared_too_while_others_get_savepoints(
    writer: Writer, slow_commits: None
) -> None:
    told: list[str] = []
    with busy(writer):
        for key in range(1, GROUP_WORK_MAX + 1):
            writer.submit(adding(key, fails=key == 1))
        last = writer.submit(
            lambda _unit, _locks: told.append("at work"), prepare=lambda: told.append("prepared")
        )
    last.result()
    assert told == ["prepared", "at work"]


def test_what_cannot_be_prepared_is_done_all_the_same(writer: Writer, slow_commits: None) -> None:
    def fails() -> None:
        raise ValueError("nothing comes of it")

    with busy(writer):
        futures = [writer.submit(adding(key), prepare=fails) for key in (1, 2)]
    assert [future.result() for future in futures] == [1, 2]
    assert kept(writer) == {1, 2}


def test_preparing_is_given_up_when_a_commit_is_over() -> None:
    line = WaitingLine()
    told: list[int] = []
    line.put(Piece(adding(1), line.stop_preparing, Future()))
    line.put(Piece(adding(2), lambda: told.append(2), Future()))
    line.prepare_next()
    assert len(line.next_group()) == 2
    line.end()
    assert line.next_group() == []  # Whoever prepares has ended by then.
    assert told == []
