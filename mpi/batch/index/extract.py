"""From feeds, or from a store's own versions, to the table of records that is compared.

Worker processes read and map chunks of the feeds side by side and leave Parquet parts in a work
folder; a store's versions become parts beside them. DuckDB makes of the parts one row a version and
then one row a record. A record with several versions is compared by all of them, because its
history is evidence too.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, cast

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mpi.batch.feeds.reader import (
    FeedChunk,
    QuarantinedRow,
    parse_chunk,
    read_chunks,
    refuse_unreadable,
)
from mpi.batch.feeds.version_rows import VERSION_SCHEMA
from mpi.batch.index.compared import (
    COMPARED_COLUMNS,
    compared_sql,
    drop_told,
    list_uninformative,
    read_told,
)
from mpi.batch.index.histories import fold_histories
from mpi.batch.progress import Progress
from mpi.batch.side_by_side import run_side_by_side
from mpi.config import SourceSystem
from mpi.domain.identifiers import NumberTrust
from mpi.domain.links import DecisionKind
from mpi.domain.records import DELETION, VersionVerdict
from mpi.linkage.vetoes import NameRule
from mpi.storage.bulk_rows import BulkTransaction
from mpi.storage.tables import RecordState

STORED_PARTS: Final = "stored."
"""Begins the names of parts that come from the store; no source's name has a full stop."""


@dataclass(slots=True)
class Extraction:
    """What came out of the feeds: Parquet parts and the rows that could not be read."""

    folder: Path
    rows: dict[str, int] = field(default_factory=dict)
    """Source -> versions read."""
    quarantined: dict[str, list[QuarantinedRow]] = field(default_factory=dict)

    @property
    def quarantined_rows(self) -> int:
        """How many rows of all feeds could not be read."""
        return sum(len(rows) for rows in self.quarantined.values())


def extract_feeds(
    feeds: Sequence[tuple[SourceSystem, Path]],
    *,
    work_folder: Path,
    progress: Progress,
    workers: int = 0,
    latest: datetime | None = None,
) -> Extraction:
    """Read every feed into Parquet parts of `work_folder`; bad rows are kept apart, none is lost.

    Args:
        feeds: Source systems and their files.
        work_folder: Parts that an earlier run finished there are not read again.
        progress: Told of every chunk.
        workers: Processes; 0 means one for each processor.
        latest: Events later than this are set aside; None reads them all.

    Raises:
        InvalidInput: If a file as a whole cannot be read (see `mpi.batch.feeds.reader`).
    """
    extraction = Extraction(work_folder)
    total = sum(path.stat().st_size for _, path in feeds)
    jobs = _jobs(feeds, work_folder, latest)
    with progress.phase("read feeds", total) as phase:
        for outcome in run_side_by_side(_extract_chunk, jobs, workers):
            extraction.rows[outcome.source] = (
                extraction.rows.get(outcome.source, 0) + outcome.versions_count
            )
            extraction.quarantined.setdefault(outcome.source, []).extend(outcome.quarantined)
            phase.advance(outcome.bytes_count)
    for source, path in feeds:
        rows = extraction.quarantined.get(source.name, [])
        refuse_unreadable(
            path,
            versions_count=extraction.rows.get(source.name, 0),
            first=min(rows, key=lambda row: row.line, default=None),
        )
    return extraction


@dataclass(frozen=True, slots=True)
class _Job:
    chunk: FeedChunk
    source: SourceSystem
    part: Path
    latest: datetime | None


@dataclass(frozen=True, slots=True)
class _Outcome:
    source: str
    versions_count: int
    bytes_count: int
    quarantined: Sequence[QuarantinedRow]


def _jobs(
    feeds: Sequence[tuple[SourceSystem, Path]], work_folder: Path, latest: datetime | None
) -> Iterator[_Job]:
    # Every file is opened before any is read: a wrong one stops the load before it begins.
    opened = [(source, read_chunks(path, source)) for source, path in feeds]
    for source, chunks in opened:
        for number, chunk in enumerate(chunks):
            yield _Job(chunk, source, work_folder / f"{source.name}-{number:05}.parquet", latest)


def _extract_chunk(job: _Job) -> _Outcome:
    done = job.part.with_suffix(".outcome")
    if done.exists():
        return cast(_Outcome, pickle.loads(done.read_bytes()))
    parsed = parse_chunk(job.chunk, job.source, latest=job.latest)
    _write_part(parsed.versions, job.part)
    outcome = _Outcome(
        job.source.name, parsed.versions.num_rows, job.chunk.bytes_count, parsed.quarantined
    )
    # Written last: a chunk whose outcome exists was done by a load that was killed later.
    unfinished = done.with_suffix(".unfinished")
    unfinished.write_bytes(pickle.dumps(outcome))
    unfinished.rename(done)
    return outcome


def _write_part(table: pa.Table, part: Path) -> None:
    pq.write_table(table, part, compression="lz4")


def extract_stored(bulk: BulkTransaction, *, work_folder: Path) -> None:
    """A store's versions as a Parquet part (`VERSION_SCHEMA`) beside those of the feeds."""
    for stale in work_folder.glob(f"{STORED_PARTS}*"):
        stale.unlink()
    columns = ("number", "record", "event_at", "sequence", "digest", "content", "is_error")
    versions = bulk.read("record_version", columns)
    verdicts = _read_verdicts(bulk)
    told = verdicts["verdict"].take(pc.index_in(versions["number"], verdicts["version"]))
    keys = bulk.read("source_record", ("number", "source", "local_id"))
    at = pc.index_in(versions["record"], keys["number"])
    rows = versions.drop(["record", "number"]).append_column("verdict", told)
    rows = rows.append_column("source", keys["source"].take(at))
    rows = rows.append_column("local_id", keys["local_id"].take(at))
    _write_part(rows.select(VERSION_SCHEMA.names), work_folder / f"{STORED_PARTS}parquet")


def _read_verdicts(bulk: BulkTransaction) -> pa.Table:
    """Stewards' verdicts in force: `version` (number), `verdict`."""
    in_force = bulk.read("decision", ("number", "kind"), "retracted_at IS NULL")
    stated = bulk.read("decision_version", ("decision", "version"))
    at = pc.index_in(stated["decision"], in_force["number"])
    is_same = pc.equal(in_force["kind"].take(at), str(DecisionKind.SAME))
    verdict = pc.if_else(is_same, str(VersionVerdict.CORRECTION), str(VersionVerdict.ANOTHER_HUMAN))
    found = stated.append_column("verdict", verdict)
    # Of several about one version the last one holds, and is found first.
    return found.filter(pc.is_valid(found["verdict"])).sort_by([("decision", "descending")])


def empty_store_table(connection: duckdb.DuckDBPyConnection) -> None:
    """The table `stored_source_record` of a store that holds nothing, for work without one."""
    connection.execute(
        """create table stored_source_record
        (number bigint, source varchar, local_id varchar, state varchar, merged_into bigint)"""
    )


def build_record_tables(
    connection: duckdb.DuckDBPyConnection,
    *,
    parts: Path,
    trust: NumberTrust,
    name_rule: NameRule,
    replaced_sources: Set[str] = frozenset(),
    workers: int = 1,
) -> None:
    """Tables `version` (every distinct version) and `records` (one row a live record).

    Args:
        connection: Holds `stored_source_record`, whose numbers are kept; new records are numbered
            on, see `_NUMBER_SQL`. See `mpi.batch.engines.open_engine`. It is left with
            `record_number`, `uninformative`, `left_out` and `live` too (see
            `mpi.batch.index.histories`).
        parts: Folder of Parquet files with `VERSION_SCHEMA`, the feeds' and the store's.
        trust: Which NHS numbers are trusted, disputed and superseded.
        name_rule: Of the model; tells a correction from another human.
        replaced_sources: Sources whose feeds are all that they have: records that only the store
            knows are left out. Elsewhere a record is left out if it was retired and has not come
            back.
        workers: Processes; 0 means one for each processor.
    """
    _write_part(VERSION_SCHEMA.empty_table(), parts / f"{STORED_PARTS}none.parquet")
    files = {"parts": [str(path) for path in sorted(parts.glob("*.parquet"))]}
    _make_survivors(connection)
    connection.execute(_NUMBER_SQL, files | {"replaced": sorted(replaced_sources)})
    connection.execute(_VERSION_SQL, files)
    connection.execute(_HISTORY_SQL)
    read_told(connection, trust=trust, workers=workers)
    list_uninformative(connection)
    connection.execute(_RECORDS_SQL)
    fold_histories(connection, trust, name_rule)
    drop_told(connection)


def _make_survivors(connection: duckdb.DuckDBPyConnection) -> None:
    """The table `survivor`: a record that its source merged, and the record that it ended in."""
    merged = dict(
        connection.execute(
            "select number, merged_into from stored_source_record where merged_into is not null"
        ).fetchall()
    )
    ends = {record: _end_of_chain(record, merged) for record in merged}
    rows = pa.table(
        {"record": pa.array(ends, pa.int64()), "survivor": pa.array(ends.values(), pa.int64())}
    )
    connection.register("ends", rows)
    connection.execute("create or replace table survivor as select * from ends")
    connection.unregister("ends")


def _end_of_chain(record: int, merged: Mapping[int, int]) -> int:
    while record in merged:
        record = merged[record]
    return record


# A record takes part if its source tells it now, or if it lives and was not left out of a full
# extract; so do all that were merged into it, whose versions are its own (it may have no others).
# New records are numbered by birth date and family name as told, so that one human's lie side by
# side in every table of the store: who is found together is read, and written, together.
_NUMBER_SQL = f"""
create table record_number as
with told as (
    select source, local_id, bool_or(is_fed) as is_fed, min(born) as born, min(family) as family
    from (
        select source, local_id,
            not starts_with(parse_filename(filename), '{STORED_PARTS}') as is_fed,
            content->>'$.date_of_birth' as born, content->>'$.family_name' as family
        from read_parquet($parts, filename = true)
        union all
        select source, local_id, false, null, null
        from stored_source_record where number in (select survivor from survivor))
    group by source, local_id),
numbered as (
    select told.source, told.local_id, is_fed,
        stored.state = '{RecordState.LIVE}'
            and not list_contains($replaced::varchar[], told.source) as is_kept,
        coalesce(stored.number,
            (select coalesce(max(number), 0) from stored_source_record)
            + row_number() over (partition by stored.number is null
                                 order by born, upper(family), told.source, told.local_id)
        ) as record
    from told left join stored_source_record as stored using (source, local_id)),
owned as (
    select numbered.*, coalesce(survivor.survivor, record) as survivor
    from numbered left join survivor using (record))
select source, local_id, record, survivor from owned
qualify bool_or(is_fed or coalesce(is_kept, false)) over (partition by survivor)
"""

_VERSION_SQL = f"""
create table version as
select row_number() over () as place, *
from (
    select record, survivor, any_value(source) as source, event_at, sequence, digest,
        any_value(content) as content, bool_or(is_error) as is_error,
        any_value(verdict) as verdict,
        bool_or(not starts_with(parse_filename(filename), '{STORED_PARTS}')) as is_fed
    from read_parquet($parts, filename = true) join record_number using (source, local_id)
    group by record, survivor, event_at, sequence, digest)
"""

# The records that are more than their one version.
_HISTORY_SQL = f"""
create table history as
select survivor as record from version group by survivor
having count(*) > 1 or bool_or(is_error or digest = '{DELETION}')
"""

_RECORDS_SQL = f"""
create table records as
select version.survivor as record, {", ".join(f"alone.{name}" for name in COMPARED_COLUMNS)}
from ({{alone}}) as alone join version using (place)
""".format(
    alone=compared_sql(
        "place in (select place from version anti join history on history.record = survivor)"
    )
)
