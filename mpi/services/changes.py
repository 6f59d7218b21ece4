"""The change feed: every identity event once, in order and without a gap, for those who follow.

Events are numbered behind their commits, by whoever reads. So a reader never sees a number before
a smaller one, however many write at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mpi.clock import Clock
from mpi.domain.events import EventType, IdentityEvent
from mpi.services.disclosure import Recipient, audit_disclosure
from mpi.services.linkage_index import LinkageIndex
from mpi.services.restate import record_keys
from mpi.storage.outbox import OutboxEvent, has_waiting_events, list_events, number_events
from mpi.storage.unit_of_work import UnitOfWork, reading
from mpi.storage.writer import Writer

CHANGES_MAX: Final = 1_000
"""Events in one answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Part of the feed."""

    events: tuple[IdentityEvent, ...]
    next_after: int
    """Sequence number to go on from: of the last event, or what was asked where there is none."""


def read_changes(
    writer: Writer,
    _index: LinkageIndex,
    after: int,
    limit: int,
    recipient: Recipient,
    *,
    clock: Clock,
) -> Changes:
    """The events after a sequence number, in order; none if there are no newer ones.

    Args:
        writer: Of the store.
        _index: The model in force.
        after: 0, or `next_after` of the answer before.
        limit: At most `CHANGES_MAX`.
        recipient: Who follows; audited where something is told.
        clock: For the audit trail.

    Raises:
        StorageUnavailable: If the store cannot be read, or the trail not be written, now.
    """
    with reading(writer.store) as unit:
        is_behind = has_waiting_events(unit)
    if is_behind:
        writer.run(lambda unit, _: number_events(unit))
    with reading(writer.store) as unit:
        events = identity_events(
            unit, list_events(unit, after=after, limit=min(limit, CHANGES_MAX))
        )
    if not events:
        return Changes(events=(), next_after=after)
    detail, at = {"events_count": len(events)}, clock.now()
    writer.run(
        lambda unit, _: audit_disclosure(
            unit, "read_changes", recipient, [], at=at, detail=dict(detail)
        )
    )
    return Changes(events=events, next_after=events[-1].sequence or after)


def identity_events(unit: UnitOfWork, stored: Iterable[OutboxEvent]) -> tuple[IdentityEvent, ...]:
    """Stored events as others know them, in the same order: records by their keys."""
    told = list(stored)
    keys = record_keys(unit, {each.record for each in told if each.record is not None})
    return tuple(
        IdentityEvent(
            type=EventType(each.type),
            occurred_at=each.occurred_at,
            actor=each.actor,
            reason=each.reason,
            person_id=each.person_id,
            other_person_id=each.payload.get("other_person_id"),
            record=keys.get(each.record) if each.record is not None else None,
            task=each.payload.get("task"),
            decision=each.payload.get("decision"),
            sequence=each.sequence,
        )
        for each in told
    )
