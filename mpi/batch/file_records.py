"""Rows of any file as comparison records; done by worker processes, so it imports little."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa

from mpi.batch.link_input import InputFile, day_first
from mpi.domain.demographics import Demographics
from mpi.domain.identifiers import NumberTrust
from mpi.domain.records import COMPARISON_FIELDS, TUPLE_FIELDS, ComparisonRecord
from mpi.standardise.numbers import standardise_nhs_number
from mpi.standardise.record import standardise_demographics
from mpi.standardise.text import fold_text

ROWS_AT_ONCE: Final = 8_192
RECORD_SCHEMA: Final = pa.schema(
    [
        ("record", pa.int64()),
        ("source", pa.string()),
        *(
            (name, pa.list_(pa.string()) if name in TUPLE_FIELDS else pa.string())
            for name in COMPARISON_FIELDS
        ),
    ]
)
_VERIFIED: Final = "01"
"""NHS NUMBER STATUS INDICATOR: present and verified."""
_FILE_TRUST: Final = NumberTrust(statuses=frozenset({_VERIFIED}))


@dataclass(frozen=True, slots=True)
class RowsJob:
    """Rows to standardise; picklable."""

    rows: pa.Table
    start: int
    """Number of the first row; records are numbered by their rows, from 0."""
    has_nhs_numbers: bool
    month_first_sources: frozenset[str]
    has_towns_only: bool
    are_areas_towns: bool
    is_scheme_trusted: bool


def row_jobs(file: InputFile, *, is_scheme_trusted: bool) -> Iterator[RowsJob]:
    """The file's rows in pieces of `ROWS_AT_ONCE`, in order; `start` is a piece's first row."""
    for start in range(0, file.rows.num_rows, ROWS_AT_ONCE):
        yield RowsJob(
            file.rows.slice(start, ROWS_AT_ONCE).combine_chunks(),
            start,
            file.has_nhs_numbers,
            file.month_first_sources,
            file.has_towns_only,
            file.are_areas_towns,
            is_scheme_trusted,
        )


def standardise_rows(job: RowsJob) -> pa.Table:
    """A table with `RECORD_SCHEMA`, one row for each row of the job."""
    rows = job.rows.to_pylist()
    records = [_record(row, job) for row in rows]
    columns: dict[str, list[Any]] = {
        "record": list(range(job.start, job.start + len(rows))),
        "source": [row["source"] for row in rows],
    }
    for name in COMPARISON_FIELDS:
        columns[name] = [getattr(record, name) or None for record in records]
    return pa.table(columns, schema=RECORD_SCHEMA)


def _record(row: Mapping[str, str | None], job: RowsJob) -> ComparisonRecord:
    source, born = row["source"] or "", row["date_of_birth"]
    if born and source in job.month_first_sources:
        born = day_first(born)
    number = row["nhs_number"]
    # A valid NHS number is trusted; a number that is none is one of another scheme.
    is_nhs = job.has_nhs_numbers and standardise_nhs_number(number) is not None
    live = Demographics(
        nhs_number=number if is_nhs else None,
        nhs_number_status=_VERIFIED if is_nhs else None,
        identifier=None if is_nhs else number,
        date_of_birth=born,
        given_name=row["given_name"],
        middle_name=row["middle_name"],
        family_name=row["family_name"],
        sex=row["sex"],
        address=row["address"],
        town=row["town"],
        postcode=row["postcode"],
        phone=row["phone"],
        email=row["email"],
    )
    record = _with_words(standardise_demographics(source, live, (), _FILE_TRUST), row["address"])
    town = fold_text(row["town"] or "").replace(" ", "")
    if job.has_towns_only and town:
        record = _with_town(record, town)
    elif job.are_areas_towns and town:
        record = replace(record, outward_codes=(town,))
    if job.is_scheme_trusted and record.identifier and not record.trusted_nhs_number:
        record = replace(record, trusted_nhs_number=record.identifier)
    return record


def _with_words(record: ComparisonRecord, address: str | None) -> ComparisonRecord:
    """Also knows the address by all its words in one order: elsewhere they come in any."""
    words = " ".join(sorted(fold_text(address or "").split()))
    if not record.addresses or words in record.addresses:
        return record
    places = (f"{words}|{record.postcode}",) if record.postcode else ()
    return replace(record, addresses=(*record.addresses, words), places=(*record.places, *places))


def _with_town(record: ComparisonRecord, town: str) -> ComparisonRecord:
    """In a file without postcodes the town takes their place, and its frequency says how far."""
    return replace(
        record,
        postcode=town,
        postcodes=(town,),
        outward_codes=(town,),
        places=tuple(f"{address}|{town}" for address in record.addresses),
    )
