"""A threshold is the lowest weight at which linking, or asking, costs less than leaving it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpi.batch.training.thresholds import choose_thresholds
from mpi.linkage.model import Thresholds
from tests.strategies import EXAMPLES

LOW = Thresholds(link_bits=-50.0, review_bits=-60.0, ambiguity_bits=3.0, component_records_max=500)
CAREFUL = Thresholds(link_bits=9.0, review_bits=4.0, ambiguity_bits=3.0, component_records_max=500)


def choose(weights, labels, *, spec=LOW, offset=0.0, **costs):
    return choose_thresholds(
        np.array(weights, dtype=float),
        np.array(labels, dtype=bool),
        spec=spec,
        prior_offset_bits=offset,
        **costs,
    )


def sigmoid_pairs(count=20_000, seed=1):
    """Pairs whose weights are what they say: 2^w / (1 + 2^w) of them match."""
    random = np.random.default_rng(seed)
    weights = random.uniform(-15, 25, count)
    return weights, random.uniform(size=count) < 1 / (1 + np.exp2(-weights))


def test_calibrated_weights_give_the_thresholds_that_the_costs_say():
    chosen = choose(*sigmoid_pairs())
    assert chosen.calibrated_link_bits == pytest.approx(np.log2(20), abs=1.5)
    assert chosen.calibrated_review_bits == pytest.approx(np.log2(1 / 9), abs=1.5)
    assert chosen.plateau == pytest.approx(1.0, abs=0.02)


def test_dearer_errors_ask_for_more_weight():
    weights, labels = sigmoid_pairs()
    chosen = [choose(weights, labels, cost_ratio=ratio).link_bits for ratio in (1, 20, 500)]
    assert chosen == sorted(chosen)
    assert chosen[0] < chosen[-1]


def test_no_threshold_is_lower_than_the_specs():
    chosen = choose(*sigmoid_pairs(), spec=CAREFUL)
    assert (chosen.link_bits, chosen.review_bits) == (9.0, 4.0)


def test_wrong_numbers_among_true_matches_raise_no_threshold():
    weights, labels = sigmoid_pairs()
    mistaken = labels & (np.random.default_rng(2).uniform(size=len(labels)) > 0.08)
    assert choose(weights, mistaken).link_bits == pytest.approx(
        choose(weights, labels).link_bits, abs=1.5
    )


def test_a_prior_that_differs_shifts_both_thresholds():
    weights, labels = sigmoid_pairs()
    near, far = choose(weights, labels), choose(weights, labels, offset=4.0)
    assert far.calibrated_link_bits == pytest.approx(near.calibrated_link_bits + 4)
    assert far.calibrated_review_bits == pytest.approx(near.calibrated_review_bits + 4)


@pytest.mark.parametrize(
    ("weights", "labels"),
    [([], []), ([3.0], [True]), ([3.0], [False]), ([1.0, 2.0, 3.0], [False] * 3)],
    ids=["no pairs", "one match", "one that is none", "no match at all"],
)
def test_too_few_labels_leave_the_spec_in_force(weights, labels):
    chosen = choose(weights, labels, spec=CAREFUL)
    assert (chosen.link_bits, chosen.review_bits) == (9.0, 4.0)


def test_weights_that_never_suffice_link_nothing():
    """Half of the pairs are strangers, however heavy: not even the heaviest may be linked."""
    weights = np.linspace(0, 30, 400)
    assert choose(weights, np.arange(400) % 2 == 0).link_bits > 30


def test_equal_weights_are_judged_together_however_the_pairs_are_ordered():
    weights = np.repeat([5.0, 20.0], 100)
    labels = np.arange(200) >= 50
    for order in (np.arange(200), np.arange(200)[::-1]):
        assert choose(weights[order], labels[order]).link_bits == 20.0


@given(pairs=st.lists(st.tuples(st.floats(-40, 40), st.booleans()), max_size=60))
@settings(max_examples=EXAMPLES, deadline=None)
def test_questions_are_asked_at_no_higher_weight_than_links_are_made(pairs):
    weights, labels = [w for w, _ in pairs], [label for _, label in pairs]
    chosen = choose(weights, labels, spec=CAREFUL)
    assert 4.0 <= chosen.review_bits <= chosen.link_bits
    assert np.isfinite([chosen.link_bits, chosen.review_bits, chosen.plateau]).all()
