"""What each word of the model's grammar says of two records."""

import pytest
from hypothesis import given, settings

from mpi.domain.records import ComparisonRecord
from mpi.errors import InvalidModel
from mpi.linkage.comparators import check_test, compile_record_test
from mpi.linkage.model import parse_condition
from tests import strategies

ANN = ComparisonRecord(
    given_name="ANN",
    given_names=("ANN", "NANCY"),
    given_initials=("A",),
    middle_names=("ROSE",),
    family_name="LEE",
    birth_date="1980-02-03",
    birth_year="1980",
    birth_month="02",
    birth_day="03",
    sex="F",
    postcodes=("DT11AA",),
)
OTHER = ComparisonRecord(
    given_name="LEE",
    given_names=("ROSE",),
    given_initials=("N",),
    middle_names=("A", "NANCY"),
    family_name="ANN",
    birth_date="1980-03-02",
    birth_year="1980",
    birth_month="03",
    birth_day="02",
    sex="M",
    postcodes=("DT1AAA", "BH22BB"),
)
NOBODY = ComparisonRecord()


def holds(text, left, right):
    return compile_record_test((parse_condition(text),))(left, right)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("missing(sex)", False),
        ("missing(phones)", True),
        ("equal(birth_year)", True),
        ("equal(birth_month)", False),
        ("shared(given_names)", False),
        ("shared(given_names, middle_names)", True),
        ("crossed(given_name, family_name)", True),
        ("crossed(birth_month, birth_day)", True),
        ("similarity(given_name) >= 0.88", False),
        ("edits(postcodes) <= 1", True),
        ("edits(birth_date) <= 1", False),
        ("edits(birth_date) <= 2", True),
        ("parts(birth_year, birth_month, birth_day) >= 1", True),
        ("parts(birth_year, birth_month, birth_day) >= 2", False),
        ("either_is_female(sex)", True),
        ("not equal(birth_year)", False),
        ("equal(birth_year) and not missing(sex)", True),
    ],
)
def test_a_test_says_what_its_word_says(text, expected):
    assert holds(text, ANN, OTHER) is expected
    assert holds(text, OTHER, ANN) is expected


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (("A",), ("ANN",), True),
        (("ANN",), ("A",), True),
        (("A",), ("A",), True),
        (("B",), ("ANN",), False),
        (("ANN",), ("ANNA",), False),
        ((), ("A",), False),
        (("ROSE", "A"), ("MAY", "ANN"), True),
    ],
)
def test_an_initial_agrees_with_a_name_that_begins_with_it(left, right, expected):
    records = (ComparisonRecord(middle_names=names) for names in (left, right))
    assert holds("initial(middle_names)", *records) is expected


@given(record=strategies.records(), text=strategies.written_tests())
@settings(max_examples=strategies.EXAMPLES, deadline=None)
def test_nothing_agrees_with_a_record_that_holds_nothing(record, text):
    if "missing" in text or "either_is_female" in text:
        return
    assert holds(text, record, NOBODY) is text.startswith("not ")


@pytest.mark.parametrize(
    "text",
    [
        "sounds_like(given_name)",
        "equal(given_names)",
        "equal(sex, birth_date)",
        "crossed(given_name)",
        "similarity(given_names)",
        "similarity(given_names) <= 0.9",
        "equal(sex) >= 1",
        "edits(birth_date) >= 1",
    ],
)
def test_a_comparator_used_wrongly_is_refused(text):
    with pytest.raises(InvalidModel, match="model spec: "):
        check_test(parse_condition(text)[0])


@pytest.mark.parametrize("text", ["similarity(sex) >= 92", "edits(sex) <= 1.5"])
def test_a_bound_that_means_nothing_is_refused(text):
    with pytest.raises(InvalidModel, match="a bound of"):
        holds(text, ANN, OTHER)
