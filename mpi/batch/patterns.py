"""Pairs as agreement patterns: which level each comparison is on, in one whole number.

Comparing texts is what costs; weights are re-estimated many times. So each pair is compared once,
and everything after works on the few thousand patterns that occur.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mpi.batch.estimate import level_case, sides_sql
from mpi.linkage.frequencies import frequency_column, records_with_frequencies_sql
from mpi.linkage.model import Model
from mpi.linkage.splink_settings import compile_settings

STEPS_PER_BIT: Final = 4.0
"""Frequency adjustments are told apart by a quarter of a bit while weights are estimated."""
SEED: Final = 20261122

_ENDS: Final = """chosen_pair.l, chosen_pair.r,
    l.source is not distinct from r.source as is_same_source, """

Levels = npt.NDArray[np.int64]
"""Patterns x comparisons; 0 is missing, level k of the model is k + 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns:
    """Distinct patterns and how many pairs show each; all arrays are parallel."""

    levels: Levels
    adjustment_bits: npt.NDArray[np.float64]
    """What the frequencies of the agreed values add to the weight."""
    is_same_source: npt.NDArray[np.bool_]
    counts: npt.NDArray[np.float64]


def make_patterns(
    connection: duckdb.DuckDBPyConnection, model: Model, pairs_sql: str, *, table: str
) -> None:
    """A table (l, r, is_same_source, pattern) of the pairs of a query with columns l and r.

    Their records are rows of `records`, which has a column `source` beside the fields.

    Raises:
        InvalidModel: If a condition uses a comparator wrongly.
    """
    tables = compile_settings(model)["comparisons"]
    radix, terms = 1, []
    for settings, comparison in zip(tables, model.comparisons, strict=True):
        terms.append(f"(({level_case(settings)}) + 1)::bigint * {radix}")
        radix *= len(comparison.levels) + 1
    connection.execute(f"create or replace temp table chosen_pair as {pairs_sql}")
    connection.execute(
        f"""create or replace table {table} as
        select l, r, is_same_source, {" + ".join(terms)} as pattern
        from ({sides_sql(model, more=_ENDS)})"""
    )
    connection.execute("drop table chosen_pair")


def decode_patterns(model: Model, patterns: npt.NDArray[np.int64]) -> Levels:
    """The levels that each pattern stands for: a row for each, a column for each comparison."""
    rest, columns = patterns, []
    for comparison in model.comparisons:
        rest, level = np.divmod(rest, len(comparison.levels) + 1)
        columns.append(level)
    return np.stack(columns, axis=1)


def adjust_patterns(connection: duckdb.DuckDBPyConnection, model: Model, *, table: str) -> None:
    """The table `<table>_adjusted`: the table with `adjustment_bits` by the model's frequencies.

    Listed ones are in the table `frequencies` (see `mpi.batch.edges.register_frequencies`).
    """
    connection.execute(
        "create or replace temp table record_frequency as "
        + records_with_frequencies_sql(model, columns="record")
    )
    terms = _adjustment_terms(model)
    connection.execute(
        f"""create or replace table {table}_adjusted as
        select l, r, is_same_source, pattern, {" + ".join(terms) or "0e0"} as adjustment_bits
        from {table} join record_frequency as left_side on left_side.record = l
        join record_frequency as right_side on right_side.record = r"""
    )
    connection.execute("drop table record_frequency")


def _adjustment_terms(model: Model) -> list[str]:
    """For each comparison with frequencies, the bits that its level's agreed value adds."""
    radix, terms = 1, []
    for comparison in model.comparisons:
        size = len(comparison.levels) + 1
        cases = []
        for at, level in enumerate(comparison.levels, 1):
            column = frequency_column(model, comparison, level)
            if column:
                name = f"tf_{column.name}"
                # `greatest` leaves NULL out: if one side is missing the other counts.
                agreed = f"greatest(left_side.{name}, right_side.{name})"
                cases.append(f"when {at} then log2({level.u!r} / {agreed})")
        if cases:
            terms.append(f"coalesce(case (pattern // {radix}) % {size} {' '.join(cases)} end, 0e0)")
        radix *= size
    return terms


def count_patterns(connection: duckdb.DuckDBPyConnection, model: Model, *, table: str) -> Patterns:
    """The distinct patterns of `<table>_adjusted`, told apart by source and adjustment too."""
    columns = connection.execute(
        f"""select is_same_source, pattern,
            round(adjustment_bits * {STEPS_PER_BIT}) / {STEPS_PER_BIT} as adjustment_bits,
            count(*) as pairs
        from {table}_adjusted group by all order by all"""
    ).fetchnumpy()
    return Patterns(
        levels=decode_patterns(model, np.asarray(columns["pattern"], np.int64)),
        adjustment_bits=np.asarray(columns["adjustment_bits"], float),
        is_same_source=np.asarray(columns["is_same_source"], bool),
        counts=np.asarray(columns["pairs"], float),
    )


def random_pairs_sql(connection: duckdb.DuckDBPyConnection, pairs_max: int) -> str:
    """Query of pairs (columns l and r, l < r) drawn at random with the seed `SEED`.

    Args:
        connection: Holds `records`, numbered from 0; a table `drawn` may be left in it.
        pairs_max: So many are drawn, or a few less; all pairs if there are no more.
    """
    ((records,),) = connection.execute("select count(*) from records").fetchall()
    if records * (records - 1) // 2 <= pairs_max:
        return """select l.record as l, r.record as r
            from records as l join records as r on l.record < r.record"""
    drawn = np.random.default_rng(SEED).integers(0, records, (2, pairs_max))
    table = pa.table({"l": drawn.min(axis=0), "r": drawn.max(axis=0)})
    connection.register("draws", table)
    connection.execute("create or replace temp table drawn as select * from draws where l < r")
    connection.unregister("draws")
    return "select l, r from drawn"
