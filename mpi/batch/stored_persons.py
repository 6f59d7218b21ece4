"""Who is whom, as rows: links with their validity, persons, golden records and homes."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import duckdb

from mpi.batch.bulk_tables import query, stream
from mpi.domain.links import LinkOrigin
from mpi.storage.bulk_rows import BulkTransaction
from mpi.storage.tables import PersonState


def write_links(
    connection: duckdb.DuckDBPyConnection, bulk: BulkTransaction, *, model: int, at: datetime
) -> tuple[int, int]:
    """Close the links that no longer hold, open the new ones. Gives how many of each.

    Reads the tables `assignment` (record, person_id), `edge` and `stored_link`.
    """
    connection.execute(_LINK_SQL)
    closed = query(
        connection,
        """select number, $at::timestamptz as valid_to from stored_link
        anti join assignment using (record, person_id) order by number""",
        at=at,
    )
    if closed.num_rows:
        bulk.update("link", closed, on=["number"])
    opened = stream(
        connection,
        f"""select record, person_id, '{LinkOrigin.BATCH}' as origin, match_weight_bits,
            {model}::bigint as model, $at::timestamptz as valid_from
        from link_row order by record""",
        at=at,
    )
    opened_count = bulk.append("link", opened)
    return closed.num_rows, opened_count


# A link's weight is that of the heaviest edge to another record of the person.
_LINK_SQL: Final = """
create or replace table link_row as
with ends as (
    select left_record as record, right_record as other, match_weight_bits from edge
    union all select right_record, left_record, match_weight_bits from edge),
heaviest as (
    select ends.record, max(ends.match_weight_bits) as match_weight_bits
    from ends join assignment as own on own.record = ends.record
    join assignment as other on other.record = ends.other and other.person_id = own.person_id
    group by ends.record)
select assignment.record, assignment.person_id, match_weight_bits
from assignment left join heaviest using (record)
anti join stored_link using (record, person_id)
"""


def write_persons(
    connection: duckdb.DuckDBPyConnection, bulk: BulkTransaction, *, at: datetime
) -> tuple[int, int]:
    """Persons, their golden records and homes. Gives how many persons are new and gone.

    Reads the tables `assignment` (record, person_id), `home_row` (record, home_id, remembered_id)
    and `golden` (person_id, golden, golden_digest); ids of homes and remembered ids are persons
    too.
    """
    make_person_rows(connection)
    new = stream(
        connection,
        """select id, state, golden, golden_digest, $at::timestamptz as created_at
        from person_row where not is_stored order by first nulls last, id""",
        at=at,
    )
    new_count = bulk.append("person", new)
    changed = query(
        connection,
        """select id, state, redirect, golden, golden_digest from person_row
        where is_stored or redirect is not null order by id""",
    )
    if changed.num_rows:
        bulk.update("person", changed, on=["id"])
    _write_homes(connection, bulk)
    live = f"state = '{PersonState.LIVE}'"
    gone = connection.execute(
        f"select count(*) from person_row where is_stored and not ({live})"
    ).fetchall()
    return new_count, gone[0][0]


def _write_homes(connection: duckdb.DuckDBPyConnection, bulk: BulkTransaction) -> None:
    new = stream(
        connection,
        """select record, home_id, remembered_id
        from home_row anti join stored_home using (record) order by record""",
    )
    bulk.append("home", new)
    changed = query(
        connection,
        """select record, home_row.home_id, home_row.remembered_id
        from home_row join stored_home as stored using (record)
        where stored.home_id <> home_row.home_id
            or stored.remembered_id is distinct from home_row.remembered_id
        order by record""",
    )
    if changed.num_rows:
        bulk.update("home", changed, on=["record"])


def make_person_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """The table `person_row` of the ids that are new or of which the store says otherwise.

    A row for each id: its state, where it leads, and its golden record; reads what `write_persons`
    reads.
    """
    connection.execute(_PERSON_ROW_SQL)


# An id that is no longer in use leads to the person who holds most of the records that have it as
# their home or remember it (the oldest on a tie); if none of them lives it is closed.
_PERSON_ROW_SQL: Final = f"""
create or replace table person_row as
with homed as (
    from home_row
    union all by name select record, home_id, remembered_id
    from stored_home anti join home_row using (record)),
claim as (
    select home_id as id, coalesce(survivor, record) as record
    from homed left join survivor using (record)
    union select remembered_id, coalesce(survivor, record)
    from homed left join survivor using (record) where remembered_id is not null),
age as (
    select assignment.person_id, any_value(number) as number, min(record) as first
    from assignment left join stored_person on stored_person.id = person_id group by person_id),
holder as (
    select claim.id, assignment.person_id as redirect, any_value(age.first) as first
    from claim join assignment using (record) join age using (person_id)
    group by claim.id, assignment.person_id
    qualify row_number() over (partition by claim.id
        order by count(*) desc, any_value(age.number) nulls last, any_value(age.first)) = 1),
id as (
    select person_id as id from assignment union select id from claim
    union select id from stored_person),
target as (
    select id.id, golden.golden, golden.golden_digest, holder.first,
        case when golden.person_id is not null then '{PersonState.LIVE}'
            when holder.redirect is not null then '{PersonState.RETIRED}'
            else '{PersonState.CLOSED}' end as state,
        case when golden.person_id is null then holder.redirect end as redirect
    from id left join golden on golden.person_id = id.id left join holder on holder.id = id.id)
select target.*, stored.id is not null as is_stored
from target left join stored_person as stored on stored.id = target.id
where stored.id is null or stored.golden_digest is distinct from target.golden_digest
    or stored.state <> target.state or stored.redirect is distinct from target.redirect
"""
