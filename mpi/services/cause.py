"""Who or what made a change: stamped on every link, event and audit row of one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mpi.domain.events import EventType
from mpi.domain.identifiers import PersonId
from mpi.domain.links import LinkOrigin
from mpi.storage.outbox import OutboxEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One act of one actor; `at` is in UTC and stamped on all that the act writes."""

    actor: str
    purpose: str
    reason: str
    """A code such as `registered` or `decided_same`; never a value of demographics."""
    at: datetime
    model: int
    """The store's number of the release in force."""
    decision: int | None = None
    """The decision that was taken or retracted, if the act is one."""
    is_explained: bool = False
    """Somebody stated who is who (a decision, a source merge, a number's status): if records part
    now, nobody need be asked why."""
    request_id: str | None = None

    @property
    def origin(self) -> LinkOrigin:
        """What the links say of where they come from: a steward if a decision caused them."""
        return LinkOrigin.AUTOMATIC if self.decision is None else LinkOrigin.STEWARD


def identity_event(
    cause: Cause,
    type_: EventType,
    person_id: PersonId | None,
    *,
    record: int | None = None,
    other: PersonId | None = None,
    task: int | None = None,
) -> OutboxEvent:
    """One thing that this cause made happen, to be stored; ids, never demographics.

    Args:
        cause: Says who, when and why.
        type_: What happened.
        person_id: To whom; None where it is about a record or a task alone.
        record: Number of the record.
        other: The other person, for types that have one.
        task: Number of the task.
    """
    payload = {"other_person_id": other, "task": task, "decision": cause.decision}
    return OutboxEvent(
        type=str(type_),
        actor=cause.actor,
        reason=cause.reason,
        occurred_at=cause.at,
        person_id=person_id,
        record=record,
        payload={name: value for name, value in payload.items() if value is not None},
    )
