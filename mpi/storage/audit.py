"""The audit trail: who saw or changed whom, and what for. It is only ever appended to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson
import sqlalchemy as sa

from mpi.domain.identifiers import PersonId
from mpi.limits import PAGE_ITEMS_MAX
from mpi.storage.prepared import Row, insert_into, rows_of_arrays
from mpi.storage.records import canonical_json
from mpi.storage.tables import audit_event
from mpi.storage.unit_of_work import BULK_LOCK, UnitOfWork, writing_alone
from mpi.storage.writer import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One act of one actor, about one person if it disclosed or changed one.

    `action` is the name of the act; `purpose` a code of HL7 v3 PurposeOfUse, or a word of ours for
    work on the service itself; `record` a record's number; `recorded_at` in UTC.
    """

    action: str
    actor: str
    purpose: str
    recorded_at: datetime
    person_id: PersonId | None = None
    record: int | None = None
    request_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    """Counts, versions, how was asked: never a value of demographics."""


def add_audit_events(unit: UnitOfWork, events: Sequence[AuditEvent]) -> None:
    """Append events, in order, perhaps none; they are part of the unit's transaction."""
    _ADD.run_late(unit, map(_row, events))


def keep_audit_events(writer: Writer, events: Sequence[AuditEvent]) -> None:
    """Append events in a transaction of their own; they are durable when this returns.

    Every answer waits for it: SQLite commits those who wait together, and PostgreSQL, which does
    that by itself, is asked once instead of four times.

    Raises:
        StorageUnavailable: If they were not kept; then there is no answer either.
    """
    if writer.store.is_sqlite:
        writer.run(lambda unit, _locks: add_audit_events(unit, events))
        return
    with writing_alone(writer.store) as unit:
        add_audit_events_alone(unit, events)


def add_audit_events_alone(unit: UnitOfWork, events: Sequence[AuditEvent]) -> None:
    """Append events in one statement of PostgreSQL that is fit to be a transaction by itself."""
    columns = map(list, zip(*map(_row, events), strict=True))
    unit.driver_run(_ADD_ALONE, dict(zip(_COLUMNS, columns, strict=True)))


def list_audit_events(
    unit: UnitOfWork, person_id: PersonId, *, limit: int = PAGE_ITEMS_MAX
) -> list[AuditEvent]:
    """What was done about a person under this very id, the latest first; at most `limit` events."""
    return [event_from_row(row) for row in unit.rows(_OF_PERSON, person_id=person_id, most=limit)]


def _row(event: AuditEvent) -> Row:
    return (
        event.action,
        event.actor,
        event.purpose,
        event.person_id,
        event.record,
        event.request_id,
        canonical_json(event.detail),
        event.recorded_at,
    )


def event_from_row(row: Any) -> AuditEvent:
    """An event as it is stored: a row with the columns of `audit_event`."""
    return AuditEvent(
        action=row.action,
        actor=row.actor,
        purpose=row.purpose,
        recorded_at=row.recorded_at,
        person_id=row.person_id,
        record=row.record,
        request_id=row.request_id,
        detail=orjson.loads(row.detail),
    )


_OF_PERSON: Final = (
    sa.select(audit_event)
    .where(audit_event.c.person_id == sa.bindparam("person_id"))
    .order_by(audit_event.c.recorded_at.desc(), audit_event.c.number.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_COLUMNS: Final = (
    "action",
    "actor",
    "purpose",
    "person_id",
    "record",
    "request_id",
    "detail",
    "recorded_at",
)
_ADD: Final = insert_into(audit_event, *_COLUMNS)
_ADD_ALONE: Final = (
    f"WITH locked AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared({BULK_LOCK})) "
    f"INSERT INTO audit_event ({', '.join(_COLUMNS)}) "
    f"SELECT told.* FROM locked, {rows_of_arrays(audit_event, _COLUMNS)} AS told"
)
"""Locked before any number is given out, as by every writer: the seals depend on it."""
