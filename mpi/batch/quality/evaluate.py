"""Judges an index against the truth, by counting groups rather than listing pairs.

The pairs of a group of n records are n(n-1)/2, so one wrong group of ten thousand records costs
nothing to count, and a whole region takes seconds. All of it is aggregation, which DuckDB does.
"""

from __future__ import annotations

from typing import Final

import duckdb
import pyarrow as pa

from mpi.batch.quality.evaluation import (
    BCubed,
    Evaluation,
    GroupRates,
    PairCounts,
    SourcePairRates,
)
from mpi.batch.quality.threshold_curve import best_point, points_at_whole_bits, weight_curve
from mpi.batch.quality.truth import GROUP_COLUMNS
from mpi.errors import InvalidInput

RECORD_COLUMNS: Final = ("record", "source", "local_id", "person")
EDGE_COLUMNS: Final = ("left", "right", "match_weight_bits")
AGE_BANDS: Final = ((0, "0"), (4, "1-4"), (17, "5-17"), (39, "18-39"), (64, "40-64"), (84, "65-84"))
"""Last age in whole years and name of each band; older people are `85+`."""
TWIN: Final = "twin"
_HUMAN: Final = "human"
_PERSON: Final = "automatic"
_CELL: Final = "automatic, human"


def evaluate(
    *,
    records: pa.Table,
    truth: pa.Table,
    tasks_count: int,
    edges: pa.Table | None = None,
    connection: duckdb.DuckDBPyConnection | None = None,
) -> Evaluation:
    """Compares the persons of an index with the humans of the truth.

    Args:
        records: A row for each live record: `record` (number, as in the edges), `source`,
            `local_id`, `person`, and `automatic_person` if decisions are in force.
        truth: As `mpi.batch.quality.truth.read_truth` gives it.
        tasks_count: Questions that wait for stewards.
        edges: `left`, `right` (record numbers), `match_weight_bits`; each pair once.
        connection: A DuckDB to work in; left without traces. Default: a new one in memory.

    Raises:
        InvalidInput: If a table lacks a column.
    """
    _check_columns("records", records, RECORD_COLUMNS)
    if edges is not None:
        _check_columns("edges", edges, EDGE_COLUMNS)
    cursor = (connection or duckdb.connect()).cursor()
    try:
        return _evaluation(cursor, records, truth, edges, tasks_count)
    finally:
        cursor.close()


def _check_columns(name: str, table: pa.Table, columns: tuple[str, ...]) -> None:
    missing = [column for column in columns if column not in table.column_names]
    if missing:
        raise InvalidInput(f"{name}: no column {', '.join(missing)}")


def _evaluation(
    cursor: duckdb.DuckDBPyConnection,
    records: pa.Table,
    truth: pa.Table,
    edges: pa.Table | None,
    tasks_count: int,
) -> Evaluation:
    _join_truth(cursor, records, truth)
    automatic = _pair_counts(cursor, _PERSON)
    curve = weight_curve(cursor, edges, automatic.true_pairs)
    return Evaluation(
        records_count=_count(cursor, "from judged"),
        humans_count=_count(cursor, "from (select distinct human from judged)"),
        persons_count=_count(cursor, "from (select distinct automatic from judged)"),
        records_without_truth=_count(cursor, "from index anti join truth using (source, local_id)"),
        truth_without_record=_count(
            cursor, "from single_truth anti join index using (source, local_id)"
        ),
        true_pairs_out_of_reach=_pairs(cursor, "from single_truth", _HUMAN) - automatic.true_pairs,
        records_of_two_humans=_count(cursor, "from keys where humans > 1"),
        automatic_links=automatic,
        links=_pair_counts(cursor, "person"),
        bcubed=_bcubed(cursor),
        over_merged_persons=_split_count(cursor, _PERSON, _HUMAN),
        split_humans=_split_count(cursor, _HUMAN, _PERSON),
        twins_linked=_twins_linked(cursor),
        tasks_count=tasks_count,
        recall_at_precision=best_point(curve),
        curve=points_at_whole_bits(curve),
        by_source_pair=_rates_by_source_pair(cursor),
        by_group=tuple(
            rates
            for dimension in _dimensions(truth)
            for rates in _rates_by_group(cursor, dimension)
        ),
    )


def _join_truth(cursor: duckdb.DuckDBPyConnection, records: pa.Table, truth: pa.Table) -> None:
    """Makes `judged`: a row for each record that index and truth know, texts as small numbers."""
    for column in ("person", "automatic_person"):
        records = _numbered(records, column)
    cursor.register("index_rows", records)
    cursor.register("truth", _numbered(truth, "human_id"))
    automatic = "automatic_person" if "automatic_person" in records.column_names else "person"
    cursor.execute(
        "create temp table keys as select source, local_id, count(distinct human_id) as humans,"
        " min(human_id) as human_id from truth group by all"
    )
    cursor.execute(
        "create temp view index as select record, source, local_id, person,"
        f" {automatic} as automatic from index_rows"
    )
    cursor.execute(
        "create temp view single_truth as"
        " select source, local_id, human_id as human from keys where humans = 1"
    )
    cursor.execute(
        "create temp table judged as select record, source, local_id, person, automatic, human"
        " from index join single_truth using (source, local_id)"
    )


def _numbered(table: pa.Table, column: str) -> pa.Table:
    """The table with the texts of a column as numbers, which group several times faster."""
    if column not in table.column_names:
        return table
    values = table.column(column).combine_chunks().dictionary_encode().indices
    return table.set_column(table.column_names.index(column), column, values)


def _dimensions(truth: pa.Table) -> list[str]:
    return [column for column in GROUP_COLUMNS if column in truth.column_names]


def _count(cursor: duckdb.DuckDBPyConnection, source: str) -> int:
    return _number(cursor, f"select count(*) {source}")


def _number(cursor: duckdb.DuckDBPyConnection, query: str) -> int:
    rows = cursor.execute(query).fetchall()
    return int(rows[0][0] or 0)


def _pairs(cursor: duckdb.DuckDBPyConnection, source: str, unit: str) -> int:
    """Pairs of rows of `source` that agree on the columns of `unit`."""
    groups = f"select count(*) as n {source} group by {unit}"
    return _number(cursor, f"select sum(n * (n - 1) // 2) from ({groups})")


def _pair_counts(cursor: duckdb.DuckDBPyConnection, person: str) -> PairCounts:
    return PairCounts(
        true_pairs=_pairs(cursor, "from judged", _HUMAN),
        linked_pairs=_pairs(cursor, "from judged", person),
        correct_pairs=_pairs(cursor, "from judged", f"{person}, human"),
    )


def _bcubed(cursor: duckdb.DuckDBPyConnection) -> BCubed:
    rows = cursor.execute(
        """
        with cells as (select automatic, human, count(*) as n from judged group by all),
        sized as (
            select n, sum(n) over (partition by automatic) as of_person,
                sum(n) over (partition by human) as of_human
            from cells
        )
        select sum(n * n / of_person) / sum(n), sum(n * n / of_human) / sum(n) from sized
        """
    ).fetchall()
    precision, recall = rows[0]
    return BCubed(
        precision=1.0 if precision is None else precision, recall=1.0 if recall is None else recall
    )


def _split_count(cursor: duckdb.DuckDBPyConnection, whole: str, part: str) -> int:
    parts = f"select {whole} from judged group by {whole} having min({part}) <> max({part})"
    return _count(cursor, f"from ({parts})")


def _twins_linked(cursor: duckdb.DuckDBPyConnection) -> int:
    columns = {row[0] for row in cursor.execute("describe truth").fetchall()}
    if "hard_case" not in columns:
        return 0
    twins = (
        "from judged semi join (select human_id as human from truth"
        f" where list_contains({_WORDS}, '{TWIN}')) as twins using (human)"
    )
    return _pairs(cursor, twins, _PERSON) - _pairs(cursor, twins, _CELL)


def _rates_by_source_pair(cursor: duckdb.DuckDBPyConnection) -> tuple[SourcePairRates, ...]:
    true = _source_pairs(cursor, _HUMAN)
    linked = _source_pairs(cursor, _PERSON)
    correct = _source_pairs(cursor, _CELL)
    return tuple(
        SourcePairRates(
            left=left,
            right=right,
            pairs=PairCounts(
                true_pairs=true.get((left, right), 0),
                linked_pairs=linked.get((left, right), 0),
                correct_pairs=correct.get((left, right), 0),
            ),
        )
        for left, right in sorted(true.keys() | linked.keys())
    )


def _source_pairs(cursor: duckdb.DuckDBPyConnection, unit: str) -> dict[tuple[str, str], int]:
    rows = cursor.execute(
        f"""
        with parts as (select {unit}, source, count(*) as n from judged group by all)
        select l.source, r.source,
            sum(if(l.source = r.source, l.n * (l.n - 1) // 2, l.n * r.n))::bigint as pairs
        from parts as l join parts as r using ({unit})
        where l.source <= r.source group by all having pairs > 0
        """
    ).fetchall()
    return {(left, right): pairs for left, right, pairs in rows}


_WORDS: Final = "list_transform(string_split(hard_case, ';'), lambda word: trim(word))"


def _value_sql(dimension: str) -> str:
    """SQL for the value, or values, of a row of the truth in this dimension."""
    if dimension == "hard_case":
        return f"unnest({_WORDS})"
    if dimension == "age":
        years = "try_cast(age as integer)"
        bands = " ".join(f"when {years} <= {last} then '{name}'" for last, name in AGE_BANDS)
        return f"case {bands} when {years} is not null then '85+' end"
    return dimension


def _rates_by_group(cursor: duckdb.DuckDBPyConnection, dimension: str) -> list[GroupRates]:
    cursor.execute(
        f"""
        create or replace temp table member as
        select distinct record, value from judged join (
            select source, local_id, {_value_sql(dimension)} as value
            from truth where {dimension} is not null and {dimension} <> ''
        ) using (source, local_id) where value <> ''
        """
    )
    sizes = dict(cursor.execute("select value, count(*) from member group by value").fetchall())
    true, linked, correct = (_pairs_touching(cursor, unit) for unit in (_HUMAN, _PERSON, _CELL))
    return [
        GroupRates(
            dimension=dimension,
            value=value,
            records_count=sizes[value],
            pairs=PairCounts(
                true_pairs=true[value], linked_pairs=linked[value], correct_pairs=correct[value]
            ),
        )
        for value in sorted(sizes)
    ]


def _pairs_touching(cursor: duckdb.DuckDBPyConnection, unit: str) -> dict[str, int]:
    """Pairs of one unit of which at least one record is a member, for each value.

    With k members among n records these are C(n, 2) - C(n - k, 2) = k (2n - k - 1) / 2.
    """
    rows = cursor.execute(
        f"""
        with wholes as (select {unit}, count(*) as n from judged group by all),
        parts as (
            select {unit}, value, count(*) as k from judged join member using (record) group by all
        )
        select value, sum(k * (2 * n - k - 1) // 2)::bigint
        from parts join wholes using ({unit}) group by value
        """
    ).fetchall()
    return dict(rows)
