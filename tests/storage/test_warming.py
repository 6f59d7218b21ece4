"""A SQLite file is read beforehand by a process of its own, if there is room for it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mpi.storage import warming as module
from mpi.storage.warming import available_bytes, warm, warming


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


def test_an_interruption_of_the_server_is_not_told_to_the_reader(
    tmp_path: Path, read: list[subprocess.Popen[bytes]]
) -> None:
    with warming(_file(tmp_path)):
        assert os.getpgid(read[0].pid) != os.getpgid(0)


def test_nothing_is_read_without_room(
    tmp_path: Path, read: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "available_bytes", lambda: 2_000_000)
    warm(_file(tmp_path))
    assert not read


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all", "postgresql://me@host/index"])
def test_nothing_is_read_of_another_kind_of_store(
    url: str, read: list[subprocess.Popen[bytes]]
) -> None:
    with warming(url):
        assert not read


def test_the_system_tells_how_much_is_free() -> None:
    assert available_bytes() >= 0
