"""`mpi resolve` and `mpi explain` answer as the API does, and their failures repeat nothing."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from decimal import Decimal

import pytest

from mpi.cli import main
from mpi.storage.audit import list_audit_events
from mpi.storage.engine import open_store
from mpi.storage.unit_of_work import reading
from tests.small_region import ADA, person_id

START = "import sys; sys.argv[0] = 'mpi'; from mpi.cli.main import run; run()"
CANARY = "Canary-XYZZY"


@pytest.fixture
def run(installation, monkeypatch, capsys):
    """Runs a command on that installation: status, standard output, standard error."""

    def run_words(*words, written=""):
        for name, value in installation.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.stdin", io.StringIO(written))
        status = main.exit_status(words)
        said = capsys.readouterr()
        return status, said.out, said.err

    return run_words


@pytest.mark.parametrize(
    "words",
    [
        ["--record", "ed:E/7"],
        ["--person", person_id(1)],
        ["--nhs-number", "999 000 0018"],
        ["--given-name", "Ada", "--family-name", "Okafor", "--date-of-birth", "2/3/1989"],
    ],
    ids=["record", "person", "number", "demographics"],
)
def test_a_person_is_found_with_all_records(run, words):
    status, out, _ = run("resolve", *words)
    assert status == 0
    assert all(text in out for text in (person_id(1), "Okafor", "gp:G1", "ed:E/7"))


def test_a_question_may_come_from_standard_input(run):
    status, out, _ = run("resolve", "-", "--json", written=json.dumps(ADA))
    answer = json.loads(out)
    assert status == 0
    assert answer["persons"][0]["person_id"] == person_id(1)
    assert [record["record"] for record in answer["persons"][0]["records"]] == ["ed:E/7", "gp:G1"]


def test_the_printed_evidence_sums_to_the_weight_exactly(run):
    evidence = json.loads(run("resolve", "-", "--json", written=json.dumps(ADA))[1])["persons"][0]
    evidence = evidence["evidence"]
    total = evidence["prior_bits"]
    for step in evidence["steps"]:
        total = total + step["weight_bits"] + step["adjustment_bits"]
    assert total == evidence["match_weight_bits"]


def test_a_pair_is_explained_by_a_waterfall_that_adds_up(run):
    status, out, _ = run("explain", "gp:G1", "ed:E/7")
    assert status == 0
    numbers = [re.findall(r"[+-]\d+\.\d{6}", line) for line in out.splitlines()]
    *steps, (weight,) = filter(None, numbers)
    assert sum(Decimal(bits) for bits, _ in steps) == Decimal(weight)
    assert steps[-1][1] == weight
    assert "one person" in out


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["resolve", "--record", f"gp:{CANARY}"], 3),
        (["resolve", "--record", CANARY], 2),
        (["resolve", "--person", CANARY], 2),
        (["resolve", "--nhs-number", CANARY], 2),
        (["resolve"], 2),
        (["resolve", CANARY], 2),
        (["resolve", "-", "--family-name", CANARY], 2),
        (["explain", "gp:G1", f"gp:{CANARY}"], 3),
        (["explain", "gp:G1", CANARY], 2),
    ],
    ids=str,
)
def test_a_question_without_answer_is_one_sentence_that_repeats_nothing(run, words, status):
    ended, out, err = run(*words)
    assert (ended, out) == (status, "")
    assert err.count("\n") == 1
    assert CANARY not in err


def test_nobody_is_an_answer_too(run):
    status, out, _ = run("resolve", "--family-name", CANARY)
    assert (status, out) == (0, "Nobody in the index fits.\n")


def test_every_answer_leaves_its_trail(run, installation):
    run("resolve", "--person", person_id(4))
    store = open_store(installation["MPI_DATABASE_URL"])
    with reading(store) as unit:
        actions = [event.action for event in list_audit_events(unit, person_id(4))]
    store.close()
    assert sorted(actions) == ["cross_reference", "resolve"]


def test_a_store_that_does_not_exist_is_not_asked(run, tmp_path):
    status, _, err = run(
        "resolve", "--record", "gp:G1", "--database-url", f"sqlite:///{tmp_path}/x"
    )
    assert status == 6
    assert err.startswith("mpi: store: ")


@pytest.mark.parametrize("words", [["--help"], ["explain", "gp:G1", "ed:E/7"]], ids=" ".join)
def test_a_reader_who_goes_away_ends_the_command_quietly(installation, words):
    command = [sys.executable, "-c", START, *words]
    with subprocess.Popen(
        command, env=os.environ | installation, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait() == 141
