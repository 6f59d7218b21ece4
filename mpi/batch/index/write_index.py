"""Writes what follows from a whole store, where it differs from what the store holds.

So loading twice changes nothing, a first load and a tenth are one path, and history stays. Golden
records are made by worker processes while records are written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from mpi.batch.bulk_tables import count_rows
from mpi.batch.index.golden import golden_under_way
from mpi.batch.index.stored_events import write_events
from mpi.batch.index.stored_persons import write_links, write_persons
from mpi.batch.index.stored_tables import (
    write_crowded,
    write_edges,
    write_model,
    write_records,
    write_sources,
)
from mpi.batch.index.stored_tasks import split_questions, write_tasks
from mpi.batch.index.whole_store import Run
from mpi.batch.progress import Progress
from mpi.config import SourceSystem
from mpi.domain.tasks import TaskQuestion

RELEASE: Final = "release"
"""The actor of a run that brings another model release into force."""
Feeds = Sequence[tuple[SourceSystem, Path]]


@dataclass(slots=True, kw_only=True)
class Written:
    """What a bulk run wrote; every count is of this run, except the first three."""

    records: int = 0
    """Live records of the store afterwards."""
    persons: int = 0
    open_tasks: int = 0
    new_records: int = 0
    new_versions: int = 0
    new_persons: int = 0
    opened_links: int = 0
    closed_links: int = 0
    opened_tasks: int = 0
    changed_tasks: int = 0
    """Open before, and asked now about other records."""
    withdrawn_tasks: int = 0

    @property
    def has_changes(self) -> bool:
        """Whether the run wrote anything that a caller of the index could see."""
        return any(
            (
                self.new_versions,
                self.opened_links,
                self.closed_links,
                self.opened_tasks,
                self.changed_tasks,
                self.withdrawn_tasks,
            )
        )

    def lines(self) -> list[str]:
        """For a terminal; no personal data."""
        return [
            f"{self.records:,} records belong to {self.persons:,} persons; "
            f"{self.opened_links:,} links opened, {self.closed_links:,} closed.",
            f"{self.open_tasks:,} tasks are open ({self.opened_tasks:,} new, "
            f"{self.changed_tasks:,} changed, {self.withdrawn_tasks:,} withdrawn).",
        ]


def write_index(
    run: Run,
    sources: Mapping[str, SourceSystem],
    questions: Sequence[TaskQuestion],
    *,
    feeds: Feeds = (),
    actor: str = "load",
    at: datetime,
) -> Written:
    """Write the difference, in the transaction of the run.

    Args:
        run: Gathered and linked (`mpi.batch.index.whole_store`).
        sources: Their trust for each field decides golden records.
        questions: What is to be asked.
        feeds: What the versions that are new came from.
        actor: `load` or `release`. Somebody asked a release for another result, so its splits need
            no task.
        at: Stamps what is written.
    """
    with golden_under_way(
        run.connection, sources, folder=run.work, workers=run.settings.workers_count
    ) as collect_golden:
        asked = list(questions)
        if actor != RELEASE:
            asked += split_questions(run.connection)
        return _write(run, feeds, asked, collect_golden, actor, at)


def _write(
    run: Run,
    feeds: Feeds,
    questions: Sequence[TaskQuestion],
    collect_golden: Callable[[Progress], None],
    actor: str,
    at: datetime,
) -> Written:
    connection, bulk, written = run.connection, run.bulk, Written()
    with run.progress.phase("write records", 2) as phase:
        write_sources(connection, bulk, feeds)
        model = write_model(bulk, run.model, at=at)
        written.new_records, written.new_versions = write_records(
            connection, bulk, model=model, at=at
        )
        phase.advance()
        write_edges(connection, bulk, model=model)
        write_crowded(connection, bulk, at=at)
        written.records = count_rows(connection, "records")
        for statement in _WRITTEN_SQL:
            connection.execute(statement)
        phase.advance()
    collect_golden(run.progress)
    with run.progress.phase("write persons", 4) as phase:
        written.new_persons, _ = write_persons(connection, bulk, at=at)
        phase.advance()
        written.closed_links, written.opened_links = write_links(
            connection, bulk, model=model, at=at
        )
        phase.advance()
        tasks = write_tasks(connection, bulk, questions, at=at)
        written.opened_tasks, written.changed_tasks = len(tasks.opened), len(tasks.changed)
        written.withdrawn_tasks, written.open_tasks = len(tasks.withdrawn), tasks.open_count
        write_events(connection, bulk, tasks, actor=actor, at=at)
        phase.advance()
        bulk.settle()
        phase.advance()
    written.persons = count_rows(connection, "(select distinct person_id from assignment)")
    return written


# What is in the store by then and read no more; it would fill memory beside the golden records.
_WRITTEN_SQL: Final = (
    "drop table records",
    "drop table blocking_keys",
    "alter table version drop column content",
)
