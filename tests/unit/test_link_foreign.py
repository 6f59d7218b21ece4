"""`mpi link` on files of other countries and other errors: nothing false, and little missed."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from mpi.batch.link import link_file
from mpi.batch.progress import SilentProgress
from tests.foreign_files import FOREIGN_FILES, ForeignFile, write

FLOORS = {
    "typed twice": (0.99, 0.97),
    "names cut off": (0.975, 0.97),
    "double surnames, halves lost": (0.97, 0.97),
    "names in each other's column": (0.97, 0.97),
    "two registers, one record each": (0.98, 0.98),
    "many copies, no source": (0.99, 0.98),
    "rhyming twins in many homes": (0.99, 0.96),
    "dates in any style": (0.97, 0.97),
    "no birth dates": (0.93, 0.94),
    "no home": (0.97, 0.97),
    "half the cells empty": (0.95, 0.55),
    "a number of another country, often missing": (0.97, 0.80),
}
"""Least precision and recall, pair by pair. Some twins of each file are called ANNA and HANNA."""


@pytest.mark.parametrize("kind", FOREIGN_FILES, ids=lambda kind: kind.name)
def test_a_foreign_file_is_linked_with_few_errors(kind: ForeignFile, tmp_path: Path) -> None:
    rows, humans = kind.make(seed=1)
    out = tmp_path / "persons.csv"
    link_file(write(rows, tmp_path / "people.csv"), out=out, progress=SilentProgress())
    with out.open(encoding="utf-8") as file:
        persons = [row["person_id"] for row in csv.DictReader(file)]
    right, linked, true = (
        _pairs(groups) for groups in (zip(humans, persons, strict=True), persons, humans)
    )
    least_precision, least_recall = FLOORS[kind.name]
    assert right / linked >= least_precision
    assert right / true >= least_recall


def _pairs(groups: Iterable[object]) -> int:
    return sum(n * (n - 1) // 2 for n in Counter(groups).values())
