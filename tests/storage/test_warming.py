"""A SQLite file is read beforehand by a process of its own, if there is room for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mpi.storage import warming as module
from mpi.storage.warming import available_bytes, warm, warming

DYING_SERVER = """
import os, signal, sys
from mpi.storage import warming

warming.available_bytes = lambda: 1 << 41
begin = warming.subprocess.Popen
warming.subprocess.Popen = lambda *given, **named: told(begin(*given, **named))

def told(reading):
    print(reading.pid, flush=True)
    return reading

with warming.warming(sys.argv[1]):
    os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that were started, as they are."""
    started: list[subprocess.Popen[bytes]] = []
    begin = module.subprocess.Popen

    def noted(*given: object, **named: object) -> subprocess.Popen[bytes]:
        started.append(begin(*given, **named))  # type: ignore[call-overload]
        return started[-1]

    monkeypatch.setattr(module.subprocess, "Popen", noted)
    return started


def _file(folder: Path) -> str:
    path = folder / "store.sqlite3"
    path.write_bytes(b"x" * 3_000_000)
    return f"sqlite:///{path}"


def test_the_whole_file_is_read(tmp_path: Path, read: list[subprocess.Popen[bytes]]) -> None:
    warm(_file(tmp_path))
    assert [each.returncode for each in read] == [0]


def test_reading_ends_with_the_block(tmp_path: Path, read: list[subprocess.Popen[bytes]]) -> None:
    with warming(_file(tmp_path)):
        pass
    assert len(read) == 1
    assert read[0].returncode is not None


def test_nothing_is_read_without_room(
    tmp_path: Path, read: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "available_bytes", lambda: 2_000_000)
    warm(_file(tmp_path))
    assert not read


def test_reading_ends_with_a_server_that_a_signal_ends(tmp_path: Path) -> None:
    url = _file(tmp_path)
    os.truncate(url.removeprefix("sqlite:///"), 1 << 40)  # Minutes, though nothing is there.
    command = [sys.executable, "-c", DYING_SERVER, url]
    server = subprocess.run(command, check=False, capture_output=True, text=True, timeout=10)
    assert server.returncode == -signal.SIGTERM
    deadline = time.monotonic() + 10
    while _command(int(server.stdout)):
        assert time.monotonic() < deadline, "it still reads"
        time.sleep(0.01)


def _command(pid: int) -> bytes:
    """Of a process; nothing once it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all", "postgresql://me@host/index"])
def test_nothing_is_read_of_another_kind_of_store(
    url: str, read: list[subprocess.Popen[bytes]]
) -> None:
    with warming(url):
        assert not read


def test_a_server_starts_where_no_process_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_given: object, **_named: object) -> None:
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(module.subprocess, "Popen", refused)
    with warming(_file(tmp_path)):
        warm(_file(tmp_path))


def test_the_system_tells_how_much_is_free() -> None:
    assert available_bytes() >= 0
