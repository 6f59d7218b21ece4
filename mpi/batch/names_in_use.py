"""Given names that are alike but are two names: ELLA and BELLA, JAYDEN and KAYDEN.

A slip of the pen makes a word that nobody is called; parents of twins choose names that somebody
is. So two given names of which each is in use, and which neither sound alike nor are forms of one
name, count as different however similar their letters are. Where one of them is in use by nobody
else, being alike is still taken for a slip.
"""

from __future__ import annotations

from typing import Final

import duckdb
import pyarrow as pa

from mpi.linkage.model import Model
from mpi.standardise.data_files import read_rows

FAMILIES_MIN: Final = 4
"""A name is in use if it goes with so many family names in the file."""
RATIO_MIN: Final = 0.02
"""A name much rarer than the one it is like is a slip that many make."""
ALIKE_MIN: Final = 0.85
"""As in the shipped model's `vetoes.given_names_agree`."""

_DIFFERENT: Final = {
    "given_close_family_same": "family_same_given_differs",
    "both_close": "family_close_given_differs",
    "given_close_family_differs": "differs",
}
"""Level of pairs with given names alike -> the level of those with different ones."""
_TWO_NAMES: Final = """
l.given_name <> r.given_name
    and l_use.families is not null and r_use.families is not null
    and least(l_use.families, r_use.families) >= $ratio * greatest(l_use.families, r_use.families)
    and not list_has_any(l.given_roots, r.given_roots)
    and not list_has_any(l.given_names, r.given_names)
    and not list_has_any(l.given_names, coalesce(r.middle_names, []))
    and not list_has_any(r.given_names, coalesce(l.middle_names, []))
"""


def count_names_in_use(connection: duckdb.DuckDBPyConnection) -> None:
    """The table `name_in_use` (name, families) of given names that are somebody's."""
    rows = read_rows("nicknames.csv")
    known = pa.table({"name": sorted({name for row in rows for name in row.values()})})
    connection.register("known_names", known)
    connection.execute(
        f"""create or replace table name_in_use as
        select given_name as name, count(distinct family_name) as families
        from records where length(given_name) > 1 group by given_name
        having count(distinct family_name) >= {FAMILIES_MIN}
            or given_name in (select name from known_names)"""
    )
    connection.unregister("known_names")


def tell_names_apart(connection: duckdb.DuckDBPyConnection, model: Model, *, table: str) -> None:
    """Move pairs of a table of patterns whose given names are two names to the level for that."""
    radix = 1
    for comparison in model.comparisons:
        places = {level.name: at for at, level in enumerate(comparison.levels, 1)}
        if comparison.name == "name" and places.keys() >= {*_DIFFERENT, *_DIFFERENT.values()}:
            break
        radix *= len(comparison.levels) + 1
    else:
        return
    size = len(places) + 1
    moves = " ".join(
        f"when {places[alike]} then {places[different] - places[alike]}"
        for alike, different in _DIFFERENT.items()
    )
    level = f"(pattern // {radix}) % {size}"
    chosen = ", ".join(str(places[alike]) for alike in _DIFFERENT)
    connection.execute(
        f"""create or replace temp table moved as
        select pair.l, pair.r from {table} as pair
        join records as l on l.record = pair.l join records as r on r.record = pair.r
        join name_in_use as l_use on l_use.name = l.given_name
        join name_in_use as r_use on r_use.name = r.given_name
        where {level} in ({chosen}) and {_TWO_NAMES}""",
        {"ratio": RATIO_MIN},
    )
    connection.execute(
        f"""update {table} as pair set pattern = pattern + {radix} * (case {level} {moves} end)
        from moved where moved.l = pair.l and moved.r = pair.r"""
    )
    connection.execute("drop table moved")


def join_slips_to_names(connection: duckdb.DuckDBPyConnection) -> None:
    """Add to `records.given_forms` the names that a record's given name may be a slip of.

    Only names at the other end of an edge: nothing else is ever judged. Vetoes then need no
    measure of similarity, which cannot tell a slip from another name.
    """
    connection.execute(
        f"""create or replace temp table slip as
        with alike as (
            select l.record as left_record, r.record as right_record,
                l.given_name as left_name, r.given_name as right_name
            from edge join records as l on l.record = left_record
            join records as r on r.record = right_record
            left join name_in_use as l_use on l_use.name = l.given_name
            left join name_in_use as r_use on r_use.name = r.given_name
            where mpi_likeness(l.given_name, r.given_name) >= {ALIKE_MIN}
                and not coalesce({_TWO_NAMES}, false))
        select record, list(distinct name) as names from (
            select left_record as record, right_name as name from alike
            union all select right_record, left_name from alike)
        group by record""",
        {"ratio": RATIO_MIN},
    )
    connection.execute(
        """update records set given_forms = list_concat(given_forms, names)
        from slip where slip.record = records.record"""
    )
    connection.execute("drop table slip")
