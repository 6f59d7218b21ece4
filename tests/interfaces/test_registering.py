"""`mpi register` registers lines of JSON, tells the bad ones, and can be run again."""

from __future__ import annotations

import io
import json
import tomllib
from types import SimpleNamespace
from typing import Any

import pytest

from mpi.cli import main
from mpi.cli.register import GROUP_LINES
from mpi.limits import REQUEST_BYTES_MAX
from mpi.storage.releases import write_release
from tests.live_api import somebody
from tests.small_region import SPEC


@pytest.fixture
def register(tmp_path, new_database, monkeypatch, capsys):
    """Runs `mpi register -` on a new store: status, outcomes, standard error."""
    release = tmp_path / "spec"
    write_release(release, spec=tomllib.loads(SPEC.read_text("utf-8")), frequencies={}, card="-")
    monkeypatch.setenv("MPI_DATABASE_URL", new_database("sqlite"))
    monkeypatch.setenv("MPI_RELEASE_FOLDER", str(release))

    def run(*lines: bytes):
        written = io.BytesIO(b"\n".join(lines))
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=written))
        status = main.exit_status(["register", "-"])
        said = capsys.readouterr()
        return status, [json.loads(line) for line in said.out.splitlines()], said.err

    return run


def line(local_id: str, told: dict[str, Any], source: str = "gp") -> bytes:
    return json.dumps({"source": source, "local_id": local_id, **told}).encode()


def test_lines_are_registered_and_may_be_sent_again(register):
    told = somebody()
    lines = [line("1", told), b"", line("1", told, source="poole-council")]
    status, outcomes, error = register(*lines)
    assert (status, error) == (0, "")
    assert [(each["line"], each["registered"]["outcome"]) for each in outcomes] == [
        (1, "new"),
        (3, "linked"),
    ]
    again = register(*lines)[1]
    assert {each["registered"]["outcome"] for each in again} == {"unchanged"}


def test_bad_lines_are_told_and_skipped(register):
    status, outcomes, error = register(
        b"CANARY",
        line("1", {"event_at": "CANARY"}),
        b'"' + b"x" * (2 * REQUEST_BYTES_MAX) + b'"',
        b"\xff",
        line("2", somebody(), source="nowhere"),
        line("3", somebody()),
    )
    assert status == 2
    assert [each["line"] for each in outcomes] == [6]
    told = [words.split(":")[1].strip() for words in error.splitlines()]
    assert sorted(told[:-1]) == ["line 1", "line 2", "line 3", "line 4", "line 5"]
    assert error.splitlines()[-1] == "mpi: register: lines that were not registered: 5"
    assert "CANARY" not in error


def test_more_lines_than_are_submitted_together(register):
    lines = [line(str(n), somebody()) for n in range(GROUP_LINES + 2)]
    outcomes = register(*lines)[1]
    assert [each["line"] for each in outcomes] == list(range(1, GROUP_LINES + 3))


def test_a_file_that_is_not_there_is_told(capsys):
    assert main.exit_status(["register", "nowhere.ndjson"]) == 2
    assert "file: there is none" in capsys.readouterr().err
