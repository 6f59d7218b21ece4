"""The one step that every answer passes on its way out, and the trail that it leaves.

Here a search of a machine is cut down to the one certain match. Sharing agreements, consent and
restricted records will take fields, records and persons out of answers here too, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Protocol, TypeVar, cast

from mpi.domain.identifiers import PersonId
from mpi.domain.policy import Duty
from mpi.services.answers import Answer, Grade, PersonAnswer, Seen
from mpi.storage.audit import AuditEvent, add_audit_events
from mpi.storage.unit_of_work import UnitOfWork


class Disclosing(Protocol):
    """An answer: it says itself whom it discloses, and, as `seen`, by which record versions."""

    @property
    def person_ids(self) -> Sequence[PersonId | None]:
        """Everyone whom the answer discloses; None stands for a record that is nobody's."""
        ...


Disclosable = TypeVar("Disclosable", bound=Disclosing)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndUser:
    """A person on whose behalf a client asks, as the client names them."""

    id: str
    role: str
    organisation: str
    """ODS code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Who is told, and what for.

    `actor` is a client's id, a command or a batch run; `purpose` a code of HL7 v3 PurposeOfUse.
    """

    actor: str
    purpose: str
    request_id: str | None = None
    organisation: str | None = None
    """ODS code."""
    duties: frozenset[Duty] = frozenset()
    """What the permission to ask is bound to."""
    user: EndUser | None = None

    @property
    def detail(self) -> dict[str, Any]:
        """What the trail keeps of a recipient beside actor, purpose and request."""
        kept: dict[str, Any] = {"organisation": self.organisation} if self.organisation else {}
        return kept | ({"user": asdict(self.user)} if self.user else {})


def disclosed(answer: Disclosable, recipient: Recipient) -> Disclosable:
    """The part of an answer that this recipient may see; the answer itself where that is all."""
    if isinstance(answer, Answer) and Duty.UNIQUE_MATCH in recipient.duties:
        return cast(Disclosable, _unique(answer))
    return answer


def _unique(answer: Answer) -> Answer:
    """The one certain match, or nobody; an answer from which somebody was left out says so."""
    persons = tuple(person for person in answer.persons if _is_certain(person))
    kept = persons if len(persons) == 1 else ()
    is_whole = len(kept) == len(answer.persons)
    return replace(answer, persons=kept, is_complete=answer.is_complete and is_whole)


def _is_certain(person: PersonAnswer) -> bool:
    return person.evidence is None or person.evidence.grade is Grade.CERTAIN


def person_ids_in(answer: Disclosing) -> list[PersonId]:
    """Everyone whom an answer discloses, each once, in its order."""
    return list(dict.fromkeys(filter(None, answer.person_ids)))


def seen_in(answer: Disclosing) -> Seen:
    """The record versions from which each person's part of an answer was made; empty if none."""
    seen: Seen = getattr(answer, "seen", {})
    return seen


def audit_disclosure(
    unit: UnitOfWork,
    action: str,
    recipient: Recipient,
    person_ids: Sequence[PersonId],
    *,
    at: datetime,
    detail: Mapping[str, int | str | bool] | None = None,
) -> None:
    """Record a disclosure in a unit that writes; the answer may go once it has ended.

    See `disclosure_events`.
    """
    add_audit_events(unit, disclosure_events(action, recipient, person_ids, at=at, detail=detail))


def disclosure_events(
    action: str,
    recipient: Recipient,
    person_ids: Sequence[PersonId],
    *,
    at: datetime,
    seen: Seen | None = None,
    detail: Mapping[str, int | str | bool] | None = None,
) -> list[AuditEvent]:
    """What was asked and each person who was disclosed, to be kept before the answer leaves.

    Args:
        action: What was done: `resolve_by_demographics`, `read_person`...
        recipient: Who was told.
        person_ids: Everyone who appears in the answer; nobody is recorded as such, too.
        at: The present instant.
        seen: See `seen_in`.
        detail: Counts and how was asked; never a value of demographics.
    """
    told: list[PersonId | None] = [*dict.fromkeys(person_ids)]
    common = {"persons_count": len(person_ids), **recipient.detail, **(detail or {})}
    return [
        AuditEvent(
            action=action,
            actor=recipient.actor,
            purpose=recipient.purpose,
            request_id=recipient.request_id,
            person_id=person_id,
            recorded_at=at,
            detail=common | _seen_detail(seen, person_id),
        )
        for person_id in told or [None]
    ]


def _seen_detail(seen: Seen | None, person_id: PersonId | None) -> dict[str, Any]:
    found = seen.get(person_id) if seen else None
    return {"seen": found} if found else {}
