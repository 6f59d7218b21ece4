"""What stewards and sources stated and what still holds of it: decisions, NHS number statuses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa

from mpi.domain.identifiers import NumberTrust
from mpi.domain.links import Decision, DecisionKind
from mpi.storage.prepared import PreparedQuery
from mpi.storage.tables import NumberStatus, decision, decision_record, nhs_number_status
from mpi.storage.unit_of_work import UnitOfWork

SUCCESSIONS_MAX: Final = 20
"""Numbers in a chain of successors; a longer one is a circle."""


def list_decisions_in_force(unit: UnitOfWork) -> list[Decision]:
    """Every decision that is not retracted, in the order in which they apply.

    For bulk work, which needs them all; as many as stewards ever made.
    """
    sides: dict[int, list[Any]] = defaultdict(list)
    for row in unit.rows(_SIDES):
        sides[row.decision].append(row)
    return [_decision(row, sides[row.number]) for row in unit.rows(_IN_FORCE)]


def read_number_trust(unit: UnitOfWork, stated: NumberTrust) -> NumberTrust:
    """The model's trust with every disputed and superseded number; for bulk work."""
    rows = unit.rows(_NUMBERS)
    return trust_with_statuses(((r.nhs_number, r.status, r.successor) for r in rows), stated)


def trust_with_statuses(
    statuses: Iterable[tuple[str, str, str | None]], stated: NumberTrust
) -> NumberTrust:
    """The model's trust with statuses in force: number, status and, if superseded, successor."""
    known = list(statuses)
    successors = {number: successor for number, _, successor in known if successor}
    return NumberTrust(
        statuses=stated.statuses,
        sources=stated.sources,
        disputed=frozenset(n for n, status, _ in known if status == NumberStatus.DISPUTED),
        superseded={number: _last(number, successors) for number in successors},
    )


def number_trust_for(unit: UnitOfWork, stated: NumberTrust, nhs_number: str) -> NumberTrust:
    """As `read_number_trust`, as far as it matters for one number."""
    number, is_disputed = nhs_number, False
    for _ in range(SUCCESSIONS_MAX):
        row = _SUCCESSOR.first(unit, nhs_number=number)
        if row is None or row[0] is None:
            is_disputed = row is not None
            break
        number = row[0]
    return NumberTrust(
        statuses=stated.statuses,
        sources=stated.sources,
        disputed=frozenset((number,)) if is_disputed else frozenset(),
        superseded={nhs_number: number} if number != nhs_number else {},
    )


def _decision(row: Any, sides: list[Any]) -> Decision:
    return Decision(
        number=row.number,
        kind=DecisionKind(row.kind),
        left=frozenset(side.record for side in sides if side.is_left),
        right=frozenset(side.record for side in sides if not side.is_left),
        disowned_numbers=frozenset(side.record for side in sides if side.is_number_disowned),
    )


def _last(number: str, successors: dict[str, str]) -> str:
    for _ in range(SUCCESSIONS_MAX):
        if number not in successors:
            break
        number = successors[number]
    return number


_IN_FORCE: Final = (
    sa.select(decision.c.number, decision.c.kind)
    .where(decision.c.retracted_at.is_(None))
    .order_by(decision.c.number)
)
_SIDES: Final = (
    sa.select(decision_record)
    .join(decision, decision.c.number == decision_record.c.decision)
    .where(decision.c.retracted_at.is_(None))
)
_NUMBERS: Final = sa.select(nhs_number_status).where(nhs_number_status.c.retracted_at.is_(None))
_SUCCESSOR: Final = PreparedQuery(
    sa.select(nhs_number_status.c.successor).where(
        nhs_number_status.c.retracted_at.is_(None),
        nhs_number_status.c.nhs_number == sa.bindparam("nhs_number"),
    )
)
