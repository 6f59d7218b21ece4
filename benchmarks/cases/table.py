"""A file of people with its truth, and how a linkage of it is judged."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mpi.batch.quality.evaluation import PairCounts


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """Rows as texts, and which human each is of; the two are parallel."""

    name: str
    rows: Sequence[Mapping[str, str]]
    humans: Sequence[object]

    def write(self, path: Path) -> Path:
        """As CSV for `mpi link`; the record id is the row's number, from 0."""
        columns = ["record_id", *self.rows[0]]
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            for number, row in enumerate(self.rows):
                writer.writerow({"record_id": str(number), **row})
        return path


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """How good a linkage is."""

    pairs: PairCounts
    over_merged_persons: int
    """Persons that hold two humans or more."""


def judge(humans: Sequence[object], persons: Sequence[object]) -> FileVerdict:
    """Counts of pairs, from two parallel sequences of group names."""
    members = defaultdict(set)
    for human, person in zip(humans, persons, strict=True):
        members[person].add(human)
    return FileVerdict(
        PairCounts(
            true_pairs=_pairs(humans),
            linked_pairs=_pairs(persons),
            correct_pairs=_pairs(zip(humans, persons, strict=True)),
        ),
        sum(len(each) > 1 for each in members.values()),
    )


def _pairs(groups: Iterable[object]) -> int:
    return sum(n * (n - 1) // 2 for n in Counter(groups).values())
