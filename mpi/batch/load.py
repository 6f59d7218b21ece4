"""`mpi load`: a folder of raw feeds becomes a served store, in one transaction.

feeds -> versions -> records -> edges -> groups -> persons and golden records -> the store. What the
store already holds takes part as if it had been fed again, so a later load gives the groups that
one load of everything would have given. Reading the feeds is kept in a work folder, so that a load
that was killed goes on from there; the store itself changes whole or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mpi.batch.edges import CrowdedKey
from mpi.batch.engines import open_engine
from mpi.batch.extract import Extraction, extract_feeds
from mpi.batch.feed_loads import Row, find_loads, write_loads
from mpi.batch.feeds import list_feeds, write_quarantine
from mpi.batch.number_statuses import (
    STATUS_FILE,
    StatusFile,
    has_news,
    read_status_file,
    write_statements,
)
from mpi.batch.progress import Progress
from mpi.batch.side_by_side import kept_workers
from mpi.batch.whole_store import Run, gather, link
from mpi.batch.work_folder import work_folder
from mpi.batch.write_index import Written, write_index
from mpi.clock import Clock, SystemClock
from mpi.config import Settings, SourceSystem, read_source_systems
from mpi.errors import InvalidInput
from mpi.linkage.model import model_from_spec
from mpi.services.sendable import EVENT_SKEW_MAX
from mpi.storage.bulk import bulk_snapshot, bulk_transaction, read_table
from mpi.storage.engine import Store, create_store
from mpi.storage.releases import read_release, release_in_force

QUARANTINE: Final = "quarantine"
"""Folder beside the feeds for rows that could not be read."""


@dataclass(slots=True, kw_only=True)
class LoadReport:
    """What a load did."""

    written: Written = field(default_factory=Written)
    rows: dict[str, int] = field(default_factory=dict)
    """Source -> versions read from its feed."""
    quarantined: dict[str, int] = field(default_factory=dict)
    """Source -> rows set aside."""
    quarantine_folder: Path | None = None
    pairs: int = 0
    crowded: tuple[CrowdedKey, ...] = ()

    @property
    def quarantined_rows(self) -> int:
        """How many rows of all feeds were set aside."""
        return sum(self.quarantined.values())

    def summary(self) -> str:
        """A few lines for a terminal; no personal data."""
        rows, written = sum(self.rows.values()), self.written
        lines = [
            f"{rows:,} rows read: {written.new_versions:,} new versions of "
            f"{written.new_records:,} new records.",
            *(written.lines() if written.has_changes else ["Nothing has changed."]),
        ]
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
        Conflict: If another load of these feeds is running.
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
        with (
            work_folder(folder, feeds, model_digest=release.digest) as work,
            kept_workers(settings.workers_count),
        ):
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
            with (
                bulk_transaction(store) as bulk,
                open_engine(settings, folder=work) as connection,
            ):
                run = Run(connection, bulk, release, model, settings, progress, work)
                write_statements(bulk, statuses.statements, at=at)
                gather(
                    run,
                    replaced_sources={source.name for source, _ in feeds} if is_snapshot else set(),
                )
                counts, questions = link(run)
                report.pairs, report.crowded = counts.pairs, counts.crowded
                report.written = write_index(run, sources, questions, feeds=feeds, at=at)
                write_loads(bulk, feeds, report.rows, report.quarantined, at=at)
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
    with bulk_snapshot(store) as bulk:
        written = Written(
            records=bulk.count("source_record", "state = 'live'"),
            persons=bulk.count("person", "state = 'live'"),
            open_tasks=bulk.count("task", "closed_at IS NULL"),
        )
    report = LoadReport(
        written=written,
        rows={row["source"]: row["versions_count"] for row in loads},
        quarantined={row["source"]: row["quarantined_count"] for row in loads},
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
