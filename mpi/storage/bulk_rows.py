"""What is done with many rows in one transaction, and what each database does in its own way.

Tables cross this boundary with the column names of `mpi.storage.tables`; an instant is a
`timestamp[us, UTC]`, a boolean a `bool`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, DropIndex

from mpi.storage.columns import UtcTime
from mpi.storage.tables import METADATA

Rows: TypeAlias = pa.Table | pa.RecordBatchReader
STAGING: Final = "staging"
_COUNT: Final = {"number": pa.int64()}


class BulkTransaction(ABC):
    """Many rows, one transaction (see `mpi.storage.bulk`); methods take names of the schema.

    What a database refuses is raised as `storage_failures` says. Rows that name a column which the
    table has not are a mistake in our code, an AssertionError.
    """

    dialect: ClassVar[sa.Dialect]

    def __init__(self) -> None:
        self._appended: dict[str, bool] = {}
        """Table -> whether its indexes wait to be made again."""

    # What a database does in its own way.

    @abstractmethod
    def execute(self, statement: str) -> None:
        """Run one SQL statement, written for this store's database, for its effect alone."""

    @abstractmethod
    def _query(self, select: str, types: Mapping[str, pa.DataType]) -> pa.Table:
        """The rows of a SELECT as they are stored, each column under this name and type."""

    @abstractmethod
    def _ingest(self, table: str, rows: pa.Table) -> None:
        """Append rows of stored values to a table, or to the temporary table `STAGING`."""

    @abstractmethod
    def _finish(self) -> None:
        """Check and settle what the database leaves to us, before the commit."""

    # What all have in common.

    def read(
        self, table: str, columns: Sequence[str] | None = None, where: str | None = None
    ) -> pa.Table:
        """Rows of a table, ordered by its primary key; all columns unless some are named.

        Args:
            table: Its name.
            columns: Names of columns, in the order wanted.
            where: SQL condition that both databases understand, without values from outside.

        Returns:
            One row a stored row, with these columns: `int64`, `double`, `string`, `bool` or
            `timestamp[us, UTC]`. No rows, but the columns, if there are none.
        """
        source = METADATA.tables[table]
        chosen = [source.c[name] for name in columns or source.c.keys()]
        query = sa.select(*(self._stored(column) for column in chosen))
        if where:
            query = query.where(sa.text(where))
        query = query.order_by(*source.primary_key)
        types = {column.name: arrow_type(column) for column in chosen}
        return _from_stored(self._query(self._sql(query), types), chosen)

    def count(self, table: str, where: str | None = None) -> int:
        """How many rows a table has (those that meet a condition, see `read`); 0 or more."""
        query = f"SELECT count(*) AS number FROM {table}" + (f" WHERE {where}" if where else "")
        return int(self._query(query, _COUNT).column(0)[0].as_py())

    def append(self, table: str, rows: Rows) -> int:
        """Add rows; gives how many there were.

        An empty table is filled without its indexes, which are made once, after the last row.
        Sorting `blocking_key` and `edge` by their primary keys first makes them several times
        faster.

        Args:
            table: Its name.
            rows: One row a row to be stored; columns that are left out get their defaults.
        """
        self._before_append(table)
        count = 0
        for batch in _batches(rows):
            self._ingest(table, self._to_stored(table, batch))
            count += batch.num_rows
        return count

    def update(self, table: str, rows: pa.Table, *, on: Sequence[str]) -> None:
        """Set columns of rows that exist.

        Args:
            table: Its name.
            rows: One row a row to be changed: columns `on`, which name it, and those to be set.
            on: Names of columns of `rows`; a row that equals none of the table's in them changes
                nothing.
        """
        changed = [name for name in rows.column_names if name not in on]
        with self._staged(table, rows):
            assignments = ", ".join(f"{name} = {STAGING}.{name}" for name in changed)
            condition = " AND ".join(f"{table}.{name} = {STAGING}.{name}" for name in on)
            self.execute(f"UPDATE {table} SET {assignments} FROM {STAGING} WHERE {condition}")

    def upsert(self, table: str, rows: pa.Table, *, on: Sequence[str]) -> None:
        """Add rows, or set their other columns where columns `on` (a key of it) exist already.

        Args:
            table: Its name.
            rows: One row a row to be there afterwards; no two equal in `on`.
            on: Names of the columns of a primary key or a unique rule.
        """
        names = ", ".join(f'"{name}"' for name in rows.column_names)
        changed = [f'"{n}" = excluded."{n}"' for n in rows.column_names if n not in on]
        action = f"DO UPDATE SET {', '.join(changed)}" if changed else "DO NOTHING"
        with self._staged(table, rows):
            self.execute(
                f"INSERT INTO {table} ({names}) SELECT {names} FROM {STAGING} WHERE true "
                f"ON CONFLICT ({', '.join(on)}) {action}"
            )
        self._appended.setdefault(table, False)

    def delete(self, table: str, keys: pa.Table) -> None:
        """Delete the rows whose columns, as far as `keys` has them, equal one of its rows.

        Args:
            table: Its name.
            keys: One row a key, with one column or several of the table.
        """
        names = ", ".join(f'"{name}"' for name in keys.column_names)
        with self._staged(table, keys):
            self.execute(f"DELETE FROM {table} WHERE ({names}) IN (SELECT {names} FROM {STAGING})")
        self._appended.setdefault(table, False)

    def clear(self, table: str) -> None:
        """Delete every row; for tables that can be rebuilt."""
        self.execute(f"DELETE FROM {table}")
        self._appended.setdefault(table, False)

    def settle(self) -> None:
        """Make the indexes that wait, and let the database check what it has been given.

        Raises:
            Conflict: If rows refer to rows that do not exist.
        """
        for table in self._appended:
            self._restore_indexes(table)
        self._finish()
        self._appended.clear()

    def _before_append(self, table: str) -> None:
        if table in self._appended:
            return
        is_empty = not self._query(f"SELECT 1 AS number FROM {table} LIMIT 1", _COUNT).num_rows
        self._appended[table] = is_empty
        if is_empty:
            self._drop_rules(table)

    def _drop_rules(self, table: str) -> None:
        """Take away from an empty table what is cheaper to make once it is full."""
        for index in METADATA.tables[table].indexes:
            self.execute(self._sql(DropIndex(index)))

    def _restore_indexes(self, table: str) -> None:
        if not self._appended.get(table):
            return
        for index in METADATA.tables[table].indexes:
            self.execute(self._sql(CreateIndex(index)))
        self._appended[table] = False

    @contextmanager
    def _staged(self, table: str, rows: pa.Table) -> Iterator[None]:
        """The rows in a temporary table, with the columns' types."""
        self._restore_indexes(table)
        source = METADATA.tables[table]
        columns = ", ".join(
            f'"{name}" {source.c[name].type.compile(self.dialect)}' for name in rows.column_names
        )
        self.execute(f"CREATE TEMPORARY TABLE {STAGING} ({columns})")
        self._ingest(STAGING, self._to_stored(table, rows))
        yield
        self.execute(f"DROP TABLE {STAGING}")

    def _to_stored(self, table: str, rows: pa.Table) -> pa.Table:
        unknown = set(rows.column_names) - set(METADATA.tables[table].c.keys())
        assert not unknown, f"{table} has no columns {sorted(unknown)}"
        return rows

    def _stored(self, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
        return column

    def _sql(self, statement: sa.Executable | sa.schema.ExecutableDDLElement) -> str:
        compiled: str = str(statement.compile(dialect=self.dialect))  # type: ignore[union-attr]
        return compiled


def _batches(rows: Rows) -> Iterator[pa.Table]:
    if isinstance(rows, pa.Table):
        yield rows
        return
    for batch in rows:
        yield pa.Table.from_batches([batch])


def arrow_type(column: sa.Column[Any]) -> pa.DataType:
    """The Arrow type in which a column's stored values are read.

    Instants and booleans are stored as `int64`: microseconds since 1970, and 0 or 1.
    """
    if isinstance(column.type, UtcTime | sa.Integer | sa.Boolean):
        return pa.int64()
    return pa.float64() if isinstance(column.type, sa.Double) else pa.string()


def _from_stored(table: pa.Table, columns: Sequence[sa.Column[Any]]) -> pa.Table:
    arrays = []
    for stored, column in zip(table.columns, columns, strict=True):
        array = pc.cast(stored, arrow_type(column))
        if isinstance(column.type, UtcTime):
            array = pc.cast(array, pa.timestamp("us", "UTC"))
        elif isinstance(column.type, sa.Boolean):
            array = pc.cast(array, pa.bool_())
        arrays.append(array)
    return pa.table(arrays, names=[column.name for column in columns])
