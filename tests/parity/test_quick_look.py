"""No pair that could become an edge is left out by the quick comparisons, whatever the model."""

from hypothesis import given
from hypothesis import strategies as st

from mpi.batch.quick_look import quick_look
from mpi.domain.records import ComparisonRecord
from mpi.linkage.frequencies import Frequencies
from mpi.linkage.model import Model
from mpi.linkage.scorer import compile_scorer
from tests import strategies
from tests.parity.test_same_weights import DORSET, examples

STRANGERS = (
    ComparisonRecord(birth_date="1950-01-31", nhs_number="9434765919", sex="M"),
    ComparisonRecord(birth_date="2011-12-02", nhs_number="9434765870", sex="F"),
)


def assert_no_edge_is_left_out(
    pair: tuple[ComparisonRecord, ComparisonRecord],
    model: Model,
    frequencies: Frequencies,
    **tests_max: int,
) -> None:
    look = quick_look(model, **tests_max)
    if look is None:
        return
    quick, threshold_bits = look
    if _weight(pair, model, frequencies) >= model.thresholds.review_bits:
        assert _weight(pair, quick, frequencies) >= threshold_bits


def _weight(
    pair: tuple[ComparisonRecord, ComparisonRecord], model: Model, frequencies: Frequencies
) -> float:
    scorer = compile_scorer(model, frequencies)
    left, right = map(scorer.prepare, pair)
    return scorer.weight(left, right)


@given(pair=strategies.near_pairs(), frequencies=strategies.frequencies())
@examples
def test_the_dorset_model_keeps_every_pair_that_can_become_an_edge(pair, frequencies):
    assert_no_edge_is_left_out(pair, DORSET, frequencies)


@given(
    pair=strategies.near_pairs(),
    model=strategies.models(),
    frequencies=strategies.frequencies(),
    tests_max=st.integers(1, 6),
)
@examples
def test_every_model_keeps_every_pair_that_can_become_an_edge(pair, model, frequencies, tests_max):
    assert_no_edge_is_left_out(pair, model, frequencies, tests_max=tests_max)


def test_two_with_nothing_in_common_are_left_out():
    quick, threshold_bits = quick_look(DORSET)
    assert _weight(STRANGERS, quick, {}) < threshold_bits
