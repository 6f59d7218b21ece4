"""How the frequency of a value is found, and what it does to a weight."""

import math

import pytest

from mpi.domain.records import ComparisonRecord
from mpi.linkage.frequencies import FrequencyColumn, frequency_columns, frequency_reader
from tests.unit.test_linkage_scorer import DORSET

FREQUENCIES = {
    "full_name": {"ANN|LEE": 0.0005},
    "given_name": {"ANN": 0.01},
    "family_name": {"LEE": 0.002},
}


def full_name_frequency(given_name, family_name):
    full_name = f"{given_name}|{family_name}"
    record = ComparisonRecord(given_name=given_name, family_name=family_name, full_name=full_name)
    return frequency_reader(DORSET, FREQUENCIES, "full_name").of(record)


def test_a_listed_full_name_has_its_own_frequency():
    assert full_name_frequency("ANN", "LEE") == 0.0005


@pytest.mark.parametrize(
    ("given_name", "family_name", "expected"),
    [("ANN", "OKAFOR", 0.01 * 1e-6), ("ADA", "LEE", 1e-6 * 0.002), ("ADA", "OKAFOR", 1e-6 * 1e-6)],
)
def test_an_unlisted_full_name_has_the_product_of_its_parts(given_name, family_name, expected):
    assert full_name_frequency(given_name, family_name) == expected


def test_a_missing_value_has_no_frequency_and_an_unseen_one_the_default():
    read = frequency_reader(DORSET, FREQUENCIES, "postcode").of
    assert read(ComparisonRecord()) is None
    assert read(ComparisonRecord(postcode="DT11AA")) == DORSET.unseen_frequency["postcode"]


def test_a_value_as_common_as_chance_adds_nothing_and_one_half_as_common_one_bit():
    column = FrequencyColumn(name="c__l", field="sex", u=0.01, frequency_min=1e-4, chance=0.002)
    assert column.adjustment_bits(0.002) == pytest.approx(0, abs=1e-12)
    assert column.adjustment_bits(0.001) == pytest.approx(1)


def test_a_frequency_below_the_least_counts_as_the_least():
    column = FrequencyColumn(name="c__l", field="sex", u=0.01, frequency_min=1e-4, chance=0.002)
    assert column.adjustment_bits(1e-9) == column.adjustment_bits(1e-4)
    assert column.adjustment_bits(0.0) == pytest.approx(math.log2(0.002 / 1e-4))


def test_every_level_with_a_frequency_has_a_column_of_its_own():
    columns = frequency_columns(DORSET)
    assert len({column.name for column in columns}) == len(columns)
    assert columns[0].name == "name__same"
