"""Tasks as rows: what a bulk run asks, changes and withdraws, by the rules of the live index.

A question that is still asked about some of the same records is the same task with another
revision, so that whoever works on it keeps it; what a steward took note of is not asked again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import duckdb
import pyarrow as pa

from mpi.batch.histories import ENTERED_IN_ERROR
from mpi.domain.tasks import TaskQuestion, TaskState, TaskType, priority, question_digest
from mpi.services.questions import asks_the_same, can_be_noted
from mpi.storage.bulk_rows import BulkTransaction

_INSTANT: Final = pa.timestamp("us", "UTC")
_ASKED: Final = pa.schema(
    [
        ("number", pa.int64()),
        ("type", pa.string()),
        ("priority", pa.int64()),
        ("match_weight_bits", pa.float64()),
        ("reason", pa.string()),
        ("question_digest", pa.string()),
        ("revision", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A task as the store has it."""

    number: int
    type: TaskType
    question_digest: str
    revision: int
    left: frozenset[int]
    right: frozenset[int]


@dataclass(frozen=True, slots=True)
class TaskChanges:
    """What a bulk run did to the tasks: numbers, and a record that each is about."""

    opened: Mapping[int, int]
    changed: Mapping[int, int]
    withdrawn: Mapping[int, int]
    open_count: int
    """Tasks that are open now."""


Part = tuple[str, list[int]]
"""A person id and records."""


def overlay_questions(connection: duckdb.DuckDBPyConnection) -> list[TaskQuestion]:
    """One question for each record that has versions held back."""
    rows = connection.execute(
        f"""select survivor, min(reason), list(digest) from left_out join version using (place)
        where reason <> '{ENTERED_IN_ERROR}' group by survivor order by survivor"""
    ).fetchall()
    return [
        replace(_question(TaskType.OVERLAY, {record}, (), reason), versions=frozenset(digests))
        for record, reason, digests in rows
    ]


def split_questions(connection: duckdb.DuckDBPyConnection) -> list[TaskQuestion]:
    """One for each part of a person that is somebody else now: no split is silent.

    The part that keeps the id stays, else the largest.
    """
    return [
        _question(TaskType.UNEXPLAINED_SPLIT, stays, records, "parted")
        for (_, stays), (_, records) in parted(connection)
    ]


def parted(connection: duckdb.DuckDBPyConnection) -> list[tuple[Part, Part]]:
    """Of each person whose records part: the part that stays, with each of the others."""
    parts: dict[str, list[Part]] = defaultdict(list)
    for before, after, records in connection.execute(_PARTS_SQL).fetchall():
        parts[before].append((after, records))
    found = []
    for before, several in parts.items():
        several.sort(key=lambda part: (part[0] != before, -len(part[1]), min(part[1])))
        found += [(several[0], other) for other in several[1:]]
    return found


_PARTS_SQL: Final = """
select stored_link.person_id, assignment.person_id, list(record)
from stored_link join assignment using (record)
group by stored_link.person_id, assignment.person_id
qualify count(*) over (partition by stored_link.person_id) > 1
"""


def _question(
    type_: TaskType, left: Iterable[int], right: Iterable[int], reason: str
) -> TaskQuestion:
    return TaskQuestion(
        type=type_,
        left=frozenset(left),
        right=frozenset(right),
        match_weight_bits=0.0,
        reason=reason,
    )


def open_tasks(connection: duckdb.DuckDBPyConnection) -> list[OpenTask]:
    """The tasks that were open in the store, in the order of their numbers."""
    sides: dict[tuple[int, bool], set[int]] = defaultdict(set)
    rows = connection.execute("select task, is_left, record from stored_task_record").fetchall()
    for task, is_left, record in rows:
        sides[task, is_left].add(record)
    tasks = connection.execute(
        "select number, type, question_digest, revision from stored_task order by number"
    ).fetchall()
    return [
        OpenTask(
            number,
            TaskType(type_),
            digest,
            revision,
            frozenset(sides[number, True]),
            frozenset(sides[number, False]),
        )
        for number, type_, digest, revision in tasks
    ]


def noted_questions(bulk: BulkTransaction) -> frozenset[str]:
    """Digests of the questions that a steward took note of without a decision."""
    noted = f"decision IS NULL AND state = '{TaskState.DECIDED}'"
    return frozenset(bulk.read("task", ["question_digest"], noted)["question_digest"].to_pylist())


def unanswered(questions: Iterable[TaskQuestion], noted: frozenset[str]) -> dict[str, TaskQuestion]:
    """Digest -> question, without those that a steward took note of."""
    asked = {question_digest(question): question for question in questions}
    return {d: q for d, q in asked.items() if d not in noted or not can_be_noted(q)}


def write_tasks(
    connection: duckdb.DuckDBPyConnection,
    bulk: BulkTransaction,
    questions: Sequence[TaskQuestion],
    *,
    at: datetime,
) -> TaskChanges:
    """Open the questions that are new, change those that are still asked, withdraw the settled.

    Args:
        connection: Holds the tables `stored_task`, `stored_task_record`, `survivor`, `assignment`.
        bulk: Of the store.
        questions: All that is to be asked now, record numbers as in the store.
        at: Stamps what is opened and withdrawn, UTC.
    """
    known = open_tasks(connection)
    asked = unanswered(questions, noted_questions(bulk))
    still = {task.question_digest for task in known} & asked.keys()
    settled = _Settled(_settled_tasks(connection, known, asked))
    changed: list[tuple[OpenTask, TaskQuestion]] = []
    new: list[TaskQuestion] = []
    for digest in sorted(asked.keys() - still):
        task = settled.take(asked[digest])
        if task is None:
            new.append(asked[digest])
        else:
            changed.append((task, asked[digest]))
    _change(bulk, changed)
    _withdraw(bulk, settled.left_over, at)
    opened = _open(bulk, new, at)
    return TaskChanges(
        opened=opened,
        changed={task.number: min(question.left) for task, question in changed},
        withdrawn={task.number: min(task.left) for task in settled.left_over},
        open_count=len(known) - len(settled.left_over) + len(new),
    )


class _Settled:
    """Tasks that nothing asks any more as they stand, found by their records."""

    def __init__(self, tasks: Iterable[OpenTask]) -> None:
        self._tasks = {task.number: task for task in tasks}
        self._about: dict[int, set[int]] = defaultdict(set)
        for task in self._tasks.values():
            for record in task.left | task.right:
                self._about[record].add(task.number)

    @property
    def left_over(self) -> list[OpenTask]:
        return list(self._tasks.values())

    def take(self, question: TaskQuestion) -> OpenTask | None:
        """The first of them that asks about the same two sides; it is not settled then."""
        near = {n for record in question.left | question.right for n in self._about.get(record, ())}
        for number in sorted(near):
            task = self._tasks.get(number)
            if task is not None and asks_the_same(task, question):
                return self._tasks.pop(number)
        return None


def _settled_tasks(
    connection: duckdb.DuckDBPyConnection,
    known: Sequence[OpenTask],
    asked: Mapping[str, TaskQuestion],
) -> list[OpenTask]:
    splits = [task for task in known if task.type is TaskType.UNEXPLAINED_SPLIT]
    persons = _persons(connection, splits)
    ended = {task.number for task in splits if _has_ended(task, persons)}
    return [
        task
        for task in known
        if task.number in ended
        or (task.question_digest not in asked and task.type is not TaskType.UNEXPLAINED_SPLIT)
    ]


def _persons(connection: duckdb.DuckDBPyConnection, tasks: Iterable[OpenTask]) -> dict[int, str]:
    """Record -> its person, of the records named; merged ones by their survivors."""
    records = sorted({record for task in tasks for record in task.left | task.right})
    if not records:
        return {}
    connection.register("named_records", pa.table({"record": records}))
    rows = connection.execute(
        """select named.record, person_id
        from named_records as named left join survivor on survivor.record = named.record
        join assignment on assignment.record = coalesce(survivor, named.record)"""
    ).fetchall()
    connection.unregister("named_records")
    return dict(rows)


def _has_ended(task: OpenTask, persons: Mapping[int, str]) -> bool:
    """Whether what parted is one person again, or one side of it is no more."""
    left, right = (
        {persons[record] for record in side if record in persons}
        for side in (task.left, task.right)
    )
    return not left or not right or (left == right and len(left) == 1)


def _change(bulk: BulkTransaction, changed: Sequence[tuple[OpenTask, TaskQuestion]]) -> None:
    if not changed:
        return
    numbered = [(task.number, question) for task, question in changed]
    rows = _asked_rows(numbered, [task.revision + 1 for task, _ in changed])
    bulk.update("task", rows, on=["number"])
    bulk.delete("task_record", pa.table({"task": [number for number, _ in numbered]}))
    bulk.append("task_record", _side_rows(numbered))


def _withdraw(bulk: BulkTransaction, tasks: Sequence[OpenTask], at: datetime) -> None:
    if not tasks:
        return
    rows = {
        "number": pa.array([task.number for task in tasks], pa.int64()),
        "state": pa.repeat(str(TaskState.WITHDRAWN), len(tasks)),
        "revision": pa.array([task.revision + 1 for task in tasks], pa.int64()),
        "closed_at": pa.repeat(pa.scalar(at, _INSTANT), len(tasks)),
        "lease_until": pa.nulls(len(tasks), _INSTANT),
        "parked_until": pa.nulls(len(tasks), _INSTANT),
    }
    bulk.update("task", pa.table(rows), on=["number"])


def _open(bulk: BulkTransaction, questions: Sequence[TaskQuestion], at: datetime) -> dict[int, int]:
    first = max(bulk.read("task", ["number"])["number"].to_pylist(), default=0) + 1
    numbered = list(enumerate(questions, start=first))
    rows = _asked_rows(numbered, [1] * len(numbered))
    rows = rows.append_column("state", pa.repeat(str(TaskState.OPEN), len(numbered)))
    opened_at = pa.repeat(pa.scalar(at, _INSTANT), len(numbered))
    bulk.append("task", rows.append_column("opened_at", opened_at))
    bulk.append("task_record", _side_rows(numbered))
    return {number: min(question.left) for number, question in numbered}


_Numbered = Sequence[tuple[int, TaskQuestion]]


def _asked_rows(numbered: _Numbered, revisions: Sequence[int]) -> pa.Table:
    rows: list[dict[str, Any]] = [
        {
            "number": number,
            "type": str(question.type),
            "priority": priority(question),
            "match_weight_bits": question.match_weight_bits,
            "reason": question.reason,
            "question_digest": question_digest(question),
            "revision": revision,
        }
        for (number, question), revision in zip(numbered, revisions, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=_ASKED)


def _side_rows(numbered: _Numbered) -> pa.Table:
    rows = [
        (number, record, is_left)
        for number, question in numbered
        for is_left, side in ((True, question.left), (False, question.right))
        for record in sorted(side)
    ]
    numbers, records, sides = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table(
        {
            "task": pa.array(numbers, pa.int64()),
            "record": pa.array(records, pa.int64()),
            "is_left": pa.array(sides, pa.bool_()),
        }
    )
