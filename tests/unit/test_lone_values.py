"""Whether a lone name is a slip follows from how many records its two sides have."""

import numpy as np
import pytest

from mpi.batch.files.lone_values import _sure_slips


def judged(none, one, both, *, singles, twos, relatives=10_000.0):
    """Pairs by how many sides have several records, in a file of so many groups."""
    size = np.array([1] * singles + [2] * twos)
    if_slips = np.array([1] * (singles - 2 * none) + [2] * (twos + none))
    return _sure_slips(np.array([none, one, both]), size, if_slips, relatives)


def test_lone_values_among_people_with_several_records_are_slips():
    share, is_sure = judged(60, 0, 0, singles=300, twos=1_000)
    assert share > 0.9
    assert is_sure.tolist() == [True, False, False]


def test_twins_who_have_records_of_their_own_are_people():
    share, is_sure = judged(10, 30, 60, singles=300, twos=1_000)
    assert share < 0.2
    assert not is_sure.any()


def test_where_hardly_anybody_has_several_records_nothing_is_told():
    _, is_sure = judged(60, 10, 0, singles=3_000, twos=100)
    assert not is_sure.any()


@pytest.mark.parametrize("counts", [(0, 0, 0), (5, 0, 0)], ids=["no conflict", "no duplicate"])
def test_without_duplicates_nothing_is_a_slip(counts):
    size = np.ones(50, dtype=np.int64)
    share, is_sure = _sure_slips(np.array(counts), size, size, 0.0)
    assert share == 0.0
    assert not is_sure.any()


def test_where_nobody_has_relatives_nobody_has_twins():
    twin_rich, _ = judged(200, 100, 0, singles=3_000, twos=700)
    alone, is_sure = judged(200, 100, 0, singles=3_000, twos=700, relatives=0.0)
    assert twin_rich == alone
    assert is_sure.tolist()[:2] == [alone >= 0.5, alone >= 0.5]
