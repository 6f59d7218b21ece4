"""What sources and stewards stated about NHS numbers: disputed, or superseded by another."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from mpi.domain.identifiers import NumberTrust
from mpi.storage.prepared import PreparedQuery, PreparedWrite, insert_into
from mpi.storage.tables import NumberStatus, nhs_number_status, source_record
from mpi.storage.unit_of_work import UnitOfWork

SUCCESSIONS_MAX: Final = 20
"""Numbers in a chain of successors; a longer one is a circle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedNumber:
    """What is in force about a number; numbers are ten digits."""

    nhs_number: str
    status: NumberStatus
    successor: str | None
    """The number that takes its place; None unless superseded."""
    decision: int | None
    """The decision that it is part of, and is retracted with; None if it was stated on its own."""


def find_number_status(unit: UnitOfWork, nhs_number: str) -> StatedNumber | None:
    """What is in force about this number, None if nothing: several may say it, but all the same.

    What was stated on its own comes before what is part of a decision.
    """
    row = _FIND.first(unit, nhs_number=nhs_number)
    return _stated(*row) if row else None


def list_statuses_of_decision(unit: UnitOfWork, decision: int) -> list[StatedNumber]:
    """What a decision stated about numbers and is still in force; perhaps nothing."""
    return [_stated(*row) for row in _OF_DECISION.rows(unit, decision=decision)]


def add_number_status(unit: UnitOfWork, stated: StatedNumber, *, author: str, at: datetime) -> None:
    """State something about a number of which nothing else is in force.

    Raises:
        Conflict: If the same decision states something about it; told when the unit ends.
    """
    _ADD.run(
        unit,
        nhs_number=stated.nhs_number,
        status=str(stated.status),
        successor=stated.successor,
        author=author,
        recorded_at=at,
        decision=stated.decision,
    )


def retract_number_status(
    unit: UnitOfWork, nhs_number: str, *, decision: int | None, at: datetime
) -> None:
    """What a decision, or None on its own, said of a number is in force no longer."""
    _RETRACT.run(unit, its_nhs_number=nhs_number, its_decision=decision, retracted_at=at)


def list_holders_of_number(unit: UnitOfWork, nhs_number: str) -> list[int]:
    """The live records that a status of this number concerns, by number.

    Those that state it, and those that state a number which it supersedes, at whatever remove up to
    `SUCCESSIONS_MAX`.
    """
    numbers, level = {nhs_number}, {nhs_number}
    for _ in range(SUCCESSIONS_MAX):
        earlier = {number for (number,) in _PREDECESSORS.rows(unit, sorted(level))}
        level = earlier - numbers
        if not level:
            break
        numbers |= level
    return sorted({record for (record,) in _HOLDERS.rows(unit, sorted(numbers))})


def is_successor_of(unit: UnitOfWork, nhs_number: str, other: str) -> bool:
    """Whether the chain of successors of `other` leads to this number; both are ten digits."""
    current: str | None = other
    for _ in range(SUCCESSIONS_MAX):
        stated = find_number_status(unit, current) if current else None
        current = stated.successor if stated else None
        if current is None or current == nhs_number:
            break
    return current == nhs_number


def holders_of(unit: UnitOfWork, numbers: Collection[str]) -> list[int]:
    """`list_holders_of_number` of several numbers: record numbers in order, each once."""
    return sorted({r for number in numbers for r in list_holders_of_number(unit, number)})


def trust_with_statuses(
    statuses: Iterable[tuple[str, str, str | None]], stated: NumberTrust
) -> NumberTrust:
    """The model's trust with statuses in force.

    Args:
        statuses: Number, status and, if superseded, successor, of each; in any order.
        stated: The model's own trust, without any number.
    """
    known = list(statuses)
    successors = {number: successor for number, _, successor in known if successor}
    return NumberTrust(
        statuses=stated.statuses,
        sources=stated.sources,
        disputed=frozenset(n for n, status, _ in known if status == NumberStatus.DISPUTED),
        superseded={number: _last(number, successors) for number in successors},
    )


def number_trust_for(unit: UnitOfWork, stated: NumberTrust, nhs_number: str) -> NumberTrust:
    """As `trust_with_statuses`, with those in force that matter for one number of ten digits."""
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


def _last(number: str, successors: dict[str, str]) -> str:
    for _ in range(SUCCESSIONS_MAX):
        if number not in successors:
            break
        number = successors[number]
    return number


def _stated(
    nhs_number: str, status: str, successor: str | None, decision: int | None
) -> StatedNumber:
    return StatedNumber(
        nhs_number=nhs_number,
        status=NumberStatus(status),
        successor=successor,
        decision=decision,
    )


_IN_FORCE: Final = sa.select(
    nhs_number_status.c.nhs_number,
    nhs_number_status.c.status,
    nhs_number_status.c.successor,
    nhs_number_status.c.decision,
).where(nhs_number_status.c.retracted_at.is_(None))
_FIND: Final = PreparedQuery(
    _IN_FORCE.where(nhs_number_status.c.nhs_number == sa.bindparam("nhs_number"))
    .order_by(nhs_number_status.c.decision.is_not(None), nhs_number_status.c.number)
    .limit(1)
)
_OF_DECISION: Final = PreparedQuery(
    _IN_FORCE.where(nhs_number_status.c.decision == sa.bindparam("decision"))
)
_PREDECESSORS: Final = PreparedQuery(
    sa.select(nhs_number_status.c.nhs_number).where(
        nhs_number_status.c.successor.in_(sa.bindparam("numbers", expanding=True)),
        nhs_number_status.c.retracted_at.is_(None),
    ),
    list_name="numbers",
)
_listed: Final[sa.BindParameter[str]] = sa.bindparam("numbers", expanding=True)
_HOLDERS: Final = PreparedQuery(
    sa.union(
        sa.select(source_record.c.number).where(source_record.c.nhs_number.in_(_listed)),
        sa.select(source_record.c.number).where(source_record.c.withheld_nhs_number.in_(_listed)),
    ),
    list_name="numbers",
)
_ADD: Final = insert_into(
    nhs_number_status, "nhs_number", "status", "successor", "author", "recorded_at", "decision"
)
_RETRACT: Final = PreparedWrite(
    sa.update(nhs_number_status)
    .values(retracted_at=sa.bindparam("retracted_at", type_=nhs_number_status.c.retracted_at.type))
    .where(
        nhs_number_status.c.nhs_number == sa.bindparam("its_nhs_number"),
        nhs_number_status.c.decision.is_not_distinct_from(
            sa.bindparam("its_decision", type_=nhs_number_status.c.decision.type)
        ),
        nhs_number_status.c.retracted_at.is_(None),
    )
)
_SUCCESSOR: Final = PreparedQuery(
    sa.select(nhs_number_status.c.successor).where(
        nhs_number_status.c.retracted_at.is_(None),
        nhs_number_status.c.nhs_number == sa.bindparam("nhs_number"),
    )
)
