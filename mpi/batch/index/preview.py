"""`mpi preview`: what another model release would merge, split and ask, before it is released."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from mpi.batch.index.stored_tasks import noted_questions, open_tasks, unanswered
from mpi.batch.index.verify import EXAMPLES_MAX
from mpi.batch.index.whole_store import Run, gather, link, opened_run
from mpi.batch.progress import Progress
from mpi.config import Settings
from mpi.domain.tasks import TaskQuestion, TaskType
from mpi.storage.releases import read_release


@dataclass(frozen=True, slots=True)
class Preview:
    """What would differ from the store as it is."""

    persons_before: int
    persons_after: int
    merged: int
    """Persons that would hold records of several of today's."""
    split: int
    """Today's persons whose records would part."""
    merge_examples: tuple[tuple[tuple[str, ...], ...], ...]
    """Of each such person: record keys, by the person that holds them today."""
    split_examples: tuple[tuple[tuple[str, ...], ...], ...]
    """The same by the person that would hold them."""
    asked: Mapping[str, int]
    """Type -> questions that are not open today."""
    withdrawn: Mapping[str, int]
    """Type -> open tasks that would settle themselves."""

    def summary(self) -> str:
        """For a terminal; record keys, no demographics."""
        lines = [
            f"{self.persons_before:,} persons would become {self.persons_after:,}.",
            f"{self.merged:,} would unite records of several persons.",
            *_shown(self.merge_examples, " + "),
            f"{self.split:,} would fall apart.",
            *_shown(self.split_examples, " | "),
            f"{sum(self.asked.values()):,} questions would be asked{_by_type(self.asked)}, "
            f"{sum(self.withdrawn.values()):,} withdrawn{_by_type(self.withdrawn)}.",
        ]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """For a program."""
        return asdict(self)


def preview_release(
    settings: Settings, folder: Path, *, progress: Progress, examples_max: int = EXAMPLES_MAX
) -> Preview:
    """Link the whole store under another release and compare; nothing is written.

    Args:
        settings: The store's address.
        folder: The release.
        progress: Told of each phase.
        examples_max: Examples of merges and of splits.

    Raises:
        InvalidModel: If the release cannot be used.
        StorageUnavailable, WrongSchema: If the store cannot be used.
    """
    with opened_run(settings, read_release(folder), progress) as run:
        gather(run)
        _, questions = link(run)
        return _compare(run, questions, examples_max)


def _compare(run: Run, questions: Sequence[TaskQuestion], examples_max: int) -> Preview:
    connection = run.connection
    connection.execute(_MOVED_SQL)
    ((before, after),) = connection.execute(
        """select (select count(distinct person_id) from stored_link),
            (select count(distinct person_id) from assignment)"""
    ).fetchall()
    asked, withdrawn = _tasks(run, questions)
    merged, merge_examples = _groups(connection, "after", "before", examples_max)
    split, split_examples = _groups(connection, "before", "after", examples_max)
    return Preview(before, after, merged, split, merge_examples, split_examples, asked, withdrawn)


_MOVED_SQL: Final = """
create or replace table moved as
select stored_link.person_id as before, assignment.person_id as after,
    source || ':' || local_id as key
from stored_link join assignment using (record)
join stored_source_record on stored_source_record.number = record
"""


def _groups(
    connection: duckdb.DuckDBPyConnection, whole: str, part: str, examples_max: int
) -> tuple[int, tuple[tuple[tuple[str, ...], ...], ...]]:
    """How many of the one side hold several of the other, and examples of record keys."""
    several = f"select {whole} from moved group by {whole} having count(distinct {part}) > 1"
    ((count,),) = connection.execute(f"select count(*) from ({several})").fetchall()
    rows = connection.execute(
        f"""with parts as (
            select {whole} as whole, list(key order by key) as keys
            from moved where {whole} in ({several}) group by {whole}, {part})
        select list(keys order by keys) as parts from parts group by whole
        order by parts limit {examples_max}"""
    ).fetchall()
    return count, tuple(tuple(tuple(keys) for keys in parts) for (parts,) in rows)


def _tasks(run: Run, questions: Sequence[TaskQuestion]) -> tuple[dict[str, int], dict[str, int]]:
    asked = unanswered(questions, noted_questions(run.bulk))
    held = {task.question_digest: task for task in open_tasks(run.connection)}
    new = Counter(str(question.type) for digest, question in asked.items() if digest not in held)
    settled = Counter(
        str(task.type)
        for digest, task in held.items()
        if digest not in asked and task.type is not TaskType.UNEXPLAINED_SPLIT
    )
    return dict(sorted(new.items())), dict(sorted(settled.items()))


def _shown(examples: Sequence[Sequence[Sequence[str]]], sign: str) -> list[str]:
    return ["  " + sign.join(", ".join(keys) for keys in parts) for parts in examples]


def _by_type(counts: Mapping[str, int]) -> str:
    listed = ", ".join(f"{count:,} {type_.replace('_', ' ')}" for type_, count in counts.items())
    return f" ({listed})" if listed else ""
