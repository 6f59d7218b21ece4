"""`mpi demo` runs the whole product and says what it measured, to people and to programs."""

from __future__ import annotations

import json

import pytest

from mpi.cli import main

PEOPLE = 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("work") / "demo"


@pytest.fixture
def run(installation, folder, monkeypatch, capsys):
    """Runs the demonstration in a folder: status, standard output, standard error."""
    monkeypatch.setenv("MPI_RELEASE_FOLDER", installation["MPI_RELEASE_FOLDER"])

    def run_words(*words):
        status = main.exit_status(["demo", "--folder", str(folder), *words])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run_words


def test_the_demonstration_measures_and_replaces_an_earlier_one(run):
    for _ in range(2):
        status, out, err = run("--people", str(PEOPLE), "--json")
        assert status == 0, err
    assert all(f"\n{step}. " in out for step in (2, 3, 4, 5, 6))
    measured = json.loads(out.splitlines()[-1])
    assert measured["people"] == PEOPLE
    assert measured["records"] > 3 * PEOPLE
    assert measured["quarantined_rows"] > 0
    assert measured["automatic_links"]["precision"] > 0.95
    assert measured["seconds"].keys() == {"synth", "load", "evaluate", "resolve", "total"}
    assert measured["peak_memory_mib"] > 0


def test_a_folder_of_somebody_else_is_left_alone(run, folder):
    (folder / ".made-by-mpi-demo").unlink(missing_ok=True)
    folder.mkdir(exist_ok=True)
    (folder / "thesis.txt").write_text("years of work")
    status, _, err = run()
    assert status == 2
    assert "did not make" in err
    assert (folder / "thesis.txt").exists()
