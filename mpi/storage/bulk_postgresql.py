"""Bulk rows to and from PostgreSQL through COPY, as CSV that Arrow writes and reads.

CSV tells NULL (nothing) from an empty text (a pair of quotes), and instants travel as microseconds
or as text with their zone, so that nothing is lost on the way.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.dialects import postgresql

from mpi.storage.bulk_rows import BulkTransaction
from mpi.storage.columns import UtcTime
from mpi.storage.engine import Store
from mpi.storage.failures import storage_failures
from mpi.storage.tables import METADATA
from mpi.storage.unit_of_work import BULK_LOCK

_COPY_ROWS = 50_000
"""Rows turned to CSV at a time."""


class _PostgresqlBulk(BulkTransaction):
    dialect: ClassVar[sa.Dialect] = postgresql.dialect()  # type: ignore[no-untyped-call]

    def __init__(self, cursor: psycopg.Cursor[Any]) -> None:
        super().__init__()
        self._cursor = cursor
        self._unchecked: list[sa.ForeignKeyConstraint] = []
        """Foreign keys that wait: one join at the end instead of a look-up for each row."""

    def execute(self, statement: str) -> None:
        self._cursor.execute(sql.SQL(statement))

    def _query(self, select: str, types: Mapping[str, pa.DataType]) -> pa.Table:
        buffer = io.BytesIO()
        with self._cursor.copy(sql.SQL(f"COPY ({select}) TO STDOUT (FORMAT csv)")) as copy:
            for block in copy:
                buffer.write(block)
        if not buffer.tell():
            return pa.table({name: pa.array([], kind) for name, kind in types.items()})
        buffer.seek(0)
        return pyarrow.csv.read_csv(
            buffer,
            read_options=pyarrow.csv.ReadOptions(column_names=list(types), block_size=1 << 26),
            parse_options=pyarrow.csv.ParseOptions(
                newlines_in_values=True,
                ignore_empty_lines=False,  # One column, and it is NULL.
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict(types),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )

    def _ingest(self, table: str, rows: pa.Table) -> None:
        names = ", ".join(f'"{name}"' for name in rows.column_names)
        statement = sql.SQL(f"COPY {table} ({names}) FROM STDIN (FORMAT csv)")
        options = pyarrow.csv.WriteOptions(include_header=False)
        with self._cursor.copy(statement) as copy:
            for batch in rows.to_batches(max_chunksize=_COPY_ROWS):
                buffer = io.BytesIO()
                pyarrow.csv.write_csv(batch, buffer, options)
                copy.write(buffer.getvalue())

    def _to_stored(self, table: str, rows: pa.Table) -> pa.Table:
        rows = super()._to_stored(table, rows)
        return pa.table({name: _plain(rows.column(name)) for name in rows.column_names})

    def _stored(self, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
        if isinstance(column.type, UtcTime):
            return sa.literal_column(f"(extract(epoch from {column}) * 1000000)::bigint")
        if isinstance(column.type, sa.Boolean):
            return sa.literal_column(f"({column})::int")
        return column

    def _drop_rules(self, table: str) -> None:
        super()._drop_rules(table)
        for constraint in METADATA.tables[table].foreign_key_constraints:
            self.execute(f"ALTER TABLE {table} DROP CONSTRAINT {self._name(constraint)}")
            self._unchecked.append(constraint)

    def _finish(self) -> None:
        """Check the foreign keys; the next number that the database gives follows ours.

        Statistics are taken at once: until the server comes round to it, it would plan for empty
        tables and read millions of keys for one look-up.
        """
        while self._unchecked:
            constraint = self._unchecked.pop()
            (element,) = constraint.elements
            self.execute(
                f"ALTER TABLE {constraint.table} ADD CONSTRAINT {self._name(constraint)} "
                f"FOREIGN KEY ({element.parent.name}) "
                f"REFERENCES {element.column.table} ({element.column.name})"
            )
        for table in self._appended:
            self.execute(f"ANALYZE {table}")
            if "number" in METADATA.tables[table].c:
                self.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'number'), "
                    f"max(number)) FROM {table} HAVING max(number) IS NOT NULL"
                )

    def _name(self, constraint: sa.ForeignKeyConstraint) -> str:
        return str(self.dialect.identifier_preparer.format_constraint(constraint))


@contextmanager
def postgresql_transaction(store: Store) -> Iterator[BulkTransaction]:
    """A transaction that has the bulk lock from the start and no statement timeout.

    Committed when the block ends, undone if it raises.

    Raises:
        StorageUnavailable, Conflict: See `storage_failures`.
    """
    with storage_failures(), store.engine.begin() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        with driver.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (BULK_LOCK,))
            yield _PostgresqlBulk(cursor)


@contextmanager
def postgresql_reader(store: Store) -> Iterator[BulkTransaction]:
    """A transaction for reading alone, which sees one state of the store (REPEATABLE READ).

    Raises:
        StorageUnavailable: If the store cannot be read.
    """
    with storage_failures(), store.engine.begin() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        with driver.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute("SET LOCAL statement_timeout = 0")
            yield _PostgresqlBulk(cursor)


def _plain(array: pa.ChunkedArray) -> pa.ChunkedArray:
    is_dictionary = pa.types.is_dictionary(array.type)
    return pc.cast(array, array.type.value_type) if is_dictionary else array
