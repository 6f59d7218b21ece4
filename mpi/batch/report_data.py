"""The counts behind `mpi report`: nothing about any one person, so the file may leave the building.

A count from 1 to 4 could be about somebody in particular, and is therefore suppressed wherever it
would be shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import duckdb
import pyarrow as pa

from mpi.batch.calibration import CalibrationRow, calibration_table
from mpi.batch.evaluation import Evaluation
from mpi.domain.records import TUPLE_FIELDS
from mpi.errors import InvalidInput
from mpi.linkage.model import Model

SUPPRESSED_BELOW: Final = 5
REPORTED_FIELDS: Final = (
    "nhs_number",
    "trusted_nhs_number",
    "given_name",
    "middle_names",
    "family_name",
    "birth_date",
    "sex",
    "postcode",
    "addresses",
    "phones",
    "emails",
)
"""Fields of comparison records: text that is only a placeholder counts as missing."""
GROUP_RECORDS_SHOWN_MAX: Final = 20
"""Larger groups are counted together."""


def is_suppressed(count: int) -> bool:
    """Few enough to be about somebody in particular."""
    return 0 < count < SUPPRESSED_BELOW


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightBin:
    """The pairs whose match weight lies in `[from_bits, from_bits + 1)`."""

    from_bits: int
    pairs_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """How many of a source's records bring a usable value of a field to a comparison."""

    source: str
    field: str
    records_count: int
    filled_count: int

    @property
    def share(self) -> float:
        """The share of records with a value, 0..1; 0 for a source without records."""
        return self.filled_count / self.records_count if self.records_count else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """Everything that the report shows."""

    created_at: datetime
    model: Model
    records_count: int
    persons_count: int
    tasks_count: int
    weights: tuple[WeightBin, ...]
    """Ascending; only pairs that are stored, so from the model's `review_bits` up."""
    completeness: tuple[Completeness, ...]
    group_sizes: Mapping[int, int]
    """Records of a person -> persons that have so many; the last size stands for all above."""
    calibration: tuple[CalibrationRow, ...] = ()
    calibration_labels: str = ""
    """Where the labels came from, for people: `trusted NHS numbers`, `the truth`."""
    evaluation: Evaluation | None = None
    is_training: bool = False
    """It is about the records of a training: there are no persons, tasks or sources to show."""


def collect_report_data(
    *,
    created_at: datetime,
    model: Model,
    records: pa.Table,
    edges: pa.Table,
    tasks_count: int,
    calibration: Iterable[CalibrationRow] = (),
    calibration_labels: str = "",
    evaluation: Evaluation | None = None,
    connection: duckdb.DuckDBPyConnection | None = None,
) -> ReportData:
    """Counts what the report shows.

    Args:
        created_at: When, UTC; it is printed on the report.
        model: The release in force.
        records: A row for each live record: `source`, `person`, and the comparison record either
            as columns named like its fields or as one JSON text in the column `comparison`.
        edges: At least the column `match_weight_bits`, in bits.
        tasks_count: Questions that wait for stewards.
        calibration: As `mpi.batch.calibration.calibration_table` gives it.
        calibration_labels: What the labels of the calibration are, for people.
        evaluation: Against the truth, where there is one.
        connection: A DuckDB to work in; left without traces. Default: a new one in memory.

    Raises:
        InvalidInput: If a table lacks a column.
    """
    _check_columns("records", records, {"source", "person"})
    _check_columns("edges", edges, {"match_weight_bits"})
    cursor = (connection or duckdb.connect()).cursor()
    try:
        cursor.register("report_records", records)
        cursor.register("report_edges", edges)
        sizes = _group_sizes(cursor)
        return ReportData(
            created_at=created_at,
            model=model,
            records_count=records.num_rows,
            persons_count=sum(sizes.values()),
            tasks_count=tasks_count,
            weights=_weight_bins(cursor),
            completeness=tuple(_completeness(cursor, records.column_names)),
            group_sizes=sizes,
            calibration=tuple(calibration),
            calibration_labels=calibration_labels,
            evaluation=evaluation,
        )
    finally:
        cursor.close()


def calibration_from_truth(
    *,
    records: pa.Table,
    truth: pa.Table,
    edges: pa.Table,
    connection: duckdb.DuckDBPyConnection | None = None,
) -> tuple[CalibrationRow, ...]:
    """Calibration of the stored edges where the truth is known.

    Below `review_bits` nothing is stored and nothing is said.

    Args:
        records: Rows with `record` (number), `source`, `local_id`.
        truth: As `mpi.batch.truth.read_truth` gives it: a row for each record.
        edges: `left`, `right` (record numbers), `match_weight_bits`; each pair once.
        connection: A DuckDB to work in; left without traces. Default: a new one in memory.
    """
    cursor = (connection or duckdb.connect()).cursor()
    try:
        cursor.register("report_records", records)
        cursor.register("report_truth", truth)
        cursor.register("report_edges", edges)
        columns = cursor.execute(_LABELLED_EDGES).fetchnumpy()
        return calibration_table(columns["match_weight_bits"], columns["is_match"])
    finally:
        cursor.close()


_LABELLED_EDGES: Final = """
with known as (
    select record, human_id from report_records join report_truth using (source, local_id)
)
select match_weight_bits, l.human_id = r.human_id as is_match
from report_edges as e join known as l on l.record = e."left"
join known as r on r.record = e."right"
"""


def _check_columns(name: str, table: pa.Table, columns: set[str]) -> None:
    missing = sorted(columns - set(table.column_names))
    if missing:
        raise InvalidInput(f"{name}: no column {', '.join(missing)}")


def _group_sizes(cursor: duckdb.DuckDBPyConnection) -> dict[int, int]:
    rows = cursor.execute(
        f"""
        with sizes as (select count(*) as records from report_records group by person)
        select least(records, {GROUP_RECORDS_SHOWN_MAX}) as size, count(*)
        from sizes group by size order by size
        """
    ).fetchall()
    return dict(rows)


def _weight_bins(cursor: duckdb.DuckDBPyConnection) -> tuple[WeightBin, ...]:
    rows = cursor.execute(
        "select floor(match_weight_bits)::integer as bits, count(*) from report_edges"
        " group by bits order by bits"
    ).fetchall()
    return tuple(WeightBin(from_bits=bits, pairs_count=count) for bits, count in rows)


def _completeness(cursor: duckdb.DuckDBPyConnection, columns: list[str]) -> Iterable[Completeness]:
    if "comparison" in columns:
        fields, values = list(REPORTED_FIELDS), [_json_value(field) for field in REPORTED_FIELDS]
    else:
        fields = [field for field in REPORTED_FIELDS if field in columns]
        values = [f"{field} is not null and len({field}) > 0" for field in fields]
    counts = "".join(f", count(*) filter (where {value})" for value in values)
    rows = cursor.execute(
        f"select source, count(*){counts} from report_records group by source order by source"
    ).fetchall()
    for source, records_count, *filled in rows:
        for field, filled_count in zip(fields, filled, strict=True):
            yield Completeness(
                source=source, field=field, records_count=records_count, filled_count=filled_count
            )


def _json_value(field: str) -> str:
    """SQL: the field of the JSON text `comparison` is there and not empty."""
    if field in TUPLE_FIELDS:
        return f"coalesce(json_array_length(comparison, '$.{field}'), 0) > 0"
    return f"len(json_extract_string(comparison, '$.{field}')) > 0"
