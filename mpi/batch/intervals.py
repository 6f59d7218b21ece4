"""How sure a counted share is: a rate without its interval invites belief in three lucky zeros.

No statistics library is a dependency for two functions; both are tested against published values.
"""

from __future__ import annotations

import math
from typing import Final

ONE_SIDED_95: Final = 0.95
"""Probability that the true share lies below the bound."""
_Z_TWO_SIDED_95: Final = 1.959963984540054
_BISECTIONS: Final = 200
_FRACTION_STEPS_MAX: Final = 100_000
_TINY: Final = 1e-300


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """The two-sided 95 % interval of a share, its ends 0..1; (0, 1) when there was no trial.

    Source: Wilson 1927, DOI 10.1080/01621459.1927.10502953.
    """
    if trials == 0:
        return (0.0, 1.0)
    z_squared = _Z_TWO_SIDED_95**2
    share = successes / trials
    centre = share + z_squared / (2 * trials)
    margin = _Z_TWO_SIDED_95 * math.sqrt(
        share * (1 - share) / trials + z_squared / (4 * trials * trials)
    )
    scale = 1 + z_squared / trials
    low, high = (centre - margin) / scale, (centre + margin) / scale
    return (max(0.0, low) if successes else 0.0, min(1.0, high) if successes < trials else 1.0)


def upper_bound(successes: int, trials: int, *, confidence: float = ONE_SIDED_95) -> float:
    """The one-sided exact upper bound of a share, 0..1; 1 when there was no trial.

    It is the share at which so few successes would be seen with probability `1 - confidence`:
    the quantile of Beta(successes + 1, trials - successes).

    Source: Clopper & Pearson 1934, DOI 10.1093/biomet/26.4.404.
    """
    if successes >= trials:
        return 1.0
    low, high = successes / trials, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if _beta_distribution(middle, successes + 1, trials - successes) < confidence:
            low = middle
        else:
            high = middle
    return high


def _beta_distribution(x: float, alpha: float, beta: float) -> float:
    """The regularised incomplete beta function, by the continued fraction that converges fast."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (alpha + 1) / (alpha + beta + 2):
        return 1 - _beta_distribution(1 - x, beta, alpha)
    log_front = (
        math.lgamma(alpha + beta)
        - math.lgamma(alpha)
        - math.lgamma(beta)
        + alpha * math.log(x)
        + beta * math.log1p(-x)
    )
    return math.exp(log_front) / (alpha * _beta_fraction(x, alpha, beta))


def _beta_fraction(x: float, alpha: float, beta: float) -> float:
    """1 / (1 + d1 / (1 + d2 / ...)) inverted, by Lentz's method.

    Source: DLMF 8.17.22, https://dlmf.nist.gov/8.17.
    """
    fraction = numerator_ratio = 1.0
    denominator_ratio = 0.0
    for step in range(1, _FRACTION_STEPS_MAX):
        coefficient = _beta_coefficient(step, x, alpha, beta)
        denominator_ratio = 1 / _nonzero(1 + coefficient * denominator_ratio)
        numerator_ratio = _nonzero(1 + coefficient / numerator_ratio)
        change = numerator_ratio * denominator_ratio
        fraction *= change
        if abs(change - 1) < 1e-15:
            break
    return fraction


def _beta_coefficient(step: int, x: float, alpha: float, beta: float) -> float:
    half, is_odd = divmod(step, 2)
    if is_odd:
        top = -(alpha + half) * (alpha + beta + half)
        return top * x / ((alpha + 2 * half) * (alpha + 2 * half + 1))
    return half * (beta - half) * x / ((alpha + 2 * half - 1) * (alpha + 2 * half))


def _nonzero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
