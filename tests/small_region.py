"""A store with a few people in it, linked as given: the read side is tested on it.

The rows are made by the product's own standardiser, blocking and scorer; only who belongs to whom
is stated here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
import pyarrow as pa

from mpi.domain.demographics import Demographics
from mpi.domain.identifiers import PersonId, RecordKey, person_id_from_bytes
from mpi.domain.records import (
    RecordVersion,
    SourceRecord,
    content_digest,
    content_json,
    demographics_to_dict,
)
from mpi.services.linkage_index import LinkageIndex, compile_linkage_index
from mpi.standardise.record import standardise
from mpi.storage.bulk import bulk_write
from mpi.storage.engine import Store
from mpi.storage.records import comparison_to_json
from mpi.storage.releases import Release

SPEC: Final = Path(__file__).parents[1] / "linkage_models" / "dorset" / "spec.toml"
LOADED_AT: Final = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
_INSTANT: Final = pa.timestamp("us", "UTC")


@dataclass(frozen=True, slots=True)
class Row:
    """One source record and the number of the person that it belongs to."""

    key: RecordKey
    person: int
    demographics: Demographics


def row(source: str, local_id: str, person: int, **texts: str) -> Row:
    return Row(RecordKey(source, local_id), person, Demographics(**texts))


ADA: Final = {
    "given_name": "Ada",
    "family_name": "Okafor",
    "date_of_birth": "1989-03-02",
    "sex": "F",
    "address": "12 High Street",
    "postcode": "DT1 1AA",
    "phone": "01305 251150",
}
JOHN: Final = {
    "given_name": "John",
    "family_name": "Smith",
    "date_of_birth": "1950-07-14",
    "sex": "M",
    "address": "3 Mill Lane",
    "postcode": "BH15 2JF",
}
ROWS: Final = (
    row("gp", "G1", 1, **ADA, nhs_number="9990000018", nhs_number_status="01"),
    row("ed", "E/7", 1, **ADA | {"given_name": "Adah", "phone": ""}),
    row("gp", "G2", 2, **JOHN, nhs_number="9990000026", nhs_number_status="01"),
    row("council", "C1", 3, **JOHN | {"given_name": "Jon"}),
    row("gp", "G3", 4, given_name="Noor", family_name="Haddad", date_of_birth="2001-01-31"),
)
"""Ada twice; two John Smiths of one address that stay apart; Noor."""


def spec_release() -> Release:
    """The spec's own values as a release, without frequencies."""
    spec = tomllib.loads(SPEC.read_text("utf-8"))
    return Release(
        version="spec", digest="0" * 64, spec=spec, frequencies={}, stop_list=frozenset()
    )


def spec_index() -> LinkageIndex:
    return compile_linkage_index(spec_release())


def person_id(number: int) -> PersonId:
    return person_id_from_bytes(number.to_bytes(8, "big"))


def fill(store: Store, index: LinkageIndex, rows: Sequence[Row] = ROWS) -> None:
    """Write the rows as a load would."""
    versions = [_version(each) for each in rows]
    trust = index.model.number_trust
    compared = [standardise(SourceRecord(v.key, (v,)), trust) for v in versions]
    numbers = list(range(1, len(rows) + 1))
    keys = sorted((k, n) for n, c in zip(numbers, compared, strict=True) for k in index.keys_of(c))
    persons = sorted({each.person for each in rows})
    bulk_write(
        store,
        {
            "source_system": pa.table({"source": sorted({each.key.source for each in rows})}),
            "model_release": _release_table(index),
            "source_record": _table(
                number=numbers,
                source=[each.key.source for each in rows],
                local_id=[each.key.local_id for each in rows],
                live_version=numbers,
                comparison=[comparison_to_json(record) for record in compared],
                nhs_number=pa.array([record.nhs_number for record in compared], pa.string()),
                registered_at=_instants(rows),
            ),
            "record_version": _table(
                number=numbers,
                record=numbers,
                event_at=_instants(rows),
                digest=[version.digest for version in versions],
                content=[_content(each) for each in rows],
                received_at=_instants(rows),
            ),
            "blocking_key": _table(key=[k for k, _ in keys], record=[n for _, n in keys]),
            "person": _table(
                number=persons,
                id=[person_id(number) for number in persons],
                golden=[_golden(number, rows) for number in persons],
                created_at=_instants(persons),
            ),
            "home": _table(record=numbers, home_id=[person_id(each.person) for each in rows]),
            "link": _table(
                record=numbers,
                person_id=[person_id(each.person) for each in rows],
                origin=["batch"] * len(rows),
                model=[1] * len(rows),
                valid_from=_instants(rows),
            ),
        },
    )


def _version(each: Row) -> RecordVersion:
    return RecordVersion(
        key=each.key,
        demographics=each.demographics,
        event_at=LOADED_AT,
        digest=content_digest(_content(each)),
    )


def _content(each: Row) -> str:
    return content_json(demographics_to_dict(each.demographics))


def _golden(number: int, rows: Sequence[Row]) -> str:
    first = next(each for each in rows if each.person == number)
    return orjson.dumps(demographics_to_dict(first.demographics)).decode()


def _release_table(index: LinkageIndex) -> pa.Table:
    return _table(
        number=[1],
        digest=[index.model.digest],
        name=[index.model.name],
        version=[index.model.version],
        released_at=_instants([1]),
        is_in_force=[True],
    )


def _instants(rows: Sequence[Any]) -> pa.Array:
    return pa.array([LOADED_AT] * len(rows), _INSTANT)


def _table(**columns: Any) -> pa.Table:
    return pa.table(columns)
