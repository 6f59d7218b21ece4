"""Shares and chances of agreement with their uncertainty, and whether they are as published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

TOLERANCE: Final = 0.20
"""A figure may lie this share away from the published one, or within its 95 % interval."""
Z_95: Final = 1.959964
"""Standard deviations to either side of a two-sided 95 % interval (normal)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A share and its two-sided 95 % interval, all 0..1."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One published figure and what the region shows: shares, 0..1."""

    name: str
    published: tuple[float, float]
    """Lowest and highest published value; equal where one value was published."""
    observed: Measured
    count: int
    """Cases that the observed share is of."""

    @property
    def tolerance(self) -> tuple[float, float]:
        """What is accepted: a fifth around what was published, or the interval if wider.

        The lowest and the highest share.
        """
        spread_low = self.observed.value - self.observed.low
        spread_high = self.observed.high - self.observed.value
        low, high = self.published
        return (
            min(low * (1 - TOLERANCE), low - spread_high),
            max(high * (1 + TOLERANCE), high + spread_low),
        )

    @property
    def row(self) -> tuple[str, str, str, str, bool]:
        """Name, published, observed and accepted values in words, and whether it is ok."""
        return (
            self.name,
            _in_words(*self.published),
            _in_words(self.observed.value, self.observed.value),
            _in_words(*self.tolerance),
            self.ok,
        )

    @property
    def ok(self) -> bool:
        """Whether the observed figure is within the tolerance."""
        low, high = self.tolerance
        return low <= self.observed.value <= high


def _in_words(low: float, high: float) -> str:
    """A share or a range: in per cent, or as a power of ten where it is tiny."""
    texts = [
        f"{value:.1e}" if 0 < value < 0.0001 else f"{100 * value:.3g} %" for value in (low, high)
    ]
    return texts[0] if low == high else f"{texts[0]} to {texts[1]}"


def share_of(hits: float, count: int) -> Measured:
    """A share with Wilson's interval; of nothing it is anywhere.

    Args:
        hits: Cases in which it was so; a fraction where they are weighted.
        count: Independent cases.

    Source: Wilson 1927, DOI 10.1080/01621459.1927.10502953.
    """
    if count == 0:
        return Measured(value=0.0, low=0.0, high=1.0)
    share = hits / count
    shrink = 1 + Z_95**2 / count
    centre = (share + Z_95**2 / (2 * count)) / shrink
    half = Z_95 * sqrt(share * (1 - share) / count + Z_95**2 / (4 * count**2)) / shrink
    return Measured(value=share, low=max(0.0, centre - half), high=min(1.0, centre + half))


def share_where(flags: NDArray[np.bool_]) -> Measured:
    """The share of true flags, one flag for each case."""
    return share_of(int(flags.sum()), len(flags))


def share_in_households(flags: NDArray[np.bool_], household: NDArray[np.int64]) -> Measured:
    """The share of true flags where households, not people, are independent: families move.

    Args:
        flags: One for each person.
        household: Number of each person's household, parallel to `flags`.
    """
    share = share_where(flags)
    independent = len(np.unique(household))
    return share_of(share.value * independent, independent)


def agreement_by_chance(columns: Sequence[tuple[float, NDArray[Any]]]) -> Measured:
    """Share of all pairs of distinct records that agree, with the U-statistic's interval.

    Args:
        columns: Signs and values, one value for each record; agreement on a column counts with its
            sign: two of three parts agree as often as each pair of parts, less three times all.

    Source of the interval: Hoeffding 1948, DOI 10.1214/aoms/1177730196.
    """
    count = len(columns[0][1])
    if count < 2:
        return Measured(value=0.0, low=0.0, high=1.0)
    partners = np.zeros(count)
    for sign, values in columns:
        _, inverse, sizes = np.unique(values, return_inverse=True, return_counts=True)
        partners += sign * (sizes[inverse] - 1)
    each = partners / (count - 1)
    value = float(each.mean())
    variance = 4 * float(each.var()) / count + 2 * max(value, 0.0) / (count * (count - 1))
    half = Z_95 * sqrt(variance)
    return Measured(value=value, low=max(0.0, value - half), high=value + half)
