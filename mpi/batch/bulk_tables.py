"""Small things done with tables of the bulk engine: asked, made, counted, read as records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import duckdb
import pyarrow as pa

from mpi.domain.records import COMPARISON_FIELDS, TUPLE_FIELDS, ComparisonRecord

STREAMED_ROWS: Final = 100_000
"""Rows of one piece; some 100 MB of the widest table, held several times while it is written."""
SORTED_NUMBERS: Final = 1_000_000
"""Numbers whose rows are sorted in one go, a gigabyte of the widest table."""


def query(connection: duckdb.DuckDBPyConnection, sql: str, **parameters: Any) -> pa.Table:
    """The rows of a SELECT with named parameters (`$name`), its columns as DuckDB types them."""
    return connection.sql(sql, params=parameters or None).to_arrow_table()


def stream(
    connection: duckdb.DuckDBPyConnection, sql: str, **parameters: Any
) -> pa.RecordBatchReader:
    """The same rows in pieces of `STREAMED_ROWS`, for what is too long to be held twice.

    Read it to its end before the connection is used for anything else.
    """
    return connection.sql(sql, params=parameters or None).to_arrow_reader(STREAMED_ROWS)


def stream_numbered(
    connection: duckdb.DuckDBPyConnection, sql: str, *, table: str, **parameters: Any
) -> pa.RecordBatchReader:
    """The same, range by range of the numbers of a table, so that no sort holds all wide rows.

    Args:
        connection: Holds the table, with the column `number`.
        sql: Takes the rows whose number lies between `$low` and `$high`, in its order.
        table: Its name.
        parameters: The others that the SELECT has.
    """
    ends = connection.execute(f"select min(number), max(number) from {table}").fetchall()
    low, high = (end or 0 for end in ends[0])

    def pieces() -> Iterator[pa.RecordBatch]:
        for first in range(low, high + 1, SORTED_NUMBERS):
            last = first + SORTED_NUMBERS - 1
            yield from stream(connection, sql, **parameters, low=first, high=last)

    schema = stream(connection, sql, **parameters, low=0, high=-1).schema
    return pa.RecordBatchReader.from_batches(schema, pieces())


def make_table(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    """A table of these rows and columns, in the place of one of the same name."""
    connection.register("given_rows", rows)
    connection.execute(f"create or replace table {name} as select * from given_rows")
    connection.unregister("given_rows")


def insert_rows(connection: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    """Add rows to a table whose columns are in the same order."""
    connection.register("inserted", rows)
    connection.execute(f"insert into {table} select * from inserted")
    connection.unregister("inserted")


def count_rows(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """How many rows a table of the bulk engine has."""
    ((count,),) = connection.execute(f"select count(*) from {table}").fetchall()
    return int(count)


def comparison_records(
    connection: duckdb.DuckDBPyConnection, condition: str
) -> Mapping[int, ComparisonRecord]:
    """The comparison records of the table `records` for which an SQL condition holds.

    Returns:
        Record number -> comparison record; all are held in memory.
    """
    names = ", ".join(COMPARISON_FIELDS)
    rows = connection.execute(f"select record, {names} from records where {condition}").fetchall()
    return {row[0]: _comparison_record(row[1:]) for row in rows}


def _comparison_record(values: Sequence[Any]) -> ComparisonRecord:
    known: dict[str, Any] = {
        name: tuple(value or ()) if name in TUPLE_FIELDS else value
        for name, value in zip(COMPARISON_FIELDS, values, strict=True)
    }
    return ComparisonRecord(**known)
