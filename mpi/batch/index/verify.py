"""`mpi verify`: the whole store linked again in bulk, and every difference to what it holds.

The live index changes a few records at a time and a load links everything at once; both must come
to the same, whatever happened in between. Tasks about unexplained splits depend on history alone
and are left out. Reads one state of the store, keeps nobody out and writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from mpi.batch.bulk_tables import make_table
from mpi.batch.index.golden import golden_under_way
from mpi.batch.index.stored_persons import make_person_rows
from mpi.batch.index.stored_tables import COMPARISON_JSON, STATE_SQL
from mpi.batch.index.stored_tasks import noted_questions, unanswered
from mpi.batch.index.whole_store import Run, gather, link, opened_run
from mpi.batch.progress import Progress
from mpi.config import Settings, read_source_systems
from mpi.domain.tasks import TaskQuestion, TaskType
from mpi.errors import Conflict
from mpi.storage.bulk_rows import BulkTransaction
from mpi.storage.releases import Release, read_release, release_in_force
from mpi.storage.tables import PersonState, RecordState

EXAMPLES_MAX: Final = 5
"""Examples shown of each kind of difference."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One kind of difference."""

    kind: str
    count: int
    examples: tuple[str, ...]
    """Record keys or ids of what differs."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was compared, and where the store says something else than linking it again."""

    records: int
    persons: int
    differences: tuple[Difference, ...]
    """Only the kinds of which there are some."""

    def summary(self) -> str:
        """A few lines for a terminal; record keys and ids, no demographics."""
        lines = [f"{self.records:,} records of {self.persons:,} persons linked again."]
        for each in self.differences:
            lines.append(f"{each.count:,} {each.kind}")
            lines.extend(f"  {example}" for example in each.examples)
        return "\n".join(lines if self.differences else [*lines, "No differences."])

    def to_dict(self) -> dict[str, Any]:
        """For a program."""
        return {
            "records": self.records,
            "persons": self.persons,
            "differences": {
                each.kind: {"count": each.count, "examples": list(each.examples)}
                for each in self.differences
            },
        }


def verify_store(
    settings: Settings, *, progress: Progress, examples_max: int = EXAMPLES_MAX
) -> VerifyReport:
    """Link the whole store again and compare.

    Args:
        settings: The store's address, the mappings and the model release.
        progress: Told of each phase.
        examples_max: Examples of each kind of difference.

    Raises:
        InvalidModel, InvalidSettings: If the release or a mapping cannot be used.
        Conflict: If the store was linked with another model release.
        StorageUnavailable, WrongSchema: If the store cannot be used.
    """
    sources = read_source_systems(settings.sources_folder)
    release = read_release(release_in_force(settings.release_folder))
    with opened_run(settings, release, progress) as run:
        _require_release(run.bulk, release)
        gather(run)
        _, questions = link(run)
        with golden_under_way(
            run.connection, sources, folder=run.work, workers=settings.workers_count
        ) as collect_golden:
            collect_golden(progress)
        return _compare(run, questions, examples_max)


def _require_release(bulk: BulkTransaction, release: Release) -> None:
    in_force = bulk.read("model_release", ["digest"], "is_in_force")["digest"].to_pylist()
    if in_force not in ([], [release.digest]):
        raise Conflict(
            "store: it was linked with another model release than the one of the settings; "
            "choose that one, or bring this one into force with `mpi release`"
        )


def _compare(run: Run, questions: Sequence[TaskQuestion], examples_max: int) -> VerifyReport:
    connection = run.connection
    compared = ("number", "state", "live_version", "comparison", "nhs_number")
    stored = run.bulk.read("source_record", (*compared, "withheld_nhs_number"))
    make_table(connection, "held_record", stored)
    make_person_rows(connection)
    connection.execute(_NUMBERED_SQL)
    found = [_difference(connection, kind, sql, examples_max) for kind, sql in _DIFFERENCES.items()]
    found += _task_differences(run, questions, examples_max)
    ((records, persons),) = connection.execute(
        "select count(*), count(distinct person_id) from assignment"
    ).fetchall()
    return VerifyReport(records, persons, tuple(each for each in found if each.count))


def _difference(
    connection: duckdb.DuckDBPyConnection, kind: str, sql: str, examples_max: int
) -> Difference:
    """Of a query whose one column is an example."""
    ((count,),) = connection.execute(f"select count(*) from ({sql})").fetchall()
    rows = connection.execute(f"from ({sql}) limit {examples_max}").fetchall() if count else []
    return Difference(kind, count, tuple(str(example) for (example,) in rows))


_NUMBERED_SQL: Final = """
create or replace table numbered as
select number as record, source || ':' || local_id as key from stored_source_record
"""


def _named(sql: str, *names: str) -> str:
    """The query with its record numbers as keys."""
    keys = " || ' - ' || ".join(f"{name}_key.key" for name in names)
    joins = " ".join(f"join numbered as {n}_key on {n}_key.record = found.{n}" for n in names)
    return f"select {keys} as example from ({sql}) as found {joins} order by example"


_DIFFERENCES: Final[Mapping[str, str]] = {
    "records whose state, comparison record or live version differs": _named(
        f"""with made as (
            select records.record, '{RecordState.LIVE}' as state, held.number as live_version,
                {COMPARISON_JSON} as comparison, records.nhs_number,
                case when stated_nhs_number is distinct from records.nhs_number
                    then stated_nhs_number end as withheld_nhs_number
            from records join live using (record) join version using (place)
            join stored_record_version as held on held.record = version.record
                and held.event_at = version.event_at and held.sequence = version.sequence
                and held.digest = version.digest)
        select coalesce(made.record, held.number) as record
        from made full join held_record as held on held.number = made.record
        where (made.record is not null or held.state = '{RecordState.LIVE}')
            and (held.state is distinct from made.state
                or held.live_version is distinct from made.live_version
                or held.comparison::json is distinct from made.comparison::json
                or held.nhs_number is distinct from made.nhs_number
                or held.withheld_nhs_number is distinct from made.withheld_nhs_number)""",
        "record",
    ),
    "versions that count differently": _named(
        f"""select version.record from stored_record_version as stored
        join version using (record, event_at, sequence, digest) left join left_out using (place)
        where stored.state <> {STATE_SQL}""",
        "record",
    ),
    "blocking keys missing": _named(
        """select distinct record, key from blocking_keys
        anti join stored_blocking_key using (key, record)""",
        "record",
    ),
    "blocking keys too many": _named(
        "from stored_blocking_key anti join blocking_keys using (key, record)", "record"
    ),
    "edges missing or of another weight": _named(
        """from edge anti join stored_edge
            using (left_record, right_record, match_weight_bits)""",
        "left_record",
        "right_record",
    ),
    "edges too many": _named(
        "from stored_edge anti join edge using (left_record, right_record)",
        "left_record",
        "right_record",
    ),
    "records in another group": _named(
        """with made as (
            select record, min(record) over (partition by person_id) as group_name
            from assignment),
        held as (
            select record, min(record) over (partition by person_id) as group_name
            from stored_link)
        select coalesce(made.record, held.record) as record
        from made full join held using (record)
        where made.group_name is distinct from held.group_name""",
        "record",
    ),
    "records with another person id": _named(
        "from assignment anti join stored_link using (record, person_id)", "record"
    ),
    "records with another home": _named(
        """select home_row.record from home_row
        left join stored_home as held on held.record = home_row.record
        where held.home_id is distinct from home_row.home_id
            or held.remembered_id is distinct from home_row.remembered_id""",
        "record",
    ),
    "golden records that differ": f"""select id from person_row
        where state = '{PersonState.LIVE}' order by id""",
    "ids that lead elsewhere": f"""select id from person_row
        where state <> '{PersonState.LIVE}' order by id""",
}
"""Kind -> query of examples."""


def _task_differences(
    run: Run, questions: Sequence[TaskQuestion], examples_max: int
) -> list[Difference]:
    asked = unanswered(questions, noted_questions(run.bulk))
    rows = run.connection.execute(
        "select question_digest, number, type from stored_task order by number"
    ).fetchall()
    held = {digest: f"task {number} ({type_})" for digest, number, type_ in rows}
    of_history = {digest for digest, _, type_ in rows if type_ == TaskType.UNEXPLAINED_SPLIT}
    keys = dict(run.connection.execute("select record, key from numbered").fetchall())
    missing = [
        f"{asked[digest].type}: "
        + " / ".join(
            ", ".join(keys[record] for record in sorted(side))
            for side in (asked[digest].left, asked[digest].right)
            if side
        )
        for digest in sorted(asked.keys() - held.keys())
    ]
    surplus = [held[digest] for digest in held if digest not in asked and digest not in of_history]
    return [
        Difference("questions that no task asks", len(missing), tuple(missing[:examples_max])),
        Difference("tasks that nothing asks any more", len(surplus), tuple(surplus[:examples_max])),
    ]
