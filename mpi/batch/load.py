"""`mpi load`: a folder of raw feeds becomes a served store, in one transaction.

feeds -> versions -> records -> edges -> groups -> persons and golden records -> the store. What the
store already holds takes part as if it had been fed again, so a later load gives the groups that
one load of everything would have given. Reading the feeds is kept in a work folder, so that a load
that was killed goes on from there; the store itself changes whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from mpi.batch.bulk_tables import count_rows
from mpi.batch.edges import CrowdedKey
from mpi.batch.engines import open_engine
from mpi.batch.extract import Extraction, extract_feeds
from mpi.batch.feed_loads import Row, find_loads, write_loads
from mpi.batch.feeds import list_feeds, write_quarantine
from mpi.batch.golden import golden_under_way
from mpi.batch.number_statuses import (
    STATUS_FILE,
    StatusFile,
    has_news,
    read_status_file,
    write_statements,
)
from mpi.batch.progress import Progress
from mpi.batch.stored_persons import write_links, write_persons
from mpi.batch.stored_tables import (
    write_crowded,
    write_edges,
    write_model,
    write_records,
    write_sources,
)
from mpi.batch.stored_tasks import split_questions, write_tasks
from mpi.batch.whole_store import Run, gather, link
from mpi.batch.work_folder import work_folder
from mpi.clock import Clock, SystemClock
from mpi.config import Settings, SourceSystem, read_source_systems
from mpi.domain.tasks import TaskQuestion
from mpi.errors import InvalidInput
from mpi.linkage.model import model_from_spec
from mpi.services.register import EVENT_SKEW_MAX
from mpi.storage.bulk import bulk_transaction, read_table
from mpi.storage.engine import Store, create_store
from mpi.storage.releases import read_release, release_in_force

QUARANTINE: Final = "quarantine"
"""Folder beside the feeds for rows that could not be read."""


@dataclass(slots=True, kw_only=True)
class LoadReport:
    """What a load did; every count is of this load, except `records` and `persons`."""

    records: int = 0
    """Live records of the store afterwards."""
    persons: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    """Source -> versions read from its feed."""
    quarantined: dict[str, int] = field(default_factory=dict)
    """Source -> rows set aside."""
    quarantine_folder: Path | None = None
    new_records: int = 0
    new_versions: int = 0
    new_persons: int = 0
    opened_links: int = 0
    closed_links: int = 0
    opened_tasks: int = 0
    changed_tasks: int = 0
    """Open before, and asked now about other records or on other evidence."""
    withdrawn_tasks: int = 0
    open_tasks: int = 0
    pairs: int = 0
    crowded: tuple[CrowdedKey, ...] = ()

    @property
    def quarantined_rows(self) -> int:
        return sum(self.quarantined.values())

    @property
    def has_changes(self) -> bool:
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

    def summary(self) -> str:
        """A few lines for a terminal; no personal data."""
        lines = [
            f"{sum(self.rows.values()):,} rows read: {self.new_versions:,} new versions of "
            f"{self.new_records:,} new records.",
            f"{self.records:,} records belong to {self.persons:,} persons; "
            f"{self.opened_links:,} links opened, {self.closed_links:,} closed.",
            f"{self.open_tasks:,} tasks are open ({self.opened_tasks:,} new, "
            f"{self.changed_tasks:,} changed, {self.withdrawn_tasks:,} withdrawn).",
        ]
        if not self.has_changes:
            lines = [*lines[:1], "Nothing has changed."]
        if self.quarantined_rows:
            lines.append(
                f"{self.quarantined_rows:,} rows could not be read; they and the reasons are in "
                f"{self.quarantine_folder}."
            )
        lines.extend(
            f"Data quality: {key.records_count:,} records share one blocking value of "
            f"{key.rule}; it was left out."
            for key in self.crowded
        )
        return "\n".join(lines)


def load_folder(
    folder: Path,
    *,
    settings: Settings,
    is_snapshot: bool = False,
    progress: Progress,
    clock: Clock | None = None,
) -> LoadReport:
    """Load every feed of a folder into the store and link the whole store.

    Args:
        folder: Holds `<source>.csv`, `.ndjson` or `.parquet` files.
        settings: The store's address, the mappings and the model release.
        is_snapshot: The feeds are full extracts: records that they no longer have are retired.
        progress: Told of each phase.
        clock: Stamps what is written; the system's by default.

    Raises:
        InvalidInput: If a file as a whole, a mapping or the release cannot be used.
        StorageUnavailable, WrongSchema: If the store cannot be used; it is as it was.
    """
    sources = read_source_systems(settings.sources_folder)
    feeds, statuses = list_feeds(folder, sources), read_status_file(folder)
    release = read_release(release_in_force(settings.release_folder))
    model = model_from_spec(release.spec, version=release.version, digest=release.digest)
    at = (clock or SystemClock()).now()
    with closing(create_store(settings.database_url)) as store:
        loads = None if is_snapshot else find_loads(store, feeds, model_digest=release.digest)
        if loads and _is_quarantine_kept(loads, folder) and not _has_news(store, statuses):
            return _report_nothing_new(store, loads, folder)
        with work_folder(folder, feeds, model_digest=release.digest) as work:
            extraction = extract_feeds(
                feeds,
                work_folder=work,
                progress=progress,
                workers=settings.workers_count,
                latest=at + EVENT_SKEW_MAX,
            )
            report = _report_extraction(extraction, statuses, folder)
            if is_snapshot:
                _refuse_empty_extracts(feeds, extraction)
            with bulk_transaction(store) as bulk, open_engine(settings) as connection:
                run = Run(connection, bulk, release, model, settings, progress, work)
                write_statements(bulk, statuses.statements, at=at)
                gather(
                    run,
                    replaced_sources={source.name for source, _ in feeds} if is_snapshot else set(),
                )
                counts, questions = link(run)
                report.pairs, report.crowded = counts.pairs, counts.crowded
                with golden_under_way(
                    connection, sources, folder=work, workers=settings.workers_count
                ) as collect_golden:
                    _write(run, report, feeds, questions, collect_golden, at)
    return report


def _has_news(store: Store, statuses: StatusFile) -> bool:
    stored = read_table(store, "nhs_number_status", None, "retracted_at IS NULL")
    return has_news(stored, statuses.statements)


def _is_quarantine_kept(loads: Sequence[Row], folder: Path) -> bool:
    """Whether the rows set aside by earlier loads can still be read where they were put."""
    return all(
        (folder / QUARANTINE / f"{row['source']}.csv").is_file()
        for row in loads
        if row["quarantined_count"]
    )


def _report_nothing_new(store: Store, loads: Sequence[Row], folder: Path) -> LoadReport:
    report = LoadReport(
        records=read_table(store, "source_record", ["number"], "state = 'live'").num_rows,
        persons=read_table(store, "person", ["number"], "state = 'live'").num_rows,
        rows={row["source"]: row["versions_count"] for row in loads},
        quarantined={row["source"]: row["quarantined_count"] for row in loads},
        open_tasks=read_table(store, "task", ["number"], "closed_at IS NULL").num_rows,
    )
    if report.quarantined_rows:
        report.quarantine_folder = folder / QUARANTINE
    return report


def _refuse_empty_extracts(
    feeds: Sequence[tuple[SourceSystem, Path]], extraction: Extraction
) -> None:
    """An extract without rows would retire all that its source has: more likely it failed."""
    for source, path in feeds:
        if not extraction.rows.get(source.name):
            raise InvalidInput(
                f"{path}: a full extract (--snapshot) without a row would retire every record of "
                f"{source.name}; load it without --snapshot, or remove the file"
            )


def _report_extraction(extraction: Extraction, statuses: StatusFile, folder: Path) -> LoadReport:
    report = LoadReport(rows=dict(extraction.rows))
    aside = dict(extraction.quarantined)
    if statuses.quarantined:
        aside[Path(STATUS_FILE).stem] = list(statuses.quarantined)
    for source, rows in aside.items():
        report.quarantined[source] = len(rows)
        write_quarantine(folder / QUARANTINE, source, sorted(rows, key=lambda row: row.line))
    if report.quarantined_rows:
        report.quarantine_folder = folder / QUARANTINE
    return report


def _write(
    run: Run,
    report: LoadReport,
    feeds: Sequence[tuple[SourceSystem, Path]],
    questions: Sequence[TaskQuestion],
    collect_golden: Callable[[Progress], None],
    at: datetime,
) -> None:
    with run.progress.phase("write records", 2) as phase:
        write_sources(run.connection, run.bulk, feeds)
        model = write_model(run.bulk, run.model, at=at)
        report.new_records, report.new_versions = write_records(
            run.connection, run.bulk, model=model, at=at
        )
        phase.advance()
        write_edges(run.connection, run.bulk, model=model)
        write_crowded(run.connection, run.bulk, at=at)
        phase.advance()
    collect_golden(run.progress)
    with run.progress.phase("write persons", 4) as phase:
        report.new_persons, _ = write_persons(run.connection, run.bulk, at=at)
        phase.advance()
        report.closed_links, report.opened_links = write_links(
            run.connection, run.bulk, model=model, at=at
        )
        phase.advance()
        asked = [*questions, *split_questions(run.connection)]
        tasks = write_tasks(run.connection, run.bulk, asked, at=at)
        phase.advance()
        write_loads(run.bulk, feeds, report.rows, report.quarantined, at=at)
        run.bulk.settle()
        phase.advance()
    report.opened_tasks, report.withdrawn_tasks = tasks.opened, tasks.withdrawn
    report.changed_tasks, report.open_tasks = tasks.changed, tasks.open
    report.records = count_rows(run.connection, "records")
    (report.persons,) = run.connection.execute(
        "select count(distinct person_id) from assignment"
    ).fetchall()[0]
