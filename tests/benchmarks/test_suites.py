"""Small parts of the suites: how values are summed up, and what a failing suite costs."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from benchmarks.__main__ import ran
from benchmarks.cases.region import newest_versions, some_newest_versions, write_feeds
from benchmarks.http import Cell, Taken
from benchmarks.load_generator import Round
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


def test_some_records_are_always_the_same_ones_as_they_are_now(tmp_path: Path) -> None:
    feeds = write_feeds(tmp_path, people=300, seed=7)
    some, newest = some_newest_versions(feeds, 100), newest_versions(feeds)
    assert len(dict(some)) == 100
    assert all(newest[key] == version for key, version in some)
    assert some == some_newest_versions(feeds, 100)
    assert len(some_newest_versions(feeds, 10**9)) == len(newest)


def test_a_suite_that_fails_or_hangs_is_told_and_leaves_nothing_running(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    hanging = (
        "import subprocess, sys; from pathlib import Path;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        f"Path({str(note)!r}).write_text(str(child.pid)); child.wait()"
    )
    assert ran([sys.executable, "-c", ""], within_s=60)
    assert not ran([sys.executable, "-c", "raise SystemExit(3)"], within_s=60)
    assert not ran([sys.executable, "-c", hanging], within_s=3)
    deadline = time.monotonic() + 10
    while is_running(int(note.read_text())):
        assert time.monotonic() < deadline


def is_running(pid: int) -> bool:
    """Whether a process lives; one that was killed and waits to be collected does not."""
    try:
        os.kill(pid, signal.SIG_DFL)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"
