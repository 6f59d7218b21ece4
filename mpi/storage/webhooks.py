"""Webhooks and what each has still to receive.

Source of the form of what is sent: the Standard Webhooks specification.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
import sqlalchemy as sa

from mpi.domain.identifiers import PersonId
from mpi.errors import UnknownWebhook
from mpi.limits import WEBHOOKS_MAX
from mpi.storage.outbox import OutboxEvent, list_events
from mpi.storage.tables import link, outbox_event, source_record, source_system
from mpi.storage.trust_tables import DeliveryState, webhook, webhook_delivery
from mpi.storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where an organisation wants to hear of events, and of which."""

    id: str
    organisation: str
    """ODS code."""
    url: str
    secret: str = field(repr=False)
    """Signs what is sent; `whsec_` and 32 random bytes in base 64 (Standard Webhooks)."""
    event_types: frozenset[str]
    """Empty for all."""
    is_own_only: bool
    """Only events of persons who have, or had, a record of the organisation."""
    created_at: datetime
    cursor: int = 0
    """Events up to this place of the feed have been handed out."""
    number: int = 0
    """The store's own; 0 until it is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event that one webhook has still to receive; `occurred_at` in UTC."""

    number: int
    sequence: int
    """The event's place in the feed."""
    attempts_count: int
    type: str
    occurred_at: datetime
    data: dict[str, Any]
    """`sequence`, `person_id`, `reason`, and the record's key and further ids if it has any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A delivery that was not received.

    `attempts_count` counts this attempt, `due_at` (UTC) is when to try again, `reason` a status,
    the name of an error or why the address may not be called. After the last attempt it waits for a
    replay.
    """

    number: int
    attempts_count: int
    due_at: datetime
    reason: str
    is_last: bool


@dataclass(frozen=True, slots=True)
class Backlog:
    """What one webhook has still to receive; `since` (UTC) is when the oldest of it happened."""

    webhook_id: str
    waiting_count: int
    dead_count: int
    since: datetime | None


def add_webhook(unit: UnitOfWork, added: Webhook) -> None:
    """Keep a new webhook; the store gives its number.

    Raises:
        Conflict: If the id is taken; told when the unit ends.
    """
    row = {
        "id": added.id,
        "organisation": added.organisation,
        "url": added.url,
        "secret": added.secret,
        "event_types": orjson.dumps(sorted(added.event_types)).decode(),
        "is_own_only": added.is_own_only,
        "cursor": added.cursor,
        "created_at": added.created_at,
    }
    unit.connection.execute(sa.insert(webhook), [row])


def list_webhooks(unit: UnitOfWork) -> list[Webhook]:
    """Those that are in use, by id; at most `WEBHOOKS_MAX`."""
    return [_webhook(row) for row in unit.rows(_ALL)]


def end_webhook(unit: UnitOfWork, webhook_id: str, *, at: datetime) -> None:
    """Send nothing more to a webhook and drop what waits for it. Raises UnknownWebhook."""
    number = _number_of(unit, webhook_id)
    unit.connection.execute(_FORGET, {"of": number})
    unit.connection.execute(_END, {"of": number, "at": at})


def replay(unit: UnitOfWork, webhook_id: str, *, at: datetime) -> int:
    """Try again what was given up, from the first attempt on; how many messages there are.

    Raises:
        UnknownWebhook: If none in use has this id.
    """
    result = unit.connection.execute(_REPLAY, {"of": _number_of(unit, webhook_id), "at": at})
    return int(result.rowcount)


def hand_out(unit: UnitOfWork, to: Webhook, *, at: datetime, limit: int) -> int:
    """Note which of the next events a webhook is to receive; how many were looked at.

    Args:
        unit: Where to write; others who hand out to it wait.
        to: The webhook.
        at: From when on they are due.
        limit: Events to look at.
    """
    cursor = unit.connection.execute(_LOCK_CURSOR, {"of": to.number}).scalar_one()
    events = list_events(unit, after=cursor, limit=limit)
    if not events:
        return 0
    known = _persons_known_to(unit, to, events) if to.is_own_only else None
    rows = [_delivery_row(to, event, at) for event in events if _is_wanted(to, event, known)]
    if rows:
        unit.connection.execute(sa.insert(webhook_delivery), rows)
    unit.connection.execute(_MOVE_CURSOR, {"of": to.number, "upto": events[-1].sequence})
    return len(events)


def claim_due(
    unit: UnitOfWork, to: Webhook, *, at: datetime, lease: timedelta, limit: int
) -> list[Delivery]:
    """Deliveries that are due, the longest first, to be sent by nobody else until the lease ends.

    Of each person only the first that was not received: the next waits for it, even if it was
    given up. At most `limit`.
    """
    rows = unit.rows(_DUE, of=to.number, at=at, most=limit)
    if rows:
        taken = {"numbers": [row.number for row in rows], "until": at + lease}
        unit.connection.execute(_LEASE, taken)
    return [_delivery(row) for row in rows]


def settle(unit: UnitOfWork, received: Sequence[int], failures: Sequence[Failure]) -> None:
    """Note what became of claimed deliveries: numbers of those received, the others' failures."""
    if received:
        unit.connection.execute(_RECEIVED, {"numbers": list(received)})
    if failures:
        unit.connection.execute(_FAILED, [_failure_row(failure) for failure in failures])


def list_backlogs(unit: UnitOfWork) -> list[Backlog]:
    """What each webhook in use has still to receive, by id, those with nothing included."""
    return [Backlog(*row) for row in unit.rows(_BACKLOGS)]


def _number_of(unit: UnitOfWork, webhook_id: str) -> int:
    row = unit.first(_BY_ID, id=webhook_id)
    if row is None:
        raise UnknownWebhook("webhook: none in use has this id")
    number: int = row.number
    return number


def _webhook(row: Any) -> Webhook:
    return Webhook(
        id=row.id,
        organisation=row.organisation,
        url=row.url,
        secret=row.secret,
        event_types=frozenset(orjson.loads(row.event_types)),
        is_own_only=row.is_own_only,
        created_at=row.created_at,
        cursor=row.cursor,
        number=row.number,
    )


def _persons_of(event: OutboxEvent) -> set[PersonId]:
    named = (event.person_id, event.payload.get("other_person_id"))
    return {person_id for person_id in named if person_id}


def _persons_known_to(
    unit: UnitOfWork, to: Webhook, events: Sequence[OutboxEvent]
) -> frozenset[PersonId]:
    named = sorted(set().union(*map(_persons_of, events)))
    rows = unit.rows(_KNOWN, organisation=to.organisation, person_ids=named) if named else []
    return frozenset(row.person_id for row in rows)


def _is_wanted(to: Webhook, event: OutboxEvent, known: frozenset[PersonId] | None) -> bool:
    if to.event_types and event.type not in to.event_types:
        return False
    return known is None or bool(known & _persons_of(event))


def _delivery_row(to: Webhook, event: OutboxEvent, at: datetime) -> dict[str, Any]:
    order_key = event.person_id or f"event {event.sequence}"
    return {
        "webhook": to.number,
        "sequence": event.sequence,
        "order_key": order_key,
        "due_at": at,
    }


def _delivery(row: Any) -> Delivery:
    data = {"sequence": row.sequence, "person_id": row.person_id, "reason": row.reason}
    if row.source is not None:
        data["record"] = f"{row.source}:{row.local_id}"
    return Delivery(
        number=row.number,
        sequence=row.sequence,
        attempts_count=row.attempts_count,
        type=row.type,
        occurred_at=row.occurred_at,
        data=data | orjson.loads(row.payload),
    )


def _failure_row(failure: Failure) -> dict[str, Any]:
    return {
        "of": failure.number,
        "to_state": DeliveryState.DEAD if failure.is_last else DeliveryState.WAITING,
        "attempts": failure.attempts_count,
        "until": failure.due_at,
        "why": failure.reason,
    }


_INSTANT: Final = webhook_delivery.c.due_at.type
_ACTIVE: Final = webhook.c.disabled_at.is_(None)
_ALL: Final = sa.select(webhook).where(_ACTIVE).order_by(webhook.c.id).limit(WEBHOOKS_MAX)
_BY_ID: Final = sa.select(webhook.c.number).where(webhook.c.id == sa.bindparam("id"), _ACTIVE)
_OF: Final = webhook.c.number == sa.bindparam("of")
_LOCK_CURSOR: Final = sa.select(webhook.c.cursor).where(_OF).with_for_update()
_MOVE_CURSOR: Final = sa.update(webhook).where(_OF).values(cursor=sa.bindparam("upto"))
_END: Final = sa.update(webhook).where(_OF).values(disabled_at=sa.bindparam("at", type_=_INSTANT))
_FORGET: Final = sa.delete(webhook_delivery).where(webhook_delivery.c.webhook == sa.bindparam("of"))
_REPLAY: Final = (
    sa.update(webhook_delivery)
    .where(
        webhook_delivery.c.webhook == sa.bindparam("of"),
        webhook_delivery.c.state == DeliveryState.DEAD,
    )
    .values(
        state=DeliveryState.WAITING,
        attempts_count=0,
        due_at=sa.bindparam("at", type_=_INSTANT),
    )
)
_KNOWN: Final = (
    sa.select(link.c.person_id)
    .distinct()
    .join(source_record, source_record.c.number == link.c.record)
    .join(source_system, source_system.c.source == source_record.c.source)
    .where(
        source_system.c.ods_code == sa.bindparam("organisation"),
        link.c.person_id.in_(sa.bindparam("person_ids", expanding=True)),
    )
)
_earlier: Final = webhook_delivery.alias("earlier")
_DUE: Final = (
    sa.select(
        webhook_delivery.c.number,
        webhook_delivery.c.sequence,
        webhook_delivery.c.attempts_count,
        outbox_event.c.type,
        outbox_event.c.person_id,
        outbox_event.c.reason,
        outbox_event.c.payload,
        outbox_event.c.occurred_at,
        source_record.c.source,
        source_record.c.local_id,
    )
    .join(outbox_event, outbox_event.c.sequence == webhook_delivery.c.sequence)
    .outerjoin(source_record, source_record.c.number == outbox_event.c.record)
    .where(
        webhook_delivery.c.webhook == sa.bindparam("of"),
        webhook_delivery.c.state == DeliveryState.WAITING,
        webhook_delivery.c.due_at <= sa.bindparam("at", type_=_INSTANT),
        ~sa.exists().where(
            _earlier.c.webhook == webhook_delivery.c.webhook,
            _earlier.c.order_key == webhook_delivery.c.order_key,
            _earlier.c.sequence < webhook_delivery.c.sequence,
        ),
    )
    .order_by(webhook_delivery.c.due_at, webhook_delivery.c.sequence)
    .limit(sa.bindparam("most", type_=sa.Integer))
    .with_for_update(skip_locked=True, of=webhook_delivery)
)
_NUMBERS: Final = webhook_delivery.c.number.in_(sa.bindparam("numbers", expanding=True))
_LEASE: Final = (
    sa.update(webhook_delivery).where(_NUMBERS).values(due_at=sa.bindparam("until", type_=_INSTANT))
)
_RECEIVED: Final = sa.delete(webhook_delivery).where(_NUMBERS)
_FAILED: Final = (
    sa.update(webhook_delivery)
    .where(webhook_delivery.c.number == sa.bindparam("of"))
    .values(
        state=sa.bindparam("to_state"),
        attempts_count=sa.bindparam("attempts"),
        due_at=sa.bindparam("until", type_=_INSTANT),
        failure=sa.bindparam("why"),
    )
)
_IS_DEAD: Final = webhook_delivery.c.state == DeliveryState.DEAD
_BACKLOGS: Final = (
    sa.select(
        webhook.c.id,
        sa.func.count(webhook_delivery.c.number).filter(~_IS_DEAD),
        sa.func.count(webhook_delivery.c.number).filter(_IS_DEAD),
        sa.func.min(outbox_event.c.occurred_at, type_=outbox_event.c.occurred_at.type),
    )
    .outerjoin(webhook_delivery, webhook_delivery.c.webhook == webhook.c.number)
    .outerjoin(outbox_event, outbox_event.c.sequence == webhook_delivery.c.sequence)
    .where(_ACTIVE)
    .group_by(webhook.c.id)
    .order_by(webhook.c.id)
)
