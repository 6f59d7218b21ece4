"""What happened to identities, for others to follow: written with the change, numbered behind it.

A number given while transactions run side by side would leave gaps, or appear after a larger one
was read. So an event is written without its sequence number, in the transaction of the change, and
gets it once that is committed; changes to one person wait for one another, so their events keep
their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson
import sqlalchemy as sa

from mpi.domain.identifiers import PersonId
from mpi.limits import PAGE_ITEMS_MAX
from mpi.storage.prepared import Row, insert_into
from mpi.storage.records import canonical_json
from mpi.storage.tables import outbox_event
from mpi.storage.unit_of_work import UnitOfWork

NUMBERING_LOCK: Final = 7_305_169
"""Advisory lock of PostgreSQL: one numbers at a time."""
NUMBERED_MAX: Final = 10_000
"""Events that one statement numbers: well within its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEvent:
    """One identity event; ids, never demographics.

    `type` is a member of `EventType`, `record` a record's number, `occurred_at` in UTC; `payload`
    holds the further ids: `other_person_id`, `task`, `decision`.
    """

    type: str
    actor: str
    reason: str
    occurred_at: datetime
    person_id: PersonId | None = None
    record: int | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    sequence: int | None = None
    """Its place in the feed: 1, 2, 3... without a gap; None until it is numbered."""
    number: int | None = None
    """In the order of writing, with gaps; None until it is stored."""


def add_events(unit: UnitOfWork, events: Sequence[OutboxEvent]) -> None:
    """Append events, in order, perhaps none; they are part of the unit's transaction."""
    _ADD.run_late(unit, map(_row, events))


def has_waiting_events(unit: UnitOfWork) -> bool:
    """Whether some committed event has no sequence number yet."""
    return unit.first(_ONE_WAITING) is not None


def number_events(unit: UnitOfWork) -> None:
    """Give committed events that have none their sequence numbers, at most `NUMBERED_MAX`.

    In order of writing; on PostgreSQL it waits for others who number.
    """
    if not unit.is_sqlite:
        unit.connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({NUMBERING_LOCK})")
    unit.connection.execute(_NUMBER)


def list_events(
    unit: UnitOfWork, *, after: int = 0, limit: int = PAGE_ITEMS_MAX
) -> list[OutboxEvent]:
    """The numbered events after a sequence number (0: all), in order; at most `limit`."""
    return [_event(row) for row in unit.rows(_AFTER, after=after, most=limit)]


def list_events_of_person(
    unit: UnitOfWork, person_id: PersonId, *, after: int = 0, limit: int = PAGE_ITEMS_MAX
) -> list[OutboxEvent]:
    """What happened to a person, in order of writing, after the event of this `number`.

    Events that have no sequence number yet are among them. At most `limit`.
    """
    rows = unit.rows(_OF_PERSON, person_id=person_id, after=after, most=limit)
    return [_event(row) for row in rows]


def _row(event: OutboxEvent) -> Row:
    return (
        event.type,
        event.person_id,
        event.record,
        event.actor,
        event.reason,
        canonical_json(event.payload),
        event.occurred_at,
    )


def _event(row: Any) -> OutboxEvent:
    return OutboxEvent(
        type=row.type,
        actor=row.actor,
        reason=row.reason,
        occurred_at=row.occurred_at,
        person_id=row.person_id,
        record=row.record,
        payload=orjson.loads(row.payload),
        sequence=row.sequence,
        number=row.number,
    )


_LAST_GIVEN: Final = sa.select(
    sa.func.coalesce(sa.func.max(outbox_event.c.sequence), 0)
).scalar_subquery()
_PLACE: Final = sa.func.row_number().over(order_by=outbox_event.c.number)
_WAITING: Final = (
    sa.select(outbox_event.c.number, (_LAST_GIVEN + _PLACE).label("next"))
    .where(outbox_event.c.sequence.is_(None))
    .order_by(outbox_event.c.number)
    .limit(NUMBERED_MAX)
    .subquery()
)
_ONE_WAITING: Final = (
    sa.select(outbox_event.c.number).where(outbox_event.c.sequence.is_(None)).limit(1)
)
_OF_PERSON: Final = (
    sa.select(outbox_event)
    .where(
        outbox_event.c.person_id == sa.bindparam("person_id"),
        outbox_event.c.number > sa.bindparam("after"),
    )
    .order_by(outbox_event.c.number)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_NUMBER: Final = (
    sa.update(outbox_event)
    .values(sequence=_WAITING.c.next)
    .where(outbox_event.c.number == _WAITING.c.number)
)
_AFTER: Final = (
    sa.select(outbox_event)
    .where(outbox_event.c.sequence > sa.bindparam("after"))
    .order_by(outbox_event.c.sequence)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_ADD: Final = insert_into(
    outbox_event, "type", "person_id", "record", "actor", "reason", "payload", "occurred_at"
)
