"""The command line keeps its promises: help with examples, one sentence, a documented status."""

from __future__ import annotations

import errno
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import typer

import mpi.errors
from mpi.cli import main
from mpi.config import Settings
from mpi.errors import MpiError, UnknownPerson

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "interfaces" / "command-line.md"
CANARY = "Canary-9434765919"


def commands():
    """Every command as the words that call it."""
    top = typer.main.get_command(main.app)
    for name, command in top.commands.items():
        inner = getattr(command, "commands", None)
        yield from ([name, each] for each in inner) if inner else [[name]]


def ending(monkeypatch, capsys, error):
    """The status and the sentence with which a command ends that fails so."""

    def fail(_words):
        raise error

    monkeypatch.setattr(main, "_run", fail)
    return main.exit_status([]), capsys.readouterr().err


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_every_command_has_help_with_an_example(words, capsys):
    assert main.exit_status([*words, "--help"]) == 0
    assert re.search(rf"Examples?:\s+mpi {' '.join(words)}", capsys.readouterr().out)


def test_every_command_is_documented():
    page = PAGE.read_text(encoding="utf-8")
    assert {f"mpi {words[0]}" for words in commands()} == set(
        re.findall(r"^\| `(mpi \w+)` ", page, re.M)
    )


def test_every_setting_is_documented_with_its_variable():
    rows = re.findall(r"^\| `(\w+)` \| `MPI_(\w+)` ", PAGE.read_text("utf-8"), re.MULTILINE)
    assert rows == [(setting.name, setting.name.upper()) for setting in fields(Settings)]


def test_every_error_class_is_documented_with_its_status():
    rows = re.findall(r"^\| (\d+) \| ([^|]*) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    documented = {
        name: int(status) for status, names in rows for name in re.findall(r"`(\w+)`", names)
    }
    classes = [
        c for c in vars(mpi.errors).values() if isinstance(c, type) and issubclass(c, MpiError)
    ]
    assert documented == {c.__name__: c.exit_status for c in classes if c is not MpiError}


def test_an_expected_failure_is_one_sentence_and_its_status(monkeypatch, capsys):
    status, said = ending(monkeypatch, capsys, UnknownPerson("person_id: nobody has this id"))
    assert (status, said) == (3, "mpi: person_id: nobody has this id\n")


def test_a_bug_says_nothing_about_data(monkeypatch, capsys):
    status, said = ending(monkeypatch, capsys, ValueError(f"cannot parse {CANARY}"))
    assert status == 70
    assert "ValueError" in said
    assert CANARY not in said


def test_a_full_disk_is_no_bug(monkeypatch, capsys):
    full = OSError(errno.ENOSPC, "No space left on device")
    assert ending(monkeypatch, capsys, full)[0] == 6


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), 130), (BrokenPipeError(), 141)], ids=str
)
def test_being_stopped_has_its_own_status(monkeypatch, capsys, error, status):
    assert ending(monkeypatch, capsys, error)[0] == status


@pytest.mark.parametrize(
    "words",
    [["nonsense"], ["load"], ["load", "no-such-folder"], ["link", "no-such-file", "--out", "x"]],
    ids=" ".join,
)
def test_a_wrong_command_line_is_told_in_one_line(words, capsys):
    assert main.exit_status(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("mpi: ")
    assert said.count("\n") == 1


def test_the_bare_command_shows_help(capsys):
    assert main.exit_status([]) == 0
    assert "mpi demo" in capsys.readouterr().out


def test_the_command_starts_without_the_heavy_packages():
    heavy = ("splink", "duckdb", "numpy", "pyarrow", "sqlalchemy", "fastapi", "altair")
    code = f"import sys, mpi.cli.main; print([n for n in {heavy!r} if n in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"
