"""Small parts of the suites: how values are summed up."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks.http import Cell, Taken, arrivals_of
from benchmarks.load_generator import Round
from benchmarks.suite import SCALES, Outcome, Table, is_changed, write_outcome
from benchmarks.timing import Latencies, latencies_from


def test_percentiles_are_of_values_that_were_taken() -> None:
    taken = [float(n) for n in range(1, 101)]
    assert latencies_from(taken[::-1]) == Latencies(51.0, 96.0, 100.0, 100)
    assert latencies_from([]) == Latencies(0.0, 0.0, 0.0, 0)


def taken(answers: int, *, seconds: float, busy: float, errors: int = 0) -> Taken:
    told = {"503": errors} if errors else {}
    return Taken(Round([2.0] * answers, seconds, told, 0.1 * seconds), busy)


def test_a_cell_compares_rounds_that_followed_one_another() -> None:
    cell = Cell(
        service=[taken(100, seconds=1, busy=0.2), taken(100, seconds=2, busy=0.4, errors=3)],
        floor=[taken(100, seconds=0.5, busy=0.1), taken(100, seconds=0.5, busy=0.1)],
    )
    found = cell.figures()
    assert found["ratio_to_floor"] == {"median": 0.375, "least": 0.25, "most": 0.5}
    assert found["processor_ms"] == pytest.approx(3.0)
    assert found["floor_processor_ms"] == pytest.approx(1.0)
    assert found["generator_busy"] == pytest.approx(0.1)
    assert found["errors"] == {"503": 3}
    assert found["calls"] == 200


def test_questions_arrive_no_faster_than_the_slower_can_answer() -> None:
    slow_service = {1: {"per_second": 300.0, "floor_per_second": 900.0},
                    8: {"per_second": 400.0, "floor_per_second": 800.0}}  # fmt: skip
    assert arrivals_of(slow_service) == 200.0
    slow_floor = {1: {"per_second": 900.0, "floor_per_second": 500.0}}
    assert arrivals_of(slow_floor) == 250.0


def test_a_result_is_written_for_programs_and_for_people(tmp_path: Path) -> None:
    table = Table("Look-ups", ("way", "ms"), [("by id", 0.1234567), ("by number", 2)])
    outcome = Outcome([table], {"by_id": 0.1234567}, {"curve.svg": "<svg/>"})
    path = write_outcome("resolve", SCALES["quick"], outcome, seconds=1_234.5, folder=tmp_path)
    assert json.loads(path.read_text(encoding="utf-8"))["figures"] == {"by_id": 0.1234567}
    title, where, *shown = (tmp_path / "resolve-quick.md").read_text().strip().split("\n\n")
    assert title == "# resolve, quick"
    assert where.endswith("1,234 seconds.")
    assert shown == [
        "**Look-ups**",
        "| way | ms |\n|---|---:|\n| by id | 0.1235 |\n| by number | 2 |",
        "![curve.svg](curve.svg)",
    ]
    assert (tmp_path / "curve.svg").read_text() == "<svg/>"


def test_a_tree_is_not_changed_by_what_its_suites_write(tmp_path: Path) -> None:
    program, result = tmp_path / "program", tmp_path / "benchmarks" / "results" / "curve.svg"
    result.parent.mkdir(parents=True)
    for file in (program, result):
        file.write_text("committed", encoding="utf-8")
    somebody = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    for words in (["init", "-q"], ["add", "."], [*somebody, "commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    result.write_text("measured", encoding="utf-8")
    assert not is_changed(tmp_path)
    program.write_text("changed", encoding="utf-8")
    assert is_changed(tmp_path)
