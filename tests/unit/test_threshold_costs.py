"""Thresholds by cost: dearer false links raise the first, a shorter queue the second."""

import numpy as np
import pytest

from mpi.batch.training.threshold_costs import weigh_thresholds


@pytest.fixture(scope="module")
def pairs():
    """Weights that mean what they say: a pair of w bits is a match with odds of 2^w."""
    random = np.random.default_rng(3)
    weights = random.uniform(-4, 20, 40_000)
    return weights, random.random(40_000) < 1 / (1 + np.exp2(-weights))


def choice(pairs, **options):
    options = {"records": 20_000, "cost_ratio": 20.0, "tasks_per_1000_max": 400.0} | options
    return weigh_thresholds(*pairs, **options)


def test_the_threshold_is_where_a_link_begins_to_pay(pairs):
    # Linking pays where the odds exceed the ratio: log2(20) is 4.3 bits.
    assert choice(pairs).link_bits in (4, 5)
    assert choice(pairs, cost_ratio=1.0).link_bits in (0, 1)


def test_a_dearer_false_link_never_lowers_the_threshold(pairs):
    found = [choice(pairs, cost_ratio=ratio).link_bits for ratio in (1, 5, 20, 100, 1_000)]
    assert found == sorted(found)
    assert found[0] < found[-1]


def test_the_queue_is_no_longer_than_stewards_can_bear(pairs):
    short, long = (choice(pairs, tasks_per_1000_max=most) for most in (100.0, 400.0))
    assert short.questions_per_1000 <= 100 < long.questions_per_1000 <= 400
    assert long.review_bits < short.review_bits <= short.link_bits


def test_costs_add_up_in_every_row(pairs):
    for row in choice(pairs).rows:
        assert row.cost == pytest.approx(20 * row.false_links + row.missed_links)
