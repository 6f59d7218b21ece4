"""Answers of readers: agreement beyond chance, and rates from a stratified sample."""

import csv

import pytest

from mpi.batch.quality.labelling import KEY_COLUMNS, cohen_kappa, import_answers
from mpi.errors import InvalidInput

STRATA = {"link + 0, linked": (900, "yes"), "review, apart": (100, "no")}


def write(path, columns, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
    return path


@pytest.fixture
def key(tmp_path):
    """Ten pairs of each of two strata: 900 linked pairs and 100 that are apart."""
    rows = [
        (at * 10 + pair, name, size, is_linked)
        for at, (name, (size, is_linked)) in enumerate(STRATA.items())
        for pair in range(10)
    ]
    return write(tmp_path / "key.csv", KEY_COLUMNS, rows)


def answered(path, *, no_among_linked, yes_among_apart):
    answers = ["no"] * no_among_linked + ["yes"] * (10 - no_among_linked)
    answers += ["Yes"] * yes_among_apart + ["no"] * (10 - yes_among_apart)
    return write(path, ("pair", "answer"), enumerate(answers))


def test_rates_weigh_each_stratum_by_its_pairs(tmp_path, key):
    report = import_answers(
        [answered(tmp_path / "a.csv", no_among_linked=1, yes_among_apart=2)], key
    )
    # 810 of 900 links are right; 20 of the 100 pairs apart are missed.
    assert report.precision.value == pytest.approx(0.9)
    assert report.recall.value == pytest.approx(810 / 830)
    assert report.precision.low < 0.9 < report.precision.high
    assert report.kappa is None


def test_pairs_on_which_two_readers_differ_are_left_out(tmp_path, key):
    one = answered(tmp_path / "a.csv", no_among_linked=0, yes_among_apart=0)
    other = answered(tmp_path / "b.csv", no_among_linked=1, yes_among_apart=0)
    report = import_answers([one, other], key)
    assert (report.judged, report.unsure) == (19, 1)
    assert report.precision.value == 1.0
    assert report.precision.low < 1.0
    assert report.kappa == pytest.approx(0.9)


def test_kappa_of_cohens_kind_by_hand():
    one = dict.fromkeys("abcde", True) | dict.fromkeys("fghij", False)
    other = dict.fromkeys("abcdf", True) | dict.fromkeys("eghij", False)
    assert cohen_kappa(one, other) == pytest.approx(0.6)
    assert cohen_kappa(one, one) == 1.0


@pytest.mark.parametrize(
    ("columns", "row", "message"),
    [
        (("pair",), (1,), "has no column answer"),
        (("pair", "answer"), (1, "perhaps"), "must be yes, no or unsure"),
        (("pair", "answer"), (99, "yes"), "a pair that the key does not have"),
    ],
    ids=["no answers", "another answer", "another sample"],
)
def test_answers_that_cannot_be_used_are_refused(tmp_path, key, columns, row, message):
    path = write(tmp_path / "a.csv", columns, [row])
    with pytest.raises(InvalidInput, match=message):
        import_answers([path], key)


def test_a_file_that_is_not_there_is_refused_without_its_content(tmp_path, key):
    with pytest.raises(InvalidInput, match="cannot be read as CSV"):
        import_answers([tmp_path / "none.csv"], key)
