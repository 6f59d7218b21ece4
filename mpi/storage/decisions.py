"""Decisions as stored: who said what about which records or version, and whether it still holds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from mpi.domain.links import DecisionKind, SeenEvidence
from mpi.errors import UnknownDecision
from mpi.limits import PAGE_ITEMS_MAX
from mpi.storage.prepared import PreparedQuery, Row, insert_into, insert_numbered, update_of
from mpi.storage.tables import decision, decision_record, decision_version
from mpi.storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDecision:
    """What a steward said, in force or not; instants in UTC.

    `retracted_at`, `retracted_by` and `retraction_reason` are None while it is in force.
    """

    number: int
    kind: DecisionKind
    reason: str
    author: str
    decided_at: datetime
    evidence_digest: str | None
    """Of what the steward saw; None where that was not recorded."""
    retracted_at: datetime | None
    retracted_by: str | None
    retraction_reason: str | None
    left: frozenset[int]
    """Record numbers as they were named; empty if it is about a version."""
    right: frozenset[int]
    wrong_numbers: frozenset[int]
    """Records whose NHS number it calls wrong."""
    record: int | None = None
    """Of the version that it is about."""
    version: int | None = None
    """The version's number in the store; None if it is about two sides."""


def get_decision(unit: UnitOfWork, number: int) -> StoredDecision:
    """The decision of this number. Raises UnknownDecision."""
    row = _ONE.first(unit, number=number)
    if row is None:
        raise UnknownDecision("decision: there is none of this number")
    return _stored(unit, row)


def list_decisions(
    unit: UnitOfWork, *, after: int = 0, limit: int = PAGE_ITEMS_MAX
) -> list[StoredDecision]:
    """Decisions in the order in which they were taken, retracted ones too.

    Args:
        unit: Where to look.
        after: Number of the last decision of the page before; 0 for the first page.
        limit: At most `PAGE_ITEMS_MAX`.
    """
    rows = _PAGE.rows(unit, after=after, most=min(limit, PAGE_ITEMS_MAX))
    return [_stored(unit, row) for row in rows]


def add_decision(
    unit: UnitOfWork,
    kind: DecisionKind,
    *,
    reason: str,
    author: str,
    at: datetime,
    left: Collection[int] = (),
    right: Collection[int] = (),
    wrong_numbers: Collection[int] = (),
    evidence_digest: str | None = None,
    seen: SeenEvidence | None = None,
) -> int:
    """Keep a decision for ever; gives its number.

    Args:
        unit: Where to write.
        kind: What is said of the two sides.
        reason: In the steward's words.
        author: Who says it.
        at: When.
        left: Record numbers of the one side; none if it is about a version.
        right: Those of the other; no record is on both.
        wrong_numbers: Records of either side whose NHS number it calls wrong.
        evidence_digest: Of what the steward saw.
        seen: The same in numbers, for telling later whether it has changed.
    """
    number: int = _ADD.returned(
        unit,
        kind=str(kind),
        reason=reason,
        author=author,
        decided_at=at,
        evidence_digest=evidence_digest,
        match_weight_bits=seen.match_weight_bits if seen else None,
        veto=str(seen.veto) if seen and seen.veto else None,
    )
    rows = [
        (number, record, is_left, record in wrong_numbers)
        for is_left, side in ((True, left), (False, right))
        for record in sorted(side)
    ]
    _ADD_SIDE.run_many(unit, rows)
    return number


def add_version_decision(unit: UnitOfWork, number: int, *, version: int, record: int) -> None:
    """Make a decision one about a version: *same* a correction, *different* another human."""
    _ADD_VERSION.run(unit, decision=number, version=version, record=record)


def retract_decision(
    unit: UnitOfWork, number: int, *, author: str, reason: str, at: datetime
) -> None:
    """From now on the decision does not hold; it is kept. It must exist and be in force."""
    _RETRACT.run(
        unit, its_number=number, retracted_at=at, retracted_by=author, retraction_reason=reason
    )


def _stored(unit: UnitOfWork, row: Row) -> StoredDecision:
    number, kind, *rest = row
    sides = _SIDES.rows(unit, number=number)
    about = _VERSION.first(unit, number=number)
    return StoredDecision(
        number=number,
        kind=DecisionKind(kind),
        **dict(zip(_WORDS, rest, strict=True)),
        left=frozenset(record for record, is_left, _ in sides if is_left),
        right=frozenset(record for record, is_left, _ in sides if not is_left),
        wrong_numbers=frozenset(record for record, _, is_wrong in sides if is_wrong),
        record=about[0] if about else None,
        version=about[1] if about else None,
    )


_WORDS: Final = (
    "reason",
    "author",
    "decided_at",
    "evidence_digest",
    "retracted_at",
    "retracted_by",
    "retraction_reason",
)
_DECISIONS: Final = sa.select(
    decision.c.number, decision.c.kind, *(decision.c[name] for name in _WORDS)
)
_ONE: Final = PreparedQuery(_DECISIONS.where(decision.c.number == sa.bindparam("number")))
_PAGE: Final = PreparedQuery(
    _DECISIONS.where(decision.c.number > sa.bindparam("after"))
    .order_by(decision.c.number)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_SIDES: Final = PreparedQuery(
    sa.select(
        decision_record.c.record, decision_record.c.is_left, decision_record.c.is_number_disowned
    ).where(decision_record.c.decision == sa.bindparam("number"))
)
_VERSION: Final = PreparedQuery(
    sa.select(decision_version.c.record, decision_version.c.version).where(
        decision_version.c.decision == sa.bindparam("number")
    )
)
_ADD: Final = insert_numbered(
    decision,
    "kind",
    "reason",
    "author",
    "decided_at",
    "evidence_digest",
    "match_weight_bits",
    "veto",
)
_ADD_SIDE: Final = insert_into(
    decision_record, "decision", "record", "is_left", "is_number_disowned"
)
_ADD_VERSION: Final = insert_into(decision_version, "decision", "version", "record")
_RETRACT: Final = update_of(decision, "retracted_at", "retracted_by", "retraction_reason")
