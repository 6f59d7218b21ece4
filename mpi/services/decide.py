"""A steward's word about two persons: the same, or different people.

A decision names records as the steward saw them and outranks every weight. It is data like any
other: the touched part of the graph is judged anew with it, and without it once it is retracted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mpi.clock import Clock
from mpi.domain.identifiers import PersonId, RecordKey
from mpi.domain.links import DecisionKind
from mpi.errors import DecisionViolated, InvalidInput, StaleVersion
from mpi.services.act import Act, carry_out
from mpi.services.cause import Cause
from mpi.services.decided import Decided, decided_as, locked_world, run_act
from mpi.services.disclosure import Recipient
from mpi.services.evidence import evidence_between, require_same_evidence
from mpi.services.linkage_index import LinkageIndex
from mpi.services.restate import record_keys
from mpi.services.review import AnsweredTask, answer_task, require_answerable
from mpi.services.sendable import require_plain
from mpi.services.world import World
from mpi.standardise.numbers import stated_nhs_number
from mpi.storage.decisions import add_decision
from mpi.storage.graph import survivors_of
from mpi.storage.links import list_links
from mpi.storage.locks import Locks, MustRetry
from mpi.storage.number_statuses import (
    StatedNumber,
    add_number_status,
    find_number_status,
    holders_of,
    is_successor_of,
)
from mpi.storage.persons import get_person
from mpi.storage.records import get_record
from mpi.storage.tables import NumberStatus, PersonState
from mpi.storage.unit_of_work import UnitOfWork
from mpi.storage.writer import Writer

Named = RecordKey | PersonId
"""A record, or a live person: then the records that it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a steward says about the records of two persons; each side names at least one."""

    kind: DecisionKind
    left: tuple[Named, ...]
    right: tuple[Named, ...]
    reason: str
    supersedes: Mapping[str, str] = field(default_factory=dict)
    """NHS number -> the number that takes its place, as they were typed. Only with *same*."""
    wrong_numbers: tuple[RecordKey, ...] = ()
    """Records of the two sides that carry a number which is not theirs. Only with *same*."""
    evidence_digest: str | None = None
    """Of what the steward saw; None if that is not to be checked."""
    task: AnsweredTask | None = None
    """The task that it answers."""
    is_split: bool = False
    """`left` is a person of whom `right` are some records: the others stay on the left."""


def decide(
    writer: Writer,
    index: LinkageIndex,
    proposal: Proposal,
    recipient: Recipient,
    *,
    clock: Clock,
    is_preview: bool = False,
) -> Decided:
    """Take a decision about two persons, or say what it would do.

    Args:
        writer: Of the store.
        index: The model in force.
        proposal: What is said.
        recipient: The steward.
        clock: Stamps what is written.
        is_preview: Undo everything and only tell what it would have been.

    Raises:
        UnknownRecord, UnknownPerson, UnknownTask: If what is named does not exist.
        InvalidInput: If the two sides overlap, or hold two trusted numbers and it is not said
            which of them is right; or a field breaks another rule.
        DecisionViolated: If a decision in force says the opposite.
        StaleVersion: If a person, the evidence or the task is not what the steward saw.
        TaskAlreadyDecided: If the task is closed, or somebody else works on it.
        Unavailable: If the store cannot be written now, or was linked with another release.
    """
    require_plain("reason", proposal.reason)
    reason = f"decided_{proposal.kind}"
    act = Act(index, recipient, clock, action="decide", reason=reason, is_explained=True)
    return run_act(
        writer, act, lambda unit, locks: _decide(unit, locks, act, proposal), is_preview=is_preview
    )


@dataclass(frozen=True, slots=True)
class _Sides:
    """Record numbers of what a proposal names, as they live on today."""

    left: frozenset[int]
    right: frozenset[int]
    wrong: frozenset[int]

    @property
    def all(self) -> set[int]:
        return {*self.left, *self.right}


def _decide(unit: UnitOfWork, locks: Locks, act: Act, proposal: Proposal) -> Decided:
    if proposal.task:
        require_answerable(unit, proposal.task, act.recipient.actor, at=act.clock.now())
    sides, successions = _sides(unit, proposal), _successions(proposal)
    locks.require_numbers({*successions, *successions.values()})
    world = locked_world(unit, locks, act, sides.all)
    if _sides(unit, proposal) != sides:
        raise MustRetry(locks.wanted)  # A person got or lost a record before we had the locks.
    evidence = evidence_between(world, act.index, sides.left, sides.right)
    require_same_evidence(proposal.evidence_digest, evidence)
    _refuse_contradiction(world, proposal.kind, sides)
    if proposal.kind is DecisionKind.SAME:
        _require_one_number(world, sides, successions)
    elif successions or sides.wrong:
        raise InvalidInput("supersedes, wrong_numbers: belong to a decision that two are the same")
    number = add_decision(
        unit,
        proposal.kind,
        reason=proposal.reason,
        author=act.recipient.actor,
        at=act.clock.now(),
        left=sides.left,
        right=sides.right,
        wrong_numbers=sides.wrong,
        evidence_digest=evidence.digest,
        seen=evidence.seen,
    )
    cause = act.cause(unit, decision=number)
    for old, new in successions.items():
        _state_succession(unit, old, new, cause)
    if proposal.task:
        answer_task(unit, proposal.task, cause)
    keys = record_keys(unit, holders_of(unit, successions))
    carried = carry_out(unit, locks, act, cause, keys, seeds=sides.all)
    return decided_as(unit, carried, number, evidence.digest)


def _sides(unit: UnitOfWork, proposal: Proposal) -> _Sides:
    left, right, wrong = (
        _numbers(unit, keys) for keys in (proposal.left, proposal.right, proposal.wrong_numbers)
    )
    if proposal.is_split:
        if not right <= left:
            raise InvalidInput("records: must all belong to the person")
        left -= right
    if not left or not right or left & right:
        raise InvalidInput("left, right: each must name a record, and none may be on both sides")
    if not wrong <= left | right:
        raise InvalidInput("wrong_numbers: must be records of the two sides")
    return _Sides(left, right, wrong)


def _numbers(unit: UnitOfWork, named: Iterable[Named]) -> frozenset[int]:
    numbers: set[int] = set()
    for each in named:
        if isinstance(each, RecordKey):
            numbers.add(get_record(unit, each).number)
        else:
            numbers |= _records_of(unit, each)
    return frozenset(survivors_of(unit, numbers).values())


def _records_of(unit: UnitOfWork, person_id: PersonId) -> set[int]:
    if get_person(unit, person_id).state is not PersonState.LIVE:
        raise StaleVersion("person_id: it is no longer in use; read it to learn who is meant now")
    return {stored.number for stored in list_links(unit, person_id)}


def _refuse_contradiction(world: World, kind: DecisionKind, sides: _Sides) -> None:
    """Raise DecisionViolated if decisions in force, taken together, say the opposite."""
    same = [d.left | d.right for d in world.decisions.values() if d.kind is DecisionKind.SAME]
    if kind is DecisionKind.DIFFERENT:
        if _united(sides.left, same) & sides.right:
            raise DecisionViolated("decision: another in force says that they are the same person")
        return
    together = _united(sides.left | sides.right, same)
    for other in world.decisions.values():
        is_apart = other.kind is DecisionKind.DIFFERENT
        if is_apart and other.left & together and other.right & together:
            raise DecisionViolated("decision: another in force says that they are two people")


def _united(records: frozenset[int], same: list[frozenset[int]]) -> frozenset[int]:
    """These records and all that decisions unite with them."""
    grown = records.union(*[together for together in same if together & records])
    return records if grown == records else _united(grown, same)


def _successions(proposal: Proposal) -> dict[str, str]:
    """Number -> successor, standardised. Raises InvalidInput if one is no NHS number."""
    found = {}
    for old, new in proposal.supersedes.items():
        number, successor = stated_nhs_number(old), stated_nhs_number(new)
        if number is None or successor is None or number == successor:
            raise InvalidInput("supersedes: must name two valid, different NHS numbers")
        found[number] = successor
    return found


def _require_one_number(world: World, sides: _Sides, successions: Mapping[str, str]) -> None:
    """Two trusted numbers can be one person's only if somebody says which of them is wrong."""
    disowned = {r for decision in world.decisions.values() for r in decision.disowned_numbers}
    left, right = (
        {
            successions.get(number, number)
            for record in side - sides.wrong - disowned
            if record in world.records
            and (number := world.records[record].comparison.trusted_nhs_number)
        }
        for side in (sides.left, sides.right)
    )
    if left and right and not left & right:
        raise InvalidInput(
            "supersedes, wrong_numbers: the two hold different trusted NHS numbers; say which "
            "supersedes the other, or which records carry a wrong one"
        )


def _state_succession(unit: UnitOfWork, old: str, new: str, cause: Cause) -> None:
    """Said again if it is in force already: then it stays when the other decision is retracted."""
    known = find_number_status(unit, old)
    if (known is not None and known.successor != new) or is_successor_of(unit, old, new):
        raise DecisionViolated("supersedes: something else is in force about one of the numbers")
    stated = StatedNumber(
        nhs_number=old, status=NumberStatus.SUPERSEDED, successor=new, decision=cause.decision
    )
    add_number_status(unit, stated, author=cause.actor, at=cause.at)
