"""Golden records of all persons, by the one survivorship function, in worker processes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from mpi.batch.progress import Progress
from mpi.batch.side_by_side import started
from mpi.config import SourceSystem
from mpi.domain.golden import CurrentRecord, survivorship
from mpi.domain.identifiers import RecordKey
from mpi.domain.records import content_digest, content_json, demographics_from_dict
from mpi.standardise.informative import is_informative

PERSONS_AT_ONCE: Final = 5_000
"""Persons whose records one worker gets at a time."""
_SCHEMA: Final = pa.schema(
    [("person_id", pa.string()), ("golden", pa.string()), ("golden_digest", pa.string())]
)

Trust = Mapping[str, Mapping[str, int]]
"""Source -> field -> 0..100."""


@contextmanager
def golden_under_way(
    connection: duckdb.DuckDBPyConnection,
    sources: Mapping[str, SourceSystem],
    *,
    folder: Path,
    workers: int,
) -> Iterator[Callable[[Progress], None]]:
    """Begin the golden records of the table `assignment`; other work can go on meanwhile.

    Args:
        connection: Holds `version`, `record_number`, `live` and `assignment`.
        sources: Their trust for each field decides.
        folder: A private folder, for parts that hold personal data.
        workers: Processes; 1 works in this process, 0 means one for each processor.

    Yields:
        A function that waits for them and makes the table `golden` (person_id, golden,
        golden_digest).
    """
    trust = {name: dict(source.trust) for name, source in sources.items()}
    connection.execute(_CURRENT_SQL)
    parts = folder / "golden"
    shutil.rmtree(parts, ignore_errors=True)
    connection.execute(f"copy current to '{parts}' (format parquet, partition_by (part))")
    connection.execute("drop table current")
    jobs = [_Job(part, trust) for part in sorted(parts.glob("part=*"))]
    with started(_golden_part, jobs, workers) as results:

        def collect(progress: Progress) -> None:
            with progress.phase("golden records", len(jobs)) as phase:
                for _ in results:
                    phase.advance()
            made = [str(job.made) for job in jobs]
            connection.execute(
                "create table golden (person_id varchar, golden varchar, golden_digest varchar)"
            )
            if made:
                connection.execute("insert into golden select * from read_parquet($1)", [made])

        yield collect


_CURRENT_SQL: Final = f"""
create or replace table current as
select person_id, (dense_rank() over (order by person_id)) // {PERSONS_AT_ONCE} as part,
    owner.source, owner.local_id, event_at, digest, content
from live join version using (place) join assignment on assignment.record = live.record
join record_number as owner on owner.record = live.record
"""


@dataclass(frozen=True, slots=True)
class _Job:
    part: Path
    """Folder of Parquet files with the current records of some persons."""
    trust: Trust

    @property
    def made(self) -> Path:
        return self.part.with_suffix(".parquet")


def _golden_part(job: _Job) -> None:
    rows = pq.read_table(job.part, partitioning=None).sort_by("person_id")
    pq.write_table(_golden_rows(rows, job.trust), job.made)


def _golden_rows(rows: pa.Table, trust: Trust) -> pa.Table:
    made: list[dict[str, Any]] = []
    for person_id, own in groupby(rows.to_pylist(), key=itemgetter("person_id")):
        records = [_current_record(row, trust) for row in own]
        golden = content_json(survivorship(records, is_informative=is_informative).to_dict())
        made.append(
            {"person_id": person_id, "golden": golden, "golden_digest": content_digest(golden)}
        )
    return pa.Table.from_pylist(made, schema=_SCHEMA)


def _current_record(row: Mapping[str, Any], trust: Trust) -> CurrentRecord:
    return CurrentRecord(
        key=RecordKey(row["source"], row["local_id"]),
        demographics=demographics_from_dict(orjson.loads(row["content"])),
        event_at=row["event_at"],
        digest=row["digest"],
        trust=trust.get(row["source"], {}),
    )
