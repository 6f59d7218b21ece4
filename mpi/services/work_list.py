"""What stewards look at: the list of tasks, and one task with all there is to see."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from mpi.domain.identifiers import PersonId, RecordKey
from mpi.domain.links import VetoReason
from mpi.domain.records import demographics_to_dict
from mpi.domain.tasks import TaskState, TaskType
from mpi.limits import PAGE_ITEMS_MAX
from mpi.services.answers import PairExplanation, Seen, seen_records
from mpi.services.evidence import evidence_between
from mpi.services.explanation import explain_records
from mpi.services.linkage_index import LinkageIndex
from mpi.services.review import (
    state_at,
)
from mpi.services.world import World, read_world
from mpi.storage.graph import list_family, survivors_of
from mpi.storage.records import list_live_contents, list_records
from mpi.storage.tables import VersionState
from mpi.storage.tasks import (
    StoredTask,
    TaskFilter,
    count_open_tasks,
    get_task,
    list_open_tasks,
)
from mpi.storage.unit_of_work import UnitOfWork
from mpi.storage.versions import list_versions_of

__all__ = ["TaskFilter"]

SIDE_RECORDS_MAX: Final = PAGE_ITEMS_MAX
"""Records of one side that are shown; `records_count` says how many there are."""


class TaskReply(StrEnum):
    """What a steward can say to a task."""

    SAME = "same"
    DIFFERENT = "different"
    CORRECTION = "correction"
    ANOTHER_HUMAN = "another_human"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTask:
    """A task as the work list shows it; ids only. Instants in UTC.

    `priority` is 0 (can wait) to 99, `match_weight_bits` that of the heaviest edge that asks.
    """

    task: int
    type: TaskType
    state: TaskState
    priority: int
    match_weight_bits: float
    reason: str
    revision: int
    opened_at: datetime
    claimed_by: str | None
    lease_until: datetime | None
    parked_until: datetime | None
    records_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """Part of the work list."""

    tasks: tuple[ListedTask, ...]
    next_after: tuple[int, int] | None
    """Priority and number of the last one, if there are more."""
    open_counts: Mapping[TaskType, int]
    """All that are not closed, by type."""
    person_ids: tuple[PersonId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SideRecord:
    """A record of one side, as it lives on today; `content` is empty unless it is live."""

    record: RecordKey
    state: str
    person_id: PersonId | None
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """A version that contradicts what its record said before."""

    version: str
    """Digest."""
    event_at: datetime
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAnswer:
    """A task with all there is to see."""

    listed: ListedTask
    closed_at: datetime | None
    decision: int | None
    """Number of the decision that it led to; None if it is open, noted or withdrawn."""
    left: tuple[SideRecord, ...]
    """In order of registration, at most `SIDE_RECORDS_MAX`; so is `right`."""
    right: tuple[SideRecord, ...]
    held: tuple[HeldBack, ...]
    """Of an overlay."""
    evidence_digest: str | None
    """Goes back with the answer; None where two sides are not what is asked about."""
    veto: VetoReason | None
    """Between the two sides."""
    explanation: PairExplanation | None
    """Of the heaviest edge between the sides."""
    replies: tuple[TaskReply, ...]
    """What can be said to it; any open task can be noted."""

    @property
    def seen(self) -> Seen:
        """The keys of both sides' records, under their persons."""
        return seen_records((each.person_id, each.record) for each in (*self.left, *self.right))

    @property
    def person_ids(self) -> tuple[PersonId | None, ...]:
        """Whose the records of both sides are; None for one that is not live."""
        return tuple(each.person_id for each in (*self.left, *self.right))


def list_tasks(
    unit: UnitOfWork,
    _index: LinkageIndex,
    wanted: TaskFilter,
    after: tuple[int, int] | None,
    limit: int,
    at: datetime,
) -> TaskPage:
    """The tasks that are not closed, most urgent first, then oldest first.

    Args:
        unit: Where to look.
        _index: The model in force.
        wanted: Narrows the list.
        after: `next_after` of the page before; None for the first page.
        limit: At most `PAGE_ITEMS_MAX`.
        at: The present instant: claims that have run out count as open.
    """
    most = min(limit, PAGE_ITEMS_MAX)
    narrowed = replace(wanted, at=at)
    found = list_open_tasks(unit, after=after, limit=most + 1, wanted=narrowed)
    shown = found[:most]
    return TaskPage(
        tasks=tuple(_listed(task, at) for task in shown),
        next_after=(shown[-1].priority, shown[-1].number) if len(found) > most else None,
        open_counts=count_open_tasks(unit),
    )


def read_task(unit: UnitOfWork, index: LinkageIndex, number: int, at: datetime) -> TaskAnswer:
    """One task, open or closed, with both sides and the evidence between them.

    Args:
        unit: Where to look.
        index: The model in force.
        number: Of the task.
        at: The present instant: a claim that has run out counts as open.

    Raises:
        UnknownTask: If there is none of this number.
    """
    task = get_task(unit, number)
    left, right = (set(survivors_of(unit, side).values()) for side in (task.left, task.right))
    is_pair = bool(left and right)
    world = read_world(unit, index, left | right) if is_pair else World()
    evidence = evidence_between(world, index, left, right)
    return TaskAnswer(
        listed=_listed(task, at),
        closed_at=task.closed_at,
        decision=task.decision,
        left=_side(unit, left),
        right=_side(unit, right),
        held=_held(unit, left) if task.type is TaskType.OVERLAY else (),
        evidence_digest=evidence.digest if is_pair else None,
        veto=evidence.seen.veto,
        explanation=_explained(unit, index, world, left, right),
        replies=replies_to(task),
    )


def _listed(task: StoredTask, at: datetime) -> ListedTask:
    state = state_at(task, at)
    is_taken = state in (TaskState.CLAIMED, TaskState.PARKED)
    return ListedTask(
        task=task.number,
        type=task.type,
        state=state,
        priority=task.priority,
        match_weight_bits=task.match_weight_bits,
        reason=task.reason,
        revision=task.revision,
        opened_at=task.opened_at,
        claimed_by=task.claimed_by if is_taken or task.closed_at else None,
        lease_until=task.lease_until if is_taken else None,
        parked_until=task.parked_until if is_taken else None,
        records_count=len(task.records),
    )


def replies_to(task: StoredTask) -> tuple[TaskReply, ...]:
    """What can be said to a task; nothing where it does not ask about two sides."""
    if task.type is TaskType.OVERLAY:
        return (TaskReply.CORRECTION, TaskReply.ANOTHER_HUMAN)
    if task.left and task.right:
        return (TaskReply.SAME, TaskReply.DIFFERENT)
    return ()


def _side(unit: UnitOfWork, records: Collection[int]) -> tuple[SideRecord, ...]:
    shown = list_records(unit, sorted(records)[:SIDE_RECORDS_MAX])
    contents = list_live_contents(unit, [each.number for each in shown if each.person_id])
    return tuple(
        SideRecord(
            record=each.key,
            state=each.state,
            person_id=each.person_id,
            content=contents.get(each.number, {}),
        )
        for each in shown
    )


def _held(unit: UnitOfWork, records: Collection[int]) -> tuple[HeldBack, ...]:
    (record,) = list_records(unit, records)
    family = [record.number, *list_family(unit, [record.number])]
    return tuple(
        HeldBack(
            version=each.version.digest,
            event_at=each.version.event_at,
            content=demographics_to_dict(each.version.demographics),
        )
        for each in list_versions_of(unit, record.key, family)
        if each.state is VersionState.HELD
    )


def _explained(
    unit: UnitOfWork,
    index: LinkageIndex,
    world: World,
    left: Collection[int],
    right: Collection[int],
) -> PairExplanation | None:
    """The heaviest edge between the sides; of equals the one whose records came first."""
    between = world.edges_between(left, right)
    if not between:
        return None
    heaviest = max(between, key=lambda edge: edge.match_weight_bits)
    ends = sorted((heaviest.left, heaviest.right), key=lambda end: end not in left)
    return explain_records(unit, index, *(world.records[end].key for end in ends))
