"""Versions as stored: what a record is folded from, and what became of each of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson
import sqlalchemy as sa

from mpi.domain.golden import Contents, contents_from_dict
from mpi.domain.identifiers import RecordKey
from mpi.domain.links import DecisionKind
from mpi.domain.records import (
    RecordVersion,
    VersionVerdict,
    content_json,
    demographics_from_dict,
    demographics_to_dict,
)
from mpi.storage.prepared import PreparedQuery, Row, insert_numbered, list_parts, update_of
from mpi.storage.tables import VersionState, decision, decision_version, record_version
from mpi.storage.unit_of_work import UnitOfWork

VERSIONS_MAX: Final = 10_000
"""Versions of one record that are ever folded."""
_VERDICTS: Final = {
    DecisionKind.SAME: VersionVerdict.CORRECTION,
    DecisionKind.DIFFERENT: VersionVerdict.ANOTHER_HUMAN,
}


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version with its number and what it counts for today."""

    number: int
    record: int
    """The record that it came with."""
    version: RecordVersion
    state: VersionState


class ToldContents(NamedTuple):
    """What one version says, for golden records."""

    contents: Contents
    event_at: datetime
    digest: str


def list_contents(unit: UnitOfWork, numbers: Collection[int]) -> dict[int, ToldContents]:
    """What the versions of these numbers say."""
    told = {}
    for part in list_parts(numbers):
        for number, content, event_at, digest in _CONTENTS.rows(unit, part):
            told[number] = ToldContents(contents_from_dict(orjson.loads(content)), event_at, digest)
    return told


def list_versions_of(
    unit: UnitOfWork, key: RecordKey, records: Collection[int]
) -> list[StoredVersion]:
    """Every version of these records, as versions of one, in event order; at most `VERSIONS_MAX`.

    Of equal ones that of the record registered first comes first.

    Args:
        unit: Where to look.
        key: The record that they count for.
        records: Its number and those of the records merged into it.
    """
    return [_stored(key, row) for row in _VERSIONS.rows(unit, sorted(records))]


def list_versions_known_at(
    unit: UnitOfWork, key: RecordKey, records: Collection[int], at: datetime
) -> list[StoredVersion]:
    """`list_versions_of` as it was known at an instant (UTC), with the verdicts in force then."""
    return [_stored(key, row) for row in unit.rows(_KNOWN_AT, records=sorted(records), at=at)]


def list_received(
    unit: UnitOfWork, key: RecordKey, records: Collection[int]
) -> list[tuple[StoredVersion, datetime]]:
    """`list_versions_of`, each with the instant (UTC) at which it was received."""
    rows = unit.rows(_RECEIVED, records=sorted(records))
    return [(_stored(key, tuple(row)[:-1]), row.received_at) for row in rows]


def find_version_digest(unit: UnitOfWork, number: int) -> str | None:
    """The digest of the version of this number; None if there is none."""
    row = _DIGEST.first(unit, number=number)
    return row[0] if row else None


def add_version(
    unit: UnitOfWork,
    record: int,
    version: RecordVersion,
    *,
    received_at: datetime,
    mapping_digest: str | None = None,
) -> int:
    """Keep a version for ever; gives its number. Its state follows when the record is folded.

    Args:
        unit: Where to write.
        record: Number of the record that it came with.
        version: What was said.
        received_at: When we got it.
        mapping_digest: Of the source's mapping, where that read it.

    Raises:
        Conflict: If the record has this very version; told when the unit ends.
    """
    number: int = _ADD.returned(
        unit,
        record=record,
        event_at=version.event_at,
        sequence=version.sequence,
        digest=version.digest,
        content=version.content or content_json(demographics_to_dict(version.demographics)),
        mapping_digest=mapping_digest,
        received_at=received_at,
        is_error=version.is_entered_in_error,
    )
    return number


def mark_version_in_error(unit: UnitOfWork, number: int) -> None:
    """The source says of a version it sent before, by its number, that it was entered in error."""
    _MARK.run(unit, its_number=number, is_error=True)


def set_version_states(unit: UnitOfWork, states: Iterable[tuple[int, VersionState]]) -> None:
    """Write what versions count for now: number of the version, state."""
    _JUDGE.run_many(unit, [(str(state), number) for number, state in states])


def _stored(key: RecordKey, row: Row) -> StoredVersion:
    number, record, event_at, sequence, digest, content, state, is_error, verdict = row
    version = RecordVersion(
        key=key,
        demographics=demographics_from_dict(orjson.loads(content)),
        event_at=event_at,
        sequence=sequence,
        digest=digest,
        is_entered_in_error=bool(is_error),
        verdict=_VERDICTS[DecisionKind(verdict)] if verdict else None,
    )
    return StoredVersion(number, record, version, VersionState(state))


def _versions(
    is_in_force: sa.ColumnElement[bool], *columns: sa.ColumnElement[Any]
) -> sa.Select[Any]:
    """Versions in event order, with the last verdict among the decisions in force."""
    verdict = (
        sa.select(decision.c.kind)
        .join(decision_version, decision.c.number == decision_version.c.decision)
        .where(
            decision_version.c.record == record_version.c.record,
            decision_version.c.version == record_version.c.number,
            is_in_force,
        )
        .order_by(decision.c.number.desc())
        .limit(1)
        .correlate(record_version)
        .scalar_subquery()
    )
    order = (record_version.c.event_at, record_version.c.sequence, record_version.c.digest)
    return (
        sa.select(
            record_version.c.number,
            record_version.c.record,
            *order,
            record_version.c.content,
            record_version.c.state,
            record_version.c.is_error,
            verdict.label("verdict"),
            *columns,
        )
        .where(record_version.c.record.in_(sa.bindparam("records", expanding=True)))
        .order_by(*order, record_version.c.record)
        .limit(VERSIONS_MAX)
    )


_VERSIONS: Final = PreparedQuery(_versions(decision.c.retracted_at.is_(None)), list_name="records")
_at: Final[sa.BindParameter[datetime]] = sa.bindparam("at", type_=record_version.c.received_at.type)
_KNOWN_AT: Final = _versions(
    sa.and_(
        decision.c.decided_at <= _at,
        sa.or_(decision.c.retracted_at.is_(None), decision.c.retracted_at > _at),
    )
).where(record_version.c.received_at <= _at)
_RECEIVED: Final = _versions(decision.c.retracted_at.is_(None), record_version.c.received_at)
_CONTENTS: Final = PreparedQuery(
    sa.select(
        record_version.c.number,
        record_version.c.content,
        record_version.c.event_at,
        record_version.c.digest,
    ).where(record_version.c.number.in_(sa.bindparam("numbers", expanding=True))),
    list_name="numbers",
)
_DIGEST: Final = PreparedQuery(
    sa.select(record_version.c.digest).where(record_version.c.number == sa.bindparam("number"))
)
_ADD: Final = insert_numbered(
    record_version,
    "record",
    "event_at",
    "sequence",
    "digest",
    "content",
    "mapping_digest",
    "received_at",
    "is_error",
)
_JUDGE: Final = update_of(record_version, "state")
_MARK: Final = update_of(record_version, "is_error")
