"""A store's rows as tables of the bulk engine, and the difference that a load makes to them.

A load computes what the store should hold and writes only where that differs, so that loading
twice changes nothing, a first load and a tenth are one path, and history stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from mpi.batch.bulk_tables import make_table, query, stream, stream_numbered
from mpi.batch.index.histories import ENTERED_IN_ERROR
from mpi.config import SourceSystem
from mpi.domain.records import COMPARISON_FIELDS
from mpi.linkage.model import Model
from mpi.storage.bulk_rows import BulkTransaction
from mpi.storage.tables import RecordState, VersionState

_READ: Final = {
    "source_record": (
        "number", "source", "local_id", "state", "live_version", "merged_into", "nhs_number",
        "withheld_nhs_number",
    ),
    "record_version": ("number", "record", "event_at", "sequence", "digest", "state"),
    "blocking_key": ("key", "record"),
    "edge": ("left_record", "right_record", "match_weight_bits", "model"),
    "person": ("number", "id", "state", "redirect", "golden_digest"),
    "home": ("record", "home_id", "remembered_id"),
    "link": ("number", "record", "person_id"),
    "task": ("number", "type", "question_digest", "revision"),
    "task_record": ("task", "record", "is_left"),
    "crowded_key": ("key",),
}  # fmt: skip
_CONDITIONS: Final = {
    "link": "valid_to IS NULL",
    "task": "closed_at IS NULL",
    "task_record": "task IN (SELECT number FROM task WHERE closed_at IS NULL)",
}


def read_stored(connection: duckdb.DuckDBPyConnection, bulk: BulkTransaction) -> None:
    """The tables `stored_<table>`: what the store holds now, current links and open tasks only.

    Each has the columns of the store's own that `_READ` names.
    """
    for table, columns in _READ.items():
        rows = bulk.read(table, columns, _CONDITIONS.get(table))
        make_table(connection, f"stored_{table}", rows)


def write_sources(
    connection: duckdb.DuckDBPyConnection,
    bulk: BulkTransaction,
    feeds: Sequence[tuple[SourceSystem, Path]],
) -> None:
    """The sources' rows; leaves the table `source_mapping` of the mappings that read the feeds."""
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
    make_table(connection, "source_mapping", rows.select(["source", "mapping_digest"]))


def write_model(bulk: BulkTransaction, model: Model, *, at: datetime) -> int:
    """Makes a release the one in force, known before or not; gives its number."""
    known = bulk.read("model_release", ["number", "digest", "is_in_force"]).to_pylist()
    ours = next((each["number"] for each in known if each["digest"] == model.digest), None)
    changed = {
        each["number"]: each["number"] == ours
        for each in known
        if each["is_in_force"] is not (each["number"] == ours)
    }
    # First out of force, then in: there is never more than one.
    for number, is_in_force in sorted(changed.items(), key=lambda item: item[1]):
        row = {"number": [number], "is_in_force": [is_in_force]}
        bulk.update("model_release", pa.table(row), on=["number"])
    return ours if ours is not None else _add_model(bulk, model, len(known) + 1, at)


def _add_model(bulk: BulkTransaction, model: Model, number: int, at: datetime) -> int:
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

    Under another model than the edges in the store have, every record is standardised anew. Reads
    the tables `version`, `record_number`, `records`, `live` and `left_out`; `model` is the number
    that `write_model` gave.
    """
    connection.execute(_NEW_VERSION_SQL)
    connection.execute(_CHANGED_VERSION_SQL)
    connection.execute(_RECORD_ROW_SQL, {"model": model})
    new = stream_numbered(
        connection,
        f"""select {_RECORD_COLUMNS}, $at::timestamptz as registered_at
        from record_row join records on record = number
        where not is_stored and number between $low and $high order by number""",
        table="record_row",
        at=at,
    )
    new_records = bulk.append("source_record", new)
    changed = query(
        connection,
        f"""select {_RECORD_COLUMNS} from record_row
        left join (from records where record in (select number from record_row where is_stored))
            as records on record = number
        where is_stored order by number""",
    )
    if changed.num_rows:
        bulk.update("source_record", changed.drop(["source", "local_id"]), on=["number"])
    versions = stream_numbered(connection, _VERSION_COLUMNS_SQL, table="new_version", at=at)
    new_versions = bulk.append("record_version", versions)
    judged_anew = query(connection, "select number, state from changed_version order by number")
    if judged_anew.num_rows:
        bulk.update("record_version", judged_anew, on=["number"])
    return new_records, new_versions


_NEW_VERSION_SQL: Final = """
create or replace table new_version as
select place, record,
    (select coalesce(max(number), 0) from stored_record_version)
        + row_number() over (order by record, event_at, sequence, digest) as number
from version anti join stored_record_version as stored
    using (record, event_at, sequence, digest)
"""

STATE_SQL: Final = f"""case when left_out.place is null then '{VersionState.ACCEPTED}'
        when is_error or left_out.reason = '{ENTERED_IN_ERROR}'
            then '{VersionState.ENTERED_IN_ERROR}'
        else '{VersionState.HELD}' end"""

# A version that arrives late, or is withdrawn, can change what is thought of those in the store.
_CHANGED_VERSION_SQL: Final = f"""
create or replace table changed_version as
select stored.number, stored.record, {STATE_SQL} as state
from stored_record_version as stored
join version using (record, event_at, sequence, digest) left join left_out using (place)
where stored.state <> {STATE_SQL}
"""

_VERSION_COLUMNS_SQL: Final = f"""
select number, version.record, event_at, sequence, digest, content, {STATE_SQL} as state,
    is_error, mapping_digest, $at::timestamptz as received_at
from new_version join version using (place) left join source_mapping using (source)
left join left_out using (place)
where number between $low and $high
order by number
"""

# `concat` leaves out what is NULL, so a missing field is not there at all.
COMPARISON_JSON: Final = (
    "'{' || ltrim(concat("
    + ", ".join(f"""',"{name}":' || to_json({name})""" for name in COMPARISON_FIELDS)
    + "), ',') || '}'"
)
# Only what lives has a comparison record.
_RECORD_COLUMNS: Final = f"""number, source, local_id, state, live_version,
    case when record is not null then {COMPARISON_JSON} end as comparison,
    nhs_number, withheld_nhs_number"""

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
        records.nhs_number,
        case when stated_nhs_number is distinct from records.nhs_number
            then stated_nhs_number end as withheld_nhs_number
    from record_number join records using (record) join live using (record)
    join numbered using (place))
select target.* exclude (nhs_number), stored.number is not null as is_stored
from target left join stored_source_record as stored using (number)
where stored.number is null or stored.state <> target.state
    or stored.live_version <> target.live_version
    or stored.nhs_number is distinct from target.nhs_number
    or stored.withheld_nhs_number is distinct from target.withheld_nhs_number
    or target.number in (from touched)
    or exists (from stored_edge where model <> $model)
union all by name
select number, source, local_id, '{RecordState.RETIRED}' as state, live_version,
    null as withheld_nhs_number, true as is_stored
from stored_source_record where state = '{RecordState.LIVE}'
    and number not in (select record from records)
"""


def write_edges(
    connection: duckdb.DuckDBPyConnection, bulk: BulkTransaction, *, model: int
) -> None:
    """Blocking keys and edges: what is no longer so goes, what is new comes.

    Compares the tables `blocking_keys` (record, rule, key) and `edge` (left_record, right_record,
    match_weight_bits) with what the store holds; `model` is the number that `write_model` gave.
    """
    gone_keys = query(
        connection,
        "select key, record from stored_blocking_key anti join blocking_keys using (key, record)",
    )
    if gone_keys.num_rows:
        bulk.delete("blocking_key", gone_keys)
    bulk.append(
        "blocking_key",
        stream(
            connection,
            """select key, record from blocking_keys
            anti join stored_blocking_key using (key, record) order by key, record""",
        ),
    )
    gone_edges = query(
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
        stream(
            connection,
            f"""select left_record, right_record, match_weight_bits, {model}::bigint as model
            from edge anti join (select * from stored_edge where model = {model})
                using (left_record, right_record, match_weight_bits)
            order by left_record, right_record""",
        ),
    )


def write_crowded(
    connection: duckdb.DuckDBPyConnection, bulk: BulkTransaction, *, at: datetime
) -> None:
    """The blocking values that outgrew the limit now: no path makes new pairs through them.

    Reads the tables `crowded` (key, rule, records_count) and `stored_crowded_key`.
    """
    rows = query(
        connection,
        """select key, records_count, $at::timestamptz as noticed_at
        from crowded anti join stored_crowded_key using (key) order by key""",
        at=at,
    )
    bulk.append("crowded_key", rows)
