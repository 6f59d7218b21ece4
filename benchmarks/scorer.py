"""Pairs scored in a second: our scorer, Splink's `score_pair`, and Splink's SQL on DuckDB.

All three weigh the same blocked pairs of one synthetic region under the shipped model.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from splink import DuckDBAPI, Linker

from benchmarks.cases.region import newest_versions, write_feeds
from benchmarks.suite import SEED, Outcome, Scale, Table
from benchmarks.timing import spread, timed_runs
from mpi.batch.edges import make_keys, make_pairs, register_frequencies, score_pairs
from mpi.batch.engines import open_engine
from mpi.config import Settings
from mpi.domain.records import COMPARISON_FIELDS, TUPLE_FIELDS, ComparisonRecord
from mpi.linkage.frequencies import frequency_columns, records_with_frequencies_sql
from mpi.linkage.model import Model, model_from_spec
from mpi.linkage.scorer import compile_scorer
from mpi.linkage.splink_settings import (
    comparison_fields,
    compile_settings,
    frequency_lookup_sql,
)
from mpi.standardise.record import standardise_demographics
from mpi.storage.releases import Release, read_release, release_in_force

PEOPLE = 2_000
SPLINK_CALLS = 6
"""`score_pair` is asked as a service would ask it, a pair a call; it takes long enough."""


def run(scale: Scale) -> Outcome:
    """Pairs scored in a second, and microseconds a pair, in each of the three ways."""
    release = read_release(release_in_force(None))
    model = model_from_spec(release.spec, version=release.version, digest=release.digest)
    records = _records(model)
    with open_engine(Settings()) as connection:
        pairs = _block(connection, model, release, records)
        ways = {
            "our scorer, one process": (_scorer(model, release, records, pairs), len(pairs)),
            "Splink score_pair, a pair a call": (
                _score_pair(connection, model, release, pairs),
                SPLINK_CALLS,
            ),
            "Splink on DuckDB, all at once": (
                lambda: score_pairs(connection, model, release.frequencies),
                len(pairs),
            ),
        }
        seconds = {
            name: spread([taken / count for taken in timed_runs(work, repeats=scale.repeats)])
            for name, (work, count) in ways.items()
        }
    figures = {
        "pairs": len(pairs),
        "pairs_per_second": {name: 1 / taken.median for name, taken in seconds.items()},
        "microseconds_per_pair": {name: 1e6 * taken.median for name, taken in seconds.items()},
    }
    rows = [
        (name, 1 / taken.median, 1 / taken.most, 1 / taken.least) for name, taken in seconds.items()
    ]
    header = ("pairs per second", "median", "least", "most")
    return Outcome([Table(f"Scoring {len(pairs):,} blocked pairs", header, rows)], figures)


def _records(model: Model) -> list[ComparisonRecord]:
    with tempfile.TemporaryDirectory() as name:
        versions = newest_versions(write_feeds(Path(name), people=PEOPLE, seed=SEED))
    return [
        standardise_demographics(key.source, version.demographics, (), model.number_trust)
        for key, version in versions.items()
    ]


def _block(
    connection: duckdb.DuckDBPyConnection,
    model: Model,
    release: Release,
    records: list[ComparisonRecord],
) -> list[tuple[int, int]]:
    """The tables `records` and `pair`; gives the pairs of record numbers."""
    columns: dict[str, Any] = {"record": pa.array(range(len(records)), pa.int64())}
    for field in COMPARISON_FIELDS:
        kind = pa.list_(pa.string()) if field in TUPLE_FIELDS else pa.string()
        columns[field] = pa.array([getattr(record, field) or None for record in records], kind)
    connection.register("standardised", pa.table(columns))
    connection.execute("create table records as select * from standardised")
    make_keys(connection, model.blocking, release.stop_list)
    make_pairs(connection)
    return connection.execute("select join_key_l, join_key_r from pair").fetchall()


def _scorer(
    model: Model,
    release: Release,
    records: list[ComparisonRecord],
    pairs: list[tuple[int, int]],
) -> Callable[[], object]:
    scorer = compile_scorer(model, release.frequencies)
    prepared = [scorer.prepare(record) for record in records]
    weight = scorer.weight
    return lambda: [weight(prepared[left], prepared[right]) for left, right in pairs]


def _score_pair(
    connection: duckdb.DuckDBPyConnection,
    model: Model,
    release: Release,
    pairs: list[tuple[int, int]],
) -> Callable[[], object]:
    register_frequencies(connection, release.frequencies)
    columns = ", ".join(("record", *comparison_fields(model)))
    connection.execute(
        "create table with_frequencies as " + records_with_frequencies_sql(model, columns=columns)
    )
    rows = connection.sql("select * from with_frequencies order by record").to_arrow_table()
    chosen = [
        tuple(rows.slice(at, 1).to_pylist()[0] for at in pair) for pair in pairs[:SPLINK_CALLS]
    ]
    api = DuckDBAPI(connection=connection)
    linker = Linker(api.register("with_frequencies"), compile_settings(model))
    logging.getLogger("splink").setLevel(logging.ERROR)
    for column in frequency_columns(model):
        lookup = f"lookup_{column.name}"
        connection.execute(
            f"create or replace temp table {lookup} as {frequency_lookup_sql(column)}"
        )
        linker.table_management.register_term_frequency_lookup(api.register(lookup), column.name)

    def score_each() -> None:
        for left, right in chosen:
            linker.inference.score_pair(left, right)

    return score_each
