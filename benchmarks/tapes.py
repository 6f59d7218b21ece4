"""The SQL statements of a request as the service runs them, on tape: what the floor plays.

Each is recorded on the store as it was loaded and undone again, so tapes do not depend on one
another and can be played in any order, at once, or not at all. A number that the store gives to a
new row is another when the tape is played; statements that follow get that one instead.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mpi.storage.engine import Store
from mpi.storage.locks import Locks, MustRetry, Wanted
from mpi.storage.unit_of_work import BULK_LOCK, UnitOfWork
from mpi.storage.waiting import Prepare
from mpi.storage.writer import Work, Writer


@dataclass(frozen=True, slots=True)
class Step:
    """One statement in the driver's own form."""

    text: str
    values: Any
    """Of the statement, or of each of many."""
    is_many: bool = False
    given: list[Any] = field(default_factory=list)
    """Numbers of new rows that it gave when it was recorded."""


class Kind(Enum):
    """How a transaction begins and ends."""

    READS = "reads"
    WRITES = "writes"
    ALONE = "alone"
    """One statement of PostgreSQL that writes and is a transaction by itself."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """The statements of one transaction, in order."""

    kind: Kind
    steps: list[Step] = field(default_factory=list)


@dataclass(slots=True)
class Tape:
    """A request as its statements, and its answer."""

    transactions: list[Transaction] = field(default_factory=list)
    answer: bytes = b"{}"


def write_tapes(path: Path, tapes: Sequence[Tape]) -> None:
    """Keep tapes for the floor application, which is another process."""
    path.write_bytes(pickle.dumps(list(tapes)))


def read_tapes(path: Path) -> list[Tape]:
    """What `write_tapes` wrote, in this very run: pickles of anybody else are programs."""
    found: list[Tape] = pickle.loads(path.read_bytes())
    return found


@contextmanager
def taped(store: Store, tape: Tape, kind: Kind) -> Iterator[UnitOfWork]:
    """A unit of work whose statements are recorded, and undone at the end."""
    engine = store.reader if kind is Kind.READS else store.engine
    transaction = Transaction(kind)
    with store.opened(), engine.connect() as connection, connection.begin() as begun:
        sa.event.listen(connection, "before_cursor_execute", _noting(transaction))
        if kind is Kind.WRITES and not store.is_sqlite:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock_shared({BULK_LOCK})")
        unit = UnitOfWork(connection)
        driver = _TapedDriver(unit._driver, transaction)
        object.__setattr__(unit, "_driver", driver)
        object.__setattr__(unit, "_cursor", driver.cursor())
        try:
            yield unit
            unit.send()
        finally:
            begun.rollback()
    tape.transactions.append(transaction)


class TapingWriter(Writer):
    """Records what work does instead of keeping it; the tape is that of the last piece."""

    tape: Tape

    def submit(
        self,
        work: Work[Any],
        *,
        prepare: Prepare | None = None,  # noqa: ARG002
    ) -> Future[Any]:
        """What the work gives, though it is undone; nothing is prepared."""
        wanted: Wanted = Wanted()
        future: Future[Any] = Future()
        while not future.done():
            self.tape = Tape()
            try:
                with taped(self.store, self.tape, Kind.WRITES) as unit:
                    locks = Locks(unit, wanted)
                    locks.take()
                    future.set_result(work(unit, locks))
            except MustRetry as more:
                wanted |= more.wanted
        return future


def _noting(transaction: Transaction) -> Any:
    def note(_connection: Any, _cursor: Any, text: str, values: Any, _: Any, many: bool) -> None:
        transaction.steps.append(Step(text, values, is_many=many))

    return note


class _Taped:
    """A driver's connection or cursor that notes what is run."""

    def __init__(self, inner: Any, transaction: Transaction) -> None:
        self._inner = inner
        self._transaction = transaction

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _TapedDriver(_Taped):
    def cursor(self) -> Any:
        """As the driver gives it."""
        return _TapedCursor(self._inner.cursor(), self._transaction)


class _TapedCursor(_Taped):
    def execute(self, text: str, values: Any = None) -> Any:
        """As the driver runs it."""
        self._transaction.steps.append(Step(text, values))
        if values:
            self._inner.execute(text, values)
        else:
            self._inner.execute(text)
        return self

    def executemany(self, text: str, rows: Sequence[Any]) -> None:
        """As the driver runs it."""
        self._transaction.steps.append(Step(text, list(rows), is_many=True))
        self._inner.executemany(text, rows)

    def fetchall(self) -> list[Any]:
        """As the driver gives them; numbers of new rows are noted."""
        rows: list[Any] = self._inner.fetchall()
        step = self._transaction.steps[-1]
        if "RETURNING" in step.text:
            step.given.extend(row[0] for row in rows)
        return rows
