"""One transaction, all or nothing: what every service works in.

A unit that reads sees one state of the store throughout. A unit that writes is committed when its
block ends, and undone if the block raises; nothing is acknowledged before the block has ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from mpi.storage.engine import Store
from mpi.storage.failures import storage_failures

BULK_LOCK: Final = 7_305_168
"""Advisory lock of PostgreSQL: writers share it, a bulk load has it alone."""


@dataclass(frozen=True, slots=True)
class UnitOfWork:
    """An open transaction, passed to the functions of `mpi.storage`."""

    connection: sa.Connection

    @property
    def is_sqlite(self) -> bool:
        return self.connection.dialect.name == "sqlite"

    def rows(self, statement: sa.Executable, **parameters: Any) -> list[Any]:
        """Every row of a statement's result, which must be bounded."""
        return list(self.connection.execute(statement, parameters))

    def driver_rows(self, text: str, parameters: dict[str, Any]) -> list[Any]:
        """The same for text in the driver's own form, without SQLAlchemy's share of the time."""
        driver: Any = self.connection.connection.driver_connection
        rows: list[Any] = driver.execute(text, parameters).fetchall()
        return rows

    def driver_run(self, text: str, parameters: dict[str, Any]) -> None:
        """Run text in the driver's own form for its effect."""
        driver: Any = self.connection.connection.driver_connection
        driver.execute(text, parameters).close()

    def driver_run_many(self, text: str, rows: Sequence[dict[str, Any]]) -> None:
        """Run one text for many sets of values."""
        driver: Any = self.connection.connection.driver_connection
        driver.cursor().executemany(text, rows)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Part of the unit that is undone alone if its block raises."""
        driver: Any = self.connection.connection.driver_connection
        driver.execute("SAVEPOINT work").close()
        is_done = False
        try:
            yield
            is_done = True
        finally:
            if not is_done and self.is_open:
                driver.execute("ROLLBACK TO work").close()
            if self.is_open:
                driver.execute("RELEASE work").close()

    @property
    def is_open(self) -> bool:
        """Whether the transaction still stands: a full disk makes SQLite undo it by itself."""
        driver: Any = self.connection.connection.driver_connection
        return bool(driver.in_transaction) if self.is_sqlite else not driver.closed

    def first(self, statement: sa.Executable, **parameters: Any) -> Any | None:
        """The first row, or None."""
        return self.connection.execute(statement, parameters).first()


@contextmanager
def reading(store: Store) -> Iterator[UnitOfWork]:
    """A unit of work that changes nothing and sees one state of the store."""
    with storage_failures(), store.opened(), store.reader.begin() as connection:
        yield UnitOfWork(connection)


@contextmanager
def writing(store: Store) -> Iterator[UnitOfWork]:
    """A unit of work that is durable when its block has ended."""
    with storage_failures(), store.opened(), store.engine.begin() as connection:
        if not store.is_sqlite:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock_shared({BULK_LOCK})")
        yield UnitOfWork(connection)
