"""Golden records of all persons, by the one survivorship function, in worker processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import duckdb
import orjson
import pyarrow as pa

from mpi.batch.extract import run_side_by_side
from mpi.batch.progress import Progress
from mpi.config import SourceSystem
from mpi.domain.golden import CurrentRecord, survivorship
from mpi.domain.identifiers import RecordKey
from mpi.domain.records import content_digest, content_json, demographics_from_dict
from mpi.standardise.informative import is_informative

PERSONS_AT_ONCE: Final = 10_000
"""Persons whose records one worker gets at a time."""
_SCHEMA: Final = pa.schema(
    [("person_id", pa.string()), ("golden", pa.string()), ("golden_digest", pa.string())]
)

Trust = Mapping[str, Mapping[str, int]]
"""Source -> field -> 0..100."""


def make_golden(
    connection: duckdb.DuckDBPyConnection,
    sources: Mapping[str, SourceSystem],
    *,
    progress: Progress,
    workers: int,
) -> None:
    """Table `golden` (person_id, golden, golden_digest) of the table `assignment`."""
    trust = {name: dict(source.trust) for name, source in sources.items()}
    connection.execute(
        "create table golden (person_id varchar, golden varchar, golden_digest varchar)"
    )
    connection.execute(_CURRENT_SQL)
    ((persons,),) = connection.execute("select count(distinct person_id) from current").fetchall()
    with progress.phase("golden records", persons) as phase:
        jobs = (_Job(rows, trust) for rows in _chunks(connection, persons))
        for rows in run_side_by_side(_golden_rows, jobs, workers):
            connection.register("made", rows)
            connection.execute("insert into golden select * from made")
            connection.unregister("made")
            phase.advance(rows.num_rows)
    connection.execute("drop table current")


# Of each record the live version: the last in event order of those that were not held back.
_CURRENT_SQL: Final = """
create or replace table current as
with counted as (
    select record, version.* from version join record_number using (source, local_id)
    anti join left_out using (record, event_at, sequence, digest))
select person_id, dense_rank() over (order by person_id) as place,
    source, local_id, event_at, digest, content
from (
    select * from counted
    qualify row_number() over (
        partition by record order by event_at desc, sequence desc, digest desc) = 1)
join assignment using (record)
"""


def _chunks(connection: duckdb.DuckDBPyConnection, persons: int) -> Iterator[pa.Table]:
    for start in range(1, persons + 1, PERSONS_AT_ONCE):
        yield connection.sql(
            """select person_id, source, local_id, event_at, digest, content from current
            where place between ? and ? order by place""",
            params=[start, start + PERSONS_AT_ONCE - 1],
        ).to_arrow_table()


@dataclass(frozen=True, slots=True)
class _Job:
    rows: pa.Table
    trust: Trust


def _golden_rows(job: _Job) -> pa.Table:
    made: list[dict[str, Any]] = []
    for person_id, rows in groupby(job.rows.to_pylist(), key=itemgetter("person_id")):
        records = [_current_record(row, job.trust) for row in rows]
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
