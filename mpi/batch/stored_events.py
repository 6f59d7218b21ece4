"""What a bulk run makes happen to persons, for the change feed, as the live index tells it.

A first load writes nothing: its millions of persons are the state with which the feed begins
(docs/decisions/0001). Every later one tells each change.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import duckdb
import pyarrow as pa

from mpi.batch.bulk_tables import make_table, stream
from mpi.batch.histories import ENTERED_IN_ERROR
from mpi.batch.stored_tasks import TaskChanges, parted
from mpi.domain.events import EventType
from mpi.storage.bulk_rows import BulkTransaction
from mpi.storage.tables import PersonState

_TOLD: Final = pa.schema(
    [
        ("type", pa.string()),
        ("person_id", pa.string()),
        ("record", pa.int64()),
        ("other", pa.string()),
        ("task", pa.int64()),
    ]
)


def write_events(
    connection: duckdb.DuckDBPyConnection,
    bulk: BulkTransaction,
    tasks: TaskChanges,
    *,
    actor: str,
    at: datetime,
) -> None:
    """Append the events of a run, unless it is the first.

    Args:
        connection: Holds the tables of `write_persons`, `write_links` and `write_tasks`, and what
            the store held before as `stored_<table>`.
        bulk: Of the store.
        tasks: What became of tasks.
        actor: What ran: `load` or `release`; the reason too.
        at: When.
    """
    ((is_first,),) = connection.execute("select count(*) = 0 from stored_source_record").fetchall()
    if is_first:
        return
    splits = [
        {"type": str(EventType.SPLIT), "person_id": stays, "other": went}
        for (stays, _), (went, _) in parted(connection)
    ]
    asked = [
        {"type": str(type_), "task": number, "record": record}
        for type_, numbers in (
            (EventType.TASK_OPENED, tasks.opened),
            (EventType.TASK_WITHDRAWN, tasks.withdrawn),
        )
        for number, record in numbers.items()
    ]
    make_table(connection, "told_event", pa.Table.from_pylist([*splits, *asked], schema=_TOLD))
    bulk.append("outbox_event", stream(connection, _EVENT_SQL, actor=actor, at=at))


_LIVE: Final = f"'{PersonState.LIVE}'"
_EVENT_SQL: Final = f"""
with changed as (
    select person_row.*, stored.state as stored_state
    from person_row left join stored_person as stored using (id)),
happened as (
    select 1 as turn, case when stored_state is null then '{EventType.CREATED}'
            when stored_state <> {_LIVE} then '{EventType.RESTORED}'
            else '{EventType.GOLDEN_CHANGED}' end as type,
        id as person_id, null::bigint as record, null as other, null::bigint as task
    from changed where state = {_LIVE}
    union all
    select 2, '{EventType.UNLINKED}', stored_link.person_id, record, assignment.person_id, null
    from stored_link left join assignment using (record)
    where stored_link.person_id is distinct from assignment.person_id
    union all
    select 3, '{EventType.LINKED}', person_id, record, null, null from link_row
    union all
    select 4, case when redirect is null then '{EventType.RETIRED}'
            else '{EventType.MERGED}' end, id, null, redirect, null
    from changed where state <> {_LIVE} and stored_state = {_LIVE}
    union all
    select 5, '{EventType.HELD}', person_id, survivor, null, null
    from new_version join left_out using (place) join version using (place)
    left join assignment on assignment.record = survivor
    where left_out.reason <> '{ENTERED_IN_ERROR}'
    union all
    select 6, type, coalesce(told_event.person_id, assignment.person_id), record, other, task
    from told_event left join assignment using (record))
select type, person_id, record, $actor as actor, $actor as reason,
    json_merge_patch('{{}}', to_json({{'other_person_id': other, 'task': task}}))::varchar
        as payload,
    $at::timestamptz as occurred_at
from happened order by turn, person_id, record
"""
