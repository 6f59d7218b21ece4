"""What a question about a person is answered with, whichever door it came through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from mpi.domain.identifiers import PersonId, RecordKey
from mpi.domain.links import LinkOrigin, VetoReason
from mpi.linkage.explain import Explanation, ExplanationStep

__all__ = [
    "Answer",
    "CrossReference",
    "CrossReferences",
    "Evidence",
    "Explanation",
    "ExplanationStep",
    "Grade",
    "PairExplanation",
    "PersonAnswer",
    "RecordAnswer",
    "Seen",
    "seen_records",
]


Seen = Mapping[PersonId | None, Mapping[str, str]]
"""Person -> record key -> digest of the version shown, empty where only the key was. It is by these
that an event of the audit trail is found again when the person was merged or split since."""


class Grade(StrEnum):
    """How sure an answer to a question by demographics is."""

    CERTAIN = "certain"
    """The weight would link, nobody else comes near, and no veto speaks."""
    PROBABLE = "probable"
    """The weight would link, but somebody else comes near."""
    POSSIBLE = "possible"
    """The weight is in the review band, or a veto speaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Why a person answers a question asked by demographics."""

    grade: Grade
    match_weight_bits: float
    """Log2 odds, in bits, of the person's record that fits best."""
    match_probability: float | None
    """The same as a probability: 2^w / (1 + 2^w). For display only; None if a veto speaks, because
    then it is not what the weight alone would make of it."""
    record: RecordKey
    """That record."""
    veto: VetoReason | None
    """Why the question and the person would nevertheless not be linked."""
    explanation: Explanation
    """Sums to the weight exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonAnswer:
    """One live person."""

    person_id: PersonId
    golden: Mapping[str, Any]
    """Field -> `{value, record, version, rule}`, or a list of such: `GoldenRecord.to_dict`."""
    evidence: Evidence | None = None
    """None where the question was an identifier."""
    recently_parted_from: tuple[PersonId, ...] = ()
    """Persons that it was one with until a split that no decision caused and no steward has
    looked at."""

    @property
    def seen(self) -> Mapping[str, str]:
        """Record key -> digest of the version that is quoted, as in `Seen`."""
        shown = {str(self.evidence.record): ""} if self.evidence else {}
        for told in self.golden.values():
            for each in told if isinstance(told, list) else (told,):
                if isinstance(each, Mapping) and "record" in each:
                    shown[each["record"]] = each["version"]
        return shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Whom a question is about: nobody, one person, or several to choose from, best first."""

    persons: tuple[PersonAnswer, ...]
    model_digest: str
    is_complete: bool = True
    """False if more records share the question's values than are looked at, or more persons fit
    than are shown."""
    asked_id: PersonId | None = None
    """The id asked about, if it is no longer in use and `persons` holds its records instead."""
    candidates_count: int | None = None
    """Records scored for the answer; None where none had to be."""
    is_closed: bool = False
    """None of the asked id's records is left; `persons` says where they went."""

    @property
    def seen(self) -> Seen:
        """Of each person in the answer, the record versions that are quoted."""
        return {person.person_id: person.seen for person in self.persons}

    @property
    def person_ids(self) -> tuple[PersonId, ...]:
        """Everyone in the answer, in its order."""
        return tuple(person.person_id for person in self.persons)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossReference:
    """One source record of a person; `linked_at` is in UTC."""

    record: RecordKey
    origin: LinkOrigin
    match_weight_bits: float | None
    """Bits of its heaviest edge to another record of the person when linked; None without one."""
    model_digest: str
    linked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossReferences:
    """Where a person has records, in key order; none if the id is closed."""

    person_id: PersonId
    asked_id: PersonId | None
    """The id asked about, if it is no longer in use and another person holds its records."""
    records: tuple[CrossReference, ...]

    @property
    def seen(self) -> Seen:
        """The keys of the records, under the person."""
        return {self.person_id: {str(each.record): "" for each in self.records}}

    @property
    def person_ids(self) -> tuple[PersonId, ...]:
        """The one person."""
        return (self.person_id,)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAnswer:
    """One source record: what it says now, and whose it is.

    `state` is `live`, `retired` or `merged`; only a live record has a person, only a merged one a
    survivor. `registered_at` is in UTC.
    """

    record: RecordKey
    state: str
    person_id: PersonId | None
    merged_into: RecordKey | None
    registered_at: datetime
    content: Mapping[str, Any]
    """`demographics_to_dict` of the live version; empty unless live."""

    @property
    def seen(self) -> Seen:
        """The record's key, under its person."""
        return {self.person_id: {str(self.record): ""}}

    @property
    def person_ids(self) -> tuple[PersonId | None, ...]:
        """Whose the record is; None unless it lives."""
        return (self.person_id,)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairExplanation:
    """The evidence for and against two records being one person's; weights in bits."""

    left: RecordKey
    right: RecordKey
    explanation: Explanation
    veto: VetoReason | None
    """Between the two records alone; their persons' other records may say more."""
    person_ids: tuple[PersonId | None, PersonId | None]
    """Of the left and of the right record."""
    link_bits: float
    review_bits: float
    model_digest: str

    @property
    def seen(self) -> Seen:
        """The two records' keys, each under its person."""
        return seen_records(zip(self.person_ids, (self.left, self.right), strict=True))


def seen_records(shown: Iterable[tuple[PersonId | None, RecordKey]]) -> Seen:
    """The records that an answer shows of each person, by key alone."""
    seen: dict[PersonId | None, dict[str, str]] = {}
    for person_id, record in shown:
        seen.setdefault(person_id, {})[str(record)] = ""
    return seen
