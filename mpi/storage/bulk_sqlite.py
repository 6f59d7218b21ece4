"""Bulk rows to and from SQLite through ADBC, which binds Arrow columns in C.

The driver opens its own connection to the file. SQLite checks no foreign keys while rows stream in
(order would matter, and time); they are checked at once before the commit: by the values that came
through here where a whole table did, else by SQLite, which reads the file several times for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import adbc_driver_manager
import adbc_driver_sqlite.dbapi
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from mpi.errors import Conflict
from mpi.storage.bulk_rows import STAGING, BulkTransaction, arrow_type
from mpi.storage.engine import BUSY_TIMEOUT_MS, Store, sqlite_pragmas
from mpi.storage.failures import storage_failures
from mpi.storage.gate import Library
from mpi.storage.tables import METADATA

_FIRST_ROW = {pa.int64(): "0", pa.float64(): "0.5", pa.string(): "''"}
"""Read before the others, so that a column has its type even if it begins with NULLs."""


class _SqliteBulk(BulkTransaction):
    dialect = sqlite.dialect()

    def __init__(self, cursor: Any) -> None:
        super().__init__()
        self._cursor = cursor
        self._filled: dict[str, dict[str, list[pa.Array]]] = {}
        """Table that was empty and only added to -> column of a foreign key -> its values."""

    def execute(self, statement: str) -> None:
        self._cursor.execute(statement)
        self._cursor.fetchall()

    def _query(self, select: str, types: Mapping[str, pa.DataType]) -> pa.Table:
        first = ", ".join(f'{_FIRST_ROW[kind]} AS "{name}"' for name, kind in types.items())
        self._cursor.execute(f"SELECT {first} UNION ALL SELECT * FROM ({select})")
        return self._cursor.fetch_arrow_table().slice(1)

    def _ingest(self, table: str, rows: pa.Table) -> None:
        self._cursor.adbc_ingest(table, rows, mode="append", temporary=table == STAGING)
        if table in self._filled:
            self._note_keys(METADATA.tables[table], rows)

    def _note_keys(self, table: sa.Table, rows: pa.Table) -> None:
        """Keep the values that are, or refer to, a key; not if the database numbers the rows."""
        if not {*table.primary_key.columns.keys()} <= {*rows.column_names}:
            del self._filled[table.name]
            return
        for name, values in self._filled[table.name].items():
            if name in rows.column_names:
                told = pc.cast(rows.column(name).unique(), arrow_type(table.c[name]))
                values.append(pc.drop_null(told))

    def _drop_rules(self, table: str) -> None:
        super()._drop_rules(table)
        self._filled[table] = {name: [] for name in _key_columns()[table]}

    @contextmanager
    def _staged(self, table: str, rows: pa.Table) -> Iterator[None]:
        self._filled.pop(table, None)
        with super()._staged(table, rows):
            yield

    def clear(self, table: str) -> None:
        self._filled.pop(table, None)
        super().clear(table)

    def _to_stored(self, table: str, rows: pa.Table) -> pa.Table:
        rows = super()._to_stored(table, rows)
        return pa.table({name: _stored(rows.column(name)) for name in rows.column_names})

    def _finish(self) -> None:
        for table in _refer_to(set(self._appended)):
            if not self._is_held(table):
                raise Conflict(f"store: rows of {table} refer to rows that do not exist")

    def _is_held(self, table: str) -> bool:
        """Whether every row that the table's rows refer to exists."""
        if table in self._filled:
            return all(self._refers(*key) for key in _foreign_keys(METADATA.tables[table]))
        self._cursor.execute(f"PRAGMA foreign_key_check({table})")
        return self._cursor.fetchone() is None

    def _refers(self, child: sa.Column[Any], parent: sa.Column[Any]) -> bool:
        told = self._filled[child.table.name][child.name]
        known = self._filled.get(parent.table.name, {}).get(parent.name)
        if not told:
            return True
        there = pa.concat_arrays(known) if known else self.read(parent.table.name, [parent.name])[0]
        is_there = pc.is_in(pa.concat_arrays(told), value_set=there)
        return bool(pc.all(is_there, min_count=0).as_py())


@contextmanager
def sqlite_transaction(store: Store) -> Iterator[BulkTransaction]:
    """A transaction that has the write lock from the start.

    Committed when the block ends, undone if it raises.

    Raises:
        StorageUnavailable, Conflict: See `storage_failures`.
    """
    with _connected(store) as connection, connection.cursor() as cursor:
        bulk = _SqliteBulk(cursor)
        is_first = not bulk.count("source_record")
        if is_first:
            _write_once(bulk)
        connection.adbc_connection.set_autocommit(False)
        bulk.execute("UPDATE alembic_version SET version_num = version_num")
        yield bulk
        connection.adbc_connection.commit()
        if is_first:
            connection.adbc_connection.set_autocommit(True)
            bulk.execute("PRAGMA journal_mode=WAL")


def _write_once(bulk: BulkTransaction) -> None:
    """Fill an empty file without the write-ahead log, through which every page goes twice.

    A rollback journal is as safe, and for pages that are new it is empty; but readers would wait.
    If another process has the file open, the log stays.
    """
    bulk.execute("PRAGMA busy_timeout=0")
    with suppress(adbc_driver_manager.Error):
        bulk.execute("PRAGMA journal_mode=DELETE")
    bulk.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")


@contextmanager
def sqlite_reader(store: Store) -> Iterator[BulkTransaction]:
    """A connection for reading alone; from its first query on it sees one state of the store.

    Raises:
        StorageUnavailable: If the store cannot be read.
    """
    with _connected(store) as connection, connection.cursor() as cursor:
        connection.adbc_connection.set_autocommit(False)
        yield _SqliteBulk(cursor)


@contextmanager
def _connected(store: Store) -> Iterator[Any]:
    """A connection; closing it undoes what was not committed."""
    assert store.gate is not None, "a SQLite store is a file with a gate"
    with storage_failures(), store.gate.open_to(Library.ADBC):
        connection = adbc_driver_sqlite.dbapi.connect(store.sqlite_path, autocommit=True)
        try:
            with connection.cursor() as cursor:
                # Mapped pages of the whole file would count as this process's memory.
                for pragma in (*sqlite_pragmas(), "PRAGMA mmap_size=0"):
                    cursor.execute(pragma)
                    cursor.fetchall()
            yield connection
        finally:
            connection.close()


def _stored(array: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(array.type):
        array = pc.cast(array, array.type.value_type)
    if pa.types.is_timestamp(array.type):
        return pc.cast(pc.cast(array, pa.timestamp("us", array.type.tz)), pa.int64())
    return pc.cast(array, pa.int64()) if pa.types.is_boolean(array.type) else array


def _refer_to(changed: set[str]) -> list[str]:
    """The tables among these and those that refer to them, whose foreign keys must be checked."""
    return sorted(
        table.name
        for table in METADATA.sorted_tables
        if table.foreign_keys
        and ({table.name} | {key.column.table.name for key in table.foreign_keys}) & changed
    )


def _foreign_keys(table: sa.Table) -> list[tuple[sa.Column[Any], sa.Column[Any]]]:
    """The columns that refer to another, each with that one; all our keys have one column."""
    return [(key.parent, key.column) for key in table.foreign_keys]


def _key_columns() -> Mapping[str, set[str]]:
    """Table -> its columns on either side of a foreign key."""
    columns: dict[str, set[str]] = defaultdict(set)
    for table in METADATA.sorted_tables:
        for child, parent in _foreign_keys(table):
            columns[table.name].add(child.name)
            columns[parent.table.name].add(parent.name)
    return columns
