"""A table of calibration that a well-calibrated weight passes and an overconfident one fails."""

import numpy as np
import pytest

from mpi.batch.quality.calibration import calibration_table, probabilities

RANDOM = np.random.default_rng(7)


def draw(size, *, true_bits_for_each_bit=1.0):
    weights = RANDOM.uniform(-12, 12, size)
    labels = RANDOM.random(size) < probabilities(weights * true_bits_for_each_bit)
    return weights, labels


def is_inside(row):
    return row.observed_low <= row.predicted_share <= row.observed_high


def test_honest_weights_lie_inside_the_intervals():
    rows = calibration_table(*draw(40_000))
    assert sum(map(is_inside, rows)) >= len(rows) - 2
    assert sum(row.pairs_count for row in rows) == 40_000


def test_overconfident_weights_fall_outside():
    rows = calibration_table(*draw(40_000, true_bits_for_each_bit=0.5))
    assert sum(map(is_inside, rows)) < len(rows) / 2


def test_a_bin_holds_its_lower_edge_and_not_its_upper():
    weights, labels = np.array([0.0, 1.999999, 2.0]), np.array([True, False, True])
    first, second = calibration_table(weights, labels, bins=(0, 2, 4))
    assert (first.from_bits, first.to_bits, first.pairs_count, first.matches_count) == (0, 2, 2, 1)
    assert (second.pairs_count, second.observed_share) == (1, 1.0)


def test_weights_beyond_the_bins_are_counted_too():
    weights = np.array([-5_000.0, 5_000.0])
    low, high = calibration_table(weights, np.array([False, True]), bins=(0, 2))
    assert (low.from_bits, low.predicted_share) == (None, pytest.approx(0))
    assert (high.to_bits, high.predicted_share) == (None, 1.0)


def test_no_pairs_make_no_rows_and_unequal_lengths_are_refused():
    assert calibration_table(np.array([]), np.array([], dtype=bool)) == ()
    with pytest.raises(ValueError, match="one length"):
        calibration_table(np.array([1.0]), np.array([], dtype=bool))
