"""How stewards share the work list: a task is claimed for a while, and decided once.

A claim is a lease: it ends by itself, so that nobody's lunch blocks a question. Every change of a
task raises its revision, and an answer names the revision that the steward saw, so a late one is
refused with what changed and overwrites nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mpi.domain.events import EventType
from mpi.domain.tasks import TaskState
from mpi.errors import InvalidInput, StaleVersion, TaskAlreadyDecided
from mpi.services.cause import Cause, identity_event
from mpi.storage.outbox import add_events
from mpi.storage.tasks import StoredTask, assign_task, decide_task, get_task
from mpi.storage.unit_of_work import UnitOfWork

LEASE: Final = timedelta(minutes=15)
"""How long a claim holds; claiming again prolongs it."""
PARKED_MAX: Final = timedelta(days=366)
"""How long a task may be put aside: a year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredTask:
    """The task that a steward answers, as it was shown."""

    number: int
    revision: int


def claim_task(unit: UnitOfWork, number: int, steward: str, *, at: datetime) -> StoredTask:
    """Work on an open task for `LEASE`; one's own claim is prolonged. The task as it stands then.

    Raises:
        UnknownTask: If there is none of this number.
        TaskAlreadyDecided: If it is closed, or somebody else's claim still holds.
        StaleVersion: If somebody changed it at this moment.
    """
    task = _open_task(unit, number)
    _refuse_others_claim(task, steward, at)
    assign_task(unit, task, TaskState.CLAIMED, claimed_by=steward, lease_until=at + LEASE)
    return get_task(unit, number)


def release_task(unit: UnitOfWork, number: int, steward: str, *, at: datetime) -> StoredTask:
    """Give a claimed or parked task back to the list. The task as it stands then.

    Raises:
        UnknownTask, TaskAlreadyDecided, StaleVersion: See `claim_task`.
    """
    task = _open_task(unit, number)
    _refuse_others_claim(task, steward, at)
    assign_task(unit, task, TaskState.OPEN)
    return get_task(unit, number)


def park_task(
    unit: UnitOfWork, number: int, steward: str, *, until: datetime, at: datetime
) -> StoredTask:
    """Put an open task aside until an instant. The task as it stands then.

    Raises:
        InvalidInput: If the instant is past, or more than a year ahead.
        UnknownTask, TaskAlreadyDecided, StaleVersion: See `claim_task`.
    """
    if not at < until <= at + PARKED_MAX:
        raise InvalidInput("until: must lie ahead, by a year at most")
    task = _open_task(unit, number)
    _refuse_others_claim(task, steward, at)
    assign_task(unit, task, TaskState.PARKED, claimed_by=steward, parked_until=until)
    return get_task(unit, number)


def note_task(unit: UnitOfWork, answered: AnsweredTask, cause: Cause) -> StoredTask:
    """Close a task without a decision: seen, and nothing is to be done about these records.

    Raises:
        UnknownTask, TaskAlreadyDecided, StaleVersion: See `require_answerable`.
    """
    answer_task(unit, answered, cause)
    return get_task(unit, answered.number)


def state_at(task: StoredTask, at: datetime) -> TaskState:
    """A task's state at an instant: open again once a claim has run out or a parking is over."""
    is_over = (task.state is TaskState.CLAIMED and (task.lease_until or at) <= at) or (
        task.state is TaskState.PARKED and (task.parked_until or at) <= at
    )
    return TaskState.OPEN if is_over else task.state


def require_answerable(
    unit: UnitOfWork, answered: AnsweredTask, steward: str, *, at: datetime
) -> StoredTask:
    """The task, if it is still as the steward saw it.

    Raises:
        UnknownTask: If there is none of this number.
        TaskAlreadyDecided: If it is closed, or somebody else's claim holds.
        StaleVersion: If it asks about something else by now.
    """
    task = _open_task(unit, answered.number)
    _refuse_others_claim(task, steward, at)
    if task.revision != answered.revision:
        raise StaleVersion(
            "revision: since the task was shown its records or its evidence changed, or somebody "
            f"claimed, released or parked it; it has revision {task.revision} now"
        )
    return task


def answer_task(unit: UnitOfWork, answered: AnsweredTask, cause: Cause) -> None:
    """Close a task with the decision of this cause, or without one.

    Raises:
        UnknownTask, TaskAlreadyDecided, StaleVersion: See `require_answerable`.
    """
    task = require_answerable(unit, answered, cause.actor, at=cause.at)
    decide_task(unit, task, by=cause.actor, at=cause.at, decision=cause.decision)
    event = identity_event(
        cause, EventType.TASK_CLOSED, None, record=min(task.left), task=task.number
    )
    add_events(unit, [event])


def _open_task(unit: UnitOfWork, number: int) -> StoredTask:
    task = get_task(unit, number)
    if task.closed_at is not None:
        words = "was withdrawn: new evidence settled it"
        if task.state is TaskState.DECIDED:
            words = "was decided"
            if task.decision is not None:
                words += f", by decision {task.decision}"
        raise TaskAlreadyDecided(f"task: it {words}")
    return task


def _refuse_others_claim(task: StoredTask, steward: str, at: datetime) -> None:
    if state_at(task, at) is TaskState.CLAIMED and task.claimed_by != steward:
        raise TaskAlreadyDecided("task: somebody else is working on it")
