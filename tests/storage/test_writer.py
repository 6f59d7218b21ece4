"""Work that shares a commit: each piece is there or not, whatever becomes of the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event

import pytest

from mpi.errors import Conflict
from mpi.storage.crowded import add_crowded
from mpi.storage.engine import open_store
from mpi.storage.graph import list_crowded
from mpi.storage.locks import Locks
from mpi.storage.unit_of_work import UnitOfWork, reading
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


def submitted(writer: Writer, works: list[Work[int]]):
    """All of them in one group: the writer is kept busy until they wait."""
    is_submitted = Event()
    writer.submit(lambda _unit, _locks: is_submitted.wait(10))
    futures = [writer.submit(work) for work in works]
    is_submitted.set()
    return futures


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


def test_who_fails_alone_leaves_nothing(writer: Writer) -> None:
    with pytest.raises(Conflict):
        writer.run(adding(1, fails=True))
    assert writer.run(adding(2)) == 2
    assert kept(writer) == {2}
