"""The one step that every answer passes on its way out, and the trail that it leaves.

Here a search of a machine is cut down to the one certain match. Sharing agreements, consent and
restricted records will take fields, records and persons out of answers here too, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from mpi.domain.identifiers import PersonId
from mpi.domain.policy import Duty
from mpi.services.answers import (
    Answer,
    CrossReferences,
    Grade,
    PairExplanation,
    PersonAnswer,
    RecordAnswer,
)
from mpi.storage.audit import AuditEvent, add_audit_events
from mpi.storage.unit_of_work import UnitOfWork

Disclosable = TypeVar("Disclosable", Answer, CrossReferences, RecordAnswer, PairExplanation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Who is told, and what for."""

    actor: str
    purpose: str
    request_id: str | None = None
    organisation: str | None = None
    """ODS code."""
    duties: frozenset[Duty] = frozenset()
    """What the permission to ask is bound to."""


def disclosed(answer: Disclosable, recipient: Recipient) -> Disclosable:
    """The part of an answer that this recipient may see."""
    if isinstance(answer, Answer) and Duty.UNIQUE_MATCH in recipient.duties:
        return _unique(answer)
    return answer


def _unique(answer: Answer) -> Answer:
    """The one certain match, or nobody; an answer from which somebody was left out says so."""
    persons = tuple(person for person in answer.persons if _is_certain(person))
    kept = persons if len(persons) == 1 else ()
    is_whole = len(kept) == len(answer.persons)
    return replace(answer, persons=kept, is_complete=answer.is_complete and is_whole)


def _is_certain(person: PersonAnswer) -> bool:
    return person.evidence is None or person.evidence.grade is Grade.CERTAIN


def person_ids_in(answer: Disclosable) -> list[PersonId]:
    """Everyone whom an answer discloses."""
    if isinstance(answer, Answer):
        return [person.person_id for person in answer.persons]
    if isinstance(answer, CrossReferences):
        return [answer.person_id]
    if isinstance(answer, RecordAnswer):
        return [answer.person_id] if answer.person_id else []
    return list(dict.fromkeys(filter(None, answer.person_ids)))


def seen_in(answer: Disclosable) -> dict[PersonId | None, dict[str, str]]:
    """The record versions from which each person's part of an answer was made.

    Returns:
        Person -> record key -> digest of the version, empty where only the key was shown. It is by
        these that an event is found again when the person was merged or split since.
    """
    if isinstance(answer, Answer):
        return {person.person_id: _seen_of(person) for person in answer.persons}
    if isinstance(answer, CrossReferences):
        return {answer.person_id: {str(each.record): "" for each in answer.records}}
    if isinstance(answer, RecordAnswer):
        return {answer.person_id: {str(answer.record): ""}}
    keys = (answer.left, answer.right)
    seen: dict[PersonId | None, dict[str, str]] = {}
    for person_id, key in zip(answer.person_ids, keys, strict=True):
        seen.setdefault(person_id, {})[str(key)] = ""
    return seen


def _seen_of(person: PersonAnswer) -> dict[str, str]:
    seen = {str(person.evidence.record): ""} if person.evidence else {}
    for told in person.golden.values():
        entries: Iterable[Any] = told if isinstance(told, list) else (told,)
        seen |= {
            each["record"]: each["version"]
            for each in entries
            if isinstance(each, Mapping) and "record" in each
        }
    return seen


def audit_disclosure(
    unit: UnitOfWork,
    action: str,
    recipient: Recipient,
    person_ids: Sequence[PersonId],
    *,
    at: datetime,
    seen: Mapping[PersonId | None, Mapping[str, str]] | None = None,
    detail: Mapping[str, int | str | bool] | None = None,
) -> None:
    """Record what was asked and each person who was disclosed, before the answer leaves.

    Args:
        unit: A unit that writes; the answer may go once it has ended.
        action: What was done: `resolve_by_demographics`, `read_person`...
        recipient: Who was told.
        person_ids: Everyone who appears in the answer; nobody is recorded as such, too.
        at: The present instant.
        seen: See `seen_in`.
        detail: Counts and how was asked; never a value of demographics.
    """
    told: list[PersonId | None] = [*dict.fromkeys(person_ids)]
    common = {"persons_count": len(person_ids), **(detail or {})}
    if recipient.organisation:
        common["organisation"] = recipient.organisation
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
                detail=common | _seen_detail(seen, person_id),
            )
            for person_id in told or [None]
        ],
    )


def _seen_detail(
    seen: Mapping[PersonId | None, Mapping[str, str]] | None, person_id: PersonId | None
) -> dict[str, Any]:
    found = seen.get(person_id) if seen else None
    return {"seen": found} if found else {}
