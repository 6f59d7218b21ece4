"""The one step that every answer passes on its way out, and the trail that it leaves.

Today it permits everything. Sharing agreements, consent and restricted records (see docs/security)
will take fields, records and persons out of answers here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from mpi.domain.identifiers import PersonId
from mpi.storage.audit import AuditEvent, add_audit_events
from mpi.storage.unit_of_work import UnitOfWork


class Disclosing(Protocol):
    """An answer: it says itself whom it discloses."""

    @property
    def person_ids(self) -> Sequence[PersonId | None]: ...


Disclosable = TypeVar("Disclosable", bound=Disclosing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Who is told, and what for."""

    actor: str
    purpose: str
    request_id: str | None = None


def disclosed(answer: Disclosable, recipient: Recipient) -> Disclosable:
    """The part of an answer that this recipient may see: all of it, today."""
    del recipient
    return answer


def person_ids_in(answer: Disclosing) -> list[PersonId]:
    """Everyone whom an answer discloses."""
    return list(dict.fromkeys(filter(None, answer.person_ids)))


def audit_disclosure(
    unit: UnitOfWork,
    action: str,
    recipient: Recipient,
    person_ids: Sequence[PersonId],
    *,
    at: datetime,
    detail: dict[str, int | str | bool] | None = None,
) -> None:
    """Record what was asked and each person who was disclosed, before the answer leaves.

    Args:
        unit: A unit that writes; the answer may go once it has ended.
        action: What was done: `resolve_by_demographics`, `read_person`...
        recipient: Who was told.
        person_ids: Everyone who appears in the answer; nobody is recorded as such, too.
        at: The present instant.
        detail: Counts and how was asked; never a value of demographics.
    """
    told: list[PersonId | None] = [*dict.fromkeys(person_ids)]
    add_audit_events(
        unit,
        [
            AuditEvent(
                action=action,
                actor=recipient.actor,
                purpose=recipient.purpose,
                request_id=recipient.request_id,
                person_id=person_id,
                recorded_at=at,
                detail={"persons_count": len(person_ids), **(detail or {})},
            )
            for person_id in told or [None]
        ],
    )
