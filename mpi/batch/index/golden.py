"""Golden records of all persons of a bulk run, in worker processes, while other work goes on."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mpi.batch.bulk_tables import count_rows
from mpi.batch.engines import sql_text
from mpi.batch.index.golden_columns import Trust, Uninformative, golden_json
from mpi.batch.progress import Progress
from mpi.batch.side_by_side import started
from mpi.config import SourceSystem
from mpi.domain.demographics import TEXT_FIELDS
from mpi.domain.golden import LISTS
from mpi.domain.records import content_digest

PERSONS_AT_ONCE: Final = 20_000
"""Persons whose records one worker gets at a time, about."""
_SCHEMA: Final = pa.schema(
    [("person_id", pa.string()), ("golden", pa.string()), ("golden_digest", pa.string())]
)


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
        connection: Holds `version`, `record_number`, `live`, `uninformative` and `assignment`.
        sources: Their trust for each field decides.
        folder: A private folder, for parts that hold personal data.
        workers: Processes; 1 works in this process, 0 means one for each processor.

    Yields:
        A function that waits for them and makes the table `golden` (person_id, golden,
        golden_digest).
    """
    trust = {name: dict(source.trust) for name, source in sources.items()}
    uninformative = uninformative_texts(connection)
    parts = folder / "golden"
    shutil.rmtree(parts, ignore_errors=True)
    persons = count_rows(connection, "(select distinct person_id from assignment)")
    part = f"hash(person_id) % {max(1, persons // PERSONS_AT_ONCE)} as part"
    connection.execute(
        f"copy (select *, {part} from ({CURRENT_SQL})) to {sql_text(parts)} "
        "(format parquet, partition_by (part))"
    )
    jobs = [_Job(part, trust, uninformative) for part in sorted(parts.glob("part=*"))]
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


def uninformative_texts(connection: duckdb.DuckDBPyConnection) -> Uninformative:
    """The table `uninformative` by field."""
    texts: dict[str, set[str]] = defaultdict(set)
    for field, text in connection.execute("select field, text from uninformative").fetchall():
        texts[field].add(text)
    return dict(texts)


_EMPTY: Final = '""'
_STRUCTURE: Final = orjson.dumps(
    {**dict.fromkeys(TEXT_FIELDS, "JSON"), **{name: ["JSON"] for name in LISTS}}
).decode()
CURRENT_SQL: Final = f"""
select * exclude (content, told),
    {", ".join(f"nullif(told.{name}, '{_EMPTY}')::varchar as {name}" for name in TEXT_FIELDS)},
    {", ".join(f"told.{name}::varchar[] as {name}" for name in LISTS)}
from (
    select person_id, owner.source, owner.local_id, event_at, digest, content,
        json_transform(content, '{_STRUCTURE}') as told
    from live join version using (place) join assignment on assignment.record = live.record
    join record_number as owner on owner.record = live.record)
"""


@dataclass(frozen=True, slots=True)
class _Job:
    part: Path
    """Folder of Parquet files with the current records of some persons."""
    trust: Trust
    uninformative: Uninformative

    @property
    def made(self) -> Path:
        return self.part.with_suffix(".parquet")


def _golden_part(job: _Job) -> None:
    rows = pq.read_table(job.part, partitioning=None)
    pq.write_table(golden_rows(rows, job.trust, job.uninformative), job.made, compression="lz4")


def golden_rows(rows: pa.Table, trust: Trust, uninformative: Uninformative) -> pa.Table:
    """The golden record of each person of these current records.

    Args:
        rows: As `CURRENT_SQL` has them: a row for each live record, in any order.
        trust: Source -> field -> how far it is believed.
        uninformative: Texts of each field that say nothing.

    Returns:
        A row for each person: `person_id`, `golden` (canonical JSON), `golden_digest`.
    """
    person = rows["person_id"].combine_chunks().dictionary_encode().indices
    rows = rows.append_column("person", person.cast(pa.int64()))
    rows = rows.sort_by([(name, "ascending") for name in ("person", "source", "local_id")])
    golden = golden_json(rows, trust, uninformative)
    is_first = pc.not_equal(rows["person"][1:], rows["person"][:-1])
    first = pa.chunked_array([pa.array([True] * min(1, len(rows))), *is_first.chunks])
    return pa.table(
        [rows["person_id"].filter(first), golden, [content_digest(text) for text in golden]],
        schema=_SCHEMA,
    )
