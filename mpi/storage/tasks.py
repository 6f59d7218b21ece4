"""Tasks as stored: what is open, about which records, and who works on it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from mpi.domain.tasks import TaskQuestion, TaskState, TaskType, priority, question_digest
from mpi.errors import StaleVersion, UnknownTask
from mpi.limits import PAGE_ITEMS_MAX
from mpi.storage.prepared import (
    PreparedQuery,
    PreparedWrite,
    Row,
    delete_from,
    insert_into,
    insert_numbered,
)
from mpi.storage.tables import source_record, task, task_record
from mpi.storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTask:
    """A question for a steward, as it stands; weights in bits, instants in UTC."""

    number: int
    type: TaskType
    state: TaskState
    priority: int
    """0 (can wait) to 99 (see `mpi.domain.tasks.priority`)."""
    match_weight_bits: float
    reason: str
    question_digest: str
    revision: int
    """Goes up with every change, so that a late answer can be told from a timely one."""
    opened_at: datetime
    closed_at: datetime | None
    claimed_by: str | None
    lease_until: datetime | None
    parked_until: datetime | None
    decision: int | None
    """What it led to."""
    left: frozenset[int]
    """Record numbers of the one side."""
    right: frozenset[int]

    @property
    def records(self) -> frozenset[int]:
        """The record numbers of both sides."""
        return self.left | self.right


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which open tasks a steward wants to see; None does not narrow."""

    type: TaskType | None = None
    state: TaskState | None = None
    claimed_by: str | None = None
    at: datetime | None = None
    """The present instant; `state` and `claimed_by` ask for it, because claims run out."""
    source: str | None = None
    """Tasks that ask about a record of this source system."""


def get_task(unit: UnitOfWork, number: int) -> StoredTask:
    """The task of this number. Raises UnknownTask."""
    found = _with_sides(unit, _BY_NUMBER.rows(unit, number=number))
    if not found:
        raise UnknownTask("task: there is none of this number")
    return found[0]


def list_open_tasks(
    unit: UnitOfWork,
    *,
    after: tuple[int, int] | None = None,
    limit: int = PAGE_ITEMS_MAX,
    wanted: TaskFilter = TaskFilter(),
) -> list[StoredTask]:
    """The work list: most urgent first, then oldest first.

    Args:
        unit: Where to look.
        after: Priority and number of the last task of the page before; None for the first page.
        limit: Tasks to give at most.
        wanted: Narrows the list; with `state` or `claimed_by` it needs `at`, else AssertionError.
    """
    query = _OPEN
    if after is not None:
        urgency, number = after
        is_later = sa.and_(task.c.priority == urgency, task.c.number > number)
        query = query.where(sa.or_(task.c.priority < urgency, is_later))
    for condition in _conditions(wanted):
        query = query.where(condition)
    # The shape differs from call to call, so nothing is prepared.
    return _with_sides(unit, [tuple(row) for row in unit.rows(query.limit(limit))])


def list_tasks(unit: UnitOfWork, numbers: Collection[int]) -> list[StoredTask]:
    """The tasks of these numbers, the most urgent and then the oldest first."""
    listed = sorted(numbers)
    parts = (listed[at : at + PAGE_ITEMS_MAX] for at in range(0, len(listed), PAGE_ITEMS_MAX))
    return [each for part in parts for each in _with_sides(unit, _BY_NUMBERS.rows(unit, part))]


def list_noted_questions(unit: UnitOfWork, digests: Collection[str]) -> set[str]:
    """Those of these question digests that a steward took note of without a decision."""
    return {digest for (digest,) in _NOTED.rows(unit, sorted(digests))}


def count_open_tasks(unit: UnitOfWork) -> dict[TaskType, int]:
    """Tasks that are not closed, by type; types without any are left out."""
    return {TaskType(row.type): row.tasks_count for row in unit.rows(_COUNTS)}


def open_task(unit: UnitOfWork, question: TaskQuestion, *, at: datetime) -> int:
    """Ask a question that is not open yet; gives the task's number.

    Raises:
        Conflict: If it is open; told when the unit ends.
    """
    number: int = _ADD.returned(
        unit, **_asked(question), state=str(TaskState.OPEN), revision=1, opened_at=at
    )
    _ADD_SIDE.run_many(unit, _side_rows(number, question))
    return number


def change_task(unit: UnitOfWork, known: StoredTask, question: TaskQuestion) -> None:
    """The same question about other records, or with other evidence: who works on it keeps it.

    It must be open; its revision goes up.
    """
    _CHANGE.run(unit, its_number=known.number, **_asked(question))
    _DROP_SIDES.run(unit, task=known.number)
    _ADD_SIDE.run_many(unit, _side_rows(known.number, question))


def withdraw_task(unit: UnitOfWork, number: int, *, at: datetime) -> None:
    """It has settled itself, whoever is working on it."""
    _WITHDRAW.run(unit, its_number=number, state=str(TaskState.WITHDRAWN), closed_at=at)


def decide_task(
    unit: UnitOfWork, known: StoredTask, *, by: str, at: datetime, decision: int | None
) -> None:
    """It is decided. Raises StaleVersion if it has changed since it was read."""
    _guarded(
        _DECIDE,
        unit,
        known,
        state=str(TaskState.DECIDED),
        closed_at=at,
        decision=decision,
        claimed_by=by,
    )


def assign_task(
    unit: UnitOfWork,
    known: StoredTask,
    state: TaskState,
    *,
    claimed_by: str | None = None,
    lease_until: datetime | None = None,
    parked_until: datetime | None = None,
) -> None:
    """Who works on an open task, and until when. Raises StaleVersion (see `decide_task`)."""
    _guarded(
        _ASSIGN,
        unit,
        known,
        state=str(state),
        claimed_by=claimed_by,
        lease_until=lease_until,
        parked_until=parked_until,
    )


def _guarded(write: PreparedWrite, unit: UnitOfWork, known: StoredTask, **values: Any) -> None:
    if not write.changes(unit, its_number=known.number, its_revision=known.revision, **values):
        raise StaleVersion("task: somebody has changed it at this moment; read it again")


def _change(*columns: str, is_guarded: bool = False) -> PreparedWrite:
    """Set columns of an open task and raise its revision, which may have to be a given one."""
    values = {name: sa.bindparam(name, type_=task.c[name].type) for name in columns}
    change = (
        sa.update(task)
        .values(**values, revision=task.c.revision + 1)
        .where(task.c.number == sa.bindparam("its_number"), task.c.closed_at.is_(None))
    )
    if is_guarded:
        change = change.where(task.c.revision == sa.bindparam("its_revision"))
        change = change.returning(task.c.number)
    return PreparedWrite(change)


def _asked(question: TaskQuestion) -> dict[str, Any]:
    return {
        "type": str(question.type),
        "priority": priority(question),
        "match_weight_bits": question.match_weight_bits,
        "reason": question.reason,
        "question_digest": question_digest(question),
    }


def _side_rows(number: int, question: TaskQuestion) -> list[tuple[int, int, bool]]:
    sides = ((True, question.left), (False, question.right))
    return [(number, record, is_left) for is_left, records in sides for record in sorted(records)]


def _conditions(wanted: TaskFilter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.type is not None:
        found.append(task.c.type == str(wanted.type))
    if wanted.state is TaskState.OPEN:
        found.append(sa.not_(_is_taken(wanted.at)))
    elif wanted.state is not None:
        found += [_is_taken(wanted.at), task.c.state == str(wanted.state)]
    if wanted.claimed_by is not None:
        found += [_is_taken(wanted.at), task.c.claimed_by == wanted.claimed_by]
    if wanted.source is not None:
        of_source = (
            sa.select(task_record.c.task)
            .join(source_record, source_record.c.number == task_record.c.record)
            .where(source_record.c.source == wanted.source)
        )
        found.append(task.c.number.in_(of_source))
    return found


def _is_taken(at: datetime | None) -> sa.ColumnElement[bool]:
    """Claimed or parked, unless that has run out."""
    assert at is not None, "whether a claim holds depends on the time"
    return sa.or_(
        sa.and_(task.c.state == str(TaskState.CLAIMED), task.c.lease_until > at),
        sa.and_(task.c.state == str(TaskState.PARKED), task.c.parked_until > at),
    )


def _with_sides(unit: UnitOfWork, rows: list[Row]) -> list[StoredTask]:
    sides = _SIDES.rows(unit, [row[0] for row in rows])
    return [_task(row, [side for side in sides if side[0] == row[0]]) for row in rows]


def _task(row: Row, sides: list[Row]) -> StoredTask:
    number, type_, state, *rest = row
    names = [column.name for column in _COLUMNS[3:]]
    return StoredTask(
        number=number,
        type=TaskType(type_),
        state=TaskState(state),
        left=frozenset(record for _, record, is_left in sides if is_left),
        right=frozenset(record for _, record, is_left in sides if not is_left),
        **dict(zip(names, rest, strict=True)),
    )


_COLUMNS: Final = (
    task.c.number,
    task.c.type,
    task.c.state,
    task.c.priority,
    task.c.match_weight_bits,
    task.c.reason,
    task.c.question_digest,
    task.c.revision,
    task.c.opened_at,
    task.c.closed_at,
    task.c.claimed_by,
    task.c.lease_until,
    task.c.parked_until,
    task.c.decision,
)
_BY_NUMBER: Final = PreparedQuery(
    sa.select(*_COLUMNS).where(task.c.number == sa.bindparam("number"))
)
_IS_OPEN: Final = task.c.closed_at.is_(None)
_OPEN: Final = sa.select(*_COLUMNS).where(_IS_OPEN).order_by(task.c.priority.desc(), task.c.number)
_BY_NUMBERS: Final = PreparedQuery(
    sa.select(*_COLUMNS)
    .where(task.c.number.in_(sa.bindparam("numbers", expanding=True)))
    .order_by(task.c.priority.desc(), task.c.number),
    list_name="numbers",
)
_NOTED: Final = PreparedQuery(
    sa.select(task.c.question_digest).where(
        task.c.question_digest.in_(sa.bindparam("digests", expanding=True)),
        task.c.state == str(TaskState.DECIDED),
        task.c.decision.is_(None),
    ),
    list_name="digests",
)
_COUNTS: Final = (
    sa.select(task.c.type, sa.func.count().label("tasks_count"))
    .where(_IS_OPEN)
    .group_by(task.c.type)
)
_SIDES: Final = PreparedQuery(
    sa.select(task_record.c.task, task_record.c.record, task_record.c.is_left).where(
        task_record.c.task.in_(sa.bindparam("tasks", expanding=True))
    ),
    list_name="tasks",
)
_QUESTION: Final = ("type", "priority", "match_weight_bits", "reason", "question_digest")
_ADD: Final = insert_numbered(task, *_QUESTION, "state", "revision", "opened_at")
_CHANGE: Final = _change(*_QUESTION)
_WITHDRAW: Final = _change("state", "closed_at")
_ASSIGN: Final = _change("state", "claimed_by", "lease_until", "parked_until", is_guarded=True)
_DECIDE: Final = _change("state", "closed_at", "decision", "claimed_by", is_guarded=True)
_ADD_SIDE: Final = insert_into(task_record, "task", "record", "is_left")
_DROP_SIDES: Final = delete_from(task_record, "task")
