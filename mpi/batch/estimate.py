"""Estimate the model's parameters from records.

The NHS number is a free label: where both records hold a trusted number, equal numbers mean one
person and different numbers two. So m and u of every *other* comparison are counted, not guessed:
m over pairs with equal numbers, u over random pairs with different ones. A level that the data
hardly show keeps close to the spec's value.

Source of counting m and u: Fellegi & Sunter 1969, DOI 10.1080/01621459.1969.10501049.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mpi.batch.bulk_tables import comparison_records, count_rows
from mpi.batch.edges import make_keys, make_pairs, score_pairs
from mpi.batch.progress import Progress
from mpi.linkage.blocking import crowded_keys_sql
from mpi.linkage.frequencies import Frequencies
from mpi.linkage.model import Comparison, Level, Model
from mpi.linkage.splink_settings import comparison_fields, compile_settings
from mpi.linkage.vetoes import compile_name_rule, find_record_veto

RANDOM_PAIRS: Final = 4_000_000
LABELLED_PAIRS_MAX: Final = 1_500_000
SPEC_PAIRS: Final = 3.0
"""The spec's m and u of a level weigh as much as having seen this many pairs fall on it."""
PEOPLE_SHARING_MIN: Final = 2
"""A value is listed with its frequency if this many trusted NHS numbers share it: rarer ones are
unseen, which also keeps out of a release whatever could name one person. Records without a number
do not count here, because two of them may be one person's."""
SEED: Final = 20261122
"""Of the random pairs: the same records give the same release."""

LevelCounts = Mapping[str, tuple[int, ...]]
"""Comparison -> pairs on each of its levels; pairs with a missing value are not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A trained model and what it was trained on.

    `weights` and `labels` have one entry for each labelled pair; none without labels.
    """

    model: Model
    frequencies: Frequencies
    stop_list: frozenset[int]
    records: int
    matching: LevelCounts
    random: LevelCounts
    weights: npt.NDArray[np.float64]
    """Match weights, NHS number left out, of blocked pairs that both hold a trusted number."""
    labels: npt.NDArray[np.bool_]
    """Whether the two numbers are equal; parallel to `weights`."""
    prior: float
    """Share of matches among all pairs of these records that both hold a trusted number."""
    is_labelled: bool = True
    """By NHS numbers; else m and u come from expectation and maximisation, without labels."""


def estimate_model(
    connection: duckdb.DuckDBPyConnection, spec: Model, *, progress: Progress
) -> Training:
    """Count frequencies, m, u and the stop list over the table `records`.

    The prior and the thresholds stay as the spec has them: they belong to the whole region and to
    the cost of an error, not to a sample.
    """
    with progress.phase("count frequencies", 1):
        listed, unseen, chance = count_frequencies(connection, spec.frequency_fields)
        model = replace(spec, unseen_frequency=unseen, chance_agreement=chance)
    with progress.phase("count matching pairs", 1):
        matching = count_levels(connection, model, _matching_pairs_sql())
    with progress.phase("count random pairs", 1):
        random = count_levels(connection, model, _draw_random_pairs(connection))
    model = replace(model, comparisons=_estimate(model.comparisons, matching, random))
    with progress.phase("count blocks", 1):
        stop_list = count_blocks(connection, model)
    with progress.phase("calibrate", 1):
        weights, labels = labelled_weights(connection, model, listed, stop_list)
    return Training(
        model=model,
        frequencies=listed,
        stop_list=stop_list,
        records=count_rows(connection, "records"),
        matching=matching,
        random=random,
        weights=weights,
        labels=labels,
        prior=observed_prior(connection),
    )


def observed_prior(connection: duckdb.DuckDBPyConnection) -> float:
    """Share of matches among all pairs of the table `records` that both hold a trusted number.

    A probability above 0, even where no two records share a number.
    """
    ((matches, records),) = connection.execute(
        """select sum(held * (held - 1) / 2), sum(held) from (
            select count(*) as held from records
            where trusted_nhs_number is not null group by trusted_nhs_number)"""
    ).fetchall()
    return float(max(matches or 0, 1) / max((records or 0) * ((records or 0) - 1) / 2, 2))


def count_frequencies(
    connection: duckdb.DuckDBPyConnection, fields: Sequence[str]
) -> tuple[dict[str, dict[str, float]], dict[str, float], dict[str, float]]:
    """Frequencies of values, of unseen values, and chance agreement, over people, not records.

    A person is a trusted NHS number, or a record without one.

    Args:
        connection: Holds the table `records`.
        fields: Columns of one text each.

    Returns:
        Field -> value -> share of people, for values of at least `PEOPLE_SHARING_MIN` people with a
        number; field -> share given to an unseen value; field -> probability that two random people
        agree.
    """
    listed: dict[str, dict[str, float]] = {}
    unseen: dict[str, float] = {}
    chance: dict[str, float] = {}
    for field in fields:
        rows = connection.execute(
            f"""select {field},
                count(distinct coalesce(trusted_nhs_number, 'r' || record)) as people,
                count(distinct trusted_nhs_number) as certain
            from records where {field} is not null group by {field} order by {field}"""
        ).fetchall()
        total = sum(people for _, people, _ in rows) or 1
        listed[field] = {
            value: people / total
            for value, people, certain in rows
            if certain >= PEOPLE_SHARING_MIN
        }
        unseen[field] = 1 / total
        agreeing = sum(people * (people - 1) for _, people, _ in rows)
        chance[field] = max(agreeing / (total * max(total - 1, 1)), 1 / total**2)
    return listed, unseen, chance


def count_levels(
    connection: duckdb.DuckDBPyConnection, model: Model, pairs_sql: str
) -> dict[str, tuple[int, ...]]:
    """How many pairs of a query with columns l and r (record numbers) fall on each level.

    Returns:
        Comparison -> counts in the order of its levels. Pairs with a missing value are not counted.

    Raises:
        InvalidModel: If a condition uses a comparator wrongly.
    """
    tables = compile_settings(model)["comparisons"]
    cases = ",\n".join(f"{level_case(table)} as level_{i}" for i, table in enumerate(tables))
    connection.execute(f"create or replace temp table chosen_pair as {pairs_sql}")
    connection.execute(
        f"create or replace temp table pair_level as select {cases} from ({sides_sql(model)})"
    )
    counts = {
        comparison.name: _level_counts(connection, f"level_{i}", len(comparison.levels))
        for i, comparison in enumerate(model.comparisons)
    }
    connection.execute("drop table pair_level")
    return counts


def level_case(table: Mapping[str, Any]) -> str:
    """SQL for the index of the level that a pair falls on, -1 for missing.

    Args:
        table: A comparison of `compile_settings`; the SQL reads `<field>_l` and `<field>_r`.
    """
    levels = table["comparison_levels"]
    first = -1 if levels[0].get("is_null_level") else 0
    cases = [
        f"else {at}"
        if level["sql_condition"] == "ELSE"
        else f"when {level['sql_condition']} then {at}"
        for at, level in enumerate(levels, start=first)
    ]
    return f"case {' '.join(cases)} end"


def sides_sql(model: Model, *, more: str = "") -> str:
    """The query of the pairs of `chosen_pair` (l, r) with both sides' fields, and more columns."""
    columns = more + ", ".join(
        f"{side}.{field} as {field}_{side}"
        for field in comparison_fields(model)
        for side in ("l", "r")
    )
    return f"""select {columns} from chosen_pair
    join records as l on l.record = chosen_pair.l join records as r on r.record = chosen_pair.r"""


def _level_counts(
    connection: duckdb.DuckDBPyConnection, column: str, levels: int
) -> tuple[int, ...]:
    found = dict(
        connection.execute(
            f"select {column}, count(*) from pair_level where {column} >= 0 group by 1"
        ).fetchall()
    )
    return tuple(found.get(level, 0) for level in range(levels))


def _matching_pairs_sql() -> str:
    # A number on two people would teach that different people match: such pairs contradict each
    # other in birth date and name, so they are left out, as veto (c) would leave them apart.
    return f"""select l.record as l, r.record as r
    from records as l join records as r
        on l.trusted_nhs_number = r.trusted_nhs_number and l.record < r.record
    where not (coalesce(l.birth_date <> r.birth_date, false)
        and not list_has_any(coalesce(l.given_forms, []), coalesce(r.given_forms, [])))
    order by hash(l.record, r.record) limit {LABELLED_PAIRS_MAX}"""


def _draw_random_pairs(connection: duckdb.DuckDBPyConnection) -> str:
    """Query of pairs of records with different trusted numbers, drawn at random."""
    labelled = connection.execute(
        "select record from records where trusted_nhs_number is not null order by record"
    ).fetchnumpy()["record"]
    drawn = np.random.default_rng(SEED).choice(labelled, (2, RANDOM_PAIRS))
    connection.register("draws", pa.table({"one": drawn[0], "other": drawn[1]}))
    connection.execute("create or replace temp table drawn as select * from draws")
    connection.unregister("draws")
    return """select least(one, other) as l, greatest(one, other) as r from drawn
    join records as left_side on left_side.record = one
    join records as right_side on right_side.record = other
    where left_side.trusted_nhs_number <> right_side.trusted_nhs_number"""


def _estimate(
    comparisons: tuple[Comparison, ...], matching: LevelCounts, random: LevelCounts
) -> tuple[Comparison, ...]:
    return tuple(
        replace(c, levels=_estimate_levels(c.levels, matching[c.name], random[c.name]))
        for c in comparisons
    )


def _estimate_levels(
    levels: tuple[Level, ...], matching: Sequence[int], random: Sequence[int]
) -> tuple[Level, ...]:
    m_total, u_total = sum(matching), sum(random)
    return tuple(
        level
        if level.is_fixed
        else replace(
            level,
            m=_shrunk(m_count, m_total, level.m),
            u=max(_shrunk(u_count, u_total, level.u), level.u_min),
        )
        for level, m_count, u_count in zip(levels, matching, random, strict=True)
    )


def _shrunk(count: int, total: int, expected: float) -> float:
    """A share, drawn towards the expected one as if that had been seen `SPEC_PAIRS` times.

    The mean of a gamma distribution after Poisson counts: a rare level that was never met keeps
    its expected share, instead of the hundred times smaller one that a few pseudo-pairs would give.
    """
    return (count + SPEC_PAIRS) / (total + SPEC_PAIRS / expected)


def count_blocks(connection: duckdb.DuckDBPyConnection, model: Model) -> frozenset[int]:
    """The stop list: keys shared by more records than the model allows, tighter keys included.

    Reads the table `records`, and leaves `blocking_keys` (record, rule, key) behind.
    """
    make_keys(connection, model.blocking, frozenset())
    crowded = crowded_keys_sql(records_max=model.block_records_max)
    loose = frozenset(row[0] for row in connection.execute(crowded).fetchall())
    make_keys(connection, model.blocking, loose)
    return loose | frozenset(row[0] for row in connection.execute(crowded).fetchall())


def labelled_weights(
    connection: duckdb.DuckDBPyConnection,
    model: Model,
    frequencies: Frequencies,
    stop_list: frozenset[int],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Weights without the NHS number, and whether the numbers agree, of blocked labelled pairs.

    Args:
        connection: Holds the table `records`; `blocking_keys`, `pair` and `edge` are made anew.
        model: Its prior is included in the weights.
        frequencies: Field -> value -> share of people, 0..1.
        stop_list: Keys that are not joined.

    Returns:
        Match weights in bits and labels, one for each pair; pairs that a veto keeps apart are left
        out, for no threshold decides about them.
    """
    blind = _without_numbers(model)
    make_keys(connection, blind.blocking, stop_list)
    make_pairs(connection)
    score_pairs(connection, blind, frequencies)
    pairs = connection.execute(
        """select left_record, right_record, match_weight_bits as weight,
            l.trusted_nhs_number = r.trusted_nhs_number as label
        from edge join records as l on l.record = left_record
        join records as r on r.record = right_record
        where l.trusted_nhs_number is not null and r.trusted_nhs_number is not null
        order by left_record, right_record"""
    ).fetchnumpy()
    kept = ~_vetoed(connection, pairs["left_record"], pairs["right_record"], model)
    return np.asarray(pairs["weight"], float)[kept], np.asarray(pairs["label"], bool)[kept]


def _vetoed(
    connection: duckdb.DuckDBPyConnection,
    left: npt.NDArray[np.int64],
    right: npt.NDArray[np.int64],
    model: Model,
) -> npt.NDArray[np.bool_]:
    """Pairs that a veto keeps apart whatever they weigh, numbers left out: no threshold's business.

    Only pairs that differ in given name, birth date or birth order are worth looking at.
    """
    pairs = pa.table({"place": np.arange(len(left)), "l": left, "r": right})
    connection.register("pairs", pairs)
    connection.execute("create or replace temp table found as select * from pairs")
    connection.unregister("pairs")
    differing = connection.execute(
        """select place, l, r from found
        join records as a on a.record = l join records as b on b.record = r
        where a.given_name <> b.given_name or a.birth_date <> b.birth_date
            or a.birth_order <> b.birth_order"""
    ).fetchall()
    records = {
        number: replace(record, trusted_nhs_number=None)
        for number, record in comparison_records(
            connection, "record in (select l from found union select r from found)"
        ).items()
    }
    name_rule = compile_name_rule(model.given_names_agree)
    vetoed = np.zeros(len(left), dtype=bool)
    for place, one, other in differing:
        vetoed[place] = find_record_veto(records[one], records[other], name_rule) is not None
    return vetoed


def _without_numbers(model: Model) -> Model:
    """The model as it judges records of which one has no NHS number, down to hopeless weights."""
    return replace(
        model,
        comparisons=tuple(c for c in model.comparisons if c.name != "nhs_number"),
        blocking=tuple(rule for rule in model.blocking if rule.fields != ("nhs_number",)),
        thresholds=replace(model.thresholds, review_bits=-10.0),
    )
