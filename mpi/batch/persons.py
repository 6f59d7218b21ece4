"""Groups of a bulk run to person ids: every record's home and every group's id.

Nearly all groups are plain: none of their records has a home yet, and they get a new one; or all
have the same one and nobody else has it, and they keep it. `mpi.linkage.homes` settles the others.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Sequence

import duckdb
import pyarrow as pa

from mpi.batch.groups import Grouping
from mpi.domain.identifiers import PERSON_ID_RANDOM_BYTES, PersonId, person_id_from_bytes
from mpi.domain.links import Edge
from mpi.linkage.homes import Group, assign_homes, name_groups


def new_person_id() -> PersonId:
    """An id that no person ever had: 60 random bits, checked again by the store's unique key."""
    return person_id_from_bytes(secrets.token_bytes(PERSON_ID_RANDOM_BYTES))


def assign_persons(
    connection: duckdb.DuckDBPyConnection, grouping: Grouping, *, link_bits: float
) -> None:
    """Tables `assignment` (record, person_id) and `home_row` (record, home_id, remembered_id).

    Args:
        connection: Holds `edge` and the store's `stored_home` and `stored_person`.
        grouping: The groups; no decision has had a part in them.
        link_bits: From which weight an edge passes a home on.
    """
    rows = pa.table({"record": grouping.records, "group_name": grouping.groups})
    connection.register("grouped", rows)
    connection.execute("create or replace table record_group as select * from grouped")
    connection.unregister("grouped")
    connection.execute(_PLAIN_SQL)
    fresh = [name for (name,) in connection.execute(_FRESH_SQL).fetchall()]
    _add(connection, fresh, [new_person_id() for _ in fresh])
    connection.execute(_ASSIGN_SQL)
    _settle_others(connection, link_bits)


_PLAIN_SQL = """
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

_ASSIGN_SQL = """
create or replace table assignment as
select record, coalesce(group_id.person_id, group_home.home_id) as person_id
from record_group join group_home using (group_name) left join group_id using (group_name)
where is_kept or is_fresh;
create or replace table home_row as
select record, person_id as home_id, stored_home.remembered_id
from assignment left join stored_home using (record)
"""


def _add(
    connection: duckdb.DuckDBPyConnection, names: Sequence[int], ids: Sequence[PersonId]
) -> None:
    rows = pa.table(
        {"group_name": pa.array(names, pa.int64()), "person_id": pa.array(ids, pa.string())}
    )
    connection.register("named", rows)
    connection.execute("create or replace table group_id as select * from named")
    connection.unregister("named")


def _settle_others(connection: duckdb.DuckDBPyConnection, link_bits: float) -> None:
    """Groups in which homes meet, part or gain newcomers."""
    connection.execute(_OTHERS_SQL)
    members: dict[int, set[int]] = defaultdict(set)
    previous: dict[int, PersonId] = {}
    remembered: dict[int, PersonId] = {}
    for record, name, home, memory in connection.execute(_MEMBERS_SQL).fetchall():
        members[name].add(record)
        if home is not None:
            previous[record] = PersonId(home)
        if memory is not None:
            remembered[record] = PersonId(memory)
    if not members:
        return
    groups = [Group(records) for records in members.values()]
    links = [Edge(*row) for row in connection.execute(_LINKS_SQL, [link_bits]).fetchall()]
    homes = assign_homes(groups, links, previous=previous, new_id=new_person_id)
    ages = dict(connection.execute("select id, number from stored_person").fetchall())
    named = name_groups(groups, homes=homes, ages=ages, remembered=remembered, new_id=new_person_id)
    person_of = {record: group.person_id for group in named for record in group.records}
    rows = pa.table(
        {
            "record": pa.array(person_of, pa.int64()),
            "person_id": pa.array(person_of.values(), pa.string()),
            "home_id": pa.array([homes[record] for record in person_of], pa.string()),
            "remembered_id": pa.array([remembered.get(r) for r in person_of], pa.string()),
        }
    )
    connection.register("settled", rows)
    connection.execute("insert into assignment select record, person_id from settled")
    connection.execute("insert into home_row select record, home_id, remembered_id from settled")
    connection.unregister("settled")


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
