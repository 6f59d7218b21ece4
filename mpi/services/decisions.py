"""What stewards have decided: in force or taken back, with the records as they are named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from mpi.domain.identifiers import PersonId, RecordKey
from mpi.domain.links import DecisionKind
from mpi.limits import PAGE_ITEMS_MAX
from mpi.services.linkage_index import LinkageIndex
from mpi.storage.decisions import StoredDecision, get_decision, list_decisions
from mpi.storage.number_statuses import list_statuses_of_decision
from mpi.storage.records import StoredRecord, list_records
from mpi.storage.unit_of_work import UnitOfWork
from mpi.storage.versions import find_version_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionAnswer:
    """A decision, or a verdict on a version; instants in UTC, sides in key order.

    The `retract...` fields are None while it is in force. Of a verdict the sides are empty.
    """

    decision: int
    kind: DecisionKind
    """Of a verdict: `same` is a correction, `different` another human."""
    reason: str
    author: str
    decided_at: datetime
    evidence_digest: str | None
    retracted_at: datetime | None
    retracted_by: str | None
    retraction_reason: str | None
    left: tuple[RecordKey, ...]
    right: tuple[RecordKey, ...]
    wrong_numbers: tuple[RecordKey, ...]
    supersedes: dict[str, str]
    """NHS number -> the number that takes its place, while that is in force."""
    record: RecordKey | None
    """Whose version a verdict is about."""
    version: str | None
    """Digest of that version."""
    person_ids: tuple[PersonId | None, ...]
    """Whose the records are today."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionPage:
    """Decisions in the order in which they were taken."""

    decisions: tuple[DecisionAnswer, ...]
    next_after: int | None
    """Number of the last one, to ask for the next page with; None if this one is not full."""

    @property
    def person_ids(self) -> tuple[PersonId | None, ...]:
        """Whose the records named on the page are today."""
        return tuple(i for decision in self.decisions for i in decision.person_ids)


def read_decision(unit: UnitOfWork, _index: LinkageIndex, number: int) -> DecisionAnswer:
    """One decision, in force or retracted. Raises UnknownDecision."""
    return _answer(unit, get_decision(unit, number))


def read_decisions(unit: UnitOfWork, _index: LinkageIndex, after: int, limit: int) -> DecisionPage:
    """The decisions after a number (0: from the first), retracted ones too, in order.

    At most `limit` of them, and never more than `PAGE_ITEMS_MAX`.
    """
    most = min(limit, PAGE_ITEMS_MAX)
    found = list_decisions(unit, after=after, limit=most)
    return DecisionPage(
        decisions=tuple(_answer(unit, each) for each in found),
        next_after=found[-1].number if len(found) == most else None,
    )


def _answer(unit: UnitOfWork, stored: StoredDecision) -> DecisionAnswer:
    named = stored.left | stored.right | ({stored.record} if stored.record else set())
    known = {each.number: each for each in list_records(unit, named)}
    return DecisionAnswer(
        decision=stored.number,
        kind=stored.kind,
        reason=stored.reason,
        author=stored.author,
        decided_at=stored.decided_at,
        evidence_digest=stored.evidence_digest,
        retracted_at=stored.retracted_at,
        retracted_by=stored.retracted_by,
        retraction_reason=stored.retraction_reason,
        left=_keys(known, stored.left),
        right=_keys(known, stored.right),
        wrong_numbers=_keys(known, stored.wrong_numbers),
        supersedes={
            each.nhs_number: each.successor
            for each in list_statuses_of_decision(unit, stored.number)
            if each.successor
        },
        record=known[stored.record].key if stored.record else None,
        version=find_version_digest(unit, stored.version) if stored.version else None,
        person_ids=tuple(dict.fromkeys(each.person_id for each in known.values())),
    )


def _keys(known: dict[int, StoredRecord], numbers: Iterable[int]) -> tuple[RecordKey, ...]:
    return tuple(sorted(known[number].key for number in numbers))
