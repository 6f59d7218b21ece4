"""The region shows the published figures of differing and missing fields."""

from __future__ import annotations

import numpy as np
import pytest

from mpi.synthetic.check import check
from mpi.synthetic.figures import Figure, agreement_by_chance, share_of
from mpi.synthetic.region import generate


@pytest.fixture(scope="module")
def figures() -> list[Figure]:
    return check(generate(people=30_000, seed=CHECKED_SEED))


CHECKED_SEED = 6
FIGURES = 50


def test_every_published_figure_is_met(figures: list[Figure]) -> None:
    missed = [
        f"{figure.name}: {figure.observed.value:.5f} not in {figure.tolerance}"
        for figure in figures
        if not figure.ok
    ]
    assert not missed


def test_no_figure_is_left_out_or_empty(figures: list[Figure]) -> None:
    assert len({figure.name for figure in figures}) == len(figures) == FIGURES
    assert all(figure.count > 0 for figure in figures)


def test_a_figure_far_off_is_not_ok() -> None:
    observed = share_of(1_300, 10_000)
    figure = Figure(name="x", published=(0.10, 0.10), observed=observed, count=10_000)
    assert not figure.ok
    near = Figure(name="x", published=(0.115, 0.115), observed=observed, count=10_000)
    assert near.ok


def test_chance_agreement_counts_pairs_of_distinct_records() -> None:
    values = np.array(["one", "one", "two", "three"])
    assert agreement_by_chance([(1.0, values)]).value == pytest.approx(1 / 6)
