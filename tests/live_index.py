"""A live index for tests: a store, a writer, the model, a clock, and short ways to say things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from mpi.clock import FixedClock
from mpi.config import read_source_systems
from mpi.domain.demographics import Demographics
from mpi.domain.identifiers import RecordKey, parse_record_key
from mpi.domain.links import DecisionKind
from mpi.domain.records import VersionVerdict
from mpi.domain.tasks import TaskType
from mpi.services.change_record import delete_record, merge_records, unmerge_record
from mpi.services.decide import Proposal, decide
from mpi.services.decided import Decided
from mpi.services.disclosure import Recipient
from mpi.services.judge_version import Verdict, judge_version
from mpi.services.linkage_index import LinkageIndex, compile_linkage_index
from mpi.services.prepare import prepare_store
from mpi.services.register import Registered, Statement, register
from mpi.services.retract import retract
from mpi.storage.engine import Store
from mpi.storage.tasks import StoredTask, list_open_tasks
from mpi.storage.unit_of_work import reading
from mpi.storage.writer import Writer
from tests.small_region import spec_release

START: Final = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
SOURCES: Final = read_source_systems()
STEWARD: Final = Recipient(actor="steward-1", purpose="test")


def live_release() -> Any:
    """The spec's own values, under which few agreements already link."""
    return spec_release()


@dataclass(slots=True)
class LiveIndex:
    """Everything that a use case takes."""

    store: Store
    index: LinkageIndex = field(
        default_factory=lambda: compile_linkage_index(live_release(), SOURCES)
    )
    clock: FixedClock = field(default_factory=lambda: FixedClock(START))
    writer: Writer = field(init=False)

    def __post_init__(self) -> None:
        prepare_store(self.store, self.index, SOURCES, clock=self.clock)
        self.writer = Writer(self.store)

    def say(
        self,
        record: str,
        texts: Mapping[str, Any],
        *,
        day: int = 0,
        sequence: int = 0,
        is_error: bool = False,
        request_key: str | None = None,
        **changes: Any,
    ) -> Registered:
        """A source (the caller) says something about `source:local_id`, some days ago."""
        key = parse_record_key(record)
        statement = Statement(
            key=key,
            demographics=Demographics(**{**texts, **changes}),
            event_at=START - timedelta(days=100 - day),
            sequence=sequence,
            is_entered_in_error=is_error,
            request_key=request_key,
        )
        return register(self.writer, self.index, statement, self.as_(key.source), clock=self.clock)

    def as_(self, source: str) -> Recipient:
        return Recipient(actor=source, purpose="test")

    def delete(self, record: str, *, day: int = 50) -> Registered:
        key = parse_record_key(record)
        at = START - timedelta(days=100 - day)
        return delete_record(
            self.writer, self.index, key, self.as_(key.source), event_at=at, clock=self.clock
        )

    def merge(self, retired: str, survivor: str) -> Registered:
        left, right = parse_record_key(retired), parse_record_key(survivor)
        return merge_records(
            self.writer, self.index, left, right, self.as_(left.source), clock=self.clock
        )

    def unmerge(self, retired: str) -> Registered:
        key = parse_record_key(retired)
        return unmerge_record(self.writer, self.index, key, self.as_(key.source), clock=self.clock)

    def decide(
        self, kind: str, left: str, right: str, *, is_preview: bool = False, **more: Any
    ) -> Decided:
        """Records of a side are separated by spaces."""
        proposal = Proposal(
            kind=DecisionKind(kind), left=keys(left), right=keys(right), reason="looked", **more
        )
        return decide(
            self.writer, self.index, proposal, STEWARD, clock=self.clock, is_preview=is_preview
        )

    def judge(self, record: str, version: str, verdict: VersionVerdict) -> Decided:
        said = Verdict(
            record=parse_record_key(record), version=version, verdict=verdict, reason="looked"
        )
        return judge_version(self.writer, self.index, said, STEWARD, clock=self.clock)

    def retract(self, number: int) -> Decided:
        return retract(self.writer, self.index, number, "mistaken", STEWARD, clock=self.clock)

    def groups(self) -> set[frozenset[str]]:
        """Who is one person, as sets of record keys."""
        persons: dict[str, set[str]] = {}
        for record, person_id in self.person_of().items():
            persons.setdefault(person_id, set()).add(record)
        return {frozenset(records) for records in persons.values()}

    def person_of(self) -> dict[str, str]:
        """Live record -> person id."""
        return {
            f"{row.source}:{row.local_id}": row.person_id
            for row in self.query(
                "SELECT source, local_id, person_id FROM link JOIN source_record "
                "ON source_record.number = link.record WHERE valid_to IS NULL"
            )
        }

    def tasks(self) -> list[StoredTask]:
        with reading(self.store) as unit:
            return list_open_tasks(unit)

    def task_types(self) -> list[TaskType]:
        return sorted(task.type for task in self.tasks())

    def events(self) -> list[tuple[str, str | None]]:
        """Type and person of every event, in order."""
        rows = self.query("SELECT type, person_id FROM outbox_event ORDER BY number")
        return [(row.type, row.person_id) for row in rows]

    def query(self, sql: str) -> list[Any]:
        with self.store.reader.connect() as connection:
            return list(connection.execute(sa.text(sql)))

    def close(self) -> None:
        self.writer.close()


def keys(text: str) -> tuple[RecordKey, ...]:
    return tuple(map(parse_record_key, text.split()))


def renumbered(registered: Registered) -> Registered:
    """Without what differs from run to run."""
    return replace(registered, person_id=None)
