"""Who saw this person? Answered by the records that were shown, not by the id they went under.

After a merge or a split an id stands for other records than it did. Every event says which record
versions it showed, so the answer follows the records to the person who has them now.
"""

from __future__ import annotations

from typing import Any, Final

from mpi.clock import Clock
from mpi.domain.identifiers import PersonId
from mpi.services.audit_seal import seal_audit
from mpi.services.disclosure import Recipient, audit_disclosure
from mpi.storage.audit import AuditEvent, list_audit_events
from mpi.storage.audit_seals import list_events_seeing
from mpi.storage.engine import Store
from mpi.storage.links import list_links
from mpi.storage.persons import get_person, list_holders
from mpi.storage.tables import PersonState
from mpi.storage.unit_of_work import UnitOfWork, reading, writing

EVENTS_MAX: Final = 1_000
"""Events of each kind in one answer: those that showed records, and others about the person."""


def who_saw(
    store: Store, person_id: PersonId, *, recipient: Recipient, clock: Clock
) -> list[AuditEvent]:
    """Everything that was shown of a person's records or done about the person, latest first.

    At most `EVENTS_MAX` events that showed records, and as many others.

    Args:
        store: Holds the trail.
        person_id: The person, or an id that leads to one.
        recipient: Who asks; asking is audited too.
        clock: For the trail.

    Raises:
        UnknownPerson: If no person ever had this id.
        StorageUnavailable: If the trail cannot be read, sealed or written now.
    """
    seal_audit(store, clock=clock)  # What was seen is indexed with the seals.
    with reading(store) as unit:
        current = _current(unit, person_id)
        events = _events(unit, current)
    with writing(store) as unit:
        audit_disclosure(unit, "who_saw", recipient, [current], at=clock.now())
    return events


def disclosure_view(event: AuditEvent) -> dict[str, Any]:
    """An event as plain JSON values, its instant in ISO 8601; see `Disclosure` of the HTTP API."""
    return {
        "recorded_at": event.recorded_at.isoformat(),
        "actor": event.actor,
        "organisation": event.detail.get("organisation"),
        "user": event.detail.get("user"),
        "purpose": event.purpose,
        "action": event.action,
        "person_id": event.person_id,
        "seen": event.detail.get("seen", {}),
    }


def _current(unit: UnitOfWork, person_id: PersonId) -> PersonId:
    if get_person(unit, person_id).state == PersonState.LIVE:
        return person_id
    return next(iter(list_holders(unit, person_id)), person_id)


def _events(unit: UnitOfWork, person_id: PersonId) -> list[AuditEvent]:
    records = [stored.number for stored in list_links(unit, person_id)]
    seeing = list_events_seeing(unit, records, limit=EVENTS_MAX) if records else []
    about = list_audit_events(unit, person_id, limit=EVENTS_MAX)
    others = [event for event in about if "seen" not in event.detail]
    return sorted([*seeing, *others], key=lambda event: event.recorded_at, reverse=True)
