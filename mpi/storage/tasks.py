"""Tasks as stored: what is open, and about which records."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from mpi.domain.tasks import TaskState, TaskType
from mpi.errors import UnknownTask
from mpi.limits import CANDIDATES_MAX, PAGE_ITEMS_MAX
from mpi.storage.tables import task, task_record
from mpi.storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTask:
    """A question for a steward, as it stands."""

    number: int
    type: TaskType
    state: TaskState
    priority: int
    match_weight_bits: float
    reason: str
    revision: int
    opened_at: datetime
    closed_at: datetime | None
    left: frozenset[int]
    """Record numbers of the one side."""
    right: frozenset[int]


def get_task(unit: UnitOfWork, number: int) -> StoredTask:
    """The task of this number. Raises UnknownTask."""
    row = unit.first(_BY_NUMBER, number=number)
    if row is None:
        raise UnknownTask("task: there is none of this number")
    return _tasks(unit, [row])[0]


def list_open_tasks(
    unit: UnitOfWork, *, after: tuple[int, int] | None = None, limit: int = PAGE_ITEMS_MAX
) -> list[StoredTask]:
    """The work list: most urgent first, then oldest first.

    Args:
        unit: Where to look.
        after: Priority and number of the last task of the page before.
        limit: At most `PAGE_ITEMS_MAX`.
    """
    query = _OPEN
    if after is not None:
        urgency, number = after
        is_later = sa.and_(task.c.priority == urgency, task.c.number > number)
        query = query.where(sa.or_(task.c.priority < urgency, is_later))
    return _tasks(unit, unit.rows(query.limit(min(limit, PAGE_ITEMS_MAX))))


def list_open_tasks_of(unit: UnitOfWork, records: Collection[int]) -> list[StoredTask]:
    """The open tasks that ask about any of these records; at most `PAGE_ITEMS_MAX`."""
    assert len(records) <= CANDIDATES_MAX, "a list of records is bounded"
    return _tasks(unit, unit.rows(_OPEN_OF_RECORDS, records=sorted(records)))


def count_open_tasks(unit: UnitOfWork) -> dict[TaskType, int]:
    """Open tasks by type; types without any are left out."""
    return {TaskType(row.type): row.tasks_count for row in unit.rows(_COUNTS)}


def _tasks(unit: UnitOfWork, rows: list[Any]) -> list[StoredTask]:
    sides = unit.rows(_SIDES, tasks=[row.number for row in rows])
    return [
        StoredTask(
            number=row.number,
            type=TaskType(row.type),
            state=TaskState(row.state),
            priority=row.priority,
            match_weight_bits=row.match_weight_bits,
            reason=row.reason,
            revision=row.revision,
            opened_at=row.opened_at,
            closed_at=row.closed_at,
            left=frozenset(s.record for s in sides if s.task == row.number and s.is_left),
            right=frozenset(s.record for s in sides if s.task == row.number and not s.is_left),
        )
        for row in rows
    ]


_BY_NUMBER: Final = sa.select(task).where(task.c.number == sa.bindparam("number"))
_IS_OPEN: Final = task.c.closed_at.is_(None)
_OPEN: Final = sa.select(task).where(_IS_OPEN).order_by(task.c.priority.desc(), task.c.number)
_OPEN_OF_RECORDS: Final = (
    _OPEN.where(
        task.c.number.in_(
            sa.select(task_record.c.task).where(
                task_record.c.record.in_(sa.bindparam("records", expanding=True))
            )
        )
    )
).limit(PAGE_ITEMS_MAX)
_COUNTS: Final = (
    sa.select(task.c.type, sa.func.count().label("tasks_count"))
    .where(_IS_OPEN)
    .group_by(task.c.type)
)
_SIDES: Final = sa.select(task_record).where(
    task_record.c.task.in_(sa.bindparam("tasks", expanding=True))
)
