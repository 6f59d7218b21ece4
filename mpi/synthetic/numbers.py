"""NHS numbers that nobody real can have: 999 000 0000 - 999 999 9999, with a valid check digit."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from mpi.errors import InvalidInput
from mpi.limits import SYNTHETIC_PEOPLE_MAX

FIRST_STEM: Final = 999_000_000
STEMS: Final = 1_000_000
"""Nine digits before the check digit; about one in eleven has no valid check digit."""


def usable_numbers() -> NDArray[np.int64]:
    """Every valid number of the range in order, without 9999999999, which is a placeholder.

    One entry a number, of ten digits.
    """
    stems = np.arange(FIRST_STEM, FIRST_STEM + STEMS, dtype=np.int64)
    check = check_digits(stems)
    numbers = (stems * 10 + check)[check < 10]
    usable: NDArray[np.int64] = numbers[numbers != 9_999_999_999]
    return usable


def check_digits(stems: NDArray[np.int64]) -> NDArray[np.int64]:
    """The tenth digit of each number of nine; 10 where there is none.

    Source: NHS Data Dictionary, NHS NUMBER (modulus 11, weights 10 to 2).
    """
    total = np.zeros(len(stems), dtype=np.int64)
    for place in range(9):
        total += (10 - place) * (stems // 10 ** (8 - place) % 10)
    check: NDArray[np.int64] = (11 - total % 11) % 11
    return check


def draw_numbers(count: int, random: Generator) -> NDArray[np.int64]:
    """Distinct numbers for `count` people, one entry each, followed by all that are left over.

    Raises:
        InvalidInput: If there are more people than numbers.
    """
    if count > SYNTHETIC_PEOPLE_MAX:
        raise InvalidInput(
            f"people: at most {SYNTHETIC_PEOPLE_MAX:,}, because only so many NHS numbers from "
            "999 000 0000 to 999 999 9999 are valid and nobody's"
        )
    return random.permutation(usable_numbers())
