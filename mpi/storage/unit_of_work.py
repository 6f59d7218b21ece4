"""One transaction, all or nothing: what every service works in.

A unit that reads sees one state of the store throughout. A unit that writes is committed when its
block ends, and undone if the block raises; nothing is acknowledged before the block has ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from mpi.errors import StorageUnavailable
from mpi.storage.engine import Store
from mpi.storage.failures import storage_failures

DriverValues = Sequence[Any] | Mapping[str, Any]
"""The values of one statement, by place or by name."""
BULK_LOCK: Final = 7_305_168
"""Advisory lock of PostgreSQL: writers share it, a bulk load has it alone."""
_SHARE_BULK_LOCK: Final = f"SELECT pg_advisory_xact_lock_shared({BULK_LOCK})"


@dataclass(frozen=True, slots=True)
class UnitOfWork:
    """An open transaction, passed to the functions of `mpi.storage`; for one thread.

    What the database raises becomes ours where the unit ends (see `storage_failures`).
    """

    _connection: sa.Connection
    is_sqlite: bool = field(init=False)
    _driver: Any = field(init=False, repr=False)
    """The database driver's own connection."""
    _cursor: Any = field(init=False, repr=False)
    """One for all statements, each of which is done when the next begins."""
    _waiting: list[tuple[str, DriverValues]] = field(init=False, repr=False, default_factory=list)
    """PostgreSQL: statements whose rows nobody asks for; they go with the next that gives some."""
    _late: dict[str, list[DriverValues]] = field(init=False, repr=False, default_factory=dict)
    """SQLite: rows that nobody reads before the unit ends, by the text that writes them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_sqlite", self._connection.dialect.name == "sqlite")
        driver: Any = self._connection.connection.driver_connection
        object.__setattr__(self, "_driver", driver)
        object.__setattr__(self, "_cursor", driver.cursor())

    @property
    def connection(self) -> sa.Connection:
        """SQLAlchemy's, with all that was to be run before."""
        self.send()
        return self._connection

    def rows(self, statement: sa.Executable, **parameters: Any) -> list[Any]:
        """Every row of a statement's result, which must be bounded; attributes are its columns."""
        return list(self.connection.execute(statement, parameters))

    def first(self, statement: sa.Executable, **parameters: Any) -> Any | None:
        """The first row, or None."""
        return self.connection.execute(statement, parameters).first()

    def driver_rows(self, text: str, parameters: DriverValues) -> list[Any]:
        """`rows`, as tuples, for text in the driver's own form, which saves SQLAlchemy's time."""
        if self._waiting:
            self._waiting.append((text, parameters))
            self._run_waiting()
        else:
            self._cursor.execute(text, parameters)
        rows: list[Any] = self._cursor.fetchall()
        return rows

    def driver_run(self, text: str, parameters: DriverValues) -> None:
        """Run text in the driver's own form for its effect.

        On PostgreSQL it waits for the next statement that gives rows, or the end of the unit: a
        round trip costs as much as the work. What it raises is raised there.
        """
        if self.is_sqlite:
            self._cursor.execute(text, parameters)
        else:
            self._waiting.append((text, parameters))

    def driver_run_many(self, text: str, rows: Sequence[DriverValues]) -> None:
        """`driver_run` of one text for many sets of values."""
        if self.is_sqlite:
            self._cursor.executemany(text, rows)
        else:
            self._waiting.extend((text, row) for row in rows)

    def driver_run_late(self, text: str, rows: Sequence[DriverValues]) -> None:
        """`driver_run_many` of what nobody reads before the unit ends, or `send` is called.

        Many pieces of work share a unit of SQLite, and a statement for all of them costs less.
        """
        if self.is_sqlite:
            self._late.setdefault(text, []).extend(rows)
        else:
            self.driver_run_many(text, rows)

    def send(self) -> None:
        """Run what waits to be run; a unit that ends well does it by itself."""
        if self._waiting:
            self._run_waiting()
        for text, rows in self._late.items():
            self._cursor.executemany(text, rows)
        self._late.clear()

    def _run_waiting(self) -> None:
        """In one round trip; the cursor then has the rows of the last statement."""
        statements = [*self._waiting]
        self._waiting.clear()
        with self._driver.pipeline() if len(statements) > 1 else nullcontext():
            for text, parameters in statements:
                self._cursor.execute(text, parameters)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Part of the unit that is undone alone if its block raises; for SQLite.

        PostgreSQL's statements that wait, and what its driver has prepared, know nothing of it.
        """
        assert self.is_sqlite, "on PostgreSQL each piece of work has a unit of its own"
        self.send()
        self._cursor.execute("SAVEPOINT work")
        is_done = False
        try:
            yield
            self.send()
            is_done = True
        finally:
            self._late.clear()
            if not is_done and self.is_open:
                self._cursor.execute("ROLLBACK TO work")
            if self.is_open:
                self._cursor.execute("RELEASE work")

    @property
    def is_open(self) -> bool:
        """SQLite: whether the transaction still stands; a full disk makes it undo it by itself."""
        return bool(self._driver.in_transaction)


@contextmanager
def reading(store: Store) -> Iterator[UnitOfWork]:
    """A unit of work that changes nothing and sees one state of the store.

    Raises:
        StorageUnavailable: If the store cannot be read now.
    """
    with storage_failures(), store.opened(), store.reader.begin() as connection:
        yield UnitOfWork(connection)


@contextmanager
def writing(store: Store) -> Iterator[UnitOfWork]:
    """A unit of work that is durable when its block has ended, and undone if it raises.

    It waits for other writers of a SQLite file at most `BUSY_TIMEOUT_MS` milliseconds, as long
    again for those of other processes, and for a bulk load of PostgreSQL at most
    `STATEMENT_TIMEOUT_S` seconds.

    Raises:
        StorageUnavailable: If the store cannot be written now; nothing was.
        Conflict: If a rule of the schema was broken; nothing was written.
    """
    with (
        storage_failures(),
        store.opened(),
        store.turn(),  # Inside: who has it never waits for bulk work, which others wait for longer.
        store.engine.begin() as connection,
    ):
        unit = UnitOfWork(connection)
        if not store.is_sqlite:
            unit.driver_rows(_SHARE_BULK_LOCK, {})
        yield unit
        unit.send()


@contextmanager
def writing_alone(store: Store) -> Iterator[UnitOfWork]:
    """A unit of PostgreSQL for one statement, which is a transaction: durable when it has run.

    No BEGIN and no COMMIT go to the server; the statement has to take `BULK_LOCK` itself.
    """
    with storage_failures(), store.opened(), store.single.connect() as connection:
        unit = UnitOfWork(connection)
        yield unit
        unit.send()


def require_writable(unit: UnitOfWork) -> None:
    """Raise StorageUnavailable unless this unit, which writes, could commit something."""
    if (
        not unit.is_sqlite
        and unit.connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar()
    ):
        raise StorageUnavailable("store: cannot be written to")
