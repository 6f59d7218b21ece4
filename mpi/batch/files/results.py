"""What linking a file gives: tables of persons, edges and questions, and a report."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa

from mpi.batch.edges import CrowdedKey
from mpi.batch.files.input import FILE_COLUMNS, InputFile
from mpi.batch.groups import Grouping
from mpi.domain.identifiers import PersonId, person_id_from_bytes

COLUMNS_SHOWN: Final = 20
COLUMN_CHARACTERS_SHOWN: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkReport:
    """What linking a file came to; false links are expected ones, from the weights."""

    records: int
    persons: int
    questions: int
    link_bits: float
    expected_false_links: float
    """Of the pairs that reach `link_bits`, by their own probabilities."""
    unreadable_rows: int
    first_unreadable_line: int | None
    """Counted from 1, which is the header."""
    quarantine: Path | None
    """Where unreadable rows were written, if there are any."""
    crowded: tuple[CrowdedKey, ...]
    notes: tuple[str, ...]
    """What was found out about the file, in sentences."""

    def summary(self) -> str:
        """A few lines for a terminal; no personal data."""
        lines = [
            f"{self.records:,} records are {self.persons:,} persons; "
            f"{self.records - self.persons:,} records joined another.",
            f"{self.questions:,} questions are left for somebody to decide.",
        ]
        if self.unreadable_rows:
            lines.append(
                f"{self.unreadable_rows:,} rows have another number of columns than the header or "
                f"stray quotation marks, the first of them line {self.first_unreadable_line:,}; "
                f"they were left out and are in {self.quarantine}."
            )
        if self.crowded:
            lines.append(
                f"{len(self.crowded):,} blocking values are shared by too many records (up to "
                f"{self.crowded[0].records_count:,}) and were left out."
            )
        return "\n".join([*lines, *self.notes])


def person_ids(file: InputFile, grouping: Grouping) -> list[PersonId]:
    """Each row's person, in the order of the file; the same file gives the same ids."""
    keys = _keys(file)
    first: dict[int, PersonId] = {}
    persons = [PersonId("")] * len(keys)
    for record, group in zip(grouping.records.tolist(), grouping.groups.tolist(), strict=True):
        if group not in first:
            digest = hashlib.blake2b(keys[group].encode("utf-8", "surrogatepass"), digest_size=8)
            first[group] = person_id_from_bytes(digest.digest())
        persons[record] = first[group]
    return persons


def _keys(file: InputFile) -> list[str]:
    sources, ids = (file.rows[name].to_pylist() for name in ("source", "record_id"))
    return [f"{source or ''}:{id_}" for source, id_ in zip(sources, ids, strict=True)]


def persons_table(file: InputFile, persons: list[PersonId]) -> pa.Table:
    """A row for each row of the file, in its order: `record_id`, `person_id`.

    `source` stands between the two if ids repeat among sources.
    """
    names = ["record_id", "source"] if file.has_repeated_ids else ["record_id"]
    rows = file.rows.select(names)
    return rows.append_column("person_id", pa.array(persons, pa.string()))


def edges_table(connection: duckdb.DuckDBPyConnection, file: InputFile) -> pa.Table:
    """The pairs of the table `edge` by descending weight, with the ids of their records.

    Columns: `left_record_id`, `right_record_id`, `match_weight_bits`, `match_probability`; each id
    is followed by its source if ids repeat among sources.
    """
    edges = connection.execute(
        "select * from edge order by match_weight_bits desc, left_record, right_record"
    ).fetchnumpy()
    columns: dict[str, Any] = {}
    for side in ("left", "right"):
        rows = file.rows.take(pa.array(edges[f"{side}_record"], pa.int64()))
        columns[f"{side}_record_id"] = rows["record_id"]
        if file.has_repeated_ids:
            columns[f"{side}_source"] = rows["source"]
    bits = np.asarray(edges["match_weight_bits"], float)
    columns["match_weight_bits"] = bits
    columns["match_probability"] = 1 / (1 + np.exp2(-bits))
    return pa.table(columns)


def questions_table(file: InputFile, grouping: Grouping, persons: list[PersonId]) -> pa.Table:
    """What is left to decide, the heaviest first; record ids joined by semicolons.

    Columns: `question`, `reason`, `match_weight_bits`, then of each side the person and the
    records.
    """
    ids = file.rows["record_id"].to_pylist()
    questions = grouping.questions

    def side(records: frozenset[int]) -> str:
        return ";".join(ids[record] for record in sorted(records))

    def person(records: frozenset[int]) -> str | None:
        return persons[min(records)] if records else None

    return pa.table(
        {
            "question": pa.array([str(q.type) for q in questions], pa.string()),
            "reason": pa.array([q.reason for q in questions], pa.string()),
            "match_weight_bits": pa.array([q.match_weight_bits for q in questions], pa.float64()),
            "left_person_id": pa.array([person(q.left) for q in questions], pa.string()),
            "right_person_id": pa.array([person(q.right) for q in questions], pa.string()),
            "left_record_ids": pa.array([side(q.left) for q in questions], pa.string()),
            "right_record_ids": pa.array([side(q.right) for q in questions], pa.string()),
        }
    )


def input_notes(file: InputFile, hidden: int) -> Iterator[str]:
    """What somebody should know of how the file was read, in sentences."""
    if file.ignored_columns:
        yield (
            f"Columns that are not known were left alone: {_named(file.ignored_columns)}. "
            f"Known are {', '.join(FILE_COLUMNS)}."
        )
    if file.unnamed_rows:
        yield f"{file.unnamed_rows:,} rows have no record_id; they are called row-<number>."
    if file.has_repeated_ids:
        yield "The same record_id occurs in several sources, so the results name the source too."
    if file.has_numbers and not file.has_nhs_numbers:
        yield "nhs_number holds no NHS numbers; it was compared as a number of another scheme."
    if file.month_first_sources:
        yield "Dates with the month first were recognised."
    if file.has_towns_only:
        yield "There are no postcodes; towns were compared in their place."
    if file.exchanged_names:
        yield f"{file.exchanged_names:,} rows have given and family name exchanged, by the others."
    if hidden:
        yield f"{hidden:,} given names or birth dates stand alone and were taken for slips."


def _named(columns: Sequence[str]) -> str:
    """The first of them, for a terminal: a file can have thousands, with any characters."""
    shown = [
        "".join(c if c.isprintable() else "?" for c in name[:COLUMN_CHARACTERS_SHOWN])
        for name in columns[:COLUMNS_SHOWN]
    ]
    more = len(columns) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")
