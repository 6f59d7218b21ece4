"""Questions that a change raises or settles: tasks are opened, changed and withdrawn with it.

A task is a question about two groups. Groups gain and lose records while a steward looks at them;
then the task changes instead of being withdrawn and asked again, and its revision tells a late
answer from a timely one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mpi.domain.events import EventType
from mpi.domain.identifiers import PersonId
from mpi.domain.tasks import TaskQuestion, TaskType, question_digest
from mpi.linkage.overlay import HeldVersion
from mpi.services.cause import Cause, identity_event
from mpi.storage.graph import list_standing, survivors_of
from mpi.storage.outbox import OutboxEvent
from mpi.storage.tasks import (
    StoredTask,
    change_task,
    list_noted_questions,
    list_tasks,
    open_task,
    withdraw_task,
)
from mpi.storage.unit_of_work import UnitOfWork


class AskedTask(Protocol):
    """A task as far as it is compared with a question."""

    @property
    def type(self) -> TaskType:
        """What is asked."""
        ...

    @property
    def left(self) -> frozenset[int]:
        """Record numbers of the one side."""
        ...

    @property
    def right(self) -> frozenset[int]:
        """Those of the other; empty where there is but one."""
        ...


OF_HISTORY = frozenset({TaskType.OVERLAY, TaskType.UNEXPLAINED_SPLIT})
"""Types that do not follow from the graph, so that a look at the graph cannot settle them."""


@dataclass(slots=True)
class TaskChanges:
    """Numbers of tasks -> number of a record that each is about."""

    opened: dict[int, int] = field(default_factory=dict)
    changed: dict[int, int] = field(default_factory=dict)
    withdrawn: dict[int, int] = field(default_factory=dict)

    def events(self, person_of: Mapping[int, PersonId], cause: Cause) -> list[OutboxEvent]:
        """What the change feed says of them; that a task has changed is not told.

        Args:
            person_of: Record -> its person now.
            cause: Stamped on the events.
        """
        told = (
            (EventType.TASK_OPENED, self.opened),
            (EventType.TASK_WITHDRAWN, self.withdrawn),
        )
        return [
            identity_event(cause, type_, person_of.get(record), record=record, task=task)
            for type_, tasks in told
            for task, record in tasks.items()
        ]


def put_questions(
    unit: UnitOfWork,
    questions: Sequence[TaskQuestion],
    records: Collection[int],
    held: Mapping[int, Sequence[HeldVersion]],
    open_tasks: Collection[int],
    *,
    cause: Cause,
) -> TaskChanges:
    """Make the open tasks about these records those that are asked now.

    Args:
        unit: Where links are as they shall be.
        questions: Everything that is to be asked about the records, splits among it.
        records: What was judged anew, by number; tasks about others stay.
        held: The versions held back of those records that were restated.
        open_tasks: Numbers of the open tasks about these records; about others do no harm.
        cause: Stamped on what is opened and withdrawn.

    Returns:
        The tasks that were opened, changed and withdrawn; those that stay as they are in none.
    """
    found = TaskChanges()
    judged = {*records, *held}
    known = [task for task in list_tasks(unit, open_tasks) if not judged.isdisjoint(task.records)]
    overlays = [q for record, versions in held.items() for q in overlay_questions(record, versions)]
    asked = {question_digest(question): question for question in (*questions, *overlays)}
    still = {task.question_digest: task for task in known if task.question_digest in asked}
    settled = [
        task
        for task in known
        if task.question_digest not in asked and _is_settled(unit, task, held)
    ]
    for digest, task in still.items():
        _refresh(unit, task, asked[digest], found)
    new = {digest: q for digest, q in asked.items() if digest not in still}
    noted = list_noted_questions(unit, [d for d, q in new.items() if can_be_noted(q)])
    for digest in sorted(new.keys() - noted):
        _ask(unit, new[digest], settled, found, cause)
    for task in settled:
        withdraw(unit, task, found, cause)
    return found


def overlay_questions(record: int, held: Sequence[HeldVersion]) -> list[TaskQuestion]:
    """One question for a record that has versions held back; none for one that has not."""
    if not held:
        return []
    return [
        TaskQuestion(
            type=TaskType.OVERLAY,
            left=frozenset({record}),
            right=frozenset(),
            match_weight_bits=0.0,
            reason=min(str(each.reason) for each in held),
            versions=frozenset(each.version.digest for each in held),
        )
    ]


def can_be_noted(question: TaskQuestion) -> bool:
    """Whether asking it again is needless once a steward took note: a split happens anew."""
    return question.type is not TaskType.UNEXPLAINED_SPLIT


def withdraw(unit: UnitOfWork, task: StoredTask, found: TaskChanges, cause: Cause) -> None:
    """Close a task that has settled itself, and note that in `found`."""
    withdraw_task(unit, task.number, at=cause.at)
    found.withdrawn[task.number] = _subject(task.left)


def _ask(
    unit: UnitOfWork,
    question: TaskQuestion,
    settled: list[StoredTask],
    found: TaskChanges,
    cause: Cause,
) -> None:
    """Ask anew, or change the task that asked about the same two sides before."""
    earlier = next((task for task in settled if asks_the_same(task, question)), None)
    if earlier is None:
        found.opened[open_task(unit, question, at=cause.at)] = _subject(question.left)
    else:
        settled.remove(earlier)
        change_task(unit, earlier, question)
        found.changed[earlier.number] = _subject(question.left)


def _refresh(
    unit: UnitOfWork, task: StoredTask, question: TaskQuestion, found: TaskChanges
) -> None:
    """Tell what is asked for another reason, or with another weight, than it was."""
    told = (task.reason, task.match_weight_bits)
    if told != (question.reason, question.match_weight_bits):
        change_task(unit, task, question)
        found.changed[task.number] = _subject(question.left)


def asks_the_same(task: AskedTask, question: TaskQuestion) -> bool:
    """Whether both sides still have a record of what was asked, whichever is left."""
    if (task.type in OF_HISTORY or question.type in OF_HISTORY) and task.type != question.type:
        return False
    if not task.right or not question.right:
        return not task.right and not question.right and bool(task.left & question.left)
    straight = task.left & question.left and task.right & question.right
    crossed = task.left & question.right and task.right & question.left
    return bool(straight or crossed)


def _is_settled(
    unit: UnitOfWork, task: StoredTask, held: Mapping[int, Sequence[HeldVersion]]
) -> bool:
    """Whether a task that is not asked any more has its answer.

    That of an overlay has it if its record was restated; that of a split, if what parted is one
    person again or one side of it is no more.
    """
    if task.type is TaskType.OVERLAY:
        return not task.left.isdisjoint(held)
    if task.type is not TaskType.UNEXPLAINED_SPLIT:
        return True
    left, right = (_persons_of(unit, side) for side in (task.left, task.right))
    return not left or not right or (left == right and len(left) == 1)


def _persons_of(unit: UnitOfWork, records: Iterable[int]) -> set[PersonId]:
    living = set(survivors_of(unit, list(records)).values())
    standing = list_standing(unit, living).values()
    return {each.person_id for each in standing if each.person_id is not None}


def _subject(records: Iterable[int]) -> int:
    return min(records)
