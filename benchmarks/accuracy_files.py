"""Accuracy of `mpi link` on files that took no part in any model, beside what a user would take."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.cases.febrl import febrl_file
from benchmarks.cases.foreign import RECIPES, foreign_file
from benchmarks.cases.region import region_file, write_feeds
from benchmarks.cases.table import LabelledFile, judge
from benchmarks.rivals import ecm_persons, splink_persons
from benchmarks.suite import SEED, Scale, Table
from mpi.batch.evaluation import PRECISION_WANTED
from mpi.batch.link import link_file
from mpi.batch.progress import SilentProgress

QUICK_RECIPES = 6
REGION_PEOPLE = 3_000
HEADER = (
    "file", "rows", "true pairs", "precision", "recall", "F1", "recall at precision .999",
    "false pairs", "over-merged persons", "questions", "seconds",
)  # fmt: skip
RIVALS: dict[str, Callable[[LabelledFile], list[int]]] = {
    "Splink, as its tutorial": splink_persons,
    "recordlinkage ECM": ecm_persons,
}


def measure_files(scale: Scale) -> tuple[list[Table], dict[str, Any]]:
    """Tables of all files, and of the public ones beside the rivals; figures by file."""
    public = [febrl_file(n, has_identifier=has) for n in (1, 2, 3, 4) for has in (True, False)]
    figures = {file.name: measure_link(file) for file in (*public, *_other_files(scale))}
    compared = []
    for file in public:
        for name, persons_of in RIVALS.items():
            figures[f"{file.name}, {name}"] = _measured(file, persons_of)
            compared.append(f"{file.name}, {name}")
    return [
        _table("mpi link", figures, [name for name in figures if name not in compared]),
        _table("The same files, by what a user would take instead", figures, compared),
    ], figures


def _other_files(scale: Scale) -> Iterator[LabelledFile]:
    for recipe in RECIPES if scale.is_full else RECIPES[:QUICK_RECIPES]:
        yield foreign_file(recipe, SEED)
    with tempfile.TemporaryDirectory() as folder:
        feeds = write_feeds(Path(folder), people=REGION_PEOPLE, seed=SEED, profile="normal")
        for lacking in (("nhs_number",), ("nhs_number", "date_of_birth")):
            name = f"region without {' and '.join(lacking)}"
            yield region_file(feeds, without=lacking, name=name)


def measure_link(file: LabelledFile) -> dict[str, Any]:
    """Links the file by `mpi link` with all it writes, and judges that.

    Gives figures by name: counts, precision and recall as shares, wall-clock seconds.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, out, edges = (folder / f"{each}.csv" for each in ("people", "persons", "edges"))
        file.write(source)
        began = perf_counter()
        report = link_file(source, out=out, edges_out=edges, progress=SilentProgress())
        seconds = perf_counter() - began
        with out.open(encoding="utf-8") as rows:
            persons = [row["person_id"] for row in csv.DictReader(rows)]
        found = _figures(file, persons, seconds)
        found["recall_at_precision"] = _recall_at_precision(file, edges)
    return found | {"questions": report.questions, "expected_false": report.expected_false_links}


def _measured(file: LabelledFile, persons_of: Callable[[LabelledFile], list[int]]) -> Any:
    began = perf_counter()
    persons = persons_of(file)
    return _figures(file, persons, perf_counter() - began)


def _figures(file: LabelledFile, persons: Any, seconds: float) -> dict[str, Any]:
    verdict = judge(file.humans, persons)
    return {
        "rows": len(file.rows),
        **verdict.pairs.to_dict(),
        "over_merged_persons": verdict.over_merged_persons,
        "seconds": seconds,
    }


def _recall_at_precision(file: LabelledFile, edges: Path) -> float | None:
    """Recall of linking all edges down to the lowest weight at which precision is .999."""
    with edges.open(encoding="utf-8") as rows:
        pairs = [
            (
                float(row["match_weight_bits"]),
                int(row["left_record_id"]),
                int(row["right_record_id"]),
            )
            for row in csv.DictReader(rows)
        ]
    pairs.sort(reverse=True)
    right = np.cumsum([file.humans[left] == file.humans[other] for _, left, other in pairs])
    true_pairs = judge(file.humans, file.humans).pairs.true_pairs
    with suppress(IndexError):
        precise = np.flatnonzero(right >= PRECISION_WANTED * np.arange(1, len(right) + 1))
        return float(right[precise[-1]] / max(true_pairs, 1))
    return None


def _table(title: str, figures: dict[str, Any], names: list[str]) -> Table:
    return Table(title, HEADER, [_row(name, figures[name]) for name in names])


def _row(name: str, found: dict[str, Any]) -> tuple[object, ...]:
    reached = found.get("recall_at_precision")
    return (
        name, found["rows"], found["true_pairs"], f"{found['precision']:.4f}",
        f"{found['recall']:.4f}", f"{found['f1']:.4f}", f"{reached:.4f}" if reached else "-",
        found["false_pairs"], found["over_merged_persons"], found.get("questions", "-"),
        f"{found['seconds']:.1f}",
    )  # fmt: skip
