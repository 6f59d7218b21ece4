"""Records to edges: blocked pairs, scored by Splink under a frozen model.

Block sizes are counted before any join: one nearly constant value would otherwise make billions of
pairs. The release's stop list tightens the values known to be common; a value that has grown past
`BLOCK_RECORDS_MAX` since is left out of the join and reported, never silently.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import duckdb
import pyarrow as pa
from splink import Linker
from splink.internals.duckdb.database_api import DuckDBAPI

from mpi.batch.bulk_tables import comparison_records, count_rows, insert_rows
from mpi.batch.progress import Progress
from mpi.batch.quick_look import quick_look
from mpi.domain.links import WEIGHT_STEPS_PER_BIT, rounded_bits
from mpi.limits import BLOCK_RECORDS_MAX
from mpi.linkage.blocking import blocking_sql, crowded_keys_sql, pairs_sql
from mpi.linkage.comparators import double_sql
from mpi.linkage.frequencies import Frequencies, frequency_columns, records_with_frequencies_sql
from mpi.linkage.model import BlockingRule, Model
from mpi.linkage.scorer import compile_scorer
from mpi.linkage.splink_settings import (
    comparison_fields,
    compile_settings,
    frequency_lookup_sql,
)

PAIRS_AT_ONCE: Final = 4_000_000
"""Pairs scored in one go: bounds the memory for the columns of both their records."""
QUICK_PAIRS_AT_ONCE: Final = 16_000_000
"""The same where only the columns of quick comparisons are read."""
QUICK_LOOK_FROM_PAIRS: Final = 200_000
"""With fewer, planning one more query costs more than it saves."""


@dataclass(frozen=True, slots=True)
class CrowdedKey:
    """A blocking value that outgrew every limit: a data-quality item, not a person's name."""

    rule: str
    records_count: int


@dataclass(frozen=True, slots=True)
class EdgeCounts:
    """What scoring came to."""

    keys: int
    pairs: int
    edges: int
    crowded: tuple[CrowdedKey, ...]


def find_edges(
    connection: duckdb.DuckDBPyConnection,
    *,
    model: Model,
    frequencies: Frequencies,
    stop_list: frozenset[int],
    has_store: bool = False,
    progress: Progress,
) -> EdgeCounts:
    """Make the table `edge` (left_record, right_record, match_weight_bits) from `records`.

    Also leaves `blocking_keys` (record, rule, key), `pair` (Splink's join keys) and `crowded` (see
    `make_pairs`) behind. Weights are rounded as `mpi.domain.links.rounded_bits` does; they reach
    `review_bits`, unless both records hold one trusted number: whose it is must be asked.

    Args:
        connection: Holds `records` with the fields of the comparisons; with a store also
            `stored_edge` and `stored_crowded_key`.
        model: Its comparisons, blocking rules and `review_bits`.
        frequencies: Field -> value -> share of people, 0..1: those frozen with the model.
        stop_list: The release's stop-listed keys.
        has_store: See `make_pairs`.
        progress: Told of each phase.
    """
    with progress.phase("find candidates", len(model.blocking) + 1) as phase:
        make_keys(connection, model.blocking, stop_list)
        phase.advance(len(model.blocking))
        crowded = make_pairs(connection, has_store=has_store)
        phase.advance()
    pairs = count_rows(connection, "pair")
    with progress.phase("score pairs", 1) as phase:
        if pairs:
            score_pairs(connection, model, frequencies)
            _add_shared_numbers(connection, model, frequencies)
        else:
            connection.execute(_NO_EDGE_SQL)
        phase.advance()
    return EdgeCounts(
        keys=count_rows(connection, "blocking_keys"),
        pairs=pairs,
        edges=count_rows(connection, "edge"),
        crowded=crowded,
    )


_NO_EDGE_SQL: Final = """
create or replace table edge
(left_record bigint, right_record bigint, match_weight_bits double)
"""


def make_keys(
    connection: duckdb.DuckDBPyConnection,
    rules: tuple[BlockingRule, ...],
    stop_list: frozenset[int],
) -> None:
    """The table `blocking_keys` (record, rule, key) of every record's keys, each once."""
    connection.register("stopped", pa.table({"key": pa.array(sorted(stop_list), pa.int64())}))
    connection.execute("create or replace table stop_list as select * from stopped")
    connection.unregister("stopped")
    names = ", ".join(f"'{rule.name}'" for rule in rules)
    connection.execute(
        f"create or replace table blocking_keys (record bigint, rule enum({names}), key bigint)"
    )
    for place, rule in enumerate(rules):
        query = blocking_sql(rule, stop_list="stop_list" if stop_list else None)
        connection.execute(
            f"insert into blocking_keys select record, '{rule.name}', key "
            f"from (select distinct record, key from ({query}) {_new_sql(rule, rules[:place])})"
        )


def _new_sql(rule: BlockingRule, earlier: tuple[BlockingRule, ...]) -> str:
    """Leaves out what a record has of earlier rules: adjacent keys are few bits apart, and meet."""
    beside = [each.name for each in earlier if each.adjacent_by == rule.adjacent_by]
    if not rule.adjacent_by or not beside:
        return ""
    names = ", ".join(f"'{name}'" for name in beside)
    return f"anti join (from blocking_keys where rule in ({names})) using (record, key)"


def make_pairs(
    connection: duckdb.DuckDBPyConnection, *, has_store: bool = False
) -> tuple[CrowdedKey, ...]:
    """The table `pair` (join_key_l, join_key_r) of distinct ordered pairs.

    With a store, its `stored_crowded_key` stay crowded, and pairs of its `stored_edge` that share
    one stay pairs: a count never takes an edge away.

    Returns:
        The keys that were too crowded to join; the table `crowded` (key, rule, records_count) has
        them too.
    """
    crowded = crowded_keys_sql(records_max=BLOCK_RECORDS_MAX)
    if has_store:
        crowded += " or key in (select key from stored_crowded_key)"
    connection.execute(
        f"""create or replace table crowded as
        select key, any_value(rule) as rule, any_value(records_count)::bigint as records_count
        from ({crowded}) join blocking_keys using (key) group by key"""
    )
    found = connection.execute(
        "select rule, records_count from crowded order by records_count desc, rule"
    ).fetchall()
    keys = "(from blocking_keys anti join crowded using (key))" if found else "blocking_keys"
    kept = _KEPT_PAIRS_SQL if found and has_store else ""
    connection.execute(f"create or replace table pair as {pairs_sql(keys=keys)}{kept}")
    return tuple(CrowdedKey(*row) for row in found)


_KEPT_PAIRS_SQL: Final = """
union
select left_record, right_record, '0' from stored_edge
join (blocking_keys semi join crowded using (key)) as l on l.record = left_record
join (blocking_keys semi join crowded using (key)) as r on r.record = right_record
where l.key = r.key
"""


def score_pairs(
    connection: duckdb.DuckDBPyConnection, model: Model, frequencies: Frequencies
) -> None:
    """The table `edge` (left_record, right_record, match_weight_bits) of the pairs of `pair`.

    Only of those that reach `review_bits`; weights are rounded as `mpi.domain.links.rounded_bits`
    does.
    """
    register_frequencies(connection, frequencies)
    columns = ", ".join(("record", *comparison_fields(model)))
    connection.execute(
        "create or replace table splink_input as "
        + records_with_frequencies_sql(model, columns=columns)
    )
    connection.execute(_NO_EDGE_SQL)
    likely = _likely_pairs(connection, model)
    for _ in _parts(connection, likely, PAIRS_AT_ONCE):
        _add_edges(connection, model)
    for table in ("splink_input", "likely_pair", "pair_part"):
        connection.execute(f"drop table if exists {table}")


def _parts(connection: duckdb.DuckDBPyConnection, pairs: str, at_once: int) -> Iterator[None]:
    """The table `pair_part` of some of the pairs, again and again until it has been all."""
    parts = -(-count_rows(connection, pairs) // at_once)
    for part in range(parts):
        chosen = f"from {pairs} where join_key_l % {parts} = {part}"
        connection.execute(f"create or replace temp table pair_part as {chosen}")
        yield


def _likely_pairs(connection: duckdb.DuckDBPyConnection, model: Model) -> str:
    """Name of a table of the pairs that can become edges, as `mpi.batch.quick_look` says."""
    look = quick_look(model)
    if look is None or count_rows(connection, "pair") < QUICK_LOOK_FROM_PAIRS:
        return "pair"
    quick, threshold_bits = look
    connection.execute("create or replace temp table likely_pair as from pair limit 0")
    for _ in _parts(connection, "pair", QUICK_PAIRS_AT_ONCE):
        scored = _predict(connection, quick, threshold_bits=threshold_bits)
        connection.execute(f"insert into likely_pair select record_l, record_r, '0' from {scored}")
        connection.execute(f"drop table {scored}")
    return "likely_pair"


def _add_edges(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    review_bits = model.thresholds.review_bits
    steps = double_sql(WEIGHT_STEPS_PER_BIT)
    rounded = f"floor(match_weight * {steps} + 0.5e0) / {steps}"
    scored = _predict(connection, model, threshold_bits=review_bits - 1 / WEIGHT_STEPS_PER_BIT)
    connection.execute(
        f"""insert into edge select record_l, record_r, {rounded}
        from {scored} where {rounded} >= {double_sql(review_bits)}"""
    )
    connection.execute(f"drop table {scored}")


def _add_shared_numbers(
    connection: duckdb.DuckDBPyConnection, model: Model, frequencies: Frequencies
) -> None:
    """Adds the few pairs of one trusted number that are too light for an edge otherwise."""
    pairs = connection.execute(_SHARED_NUMBER_SQL).fetchall()
    if not pairs:
        return
    connection.register(
        "ends", pa.table({"record": sorted({end for pair in pairs for end in pair})})
    )
    records = comparison_records(connection, "record in (select record from ends)")
    connection.unregister("ends")
    scorer = compile_scorer(model, frequencies)
    prepared = {number: scorer.prepare(record) for number, record in records.items()}
    bits = [rounded_bits(scorer.weight(prepared[one], prepared[other])) for one, other in pairs]
    left, right = zip(*pairs, strict=True)
    insert_rows(connection, "edge", pa.table({"left": left, "right": right, "bits": bits}))


_SHARED_NUMBER_SQL: Final = """
select l.record, r.record
from records as l join records as r
    on l.trusted_nhs_number = r.trusted_nhs_number and l.record < r.record
anti join edge on left_record = l.record and right_record = r.record
semi join pair on join_key_l = l.record and join_key_r = r.record
order by l.record, r.record
"""


def _predict(connection: duckdb.DuckDBPyConnection, model: Model, *, threshold_bits: float) -> str:
    """Name of the table that Splink scored, of the pairs of `pair_part`."""
    api = DuckDBAPI(connection=connection)
    # Half a second goes into checking settings that are compiled, and held by parity tests.
    linker = Linker(api.register("splink_input"), compile_settings(model), validate_settings=False)
    logging.getLogger("splink").setLevel(logging.ERROR)  # A linker turns its own messages on.
    for column in frequency_columns(model):
        table = f"lookup_{column.name}"
        connection.execute(
            f"create or replace temp table {table} as {frequency_lookup_sql(column)}"
        )
        linker.table_management.register_term_frequency_lookup(api.register(table), column.name)
    linker.table_management.register_blocked_pairs_for_predict(api.register("pair_part"))
    scored = linker.inference.predict(threshold_match_weight=threshold_bits, warning_mode="never")
    return str(scored.physical_name)


def register_frequencies(connection: duckdb.DuckDBPyConnection, frequencies: Frequencies) -> None:
    """The table `frequencies` (field, value, frequency) of a release."""
    rows = [
        (f, value, share) for f, values in frequencies.items() for value, share in values.items()
    ]
    fields, values, shares = zip(*rows, strict=True) if rows else ((), (), ())
    table = pa.table(
        {
            "field": pa.array(fields, pa.string()),
            "value": pa.array(values, pa.string()),
            "frequency": pa.array(shares, pa.float64()),
        }
    )
    connection.register("listed", table)
    connection.execute("create or replace table frequencies as select * from listed")
    connection.unregister("listed")
