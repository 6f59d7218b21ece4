"""The intervals equal published and independently computed values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpi.batch.quality.intervals import upper_bound, wilson_interval


@pytest.mark.parametrize(
    ("successes", "trials", "bound"),
    [
        pytest.param(0, 1, 0.95, id="one trial"),
        pytest.param(0, 10, 1 - 0.05**0.1, id="closed form of no success"),
        pytest.param(1, 10, 0.39416330243650466, id="one of ten"),
        pytest.param(7, 100, 0.12745801558297018, id="seven of a hundred"),
        pytest.param(3, 5_000_000, 1.5507305685e-06, id="three of five million"),
        pytest.param(100_000, 5_000_000, 0.0201032896410, id="a hundred thousand"),
        pytest.param(5, 5, 1.0, id="all"),
        pytest.param(0, 0, 1.0, id="nothing tried"),
    ],
)
def test_upper_bound_is_that_of_clopper_and_pearson(successes, trials, bound):
    assert upper_bound(successes, trials) == pytest.approx(bound, rel=1e-8)


@given(trials=st.integers(1, 2_000), data=st.data())
def test_upper_bound_lies_above_the_share_and_grows_with_it(trials, data):
    successes = data.draw(st.integers(0, trials - 1))
    bound = upper_bound(successes, trials)
    assert successes / trials < bound <= upper_bound(successes + 1, trials) <= 1


@pytest.mark.parametrize(
    ("successes", "trials", "interval"),
    [
        pytest.param(0, 0, (0.0, 1.0), id="nothing tried"),
        pytest.param(0, 10, (0.0, 0.27753), id="none"),
        pytest.param(10, 10, (0.72247, 1.0), id="all"),
        pytest.param(81, 263, (0.25529, 0.36621), id="Newcombe 1998, table I"),
        pytest.param(15, 148, (0.0624, 0.1605), id="Newcombe 1998, table I, few"),
    ],
)
def test_wilson_interval_is_the_published_one(successes, trials, interval):
    assert wilson_interval(successes, trials) == pytest.approx(interval, abs=6e-5)
