"""Groups of a bulk run to person ids: every record's home and every group's id.

Nearly all groups are plain: none of their records has a home yet, and they get a new one; or all
have the same one and nobody else has it, and they keep it. `mpi.linkage.homes` settles the others.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterable, Sequence

import duckdb
import pyarrow as pa

from mpi.batch.bulk_tables import insert_rows, make_table
from mpi.batch.groups import Grouping
from mpi.domain.identifiers import PERSON_ID_RANDOM_BYTES, PersonId, person_id_from_bytes
from mpi.domain.links import Edge
from mpi.linkage.homes import Group, assign_homes, name_groups


def new_person_id() -> PersonId:
    """An id that no person ever had: 60 random bits, checked again by the store's unique key."""
    return person_id_from_bytes(secrets.token_bytes(PERSON_ID_RANDOM_BYTES))


def assign_persons(
    connection: duckdb.DuckDBPyConnection,
    grouping: Grouping,
    *,
    undecided: Grouping | None = None,
    link_bits: float,
) -> None:
    """Tables `assignment` (record, person_id) and `home_row` (record, home_id, remembered_id).

    Args:
        connection: Holds `edge` (weights in bits) and the store's `stored_home` (record, home_id,
            remembered_id) and `stored_person`.
        grouping: The groups.
        undecided: Those that there would be without decisions; the same if None. Homes follow them.
        link_bits: From which weight an edge passes a home on.
    """
    _register_groups(connection, undecided or grouping)
    connection.execute(_PLAIN_HOMES_SQL)
    fresh = [name for (name,) in connection.execute(_FRESH_SQL).fetchall()]
    _add_homes(connection, fresh)
    connection.execute(_HOMES_SQL)
    _settle_homes(connection, link_bits)
    _register_groups(connection, grouping)
    connection.execute(_PLAIN_NAMES_SQL)
    _name_others(connection)


def _register_groups(connection: duckdb.DuckDBPyConnection, grouping: Grouping) -> None:
    rows = pa.table({"record": grouping.records, "group_name": grouping.groups})
    make_table(connection, "record_group", rows)


_PLAIN_HOMES_SQL = """
create or replace table group_home as
with spread as (
    select home_id, count(distinct group_name) as groups
    from record_group join stored_home using (record) group by home_id)
select group_name, min(home_id) as home_id,
    count(*) = count(home_id) and count(distinct home_id) = 1 and max(groups) = 1 as is_kept,
    count(home_id) = 0 as is_fresh
from record_group left join stored_home using (record) left join spread using (home_id)
group by group_name
"""

_FRESH_SQL = "select group_name from group_home where is_fresh order by group_name"

_HOMES_SQL = """
create or replace table home_row as
select record, coalesce(group_id.home_id, group_home.home_id) as home_id,
    stored_home.remembered_id
from record_group join group_home using (group_name) left join group_id using (group_name)
left join stored_home using (record)
where is_kept or is_fresh
"""

# A group whose records share a home that nobody else has bears its id; the others are named.
_PLAIN_NAMES_SQL = """
create or replace table assignment as
with spread as (
    select home_id, count(distinct group_name) as groups
    from record_group join home_row using (record) group by home_id)
select record, min(home_id) over (partition by group_name) as person_id
from record_group join home_row using (record) join spread using (home_id)
qualify min(home_id) over (partition by group_name) = max(home_id) over (partition by group_name)
    and max(groups) over (partition by group_name) = 1
"""


def _add_homes(connection: duckdb.DuckDBPyConnection, names: Sequence[int]) -> None:
    ids = [new_person_id() for _ in names]
    rows = {"group_name": pa.array(names, pa.int64()), "home_id": pa.array(ids, pa.string())}
    make_table(connection, "group_id", pa.table(rows))


def _settle_homes(connection: duckdb.DuckDBPyConnection, link_bits: float) -> None:
    """Groups in which homes meet, part or gain newcomers."""
    connection.execute(_OTHERS_SQL)
    rows = connection.execute(_MEMBERS_SQL).fetchall()
    if not rows:
        return
    previous = {record: PersonId(home) for record, _, home, _ in rows if home is not None}
    remembered = {record: memory for record, _, _, memory in rows}
    links = [Edge(*row) for row in connection.execute(_LINKS_SQL, [link_bits]).fetchall()]
    homes = assign_homes(
        _groups((record, name) for record, name, _, _ in rows),
        links,
        previous=previous,
        new_id=new_person_id,
    )
    made = {
        "record": pa.array(homes, pa.int64()),
        "home_id": pa.array(homes.values(), pa.string()),
        "remembered_id": pa.array([remembered[record] for record in homes], pa.string()),
    }
    insert_rows(connection, "home_row", pa.table(made))


def _groups(members: Iterable[tuple[int, int]]) -> list[Group]:
    """The groups of records, each given with the name of its group."""
    groups: dict[int, set[int]] = defaultdict(set)
    for record, name in members:
        groups[name].add(record)
    return [Group(records) for records in groups.values()]


_OTHERS_SQL = """
create or replace table other_member as
select record, group_name from record_group join group_home using (group_name)
where not is_kept and not is_fresh
"""
_MEMBERS_SQL = """
select record, group_name, home_id, remembered_id
from other_member left join stored_home using (record) order by record
"""
_LINKS_SQL = """
select left_record, right_record, match_weight_bits from edge
where match_weight_bits >= ? and left_record in (select record from other_member)
    and right_record in (select record from other_member)
"""


def _name_others(connection: duckdb.DuckDBPyConnection) -> None:
    """The ids of groups that have several homes, or share one, or own none."""
    rows = connection.execute(_UNNAMED_SQL).fetchall()
    if not rows:
        return
    named = name_groups(
        _groups((record, name) for record, name, _, _ in rows),
        homes={record: PersonId(home) for record, _, home, _ in rows},
        ages=dict(connection.execute("select id, number from stored_person").fetchall()),
        remembered={record: PersonId(memory) for record, _, _, memory in rows if memory},
        new_id=new_person_id,
    )
    persons = {record: group.person_id for group in named for record in group.records}
    remember = {record: group.person_id for group in named for record in group.remember}
    make_rows = {"record": pa.array(persons, pa.int64()), "id": pa.array(persons.values())}
    make_table(connection, "named", pa.table(make_rows))
    connection.execute("insert into assignment from named anti join assignment using (record)")
    if remember:
        kept = {"record": pa.array(remember, pa.int64()), "id": pa.array(remember.values())}
        make_table(connection, "memory", pa.table(kept))
        connection.execute(
            """update home_row set remembered_id = id from memory
            where memory.record = home_row.record"""
        )


# With them come the groups whose records remember the same ids: it counts who does so longest.
_UNNAMED_SQL = """
with unnamed as (
    select record, group_name, remembered_id
    from record_group join home_row using (record)
    where group_name in (select group_name from record_group anti join assignment using (record))),
wanted as (
    select group_name from unnamed
    union select group_name from record_group join home_row using (record)
    where remembered_id in (select remembered_id from unnamed where remembered_id is not null))
select record, group_name, home_id, remembered_id
from record_group join home_row using (record) join wanted using (group_name)
order by record
"""
