"""The index as it is stored, as tables for `mpi evaluate` and `mpi report` to count."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from mpi.batch.evaluate import evaluate
from mpi.batch.evaluation import Evaluation
from mpi.batch.report_data import ReportData, calibration_from_truth, collect_report_data
from mpi.batch.truth import read_truth
from mpi.domain.identifiers import RecordKey
from mpi.linkage.model import Model
from mpi.storage.bulk import read_table
from mpi.storage.engine import Store

EXAMPLES_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class ExampleRecord:
    """A record to ask about."""

    key: RecordKey
    comparison: Mapping[str, Any]
    """Fields of its `ComparisonRecord` that are not empty."""


@dataclass(frozen=True, slots=True)
class StoredIndex:
    """One row a live record and one a stored pair, at one time."""

    records: pa.Table
    """`record` (number), `source`, `local_id`, `comparison` (JSON), `person` (id)."""
    edges: pa.Table
    """`left`, `right` (record numbers), `match_weight_bits`."""
    tasks_count: int
    """Questions that wait for stewards."""


def read_index(store: Store) -> StoredIndex:
    """Everything that is judged and reported of a store; about 400 bytes a record in memory.

    Raises StorageUnavailable if the store cannot be read.
    """
    edges = read_table(store, "edge", ("left_record", "right_record", "match_weight_bits"))
    return StoredIndex(
        records=_records(store),
        edges=edges.rename_columns(["left", "right", "match_weight_bits"]),
        tasks_count=read_table(store, "task", ("number",), "closed_at IS NULL").num_rows,
    )


def evaluate_store(store: Store, truth: Path) -> Evaluation:
    """Judges a store against the truth.

    Args:
        store: With no decisions in force, or its automatic links are those after decisions.
        truth: A file, or the folder of feeds that holds it (see `read_truth`).

    Raises:
        InvalidInput: If the truth cannot be read.
        StorageUnavailable: If the store cannot be.
    """
    index, known = read_index(store), read_truth(truth)
    return evaluate(
        records=index.records, truth=known, edges=index.edges, tasks_count=index.tasks_count
    )


def report_on_store(
    store: Store, *, model: Model, created_at: datetime, truth: Path | None = None
) -> ReportData:
    """What `mpi report` shows of a store: with the truth, if there is one, calibration as well.

    Args:
        store: Any.
        model: The release in force.
        created_at: Printed on the report, UTC.
        truth: A file, or the folder of feeds that holds it (see `read_truth`).

    Raises:
        InvalidInput: If the truth cannot be read.
        StorageUnavailable: If the store cannot be.
    """
    index = read_index(store)
    known = read_truth(truth) if truth else None
    judged = known and evaluate(
        records=index.records, truth=known, edges=index.edges, tasks_count=index.tasks_count
    )
    calibration = (
        calibration_from_truth(records=index.records, truth=known, edges=index.edges)
        if known
        else ()
    )
    return collect_report_data(
        created_at=created_at,
        model=model,
        records=index.records,
        edges=index.edges,
        tasks_count=index.tasks_count,
        calibration=calibration,
        calibration_labels="the truth" if known else "",
        evaluation=judged,
    )


def _records(store: Store) -> pa.Table:
    columns = ("number", "source", "local_id", "comparison")
    records = read_table(store, "source_record", columns, "state = 'live'")
    links = read_table(store, "link", ("record", "person_id"), "valid_to IS NULL")
    places = pc.index_in(records["number"], links["record"])
    persons = links["person_id"].combine_chunks().take(places)
    return records.rename_columns(["record", *columns[1:]]).append_column("person", persons)


def example_records(index: StoredIndex, *, records_count: int) -> list[ExampleRecord]:
    """One record of each person who has exactly so many, in the order of the records.

    For demonstrations, on invented people only.
    """
    counts = index.records.group_by("person").aggregate([("record", "min"), ("record", "count")])
    wanted = counts.filter(pc.equal(counts["record_count"], records_count))["record_min"]
    rows = index.records.filter(pc.is_in(index.records["record"], wanted)).sort_by("record")
    return [
        ExampleRecord(RecordKey(row["source"], row["local_id"]), _filled(row["comparison"]))
        for row in rows.slice(0, EXAMPLES_MAX).to_pylist()
    ]


def _filled(comparison: str) -> dict[str, Any]:
    return {name: value for name, value in json.loads(comparison).items() if value}
