"""Train where no trusted number says who is who: the estimate of `mpi link`, as a release.

Expectation and maximisation take the place of labels (`mpi.batch.files.expectation`): strangers are
learned from random pairs, matches from blocked ones, and relatives are a kind of their own, so that
households do not teach the model that different people match.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import duckdb
import numpy as np

from mpi.batch.bulk_tables import count_rows
from mpi.batch.edges import make_keys, make_pairs, register_frequencies
from mpi.batch.files.expectation import estimate_kinds
from mpi.batch.files.frequencies import count_file_frequencies
from mpi.batch.files.kinds import Estimate, Evidence, kind_bits, posteriors
from mpi.batch.files.patterns import (
    Patterns,
    adjust_patterns,
    count_patterns,
    make_patterns,
    random_pairs_sql,
)
from mpi.batch.progress import Progress
from mpi.batch.training.estimate import LevelCounts, Training, count_blocks
from mpi.errors import InvalidInput
from mpi.linkage.model import Comparison, Level, Model

RANDOM_PAIRS: Final = 1_000_000
MATCHES_MIN: Final = 50.0
"""Pairs. With fewer, nothing can be learned and the spec's values are no worse."""
_NUMBERED_SQL: Final = """
create or replace table records as
select records.* replace (row_number() over (order by record) - 1 as record), source
from records join record_number using (record)
"""
_PEOPLE_SQL: Final = """
create or replace table taken_person as
select record, coalesce(full_name || birth_date, 'r' || record) as person from records
"""


def estimate_without_numbers(
    connection: duckdb.DuckDBPyConnection, spec: Model, *, progress: Progress
) -> Training:
    """Estimate m and u of the spec over the tables `records` and `record_number` (record, source).

    The prior and the thresholds stay as the spec has them. There are no labels, so nothing is
    calibrated.

    Raises:
        InvalidInput: If too few records seem to be one person's.
    """
    connection.execute(_NUMBERED_SQL)
    connection.execute(_PEOPLE_SQL)
    with progress.phase("count frequencies", 1):
        found = count_file_frequencies(connection, spec)
        model = replace(spec, unseen_frequency=found.unseen, chance_agreement=found.chance)
        register_frequencies(connection, found.listed)
    with progress.phase("count blocks", 1):
        stop_list = count_blocks(connection, model)
        make_keys(connection, model.blocking, stop_list)
        make_pairs(connection)
    with progress.phase("compare pairs", 1):
        evidence = _evidence(connection, model)
    with progress.phase("estimate weights", 1):
        estimate = estimate_kinds(model, evidence)
        matching = _expected(model, estimate, evidence.blocked)
    _check_matches(matching)
    return Training(
        model=replace(model, comparisons=_learned(model.comparisons, estimate)),
        frequencies=found.listed,
        stop_list=stop_list,
        records=evidence.records,
        matching=matching,
        random=_counted(model, evidence.random, evidence.random.counts),
        weights=np.zeros(0),
        labels=np.zeros(0, dtype=bool),
        prior=spec.prior,
        is_labelled=False,
    )


def _evidence(connection: duckdb.DuckDBPyConnection, model: Model) -> Evidence:
    pairs = {
        "blocked": "select join_key_l as l, join_key_r as r from pair",
        "random": random_pairs_sql(connection, RANDOM_PAIRS),
    }
    found: dict[str, Patterns] = {}
    for kind, query in pairs.items():
        make_patterns(connection, model, query, table=f"{kind}_pattern")
        adjust_patterns(connection, model, table=f"{kind}_pattern")
        found[kind] = count_patterns(connection, model, table=f"{kind}_pattern")
    records = count_rows(connection, "records")
    ((within,),) = connection.execute(
        """select coalesce(sum(held * (held - 1) / 2), 0)
        from (select count(*) as held from records group by source)"""
    ).fetchall()
    return Evidence(
        blocked=found["blocked"],
        random=found["random"],
        pairs_within=float(within),
        pairs_across=records * (records - 1) / 2 - float(within),
        records=records,
    )


def _expected(model: Model, estimate: Estimate, patterns: Patterns) -> LevelCounts:
    """Pairs expected to be matches, on each level."""
    match, _, _ = posteriors(kind_bits(estimate, patterns), patterns.adjustment_bits)
    return _counted(model, patterns, patterns.counts * match)


def _counted(model: Model, patterns: Patterns, weights: np.ndarray) -> LevelCounts:
    counts = {}
    for place, comparison in enumerate(model.comparisons):
        size = len(comparison.levels) + 1
        found = np.bincount(patterns.levels[:, place], weights=weights, minlength=size)
        counts[comparison.name] = tuple(round(count) for count in found[1:].tolist())
    return counts


def _check_matches(matching: LevelCounts) -> None:
    if max(sum(counts) for counts in matching.values()) < MATCHES_MIN:
        raise InvalidInput(
            "feeds: too few records are alike, and none share a trusted NHS number, "
            "to train a model from them"
        )


def _learned(comparisons: tuple[Comparison, ...], estimate: Estimate) -> tuple[Comparison, ...]:
    return tuple(
        replace(
            comparison,
            levels=tuple(
                _learned_level(level, float(m), float(u))
                for level, m, u in zip(comparison.levels, matches[1:], strangers[1:], strict=True)
            ),
        )
        for comparison, matches, strangers in zip(
            comparisons, estimate.matches, estimate.strangers, strict=True
        )
    )


def _learned_level(level: Level, m: float, u: float) -> Level:
    return level if level.is_fixed else replace(level, m=m, u=max(u, level.u_min))
