"""Given names that are alike but are two names: ELLA and BELLA, JAYDEN and KAYDEN.

A slip of the pen makes a word that nobody is called; parents of twins choose names that somebody
is. So two given names of which each is in use, and which neither sound alike nor are forms of one
name, count as different however similar their letters are. Where one of them is in use by nobody
else, being alike is still taken for a slip.
"""

from __future__ import annotations

from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from mpi.batch.pattern_moves import move_pairs
from mpi.batch.patterns import decode_patterns
from mpi.batch.relatives import Aspect, is_on_levels
from mpi.linkage.comparators import double_sql
from mpi.linkage.model import Model
from mpi.standardise.data_files import read_rows

FAMILIES_MIN: Final = 4
"""A name is in use if it goes with so many family names in the file."""
RATIO_MIN: Final = 0.02
"""A name much rarer than the one it is like is a slip that many make; where slips are many..."""
RATIO_PER_SLIP: Final = 0.5
"""... it may be this much of the share of family names with slips: one name has several slips."""
DEVIATIONS: Final = 2.0
"""Slips of one name may be more than expected by so many standard deviations (Poisson)."""
SAME_NAMES: Final = Aspect("name", frozenset({"same"}))
FAMILY_CLOSE: Final = Aspect("name", frozenset({"given_same_family_close"}))
SAME_DATE: Final = Aspect("birth_date", frozenset({"same"}))
SAME_SLIP_RECORDS: Final = 2
"""So many records of one family name and birth date do not make the same slip by chance."""
AS_OFTEN_RATIO_MAX: Final = 3
"""Forms of one name (ANNA and HANNA) are two people's if neither is written more often than so many
times the other; who goes by a nickname is called so by few."""
FORMS_MIN: Final = 3
FORMS_SHARE_MIN: Final = 0.5
"""Forms of one name are two people's in a file with so many pairs of them, both written as often,
if that is so large a share of what twins would make."""
SLIP_CHARACTERS_MIN: Final = 3
"""In shorter names one slip changes nearly everything."""
ALIKE_MIN: Final = 0.85
"""Jaro-Winkler similarity, 0..1 (Winkler 1990), as in the shipped model's
`vetoes.given_names_agree`."""

_USE_JOINS: Final = """
left join name_in_use as l_use on l_use.name = l.given_name
left join name_in_use as r_use on r_use.name = r.given_name
left join family_in_use as l_family on l_family.name = l.family_name
left join family_in_use as r_family on r_family.name = r.family_name
left join name_at_birth as l_birth on l_birth.family_name = l.family_name
    and l_birth.birth_date = l.birth_date and l_birth.given_name = l.given_name
left join name_at_birth as r_birth on r_birth.family_name = r.family_name
    and r_birth.birth_date = r.birth_date and r_birth.given_name = r.given_name"""
_TO_DIFFERENT: Final = {
    "given_close_family_same": "family_same_given_differs",
    "both_close": "family_close_given_differs",
    "given_close_family_differs": "differs",
}
"""Level of pairs with given names alike -> the level of those with different ones."""
_TO_ALIKE: Final = {
    "family_same_given_differs": "given_close_family_same",
    "family_close_given_differs": "both_close",
}
_FAMILY_TO_ALIKE: Final = {
    "given_same_family_differs_woman": "given_same_family_close",
    "given_same_family_differs": "given_same_family_close",
    "given_close_family_differs": "both_close",
}
"""The same for slips that the model's measure of similarity does not see in short names."""
_BOTH_IN_USE: Final = f"""(l_use.families is not null and r_use.families is not null
        and least(l_use.families, r_use.families) >= (
            select slips + {DEVIATIONS} * sqrt(slips)
            from (select ratio * greatest(l_use.families, r_use.families) as slips
                from slip_ratio)))"""
"""Both are somebody's names, and neither is as rare as a slip of the other would be."""
_BOTH_AT_BIRTH: Final = """(l_birth.given_name is not null and r_birth.given_name is not null
        and mpi_equal(l.family_name, r.family_name) and mpi_equal(l.birth_date, r.birth_date))"""
_BOTH_AS_OFTEN: Final = f"""({_BOTH_AT_BIRTH}
        and greatest(l_birth.held, r_birth.held)
            <= {AS_OFTEN_RATIO_MAX} * least(l_birth.held, r_birth.held))"""
_TWO_NAMES: Final = f"""(
    l.given_name <> r.given_name
    and (({_BOTH_IN_USE} or {_BOTH_AT_BIRTH})
        and ((select are_forms_names from form_use)
            or not list_has_any(l.given_roots, r.given_roots))
        or {_BOTH_AS_OFTEN})
    and not list_has_any(l.given_names, r.given_names)
    and not list_has_any(l.given_names, coalesce(r.middle_names, []))
    and not list_has_any(r.given_names, coalesce(l.middle_names, [])))"""
_EXCHANGED: Final = f"""(
    l.given_name || l.family_name || r.given_name || r.family_name is not null
    and mpi_likeness(l.given_name, r.family_name) >= {ALIKE_MIN}
    and mpi_likeness(l.family_name, r.given_name) >= {ALIKE_MIN})"""
"""Given and family name in each other's column, slips allowed."""
_GIVEN_SLIP: Final = f"""(
    not {_BOTH_IN_USE}
    and least(length(l.given_name), length(r.given_name)) >= {SLIP_CHARACTERS_MIN}
    and mpi_slips(l.given_name, r.given_name, 1) <= 1)"""
_FAMILY_SLIP: Final = f"""(
    (l_family.families is null or r_family.families is null)
    and least(length(l.family_name), length(r.family_name)) >= {SLIP_CHARACTERS_MIN}
    and mpi_slips(l.family_name, r.family_name, 1) <= 1)"""


def count_names_in_use(connection: duckdb.DuckDBPyConnection) -> None:
    """Tables `name_in_use` and `family_in_use` (name, families) of names that are somebody's.

    The second counts given names instead, under the same column name. A third, `name_at_birth`,
    has the given names that several records of one family name and birth date have: twins' names
    are written again and again, and no slip is.
    """
    rows = read_rows("nicknames.csv")
    known = pa.table({"name": sorted({name for row in rows for name in row.values()})})
    connection.register("known_names", known)
    for table, field, other in (
        ("name_in_use", "given_name", "family_name"),
        ("family_in_use", "family_name", "given_name"),
    ):
        connection.execute(
            f"""create or replace table {table} as
            select {field} as name, count(distinct {other}) as families
            from records where length({field}) > 1 group by {field}
            having count(distinct {other}) >= {FAMILIES_MIN}
                or ({field} in (select name from known_names) and '{field}' = 'given_name')"""
        )
    connection.unregister("known_names")
    connection.execute(
        f"""create or replace table name_at_birth as
        select family_name, birth_date, given_name, count(*) as held from records
        where family_name is not null and birth_date is not null and length(given_name) > 1
        group by all having count(*) >= {SAME_SLIP_RECORDS}"""
    )


def measure_slips(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    """The table `slip_ratio`: up to what ratio a name in use may be a slip of the one it is like.

    Where given name and birth date are the same, family names that are close are slips.
    """
    columns = connection.execute(
        "select pattern, count(*) as pairs from blocked_pattern group by pattern"
    ).fetchnumpy()
    levels = decode_patterns(model, np.asarray(columns["pattern"], np.int64))
    pairs = np.asarray(columns["pairs"], float) * is_on_levels(model, levels, SAME_DATE)
    same, close = (
        float(pairs[is_on_levels(model, levels, aspect)].sum())
        for aspect in (SAME_NAMES, FAMILY_CLOSE)
    )
    ratio = max(RATIO_MIN, RATIO_PER_SLIP * close / max(same + close, 1.0))
    connection.execute(f"create or replace table slip_ratio as select {double_sql(ratio)} as ratio")


def measure_forms(connection: duckdb.DuckDBPyConnection) -> None:
    """The table `form_use`: whether forms of one name are two people's in this file, as a rule.

    Twins have records independently of one another, so both have several as often as anybody. A
    nickname is in few of a person's records.
    """
    ((pairs, both, several),) = connection.execute(_FORMS_SQL).fetchall()
    expected = pairs * several**2
    are_names = both >= FORMS_MIN and both >= FORMS_SHARE_MIN * expected
    connection.execute(f"create or replace table form_use as select {are_names} as are_forms_names")


_FORMS_SQL: Final = f"""
with named as (
    select family_name, birth_date, given_name, count(*) as held,
        any_value(given_roots) as roots
    from records where family_name is not null and birth_date is not null
        and length(given_name) > 1
    group by all)
select count(*), coalesce(sum((least(l.held, r.held) >= {SAME_SLIP_RECORDS}
        and greatest(l.held, r.held) <= {AS_OFTEN_RATIO_MAX} * least(l.held, r.held))::int), 0),
    (select coalesce(avg((held > 1)::int), 0) from named)
from named as l join named as r using (family_name, birth_date)
where l.given_name < r.given_name and list_has_any(l.roots, r.roots)
"""
"""Pairs of forms of one name at one birth; those of which both are written as often; the share of
names at a birth that are written several times."""


def tell_names_apart(connection: duckdb.DuckDBPyConnection, model: Model, *, table: str) -> None:
    """Move pairs of a table of patterns to the level that names in use and slips speak for."""
    for moves, condition in (
        (_TO_DIFFERENT, _TWO_NAMES),
        (_TO_ALIKE, _GIVEN_SLIP),
        (_FAMILY_TO_ALIKE, _FAMILY_SLIP),
    ):
        move_pairs(connection, model, table, "name", moves, condition, joins=_USE_JOINS)


def join_slips_to_names(connection: duckdb.DuckDBPyConnection) -> None:
    """Add to `records.given_forms` the names that a record's given name may be a slip of.

    Only names at the other end of an edge: nothing else is ever judged. Vetoes then need no
    measure of similarity, which cannot tell a slip from another name.

    Args:
        connection: Holds `records`, `edge` and the tables of `count_names_in_use`.
    """
    connection.execute(_ONE_FORM_SQL)
    connection.execute(
        f"""create or replace temp table slip as
        with alike as (
            select l.record as left_record, r.record as right_record,
                l.given_name as left_name, r.given_name as right_name
            from edge join records as l on l.record = left_record
            join records as r on r.record = right_record
            {_USE_JOINS}
            where l.given_name || r.given_name is not null
                and (mpi_likeness(l.given_name, r.given_name) >= {ALIKE_MIN} or {_GIVEN_SLIP})
                and not coalesce({_TWO_NAMES}, false) or {_EXCHANGED})
        select record, list(distinct name) as names from (
            select left_record as record, right_name as name from alike
            union all select right_record, left_name from alike)
        group by record"""
    )
    connection.execute(
        """update records set given_forms = list_concat(given_forms, names)
        from slip where slip.record = records.record"""
    )
    connection.execute("drop table slip")


_ONE_FORM_SQL: Final = f"""
update records set given_forms = [given_name]
where length(given_name) > 1 and ((select are_forms_names from form_use)
    or exists (from name_at_birth as own join name_at_birth as other
        on own.family_name = other.family_name and own.birth_date = other.birth_date
        and own.given_name <> other.given_name
    where records.family_name = own.family_name and records.birth_date = own.birth_date
        and records.given_name = own.given_name
        and greatest(own.held, other.held) <= {AS_OFTEN_RATIO_MAX} * least(own.held, other.held)))
"""
"""Nor do forms of one name unite two people's records then."""
