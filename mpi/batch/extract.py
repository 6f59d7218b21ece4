"""From feeds, or from a store's own versions, to the table of records that is compared.

Two worker processes read, map and standardise chunks side by side and leave Parquet parts in a
work folder; DuckDB then makes of the parts one row a record. A record with several versions is
standardised again from all of them, because its history is evidence too.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import duckdb
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mpi.batch.feeds import (
    FeedChunk,
    QuarantinedRow,
    parse_chunk,
    read_chunks,
    refuse_unreadable,
)
from mpi.batch.progress import Progress
from mpi.batch.side_by_side import run_side_by_side
from mpi.config import SourceSystem
from mpi.domain.identifiers import NumberTrust, RecordKey
from mpi.domain.links import DecisionKind
from mpi.domain.records import (
    COMPARISON_FIELDS,
    DELETION,
    TUPLE_FIELDS,
    ComparisonRecord,
    RecordVersion,
    VersionVerdict,
    demographics_from_dict,
    fold_versions,
)
from mpi.linkage.overlay import AcceptedVersions, accept_versions
from mpi.linkage.vetoes import NameRule
from mpi.standardise.record import standardise
from mpi.storage.bulk_rows import BulkTransaction
from mpi.storage.tables import RecordState

ENTERED_IN_ERROR: Final = "entered_in_error"
"""Why a version does not count that its source withdrew; the other reasons are vetoes."""
STORED_PARTS: Final = "stored."
"""Begins the names of parts that come from the store; no source's name has a full stop."""
STORED_VERSIONS: Final = 20_000
"""Versions that one worker standardises at a time."""

_VERSION_COLUMNS: Final = {
    "source": pa.string(),
    "local_id": pa.string(),
    "event_at": pa.timestamp("us", tz="UTC"),
    "sequence": pa.int64(),
    "digest": pa.string(),
    "content": pa.string(),
    "is_error": pa.bool_(),
    "verdict": pa.string(),
}
_COMPARISON_COLUMNS: Final = {
    name: pa.list_(pa.string()) if name in TUPLE_FIELDS else pa.string()
    for name in COMPARISON_FIELDS
}
PART_SCHEMA: Final = pa.schema([*(_VERSION_COLUMNS | _COMPARISON_COLUMNS).items()])
_RECORD_SCHEMA: Final = pa.schema([("record", pa.int64()), *_COMPARISON_COLUMNS.items()])


@dataclass(slots=True)
class Extraction:
    """What came out of the feeds: Parquet parts and the rows that could not be read."""

    folder: Path
    rows: dict[str, int] = field(default_factory=dict)
    """Source -> versions read."""
    quarantined: dict[str, list[QuarantinedRow]] = field(default_factory=dict)

    @property
    def quarantined_rows(self) -> int:
        return sum(len(rows) for rows in self.quarantined.values())


def extract_feeds(
    feeds: Sequence[tuple[SourceSystem, Path]],
    *,
    trust: NumberTrust,
    work_folder: Path,
    progress: Progress,
    workers: int = 0,
) -> Extraction:
    """Read every feed into Parquet parts of `work_folder`; bad rows are kept apart, none is lost.

    Raises:
        InvalidInput: If a file as a whole cannot be read (see `mpi.batch.feeds`).
    """
    extraction = Extraction(work_folder)
    total = sum(path.stat().st_size for _, path in feeds)
    jobs = _jobs(feeds, trust, work_folder)
    with progress.phase("read and standardise", total) as phase:
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
    trust: NumberTrust
    part: Path


@dataclass(frozen=True, slots=True)
class _Outcome:
    source: str
    versions_count: int
    bytes_count: int
    quarantined: Sequence[QuarantinedRow]


def _jobs(
    feeds: Sequence[tuple[SourceSystem, Path]], trust: NumberTrust, work_folder: Path
) -> Iterator[_Job]:
    # Every file is opened before any is read: a wrong one stops the load before it begins.
    opened = [(source, read_chunks(path, source)) for source, path in feeds]
    for source, chunks in opened:
        for number, chunk in enumerate(chunks):
            yield _Job(chunk, source, trust, work_folder / f"{source.name}-{number:05}.parquet")


def _extract_chunk(job: _Job) -> _Outcome:
    done = job.part.with_suffix(".outcome")
    if done.exists():
        return cast(_Outcome, pickle.loads(done.read_bytes()))
    parsed = parse_chunk(job.chunk, job.source)
    _write_part(versions_table(parsed.versions, parsed.contents, job.trust), job.part)
    outcome = _Outcome(
        job.source.name, len(parsed.versions), job.chunk.bytes_count, parsed.quarantined
    )
    # Written last: a chunk whose outcome exists was done by a load that was killed later.
    unfinished = done.with_suffix(".unfinished")
    unfinished.write_bytes(pickle.dumps(outcome))
    unfinished.rename(done)
    return outcome


def _write_part(table: pa.Table, part: Path) -> None:
    pq.write_table(table, part, compression="lz4")


def versions_table(
    versions: Sequence[RecordVersion], contents: Sequence[str], trust: NumberTrust
) -> pa.Table:
    """One row a version: its content as canonical JSON, and the comparison record of it alone."""
    columns: dict[str, list[Any]] = {
        "source": [version.key.source for version in versions],
        "local_id": [version.key.local_id for version in versions],
        "event_at": [version.event_at for version in versions],
        "sequence": [version.sequence for version in versions],
        "digest": [version.digest for version in versions],
        "content": list(contents),
        "is_error": [version.is_entered_in_error for version in versions],
        "verdict": [version.verdict for version in versions],
    }
    records = [standardise(fold_versions((version,)), trust) for version in versions]
    return pa.table(columns | _comparison_columns(records), schema=PART_SCHEMA)


def _comparison_columns(records: Sequence[ComparisonRecord]) -> dict[str, list[Any]]:
    return {
        # An empty tuple is a missing value, and a missing value is NULL.
        name: [getattr(record, name) or None for record in records]
        for name in COMPARISON_FIELDS
    }


def extract_stored(
    bulk: BulkTransaction,
    *,
    trust: NumberTrust,
    work_folder: Path,
    progress: Progress,
    workers: int,
) -> None:
    """A store's versions as Parquet parts beside those of the feeds."""
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
    rows = rows.select(list(_VERSION_COLUMNS))
    jobs = (
        _StoredJob(batch, trust, work_folder / f"{STORED_PARTS}{number:05}.parquet")
        for number, batch in enumerate(rows.to_batches(max_chunksize=STORED_VERSIONS))
    )
    with progress.phase("standardise what is stored", rows.num_rows) as phase:
        for count in run_side_by_side(_extract_versions, jobs, workers):
            phase.advance(count)


def _read_verdicts(bulk: BulkTransaction) -> pa.Table:
    """Stewards' verdicts in force: `version` (number), `verdict`."""
    in_force = bulk.read("decision", ("number", "kind"), "retracted_at IS NULL")
    stated = bulk.read("decision_version", ("decision", "version"))
    at = pc.index_in(stated["decision"], in_force["number"])
    is_same = pc.equal(in_force["kind"].take(at), str(DecisionKind.SAME))
    verdict = pc.if_else(is_same, str(VersionVerdict.CORRECTION), str(VersionVerdict.ANOTHER_HUMAN))
    found = stated.append_column("verdict", verdict)
    return found.filter(pc.is_valid(found["verdict"]))


@dataclass(frozen=True, slots=True)
class _StoredJob:
    versions: pa.RecordBatch
    trust: NumberTrust
    part: Path


def _extract_versions(job: _StoredJob) -> int:
    rows = job.versions.to_pylist()
    versions = [version_from_row(**row) for row in rows]
    contents = [row["content"] for row in rows]
    _write_part(versions_table(versions, contents, job.trust), job.part)
    return len(rows)


def empty_store_table(connection: duckdb.DuckDBPyConnection) -> None:
    """The table `stored_source_record` of a store that holds nothing, for work without one."""
    connection.execute(
        """create table stored_source_record
        (number bigint, source varchar, local_id varchar, state varchar, live_version bigint)"""
    )


def build_record_tables(
    connection: duckdb.DuckDBPyConnection,
    *,
    parts: Path,
    trust: NumberTrust,
    name_rule: NameRule,
    replaced_sources: Set[str] = frozenset(),
) -> None:
    """Tables `version` (every distinct version) and `records` (one row a live record).

    Args:
        connection: Holds `stored_source_record`, whose numbers are kept; new records are numbered
            on in the order of their keys. See `mpi.batch.engines.open_engine`.
        parts: Folder of Parquet files with `PART_SCHEMA`, the feeds' and the store's.
        trust: As given to `versions_table`.
        name_rule: Of the model; tells a correction from another human.
        replaced_sources: Sources whose feeds are all that they have: records that only the store
            knows are left out. Elsewhere a record is left out if it was retired and has not come
            back.
    """
    _write_part(PART_SCHEMA.empty_table(), parts / f"{STORED_PARTS}none.parquet")
    files = {"parts": [str(path) for path in sorted(parts.glob("*.parquet"))]}
    connection.execute(_VERSION_SQL, files)
    connection.execute(_NUMBER_SQL, {"replaced": sorted(replaced_sources)})
    connection.execute(_RECORDS_SQL, files)
    _fold_histories(connection, trust, name_rule)


_VERSION_SQL = f"""
create table version as
select source, local_id, event_at, sequence, digest, any_value(content) as content,
    bool_or(is_error) as is_error, any_value(verdict) as verdict,
    bool_or(not starts_with(parse_filename(filename), '{STORED_PARTS}')) as is_fed
from read_parquet($parts, filename = true)
group by source, local_id, event_at, sequence, digest
"""

_NUMBER_SQL = f"""
create table record_number as
with counted as (
    select source, local_id,
        count(*) = 1 and not bool_or(is_error or digest = '{DELETION}') as is_plain,
        bool_or(is_fed) as is_fed
    from version group by all)
select counted.source, counted.local_id, is_plain,
    coalesce(stored.number,
        (select coalesce(max(number), 0) from stored_source_record)
        + row_number() over (partition by stored.number is null
                             order by counted.source, counted.local_id)) as record
from counted left join stored_source_record as stored using (source, local_id)
where is_fed or (stored.state = '{RecordState.LIVE}'
                 and not list_contains($replaced::varchar[], counted.source))
"""

_RECORDS_SQL = f"""
create table records as
select record, {", ".join(f"part.{name}" for name in COMPARISON_FIELDS)}
from (select distinct on (source, local_id) *
      from read_parquet($parts)) as part
join record_number using (source, local_id)
where is_plain
"""

_HISTORIES_SQL = f"""
select record, {", ".join(_VERSION_COLUMNS)}
from version join record_number using (source, local_id) where not is_plain
order by record
"""


def _fold_histories(
    connection: duckdb.DuckDBPyConnection, trust: NumberTrust, name_rule: NameRule
) -> None:
    """Adds the records with a history; table `left_out` has their versions that do not count."""
    # Through Arrow: DuckDB's own instants in Python would need a further package.
    rows = connection.sql(_HISTORIES_SQL).to_arrow_table().to_pylist()
    histories: dict[int, list[RecordVersion]] = {}
    for row in rows:
        record = row.pop("record")
        histories.setdefault(record, []).append(version_from_row(**row))
    numbers: list[int] = []
    folded: list[ComparisonRecord] = []
    left_out: list[tuple[int, datetime, int, str, str]] = []
    for number, versions in histories.items():
        judged = accept_versions(versions, trust, name_rule)
        if judged.record is not None:
            numbers.append(number)
            folded.append(standardise(judged.record, trust))
        left_out.extend((number, *order, reason) for order, reason in _left_out(versions, judged))
    records = {"record": numbers} | _comparison_columns(folded)
    _insert(connection, "records", pa.table(records, schema=_RECORD_SCHEMA))
    columns = zip(*left_out, strict=True) if left_out else ((), (), (), (), ())
    connection.execute(_LEFT_OUT_SQL)
    arrays = [pa.array(c, t) for c, t in zip(columns, _LEFT_OUT_TYPES, strict=True)]
    _insert(connection, "left_out", pa.table(arrays, names=_LEFT_OUT_NAMES))


def _left_out(
    versions: Sequence[RecordVersion], judged: AcceptedVersions
) -> Iterator[tuple[tuple[datetime, int, str], str]]:
    """The versions that do not count, by their order, and why."""
    held = {each.version.order: str(each.reason) for each in judged.held}
    accepted = {each.order for each in judged.record.versions} if judged.record else set()
    for version in versions:
        if version.order in held:
            yield version.order, held[version.order]
        elif version.order not in accepted:
            yield version.order, ENTERED_IN_ERROR


_LEFT_OUT_NAMES = ("record", "event_at", "sequence", "digest", "reason")
_LEFT_OUT_TYPES = (pa.int64(), _VERSION_COLUMNS["event_at"], pa.int64(), pa.string(), pa.string())
_LEFT_OUT_SQL = """
create table left_out
(record bigint, event_at timestamptz, sequence bigint, digest varchar, reason varchar)
"""


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    connection.register("inserted", rows)
    connection.execute(f"insert into {table} by name select * from inserted")
    connection.unregister("inserted")


def version_from_row(
    *,
    source: str,
    local_id: str,
    event_at: datetime,
    sequence: int,
    digest: str,
    content: str,
    is_error: bool,
    verdict: str | None,
) -> RecordVersion:
    """The version that a row of the table `version` holds."""
    return RecordVersion(
        key=RecordKey(source, local_id),
        demographics=demographics_from_dict(orjson.loads(content)),
        event_at=event_at.astimezone(UTC),
        sequence=sequence,
        digest=digest,
        is_entered_in_error=is_error,
        verdict=VersionVerdict(verdict) if verdict else None,
    )


def comparison_records(
    connection: duckdb.DuckDBPyConnection, condition: str
) -> Mapping[int, ComparisonRecord]:
    """The comparison records of the table `records` for which an SQL condition holds."""
    names = ", ".join(COMPARISON_FIELDS)
    rows = connection.execute(f"select record, {names} from records where {condition}").fetchall()
    return {row[0]: _comparison_record(row[1:]) for row in rows}


def _comparison_record(values: Sequence[Any]) -> ComparisonRecord:
    known: dict[str, Any] = {
        name: tuple(value or ()) if name in TUPLE_FIELDS else value
        for name, value in zip(COMPARISON_FIELDS, values, strict=True)
    }
    return ComparisonRecord(**known)
