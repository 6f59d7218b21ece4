"""A client may ask so often in any sixty seconds, not only in those of the clock."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from api.access import SlidingMinute


def test_the_last_one_allowed_is_allowed_and_the_next_is_not() -> None:
    rates = SlidingMinute(3)
    assert [rates.count("portal", at_s=70 + n) for n in range(5)] == [True] * 3 + [False] * 2
    assert rates.count("another", at_s=71)


def test_a_new_minute_does_not_forget_the_end_of_the_last() -> None:
    rates = SlidingMinute(10)
    assert all(rates.count("portal", at_s=119) for _ in range(10))
    assert not rates.count("portal", at_s=120)
    assert sum(rates.count("portal", at_s=150) for _ in range(10)) == 5
    assert sum(rates.count("portal", at_s=300) for _ in range(20)) == 10


def test_who_was_refused_is_not_kept_out_by_asking() -> None:
    rates = SlidingMinute(1)
    assert rates.count("portal", at_s=0)
    assert not any(rates.count("portal", at_s=1 + n / 10) for n in range(100))
    assert rates.count("portal", at_s=121)


def test_without_a_limit_everything_is_counted() -> None:
    rates = SlidingMinute(math.inf)
    assert all(rates.count("portal", at_s=n / 1_000) for n in range(1_000))


@given(gaps_s=st.lists(st.floats(0, 40), min_size=1, max_size=300), most=st.integers(1, 20))
def test_never_more_than_twice_the_limit_in_sixty_seconds(gaps_s: list[float], most: int) -> None:
    rates, at_s, counted = SlidingMinute(most), 0.0, []
    for gap_s in gaps_s:
        at_s += gap_s
        if rates.count("portal", at_s=at_s):
            counted.append(at_s)
    for end in counted:
        assert sum(end - 60 < each <= end for each in counted) <= 2 * most
