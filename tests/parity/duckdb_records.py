"""DuckDB that knows the comparators, and Splink over records given as Python values."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa
from splink import DuckDBAPI, Linker

from mpi.domain.records import COMPARISON_FIELDS, TUPLE_FIELDS, ComparisonRecord
from mpi.linkage.frequencies import Frequencies, frequency_columns, records_with_frequencies_sql
from mpi.linkage.model import Model
from mpi.linkage.splink_settings import (
    comparison_fields,
    compile_settings,
    frequency_lookup_sql,
    macros_sql,
)

logging.getLogger("splink").setLevel(logging.ERROR)
Pair = tuple[int, int]


def connect() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set threads = 1")
    for statement in macros_sql():
        connection.execute(statement)
    return connection


def add_records(connection: duckdb.DuckDBPyConnection, records: Sequence[ComparisonRecord]) -> None:
    """Makes the table `records`; every other empty tuple is an empty list, the others NULL."""
    columns: dict[str, Any] = {"record": pa.array(range(len(records)), pa.int64())}
    for field in COMPARISON_FIELDS:
        values = [getattr(record, field) for record in records]
        kind = pa.list_(pa.string()) if field in TUPLE_FIELDS else pa.string()
        nulled = [None if not value and at % 2 else value for at, value in enumerate(values)]
        columns[field] = pa.array(nulled, kind)
    _replace(connection, "records", pa.table(columns))


def add_frequencies(connection: duckdb.DuckDBPyConnection, frequencies: Frequencies) -> None:
    rows = [
        {"field": field, "value": value, "frequency": share}
        for field, shares in frequencies.items()
        for value, share in shares.items()
    ]
    schema = pa.schema(
        [("field", pa.string()), ("value", pa.string()), ("frequency", pa.float64())]
    )
    _replace(connection, "frequencies", pa.Table.from_pylist(rows, schema))


def splink_weights(
    records: Sequence[ComparisonRecord],
    pairs: Sequence[Pair],
    *,
    model: Model,
    frequencies: Frequencies,
) -> Mapping[Pair, float]:
    """What Splink's `predict` says of these pairs, the way the batch run asks it."""
    connection = connect()
    add_records(connection, records)
    add_frequencies(connection, frequencies)
    columns = ", ".join(f"records.{name}" for name in ("record", *comparison_fields(model)))
    query = records_with_frequencies_sql(model, columns=columns)
    connection.execute(f"create table scored as {query}")
    blocked = {"join_key_l": [pair[0] for pair in pairs], "join_key_r": [p[1] for p in pairs]}
    _replace(connection, "pairs", pa.table({**blocked, "match_key": ["0"] * len(pairs)}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _predict(connection, model)


def _predict(connection: duckdb.DuckDBPyConnection, model: Model) -> Mapping[Pair, float]:
    database = DuckDBAPI(connection=connection)
    linker = Linker(database.register("scored"), compile_settings(model))
    for column in frequency_columns(model):
        connection.execute(f"create table of_{column.name} as {frequency_lookup_sql(column)}")
        lookup = database.register(f"of_{column.name}")
        linker.table_management.register_term_frequency_lookup(lookup, column.name)
    linker.table_management.register_blocked_pairs_for_predict(database.register("pairs"))
    predicted = linker.inference.predict(warning_mode="never")
    rows = connection.execute(
        f"select record_l, record_r, match_weight from {predicted.physical_name}"
    ).fetchall()
    return {(left, right): weight for left, right, weight in rows}


def _replace(connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    connection.register("incoming", table)
    connection.execute(f"create or replace table {name} as select * from incoming")
    connection.unregister("incoming")
