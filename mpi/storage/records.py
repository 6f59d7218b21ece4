"""Source records as stored: by key, by number, by NHS number, by blocking keys."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import orjson
import sqlalchemy as sa

from mpi.domain.identifiers import PersonId, RecordKey
from mpi.domain.records import (
    COMPARISON_FIELDS,
    TUPLE_FIELDS,
    ComparisonRecord,
)
from mpi.errors import UnknownRecord
from mpi.limits import CANDIDATES_MAX, PAGE_ITEMS_MAX
from mpi.storage.prepared import PreparedQuery, Row, insert_numbered, list_parts, update_of
from mpi.storage.tables import (
    RecordState,
    decision,
    decision_record,
    link,
    record_version,
    source_record,
)
from mpi.storage.unit_of_work import UnitOfWork

_TUPLES: Final = tuple(sorted(TUPLE_FIELDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """A source record with the person it belongs to; `registered_at` in UTC."""

    number: int
    key: RecordKey
    state: RecordState
    merged_into: int | None
    """Number of the record that its source merged it into, if it has."""
    registered_at: datetime
    person_id: PersonId | None
    """None unless live."""


@dataclass(frozen=True, slots=True)
class ComparedRecord:
    """A live record as it is compared, with the person it belongs to."""

    number: int
    key: RecordKey
    person_id: PersonId
    comparison: ComparisonRecord
    is_number_disowned: bool = False
    """A decision in force calls its NHS number wrong."""


def canonical_json(content: Mapping[str, Any]) -> str:
    """`content_json`, several times as fast, of text that is valid Unicode."""
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS).decode()


def comparison_to_json(record: ComparisonRecord) -> str:
    """The fields that are not empty, as one JSON object in the order of `COMPARISON_FIELDS`."""
    values = ((name, getattr(record, name)) for name in COMPARISON_FIELDS)
    return orjson.dumps({name: value for name, value in values if value}).decode()


def comparison_from_json(text: str) -> ComparisonRecord:
    """The inverse of `comparison_to_json`; a null or an empty list is a missing value."""
    return comparison_of(orjson.loads(text))


def comparison_of(values: Mapping[str, Any]) -> ComparisonRecord:
    """The record of these fields: texts, and lists of texts; null or an empty list is missing."""
    known = dict(values)
    for name in _TUPLES:
        if name in known:
            known[name] = tuple(known[name] or ())
    return ComparisonRecord(**known)


def find_record(unit: UnitOfWork, key: RecordKey) -> StoredRecord | None:
    """The record of this key, live or not; None if nothing was ever said of it."""
    row = _BY_KEY.first(unit, source=key.source, local_id=key.local_id)
    return _record(row) if row else None


def get_record(unit: UnitOfWork, key: RecordKey) -> StoredRecord:
    """The record of this key, live or not. Raises UnknownRecord."""
    record = find_record(unit, key)
    if record is None:
        raise UnknownRecord("record: no source record has this key")
    return record


def list_records(unit: UnitOfWork, numbers: Collection[int]) -> list[StoredRecord]:
    """The records of these numbers, in order of registration; numbers of none are left out."""
    return [_record(row) for part in list_parts(numbers) for row in _BY_NUMBER.rows(unit, part)]


def list_records_by_nhs_number(unit: UnitOfWork, nhs_number: str) -> list[StoredRecord]:
    """The live records whose standardised number (ten digits) this is, in order of registration.

    At most `PAGE_ITEMS_MAX`.
    """
    return [_record(row) for row in _BY_NHS_NUMBER.rows(unit, nhs_number=nhs_number)]


def list_live_contents(unit: UnitOfWork, numbers: Collection[int]) -> dict[int, dict[str, Any]]:
    """What each of these records says now, as `demographics_to_dict` has it, by record number.

    A record that lives no longer says what its last live version said.
    """
    rows = (row for part in list_parts(numbers) for row in _LIVE_CONTENTS.rows(unit, part))
    return {number: orjson.loads(content) for number, content in rows}


def list_compared_values(
    unit: UnitOfWork, numbers: Collection[int]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """How these live records are compared, as it is stored: number, fields that are not empty.

    In ascending order of number; a tuple of `ComparisonRecord` is a list here.
    """
    for part in list_parts(numbers):
        for number, text in _VALUES.rows(unit, part):
            yield number, orjson.loads(text)


def list_compared_with(unit: UnitOfWork, numbers: Collection[int]) -> list[ComparedRecord]:
    """Every live record of the persons who hold these records, in order of registration.

    At most `CANDIDATES_MAX` of the persons of each `CANDIDATES_MAX` of them.
    """
    rows = {row[0]: row for part in list_parts(numbers) for row in _COMPARED.rows(unit, part)}
    return [_compared_record(rows[number]) for number in sorted(rows)]


def find_comparison(unit: UnitOfWork, key: RecordKey) -> ComparisonRecord | None:
    """How the live record of this key is compared; None if there is none."""
    row = _COMPARISON.first(unit, source=key.source, local_id=key.local_id)
    return compared(row[0]) if row and row[0] else None


def add_record(unit: UnitOfWork, key: RecordKey, *, at: datetime) -> int:
    """A record of which nothing is known yet, not live; gives its number.

    Raises:
        Conflict: If the key is taken; told when the unit ends.
    """
    number: int = _ADD.returned(
        unit,
        source=key.source,
        local_id=key.local_id,
        state=str(RecordState.RETIRED),
        registered_at=at,
    )
    return number


def set_live_record(
    unit: UnitOfWork,
    number: int,
    comparison: ComparisonRecord,
    *,
    live_version: int,
    withheld_nhs_number: str | None,
) -> None:
    """The record lives and is compared like this.

    Args:
        unit: Where to write.
        number: Of the record.
        comparison: What its accepted versions come to.
        live_version: Number of its live version.
        withheld_nhs_number: What it states where a status drops or replaces that; else None.
    """
    _SET.run(
        unit,
        its_number=number,
        state=str(RecordState.LIVE),
        live_version=live_version,
        comparison=comparison_to_json(comparison),
        nhs_number=comparison.nhs_number,
        withheld_nhs_number=withheld_nhs_number,
        merged_into=None,
    )


def set_survivor(unit: UnitOfWork, number: int, survivor: int | None) -> None:
    """The record lives on in another one, whose versions are then its own too; None: no longer."""
    _SET_SURVIVOR.run(unit, its_number=number, merged_into=survivor)


def set_gone_record(unit: UnitOfWork, number: int, *, merged_into: int | None) -> None:
    """The record does not live: its source deleted it, or merged it into another."""
    _SET_GONE.run(
        unit,
        its_number=number,
        state=str(RecordState.RETIRED if merged_into is None else RecordState.MERGED),
        merged_into=merged_into,
        comparison=None,
        nhs_number=None,
        withheld_nhs_number=None,
    )


def _record(row: Row) -> StoredRecord:
    number, source, local_id, state, merged_into, registered_at, person_id = row
    return StoredRecord(
        number=number,
        key=RecordKey(source, local_id),
        state=RecordState(state),
        merged_into=merged_into,
        registered_at=registered_at,
        person_id=person_id,
    )


def _compared_record(row: Row) -> ComparedRecord:
    number, source, local_id, person_id, comparison, *disowned = row
    key = RecordKey(source, local_id)
    return ComparedRecord(number, key, person_id, compared(comparison), any(disowned))


@lru_cache(maxsize=65_536)
def compared(text: str) -> ComparisonRecord:
    """The inverse of `comparison_to_json`; a record met again soon is decoded once."""
    return comparison_from_json(text)


_OPEN_LINK: Final = sa.and_(link.c.record == source_record.c.number, link.c.valid_to.is_(None))
_RECORDS: Final = sa.select(
    source_record.c.number,
    source_record.c.source,
    source_record.c.local_id,
    source_record.c.state,
    source_record.c.merged_into,
    source_record.c.registered_at,
    link.c.person_id,
).select_from(source_record.outerjoin(link, _OPEN_LINK))
_BY_KEY: Final = PreparedQuery(
    _RECORDS.where(
        source_record.c.source == sa.bindparam("source"),
        source_record.c.local_id == sa.bindparam("local_id"),
    )
)
_BY_NUMBER: Final = PreparedQuery(
    _RECORDS.where(
        source_record.c.number.in_(sa.bindparam("numbers", expanding=True)),
    ).order_by(source_record.c.number),
    list_name="numbers",
)
_BY_NHS_NUMBER: Final = PreparedQuery(
    _RECORDS.where(
        source_record.c.nhs_number == sa.bindparam("nhs_number"),
        source_record.c.state == RecordState.LIVE,
    )
    .order_by(source_record.c.number)
    .limit(PAGE_ITEMS_MAX)
)
_LIVE_CONTENTS: Final = PreparedQuery(
    sa.select(source_record.c.number, record_version.c.content)
    .join(record_version, record_version.c.number == source_record.c.live_version)
    .where(source_record.c.number.in_(sa.bindparam("numbers", expanding=True))),
    list_name="numbers",
)
_AS_COMPARED: Final = (
    sa.select(
        source_record.c.number,
        source_record.c.source,
        source_record.c.local_id,
        link.c.person_id,
        source_record.c.comparison,
    )
    .select_from(source_record.join(link, _OPEN_LINK))
    .where(source_record.c.comparison.is_not(None))
)
_IS_DISOWNED: Final = (
    sa.exists()
    .where(
        decision_record.c.record == source_record.c.number,
        decision_record.c.is_number_disowned,
        decision_record.c.decision == decision.c.number,
        decision.c.retracted_at.is_(None),
    )
    .label("is_disowned")
)
_own: Final = link.alias("own")
_HOLDERS: Final = (
    sa.select(_own.c.person_id)
    .where(_own.c.record.in_(sa.bindparam("numbers", expanding=True)), _own.c.valid_to.is_(None))
    .scalar_subquery()
)
_COMPARED: Final = PreparedQuery(
    _AS_COMPARED.add_columns(_IS_DISOWNED)
    .where(link.c.person_id.in_(_HOLDERS))
    .order_by(source_record.c.number)
    .limit(CANDIDATES_MAX),
    list_name="numbers",
)
_VALUES: Final = PreparedQuery(
    sa.select(source_record.c.number, source_record.c.comparison).where(
        source_record.c.number.in_(sa.bindparam("numbers", expanding=True)),
        source_record.c.comparison.is_not(None),
    ),
    list_name="numbers",
)
_COMPARISON: Final = PreparedQuery(
    sa.select(source_record.c.comparison).where(
        source_record.c.source == sa.bindparam("source"),
        source_record.c.local_id == sa.bindparam("local_id"),
        source_record.c.state == RecordState.LIVE,
    )
)
_ADD: Final = insert_numbered(source_record, "source", "local_id", "state", "registered_at")
_SET: Final = update_of(
    source_record,
    "state",
    "live_version",
    "comparison",
    "nhs_number",
    "withheld_nhs_number",
    "merged_into",
)
_SET_GONE: Final = update_of(
    source_record, "state", "comparison", "nhs_number", "withheld_nhs_number", "merged_into"
)
_SET_SURVIVOR: Final = update_of(source_record, "merged_into")
