"""Slips change a text a little, never break the program, and a layout loses nothing."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpi.synthetic import corruption
from mpi.synthetic.cells import Cells, iso_to_pattern
from mpi.synthetic.days import iso_dates
from mpi.synthetic.holders import systematic_sample
from mpi.synthetic.names import feminine, origins
from mpi.synthetic.region import generate
from mpi.synthetic.sources import get_source, list_source_names
from mpi.synthetic.write import malformed_places, write_source

EXAMPLES = int(os.environ.get("MPI_EXAMPLES", "50"))
SHARES = st.floats(0, 1, exclude_max=True)
SLIPS = [
    corruption.slip_of_key, corruption.slip_of_ear, corruption.slip_of_scanner, corruption.nickname,
    corruption.another_spelling, corruption.initial, corruption.rewrite_compound,
    corruption.postcode_slip, corruption.abbreviated_street, corruption.family_slip,
]  # fmt: skip


@given(
    text=st.text(min_size=1, max_size=20), slip=st.sampled_from(SLIPS), kind=SHARES, where=SHARES
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_slip_leaves_some_text(
    text: str, slip: corruption.Slip, kind: float, where: float
) -> None:
    assert slip(text, kind, where)


@given(number=st.integers(9_990_000_000, 9_999_999_999), kind=SHARES, where=SHARES)
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_digit_slip_is_another_number_of_ten_digits(
    number: int, kind: float, where: float
) -> None:
    slipped = corruption.digit_slip(str(number), kind, where)
    assert len(slipped) == 10
    assert slipped.isdigit()
    assert slipped != str(number)


@given(shares=st.lists(st.floats(0, 0.9), max_size=60), seed=st.integers(0, 99))
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_systematic_sample_has_the_expected_size(shares: list[float], seed: int) -> None:
    random = np.random.Generator(np.random.PCG64(seed))
    drawn = systematic_sample(np.array(shares), random)
    assert abs(len(drawn) - sum(shares)) <= 1
    assert len(set(drawn.tolist())) == len(drawn)


@pytest.mark.parametrize(
    ("pattern", "written"),
    [
        ("DD/MM/YYYY", "02/06/1970"),
        ("YYYYMMDD", "19700602"),
        ("DD-Mon-YYYY", "02-Jun-1970"),
        ("D/M/YYYY", "2/6/1970"),
        ("YYYY-MM-DDT00:00:00", "1970-06-02T00:00:00"),
    ],
)
def test_a_date_is_written_in_the_pattern_of_the_source(pattern: str, written: str) -> None:
    assert iso_to_pattern("1970-06-02", pattern) == written
    assert iso_to_pattern("1970", pattern) == "1970"


def test_days_before_1970_are_dates_too() -> None:
    assert iso_dates(np.array([-1, 0, 17_804])).tolist() == [
        "1969-12-31",
        "1970-01-01",
        "2018-09-30",
    ]


def test_polish_women_bear_the_feminine_form() -> None:
    assert feminine("Kowalski") == "Kowalska"
    assert feminine("Nowak") == "Nowak"


def test_there_are_tens_of_thousands_of_surnames_and_thousands_of_forenames() -> None:
    families = {text for origin in origins() for pool in origin.family for text in pool.texts}
    given_names = {
        text for origin in origins() for sex in origin.given for pool in sex for text in pool.texts
    }
    assert len(families) > 20_000
    assert len(given_names) > 4_000


def test_malformed_rows_are_copies_and_no_record_is_lost(tmp_path: Path) -> None:
    records = generate(people=200, seed=2, sources=["gp"]).records("gp")
    rows, malformed = write_source(records, tmp_path)
    with (tmp_path / "gp.csv").open(encoding="utf-8", newline="") as file:
        written = list(csv.reader(file))
    sound = [row for row in written[1:] if len(row) == len(written[0])]
    assert (len(sound), len(written) - 1 - len(sound)) == (rows, malformed) == (rows, 1)
    keys = {f"{row[0]}-{row[1]}" for row in sound}
    assert keys == set(records.local_id.tolist())


def test_one_row_in_twenty_thousand_is_malformed() -> None:
    assert len(malformed_places(100_000)) == 5
    assert malformed_places(0) == []
    assert malformed_places(1) == [0]


def test_ndjson_lines_are_objects_with_the_template_s_keys(tmp_path: Path) -> None:
    records = generate(people=300, seed=2, sources=["bournemouth"]).records("bournemouth")
    write_source(records, tmp_path)
    lines = (tmp_path / "bournemouth.ndjson").read_text(encoding="utf-8").splitlines()
    sound = [json.loads(line) for line in lines if line.endswith("}")]
    keys = set(get_source("bournemouth").file["template"])
    assert all(set(row) == keys for row in sound)
    assert {type(row["error"]) for row in sound} == {bool}


def test_every_cell_of_every_layout_is_known() -> None:
    region = generate(people=50, seed=1)
    for source in list_source_names():
        records = region.records(source)
        layout = records.spec.file
        cells = Cells(records, layout.get("codes", {}))
        for _, cell in layout.get("columns", []):
            assert len(cells.column(cell)) == len(records.record)
