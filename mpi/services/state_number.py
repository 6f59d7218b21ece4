"""A source or a steward says of an NHS number that it is disputed, or superseded by another.

Never inferred from other records. What is said changes what every record with the number says, so
all of them are restated; taking it back restates them again.
"""

from __future__ import annotations

from dataclasses import dataclass

from mpi.clock import Clock
from mpi.errors import Conflict, DecisionViolated, InvalidInput, NotFound
from mpi.services.act import Act, carry_out
from mpi.services.cause import Cause
from mpi.services.decided import Decided, decided_as, run_act
from mpi.services.disclosure import Recipient
from mpi.services.linkage_index import LinkageIndex
from mpi.services.restate import record_keys
from mpi.standardise.numbers import stated_nhs_number
from mpi.storage.locks import Locks
from mpi.storage.number_statuses import (
    StatedNumber,
    add_number_status,
    find_number_status,
    is_successor_of,
    list_holders_of_number,
    retract_number_status,
)
from mpi.storage.tables import NumberStatus
from mpi.storage.unit_of_work import UnitOfWork
from mpi.storage.writer import Writer

__all__ = ["NumberStatus"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberStatement:
    """What is said of a number; texts as they were sent."""

    nhs_number: str
    status: NumberStatus
    successor: str | None = None
    """The number that takes its place, if it is superseded."""

    def to_stated(self) -> StatedNumber:
        """What is kept, with numbers as ten digits.

        Raises:
            InvalidInput: If a number is none, or the status demands another; the sentence names
                which.
        """
        number, successor = checked_number(self.nhs_number, "nhs_number"), None
        if self.status is NumberStatus.SUPERSEDED:
            if self.successor is None:
                raise InvalidInput("successor: is missing; a superseded number has one")
            successor = checked_number(self.successor, "successor")
        elif self.successor is not None:
            raise InvalidInput("successor: belongs to a superseded number")
        if successor == number:
            raise InvalidInput("successor: must be another number")
        return StatedNumber(
            nhs_number=number, status=self.status, successor=successor, decision=None
        )


def state_number(
    writer: Writer,
    index: LinkageIndex,
    said: NumberStatement,
    recipient: Recipient,
    *,
    clock: Clock,
    is_preview: bool = False,
) -> Decided:
    """State that a number is disputed or superseded; saying the same again changes nothing.

    Args:
        writer: Of the store.
        index: The model in force.
        said: What is said.
        recipient: Who says it.
        clock: Stamps what is written.
        is_preview: Undo everything and only tell what it would have been.

    Returns:
        What it did to whom; its `decision` is 0, for it is none.

    Raises:
        InvalidInput: If it is malformed.
        DecisionViolated: If something else is in force about the number, or the successor leads
            back to it.
        Unavailable: If the store cannot be written now, or was linked with another release.
    """
    stated = said.to_stated()
    act = Act(
        index,
        recipient,
        clock,
        action="state_number",
        reason=f"number_{said.status}",
        is_explained=True,
    )
    return run_act(
        writer, act, lambda unit, locks: _state(unit, locks, act, stated), is_preview=is_preview
    )


def retract_number(
    writer: Writer,
    index: LinkageIndex,
    nhs_number: str,
    recipient: Recipient,
    *,
    clock: Clock,
    is_preview: bool = False,
) -> Decided:
    """Take back what is in force about a number (arguments as for `state_number`).

    Raises:
        InvalidInput: If it is no NHS number.
        NotFound: If nothing is in force about it.
        Conflict: If it is part of a decision, with which it is retracted.
        Unavailable: If the store cannot be written now, or was linked with another release.
    """
    number = checked_number(nhs_number, "nhs_number")
    act = Act(
        index,
        recipient,
        clock,
        action="retract_number",
        reason="number_retracted",
        is_explained=True,
    )
    return run_act(
        writer, act, lambda unit, locks: _retract(unit, locks, act, number), is_preview=is_preview
    )


def checked_number(text: str, field: str) -> str:
    """The ten digits of an NHS number; spaces and hyphens do not matter.

    Raises:
        InvalidInput: If it is none; the sentence names `field`.
    """
    number = stated_nhs_number(text)
    if number is None:
        raise InvalidInput(f"{field}: must be ten digits with a valid check digit")
    return number


def _state(unit: UnitOfWork, locks: Locks, act: Act, stated: StatedNumber) -> Decided:
    locks.require_numbers([stated.nhs_number])
    cause = act.cause(unit)
    known = find_number_status(unit, stated.nhs_number)
    if known and (known.status, known.successor) != (stated.status, stated.successor):
        raise DecisionViolated("nhs_number: something else is in force about it; retract that")
    if stated.successor and is_successor_of(unit, stated.nhs_number, stated.successor):
        raise DecisionViolated("successor: it is superseded by this number itself")
    if known is None or known.decision is not None:
        add_number_status(unit, stated, author=cause.actor, at=cause.at)
    return _restated(unit, locks, act, cause, stated.nhs_number)


def _retract(unit: UnitOfWork, locks: Locks, act: Act, number: str) -> Decided:
    locks.require_numbers([number])
    cause = act.cause(unit)
    known = find_number_status(unit, number)
    if known is None:
        raise NotFound("nhs_number: nothing is in force about it")
    if known.decision is not None:
        raise Conflict(f"nhs_number: it is part of decision {known.decision}; retract that")
    retract_number_status(unit, number, decision=None, at=cause.at)
    return _restated(unit, locks, act, cause, number)


def _restated(unit: UnitOfWork, locks: Locks, act: Act, cause: Cause, number: str) -> Decided:
    keys = record_keys(unit, list_holders_of_number(unit, number))
    return decided_as(unit, carry_out(unit, locks, act, cause, keys), 0, None)
