"""A whole store linked from the beginning: what it holds, what feeds bring, and what follows.

A load, `mpi verify`, `mpi preview` and `mpi release` all go through here and differ only in what
they do with the result, so a verified store is one that a load would have made. Nothing is written.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence, Set
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from mpi.batch.edges import EdgeCounts, find_edges
from mpi.batch.engines import open_engine
from mpi.batch.groups import group_records
from mpi.batch.index.extract import build_record_tables, extract_stored
from mpi.batch.index.persons import assign_persons
from mpi.batch.index.stated import read_decisions, read_trust
from mpi.batch.index.stored_tables import read_stored
from mpi.batch.index.stored_tasks import overlay_questions
from mpi.batch.progress import Progress
from mpi.batch.side_by_side import kept_workers
from mpi.config import Settings
from mpi.domain.tasks import TaskQuestion
from mpi.linkage.model import Model, model_from_spec
from mpi.linkage.partition import partition_rules
from mpi.storage.bulk import bulk_snapshot, bulk_transaction
from mpi.storage.bulk_rows import BulkTransaction
from mpi.storage.engine import open_store
from mpi.storage.releases import Release


@dataclass(frozen=True, slots=True)
class Run:
    """What every step of one bulk run works with; the tables are what each step says."""

    connection: duckdb.DuckDBPyConnection
    bulk: BulkTransaction
    release: Release
    model: Model
    settings: Settings
    progress: Progress
    work: Path
    """A private folder, for parts that hold personal data."""


@contextmanager
def opened_run(
    settings: Settings, release: Release, progress: Progress, *, is_writing: bool = False
) -> Iterator[Run]:
    """A run over a store that is there, in one transaction and with a folder of its own.

    Args:
        settings: The store's address.
        release: To link under, whatever release is in force.
        progress: Told of each phase.
        is_writing: Keep other writers out and commit when the block ends; else only read.

    Raises:
        InvalidModel: If the release cannot be used.
        StorageUnavailable, WrongSchema: If the store cannot be used; it is as it was.
    """
    model = model_from_spec(release.spec, version=release.version, digest=release.digest)
    transaction = bulk_transaction if is_writing else bulk_snapshot
    with (
        closing(open_store(settings.database_url)) as store,
        tempfile.TemporaryDirectory(prefix="mpi-") as work,
        kept_workers(settings.workers_count),
        transaction(store) as bulk,
        open_engine(settings) as connection,
    ):
        yield Run(connection, bulk, release, model, settings, progress, Path(work))


def gather(run: Run, *, replaced_sources: Set[str] = frozenset()) -> None:
    """Tables `stored_*`, `version`, `record_number` and `records` of everything that will live.

    Args:
        run: Its folder may hold parts of feeds; the store's are put beside them.
        replaced_sources: Sources whose feeds are full extracts (see `build_record_tables`).
    """
    read_stored(run.connection, run.bulk)
    extract_stored(run.bulk, work_folder=run.work)
    with run.progress.phase("standardise", 1) as phase:
        build_record_tables(
            run.connection,
            parts=run.work,
            trust=read_trust(run.bulk, run.model.number_trust),
            name_rule=partition_rules(run.model).name_rule,
            replaced_sources=replaced_sources,
            workers=run.settings.workers_count,
        )
        phase.advance()


def link(run: Run) -> tuple[EdgeCounts, Sequence[TaskQuestion]]:
    """Tables `blocking_keys`, `edge`, `assignment` and `home_row`; gives what is left to ask.

    Args:
        run: Gathered.

    Returns:
        What scoring came to, and the questions of groups and of held versions (overlays).
    """
    connection, rules = run.connection, partition_rules(run.model)
    counts = find_edges(
        connection,
        model=run.model,
        frequencies=run.release.frequencies,
        stop_list=run.release.stop_list,
        has_store=True,
        progress=run.progress,
    )
    connection.execute("drop table pair")
    decisions = read_decisions(connection, run.bulk)
    undecided = None
    if decisions:
        undecided = group_records(
            connection, rules=rules, sources="record_number", progress=run.progress
        )
    grouping = group_records(
        connection,
        rules=rules,
        decisions=decisions,
        sources="record_number",
        progress=run.progress,
    )
    assign_persons(
        connection, grouping, undecided=undecided, link_bits=run.model.thresholds.link_bits
    )
    return counts, [*grouping.questions, *overlay_questions(connection)]
