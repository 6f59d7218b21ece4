"""The model as settings for Splink, which trains it and scores pairs in bulk.

A plain dict and plain SQL: Splink and DuckDB themselves belong to `mpi.batch`. To score, that
makes the macros, gives Splink a table with `record`, the fields of `comparison_fields` and the
`tf_` columns of `records_with_frequencies_sql`, registers the blocked pairs
(`mpi.linkage.blocking.pairs_sql`) and calls `predict`. Splink 5 insists on a look-up table for
every `tf_` column although it does not read it: register `frequency_lookup_sql` for each.
"""

from __future__ import annotations

from typing import Any

from mpi.linkage.comparators import alternatives_sql, fields_of, macros_sql
from mpi.linkage.frequencies import (
    FrequencyColumn,
    frequency_column,
    frequency_columns,
    records_with_frequencies_sql,
)
from mpi.linkage.model import Comparison, Level, Model

__all__ = [
    "comparison_fields",
    "compile_settings",
    "frequency_columns",
    "frequency_lookup_sql",
    "level_of_gamma",
    "macros_sql",
    "records_with_frequencies_sql",
]


def compile_settings(model: Model) -> dict[str, Any]:
    """Splink settings (link type `dedupe_only`, unique id `record`) that score as the scorer does.

    Comparisons and levels keep the model's order, so that weights are summed in the same order.

    Raises:
        InvalidModel: If a condition uses a comparator wrongly.
    """
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "record",
        "probability_two_random_records_match": model.prior,
        "blocking_rules_to_generate_predictions": [],
        "comparisons": [_comparison(model, comparison) for comparison in model.comparisons],
        "retain_matching_columns": False,
        "retain_intermediate_calculation_columns": False,
    }


def comparison_fields(model: Model) -> tuple[str, ...]:
    """The fields that Splink's input table needs, in order of first use."""
    return fields_of(
        test
        for comparison in model.comparisons
        for alternatives in (comparison.missing, *(level.when for level in comparison.levels))
        for condition in alternatives
        for test in condition
    )


def frequency_lookup_sql(column: FrequencyColumn) -> str:
    """An empty look-up table for Splink to hold; the input's own `tf_` column is what it reads.

    Its columns are the frequency column's name and `tf_<name>`.
    """
    return f"select null::varchar as {column.name}, null::double as tf_{column.name} where false"


def level_of_gamma(comparison: Comparison, gamma: int) -> int | None:
    """The model's level index of Splink's comparison vector value; None for missing (-1)."""
    return None if gamma < 0 else len(comparison.levels) - 1 - gamma


def _comparison(model: Model, comparison: Comparison) -> dict[str, Any]:
    levels = [_level(model, comparison, level) for level in comparison.levels]
    if comparison.missing:
        levels.insert(0, _missing_level(comparison))
    return {
        "output_column_name": comparison.name,
        "comparison_description": comparison.name,
        "comparison_levels": levels,
    }


def _missing_level(comparison: Comparison) -> dict[str, Any]:
    return {
        "sql_condition": alternatives_sql(comparison.missing),
        "label_for_charts": "missing",
        "is_null_level": True,
    }


def _level(model: Model, comparison: Comparison, level: Level) -> dict[str, Any]:
    settings = {
        "sql_condition": alternatives_sql(level.when) if level.when else "ELSE",
        "label_for_charts": level.words,
        "m_probability": level.m,
        "u_probability": level.u,
        "fix_m_probability": level.is_fixed,
        "fix_u_probability": level.is_fixed,
    }
    column = frequency_column(model, comparison, level)
    if column:
        settings["tf_adjustment_column"] = column.name
        # The column already holds this level's own u times the ratio, for this level alone.
        settings["disable_tf_exact_match_detection"] = True
    return settings
