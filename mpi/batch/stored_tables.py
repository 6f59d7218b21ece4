"""A store's rows as tables of the bulk engine, and the difference that a load makes to them.

A load computes what the store should hold and writes only where that differs, so that loading
twice changes nothing, a first load and a tenth are one path, and history stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from mpi.batch.histories import ENTERED_IN_ERROR
from mpi.config import SourceSystem
from mpi.domain.links import LinkOrigin
from mpi.domain.records import COMPARISON_FIELDS
from mpi.domain.tasks import TaskQuestion, TaskState, TaskType, priority, question_digest
from mpi.linkage.model import Model
from mpi.storage.bulk_rows import BulkTransaction
from mpi.storage.tables import PersonState, RecordState, VersionState

_READ: Final = {
    "source_record": ("number", "source", "local_id", "state", "live_version", "merged_into"),
    "record_version": ("number", "record", "event_at", "sequence", "digest", "state"),
    "blocking_key": ("key", "record"),
    "edge": ("left_record", "right_record", "match_weight_bits", "model"),
    "person": ("number", "id", "state", "redirect", "golden_digest"),
    "home": ("record", "home_id", "remembered_id"),
    "link": ("number", "record", "person_id"),
    "task": ("number", "question_digest"),
}
_CONDITIONS: Final = {
    "link": "valid_to IS NULL",
    "task": "closed_at IS NULL",
}


def read_stored(connection: duckdb.DuckDBPyConnection, bulk: BulkTransaction) -> None:
    """The tables `stored_<table>`: what the store holds now, current links and open tasks only."""
    for table, columns in _READ.items():
        rows = bulk.read(table, columns, _CONDITIONS.get(table))
        _make_table(connection, f"stored_{table}", rows)


def write_sources(
    connection: duckdb.DuckDBPyConnection,
    bulk: BulkTransaction,
    feeds: Sequence[tuple[SourceSystem, Path]],
    model: Model,
    *,
    at: datetime,
) -> int:
    """The sources' rows and the model release in force, of which it gives the number."""
    sources = [source for source, _ in feeds]
    rows = pa.table(
        {
            "source": pa.array([source.name for source in sources], pa.string()),
            "name": pa.array([source.display for source in sources], pa.string()),
            "ods_code": pa.array([source.ods_code for source in sources], pa.string()),
            "identifier_system": pa.array([s.identifier_domain.uri for s in sources], pa.string()),
            "mapping_digest": pa.array([source.digest for source in sources], pa.string()),
        }
    )
    bulk.upsert("source_system", rows, on=["source"])
    _make_table(connection, "source_mapping", rows.select(["source", "mapping_digest"]))
    return _write_model(bulk, model, at)


def _write_model(bulk: BulkTransaction, model: Model, at: datetime) -> int:
    known = bulk.read("model_release", ["number", "digest", "is_in_force"]).to_pylist()
    for release in known:
        if release["digest"] == model.digest and release["is_in_force"]:
            return int(release["number"])
    retired = [release["number"] for release in known if release["is_in_force"]]
    if retired:
        off = {"number": pa.array(retired), "is_in_force": pa.array([False] * len(retired))}
        bulk.update("model_release", pa.table(off), on=["number"])
    number = max((release["number"] for release in known), default=0) + 1
    row = {
        "number": pa.array([number], pa.int64()),
        "digest": pa.array([model.digest]),
        "name": pa.array([model.name]),
        "version": pa.array([model.version]),
        "released_at": pa.array([at], pa.timestamp("us", "UTC")),
        "is_in_force": pa.array([True]),
    }
    bulk.append("model_release", pa.table(row))
    return number


def write_records(
    connection: duckdb.DuckDBPyConnection, bulk: BulkTransaction, *, model: int, at: datetime
) -> tuple[int, int]:
    """Source records and their versions. Gives how many records and versions are new.

    Under another model than the edges in the store have, every record is standardised anew.
    """
    connection.execute(_NEW_VERSION_SQL)
    connection.execute(_CHANGED_VERSION_SQL)
    connection.execute(_RECORD_ROW_SQL, {"model": model})
    new = _query(
        connection,
        f"""select {_RECORD_COLUMNS}, $at::timestamptz as registered_at from record_row
        where not is_stored order by number""",
        at=at,
    )
    bulk.append("source_record", new)
    changed = _query(
        connection, f"select {_RECORD_COLUMNS} from record_row where is_stored order by number"
    )
    if changed.num_rows:
        bulk.update("source_record", changed.drop(["source", "local_id"]), on=["number"])
    versions = _query(connection, _VERSION_COLUMNS_SQL, at=at)
    bulk.append("record_version", versions)
    judged_anew = _query(connection, "select number, state from changed_version order by number")
    if judged_anew.num_rows:
        bulk.update("record_version", judged_anew, on=["number"])
    return new.num_rows, versions.num_rows


_NEW_VERSION_SQL: Final = """
create or replace table new_version as
select place, record, event_at, sequence, digest, content, mapping_digest, is_error,
    (select coalesce(max(number), 0) from stored_record_version)
        + row_number() over (order by record, event_at, sequence, digest) as number
from version left join source_mapping using (source)
anti join stored_record_version as stored
    using (record, event_at, sequence, digest)
"""

_STATE: Final = f"""case when left_out.place is null then '{VersionState.ACCEPTED}'
        when left_out.reason = '{ENTERED_IN_ERROR}' then '{VersionState.ENTERED_IN_ERROR}'
        else '{VersionState.HELD}' end"""

# A version that arrives late, or is withdrawn, can change what is thought of those in the store.
_CHANGED_VERSION_SQL: Final = f"""
create or replace table changed_version as
select stored.number, stored.record, {_STATE} as state
from stored_record_version as stored
join version using (record, event_at, sequence, digest) left join left_out using (place)
where stored.state <> {_STATE}
"""

_VERSION_COLUMNS_SQL: Final = f"""
select number, record, event_at, sequence, digest, content, {_STATE} as state, is_error,
    mapping_digest, $at::timestamptz as received_at
from new_version left join left_out using (place)
order by number
"""

_RECORD_COLUMNS: Final = "number, source, local_id, state, live_version, comparison, nhs_number"
_COMPARISON_JSON: Final = (
    "json_merge_patch('{}', to_json({"
    + ", ".join(f"'{name}': {name}" for name in COMPARISON_FIELDS)
    + "}))"
)

# A record's row changes with any of its versions, of which older ones are compared too, and when
# it comes or goes as a whole.
_RECORD_ROW_SQL: Final = f"""
create or replace table record_row as
with numbered as (
    select place, number from version
    join stored_record_version using (record, event_at, sequence, digest)
    union all select place, number from new_version),
touched as (
    select survivor as record from version
    where record in (select record from new_version union select record from changed_version)),
target as (
    select record_number.record as number, record_number.source, record_number.local_id,
        '{RecordState.LIVE}' as state, numbered.number as live_version,
        {_COMPARISON_JSON}::varchar as comparison, records.nhs_number
    from record_number join records using (record) join live using (record)
    join numbered using (place))
select target.*, stored.number is not null as is_stored
from target left join stored_source_record as stored using (number)
where stored.number is null or stored.state <> target.state
    or stored.live_version <> target.live_version
    or target.number in (from touched)
    or exists (from stored_edge where model <> $model)
union all by name
select number, source, local_id, '{RecordState.RETIRED}' as state, live_version,
    null as comparison, null as nhs_number, true as is_stored
from stored_source_record where state = '{RecordState.LIVE}'
    and number not in (select record from records)
"""


def write_edges(
    connection: duckdb.DuckDBPyConnection, bulk: BulkTransaction, *, model: int
) -> None:
    """Blocking keys and edges: what is no longer so goes, what is new comes."""
    gone_keys = _query(
        connection,
        "select key, record from stored_blocking_key anti join blocking_keys using (key, record)",
    )
    if gone_keys.num_rows:
        bulk.delete("blocking_key", gone_keys)
    bulk.append(
        "blocking_key",
        _query(
            connection,
            """select distinct key, record from blocking_keys
            anti join stored_blocking_key using (key, record) order by key, record""",
        ),
    )
    gone_edges = _query(
        connection,
        f"""select left_record, right_record
        from (from stored_edge anti join edge
                using (left_record, right_record, match_weight_bits)
            union all from stored_edge where model <> {model})""",
    )
    if gone_edges.num_rows:
        bulk.delete("edge", gone_edges)
    bulk.append(
        "edge",
        _query(
            connection,
            f"""select left_record, right_record, match_weight_bits, {model}::bigint as model
            from edge anti join (select * from stored_edge where model = {model})
                using (left_record, right_record, match_weight_bits)
            order by left_record, right_record""",
        ),
    )


def write_links(
    connection: duckdb.DuckDBPyConnection, bulk: BulkTransaction, *, model: int, at: datetime
) -> tuple[int, int]:
    """Close the links that no longer hold, open the new ones. Gives how many of each."""
    connection.execute(_LINK_SQL)
    closed = _query(
        connection,
        """select number, $at::timestamptz as valid_to from stored_link
        anti join assignment using (record, person_id) order by number""",
        at=at,
    )
    if closed.num_rows:
        bulk.update("link", closed, on=["number"])
    opened = _query(
        connection,
        f"""select record, person_id, '{LinkOrigin.BATCH}' as origin, match_weight_bits,
            {model}::bigint as model, $at::timestamptz as valid_from
        from link_row order by record""",
        at=at,
    )
    bulk.append("link", opened)
    return closed.num_rows, opened.num_rows


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

    Reads `assignment` (record, person_id), `home_row` (record, home_id, remembered_id) and `golden`
    (person_id, golden, golden_digest); ids of homes and remembered ids are persons too.
    """
    connection.execute(_PERSON_ROW_SQL)
    new = _query(
        connection,
        """select id, state, redirect, golden, golden_digest, $at::timestamptz as created_at
        from person_row where not is_stored order by id""",
        at=at,
    )
    bulk.append("person", new.drop(["redirect"]))
    changed = _query(
        connection,
        """select id, state, redirect, golden, golden_digest from person_row
        where is_stored or redirect is not null order by id""",
    )
    if changed.num_rows:
        bulk.update("person", changed, on=["id"])
    homes = _query(
        connection,
        """select record, home_id, remembered_id from home_row
        anti join stored_home using (record, home_id) order by record""",
    )
    bulk.upsert("home", homes, on=["record"])
    live = f"state = '{PersonState.LIVE}'"
    gone = connection.execute(
        f"select count(*) from person_row where is_stored and not ({live})"
    ).fetchall()
    return new.num_rows, gone[0][0]


# An id that is no longer in use leads to the person who holds most of its home's records (the
# smaller id on a tie); if none of them lives it is closed.
_PERSON_ROW_SQL: Final = f"""
create or replace table person_row as
with holder as (
    select home_id as id, person_id as redirect
    from (select home_row.home_id, assignment.person_id, count(*) as held
          from home_row join assignment using (record) group by all) as held_by
    qualify row_number() over (partition by home_id order by held desc, person_id) = 1),
id as (
    select person_id as id from assignment union select home_id from home_row
    union select remembered_id from home_row where remembered_id is not null
    union select id from stored_person),
target as (
    select id.id, golden.golden, golden.golden_digest,
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


def write_tasks(
    connection: duckdb.DuckDBPyConnection,
    bulk: BulkTransaction,
    questions: Sequence[TaskQuestion],
    *,
    at: datetime,
) -> tuple[int, int]:
    """Open the questions that are new, withdraw those that are settled. Gives both numbers."""
    stored = dict(connection.execute("select question_digest, number from stored_task").fetchall())
    asked = {question_digest(question): question for question in questions}
    settled = [number for digest, number in stored.items() if digest not in asked]
    if settled:
        bulk.update("task", _closed_tasks(settled, at), on=["number"])
    first = max(bulk.read("task", ["number"]).column("number").to_pylist(), default=0) + 1
    new = [(digest, q) for digest, q in sorted(asked.items()) if digest not in stored]
    numbered = [(number, *task) for number, task in enumerate(new, start=first)]
    bulk.append("task", _task_rows(numbered, at))
    bulk.append("task_record", _task_record_rows(numbered))
    return len(new), len(settled)


def overlay_questions(connection: duckdb.DuckDBPyConnection) -> list[TaskQuestion]:
    """One question for each record that has versions held back."""
    rows = connection.execute(
        f"""select survivor, min(reason) from left_out join version using (place)
        where reason <> '{ENTERED_IN_ERROR}' group by survivor order by survivor"""
    ).fetchall()
    return [
        TaskQuestion(
            type=TaskType.OVERLAY,
            left=frozenset({record}),
            right=frozenset(),
            match_weight_bits=0.0,
            reason=reason,
        )
        for record, reason in rows
    ]


def _closed_tasks(numbers: Sequence[int], at: datetime) -> pa.Table:
    return pa.table(
        {
            "number": pa.array(numbers, pa.int64()),
            "state": pa.repeat(pa.scalar(str(TaskState.WITHDRAWN)), len(numbers)),
            "closed_at": pa.repeat(pa.scalar(at, pa.timestamp("us", "UTC")), len(numbers)),
        }
    )


_Numbered = Sequence[tuple[int, str, TaskQuestion]]


def _task_rows(tasks: _Numbered, at: datetime) -> pa.Table:
    questions = [question for _, _, question in tasks]
    return pa.table(
        {
            "number": pa.array([number for number, _, _ in tasks], pa.int64()),
            "type": pa.array([str(q.type) for q in questions], pa.string()),
            "state": pa.array([str(TaskState.OPEN)] * len(tasks), pa.string()),
            "priority": pa.array([priority(q) for q in questions], pa.int64()),
            "match_weight_bits": pa.array([q.match_weight_bits for q in questions], pa.float64()),
            "reason": pa.array([q.reason for q in questions], pa.string()),
            "question_digest": pa.array([digest for _, digest, _ in tasks], pa.string()),
            "opened_at": pa.array([at] * len(tasks), pa.timestamp("us", "UTC")),
        }
    )


def _task_record_rows(tasks: _Numbered) -> pa.Table:
    rows = [
        (number, record, side == "left")
        for number, _, question in tasks
        for side, members in (("left", question.left), ("right", question.right))
        for record in sorted(members)
    ]
    numbers, records, sides = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table(
        {
            "task": pa.array(numbers, pa.int64()),
            "record": pa.array(records, pa.int64()),
            "is_left": pa.array(sides, pa.bool_()),
        }
    )


def _query(connection: duckdb.DuckDBPyConnection, sql: str, **parameters: Any) -> pa.Table:
    return connection.sql(sql, params=parameters or None).to_arrow_table()


def _make_table(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    connection.register("given_rows", rows)
    connection.execute(f"create or replace table {name} as select * from given_rows")
    connection.unregister("given_rows")


def count_rows(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """How many rows a table of the bulk engine has."""
    ((count,),) = connection.execute(f"select count(*) from {table}").fetchall()
    return int(count)
