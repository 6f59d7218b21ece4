"""What a terminal shows adds up, and never takes a name for markup."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from mpi.batch.quality.evaluation_tables import TextTable
from mpi.cli.progress import ShownProgress
from mpi.cli.show import _probability, _words, print_explanation, print_rows, print_tables
from mpi.linkage.explain import Explanation, ExplanationStep


def step(bits, adjustment, running):
    return ExplanationStep(
        comparison="nhs_number",
        level="same",
        words="same [bold] NHS number",
        weight_bits=bits,
        adjustment_bits=adjustment,
        frequency_field=None,
        frequency=None,
        running_bits=running,
    )


def shown(print_it):
    written = io.StringIO()
    print_it(Console(file=written, width=120))
    return written.getvalue()


@pytest.mark.parametrize("bits", [17.25, -30.5])
def test_the_waterfall_sums_to_the_weight(bits):
    total = -20.0 + bits + 0.125
    explanation = Explanation(
        prior_bits=-20.0, steps=(step(bits, 0.125, total),), match_weight_bits=total
    )
    text = shown(
        lambda console: print_explanation(explanation, link_bits=9, review_bits=4, console=console)
    )
    numbers = [float(number) for number in re.findall(r"[+-]\d+\.\d{6}", text)]
    prior, _, found, running, footer = numbers
    assert round(prior + found, 6) == running == footer == total


def test_text_in_brackets_is_shown_as_it_is():
    table = TextTable(title="Rates", columns=("", "share"), rows=(("[red]one", "1 %"),))
    assert "[red]one" in shown(lambda console: print_tables([table], console))


ROW = {"at": "2026-05-01T12:00:00.000001+00:00", "seen": [f"clinic:{n:09}" for n in range(40)]}


def test_rows_in_a_pipe_are_whole_and_a_line_each(monkeypatch, capsys):
    monkeypatch.delenv("COLUMNS", raising=False)
    print_rows([ROW | {"user": "u" * 90}] * 2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    for line in lines[1:]:
        assert ROW["at"] in line
        assert all(key in line for key in ROW["seen"])


def test_rows_in_a_terminal_lose_nothing():
    letters = "".join(re.findall(r"\w", shown(lambda console: print_rows([ROW], console))))
    assert "…" not in shown(lambda console: print_rows([ROW], console))
    assert letters.count("clinic") == len(ROW["seen"])


def test_progress_collects_seconds_and_writes_a_line_a_phase():
    written = io.StringIO()
    progress = ShownProgress(Console(file=written))
    for _ in range(2):
        with progress.phase("score pairs", 10) as phase:
            phase.advance(10)
    assert list(progress.seconds) == ["score pairs"]
    assert written.getvalue().count("score pairs") == 2


def test_no_probability_is_shown_as_certain():
    shown_as = {0.0: "under 0.000001", 0.25: "0.250000", 1.0: "over 0.999999"}
    assert {value: _probability(value) for value in shown_as} == shown_as


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (
            {"family_name": "Owen", "given_name": "Ada", "kind": "maiden", "until": "1956"},
            "Ada Owen (maiden, until 1956)",
        ),
        (
            {"address": "1 Mill Lane", "postcode": "DT1 1AA", "town": "Ely"},
            "1 Mill Lane, Ely, DT1 1AA",
        ),
        (
            {"name": "Bo Owen", "phone": "01202 000000", "relationship": "spouse"},
            "Bo Owen, 01202 000000 (spouse)",
        ),
        ("07700 900123", "07700 900123"),
    ],
)
def test_an_entry_of_a_list_reads_in_the_order_of_speech(entry, line):
    assert _words(entry) == line
