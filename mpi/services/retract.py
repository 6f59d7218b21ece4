"""Taking a decision back: groups, ids and golden records are what they would be without it."""

from __future__ import annotations

from mpi.clock import Clock
from mpi.domain.identifiers import RecordKey
from mpi.errors import Conflict
from mpi.services.act import Act, carry_out
from mpi.services.decided import Decided, decided_as, locked_world, run_act
from mpi.services.disclosure import Recipient
from mpi.services.linkage_index import LinkageIndex
from mpi.services.restate import record_keys
from mpi.services.sendable import require_plain
from mpi.storage.decisions import StoredDecision, get_decision, retract_decision
from mpi.storage.graph import survivors_of
from mpi.storage.locks import Locks
from mpi.storage.number_statuses import (
    holders_of,
    list_statuses_of_decision,
    retract_number_status,
)
from mpi.storage.unit_of_work import UnitOfWork
from mpi.storage.writer import Writer


def retract(
    writer: Writer,
    index: LinkageIndex,
    number: int,
    reason: str,
    recipient: Recipient,
    *,
    clock: Clock,
    is_preview: bool = False,
) -> Decided:
    """Take a decision back, or say what that would do.

    Args:
        writer: Of the store.
        index: The model in force.
        number: Of the decision.
        reason: Why it does not hold.
        recipient: The steward.
        clock: Stamps what is written.
        is_preview: Undo everything and only tell what it would have been.

    Raises:
        UnknownDecision: If there is none of this number.
        InvalidInput: If the reason is no text that can be kept.
        Conflict: If it was retracted before.
        Unavailable: If the store cannot be written now, or was linked with another release.
    """
    require_plain("reason", reason)
    act = Act(index, recipient, clock, action="retract", reason="retracted", is_explained=True)
    return run_act(
        writer,
        act,
        lambda unit, locks: _retract(unit, locks, act, number, reason),
        is_preview=is_preview,
    )


def _retract(unit: UnitOfWork, locks: Locks, act: Act, number: int, reason: str) -> Decided:
    known = get_decision(unit, number)
    sides = _sides(unit, known)
    locked_world(unit, locks, act, sides)
    if get_decision(unit, number).retracted_at is not None:
        raise Conflict("decision: it was retracted before")
    cause = act.cause(unit, decision=number)
    retract_decision(unit, number, author=cause.actor, reason=reason, at=cause.at)
    stated = [each.nhs_number for each in list_statuses_of_decision(unit, number)]
    keys = record_keys(unit, holders_of(unit, stated)) | _judged_record(unit, known)
    for nhs_number in stated:
        retract_number_status(unit, nhs_number, decision=number, at=cause.at)
    carried = carry_out(unit, locks, act, cause, keys, seeds=sides)
    return decided_as(unit, carried, number, known.evidence_digest)


def _sides(unit: UnitOfWork, known: StoredDecision) -> set[int]:
    return set(survivors_of(unit, known.left | known.right).values())


def _judged_record(unit: UnitOfWork, known: StoredDecision) -> dict[int, RecordKey]:
    """The record whose version a verdict was about."""
    if known.record is None:
        return {}
    return record_keys(unit, set(survivors_of(unit, [known.record]).values()))
