"""Pairs moved from one level of a comparison to another, by what their two values cannot tell.

A comparison judges two values alone. That both given names are somebody's, or that an e-mail
address repeats the name, is known only beside the rest of the file or of the record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import duckdb

from mpi.linkage.model import Model

MISSING: Final = ""
"""In place of a level's name: the comparison says nothing of the pair."""


def move_pairs(
    connection: duckdb.DuckDBPyConnection,
    model: Model,
    table: str,
    comparison: str,
    moves: Mapping[str, str],
    condition: str,
    *,
    joins: str = "",
) -> None:
    """Change the level of the pairs of a table of patterns for which a condition holds.

    Args:
        connection: Holds `records` and the table.
        model: Nothing is moved if it lacks the comparison, or one of the levels.
        table: As `mpi.batch.files.patterns.make_patterns` makes it.
        comparison: Its name.
        moves: Level -> the level instead, or `MISSING`.
        condition: SQL over the records `l` and `r`, and whatever is joined.
        joins: Further SQL joins.
    """
    found = _place(model, comparison)
    if found is None:
        return
    radix, places = found
    if not places.keys() >= {*moves, *moves.values()}:
        return
    level = f"(pattern // {radix}) % {len(places)}"
    steps = {places[old]: places[new] - places[old] for old, new in moves.items()}
    connection.execute(
        f"""create or replace temp table moved as
        select pair.l, pair.r from {table} as pair
        join records as l on l.record = pair.l join records as r on r.record = pair.r {joins}
        where {level} in ({", ".join(map(str, steps))}) and {condition}"""
    )
    cases = " ".join(f"when {at} then {step}" for at, step in steps.items())
    connection.execute(
        f"""update {table} as pair set pattern = pattern + {radix} * (case {level} {cases} end)
        from moved where moved.l = pair.l and moved.r = pair.r"""
    )
    connection.execute("drop table moved")


def _place(model: Model, name: str) -> tuple[int, dict[str, int]] | None:
    """What one step of the comparison adds to a pattern, and the places of its levels."""
    radix = 1
    for comparison in model.comparisons:
        if comparison.name == name:
            levels = {level.name: at for at, level in enumerate(comparison.levels, 1)}
            return radix, {MISSING: 0, **levels}
        radix *= len(comparison.levels) + 1
    return None
