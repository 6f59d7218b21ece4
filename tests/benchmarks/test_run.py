"""What a run costs when a suite fails, hangs or is killed: its own result, and not a file more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.__main__ import WITHIN_S, ran_in
from benchmarks.loaded import REGIONS_VARIABLE
from benchmarks.run_folder import PREFIX, run_folder
from benchmarks.suite import ROOT

HANGING = """
import os, subprocess, sys, tempfile
from pathlib import Path
left = tempfile.mkdtemp()
Path(left, "large").write_bytes(bytes(1_000))
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
note = Path(sys.argv[1])
note.with_suffix(".part").write_text(f"{child.pid} {left}")
note.with_suffix(".part").rename(note)
child.wait()
"""
"""A suite that writes a temporary file, starts a program, tells of both, and never ends."""
RUN = """
import signal, sys
from pathlib import Path
from benchmarks.__main__ import end_when_told, ran_in
from benchmarks.run_folder import run_folder
# As a terminal starts it; tests that run in the background may have been told to ignore them.
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
end_when_told()
with run_folder(Path(sys.argv[1])) as folder:
    ran_in(folder, [sys.executable, "-c", sys.argv[2], sys.argv[3]], within_s=600)
"""


def test_a_suite_that_fails_or_hangs_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    note = tmp_path / "note"
    with run_folder(tmp_path) as folder:
        assert ran_in(folder, [sys.executable, "-c", ""], within_s=60)
        assert not ran_in(folder, [sys.executable, "-c", "raise SystemExit(3)"], within_s=60)
        assert not ran_in(folder, [sys.executable, "-c", HANGING, note], within_s=5)
        pid, left = note.read_text().split()
        assert left.startswith(str(folder.path))
        assert not Path(left).exists()
    wait_until(lambda: not is_running(int(pid)))
    assert list(tmp_path.iterdir()) == [note]


def test_suites_of_a_run_share_its_regions(tmp_path: Path) -> None:
    write = f"import os; os.makedirs(os.environ[{REGIONS_VARIABLE!r}] + '/300')"
    read = f"import os; assert os.listdir(os.environ[{REGIONS_VARIABLE!r}]) == ['300']"
    with run_folder(tmp_path) as folder:
        assert ran_in(folder, [sys.executable, "-c", write], within_s=60)
        assert ran_in(folder, [sys.executable, "-c", read], within_s=60)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_run_that_is_told_to_end_leaves_nothing(tmp_path: Path, ending: signal.Signals) -> None:
    process, pid = started_run(tmp_path)
    process.send_signal(ending)
    assert process.wait(60) != 0
    wait_until(lambda: not is_running(pid))
    assert not list(tmp_path.glob(f"{PREFIX}*"))


def test_what_a_killed_run_left_goes_with_the_next_but_not_while_a_suite_runs(
    tmp_path: Path,
) -> None:
    process, pid = started_run(tmp_path)
    process.kill()
    process.wait(60)
    (left,) = tmp_path.glob(f"{PREFIX}*")
    with run_folder(tmp_path):
        assert left.exists()
    suite = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.killpg(suite, signal.SIGKILL)
    wait_until(lambda: not is_running(suite))
    with run_folder(tmp_path):
        assert not left.exists()


def test_every_suite_has_a_bound_and_a_module() -> None:
    assert all((ROOT / "benchmarks" / f"{name}.py").is_file() for name in WITHIN_S)
    assert max(WITHIN_S.values()) <= 3_600


def started_run(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A run in this folder whose only suite hangs, and the process that the suite has started."""
    note = folder / "note"
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, folder, HANGING, note], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    wait_until(note.exists)
    return process, int(note.read_text().split()[0])


def wait_until(holds: Callable[[], bool]) -> None:
    """Fails after a while."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    """Whether a process lives; one that was killed and waits to be collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"
