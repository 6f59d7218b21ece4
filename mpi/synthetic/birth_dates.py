"""Birth dates as sources write them: mostly right, and wrong in the published ways.

CRATE found one component wrong in 93 % of the differences (day 274, month 172, year 136 of 624),
by one in 74, 64 and 55 cases, and day and month swapped in only 3. Source: see
`mpi.synthetic.check`.
"""

from __future__ import annotations

from calendar import monthrange
from typing import Final

import numpy as np

from mpi.synthetic.days import iso_dates
from mpi.synthetic.people import Integers, Texts
from mpi.synthetic.slips import Slips

OFF_BY_ONE: Final = {"day": 74 / 274, "month": 64 / 172, "year": 50 / 136}
LAST_YEAR: Final = 2018
STAND_INS: Final = ("1900-01-01", "1900-01-01", "1900-01-01", "1901-01-01", "1911-11-11")


def write_birth_dates(birth: Integers, slips: Slips, *, unknown_level: float) -> Texts:
    """ISO text of each birth date, some wrong, partial, impossible or a stand-in.

    Args:
        birth: Day of birth of each record's person, counted from 1970-01-01.
        slips: Of the source's records.
        unknown_level: Factor on the odds that the source writes a stand-in or a part only.
    """
    written = iso_dates(birth)
    for part in ("day", "month", "year"):
        at = slips.hit("birth", f"{part}_slip")
        slips.apply(written, at, _SLIPS[part])
    slips.apply(written, slips.hit("birth", "swapped"), _swapped)
    at = slips.hit("birth", "other_date")
    written[at] = iso_dates(birth[at] + slips.random.integers(-400, 401, len(at)))
    slips.apply(written, slips.hit("birth", "impossible"), _impossible)
    slips = Slips(slips.level * unknown_level, slips.random)
    slips.apply(written, slips.hit("birth", "year_only"), _year_only)
    slips.apply(written, slips.hit("birth", "first_january"), _first_january)
    at = slips.hit("birth", "stand_in")
    written[at] = slips.pick(np.array(STAND_INS, dtype=object), len(at))
    return written


def _day_slip(text: str, kind: float, where: float) -> str:
    """One more or less, else a digit wrong or another day."""
    day = int(text[8:])
    if kind < OFF_BY_ONE["day"]:
        new = day + (1 if (where < 0.5 and day < 28) or day == 1 else -1)
    elif kind < 0.75:
        new = day + 10 if day <= 18 else day - 10
    else:
        new = 1 + int(where * 27)
    return f"{text[:8]}{new if new != day else day % 28 + 1:02d}"


def _month_slip(text: str, kind: float, where: float) -> str:
    month = int(text[5:7])
    if kind < OFF_BY_ONE["month"]:
        new = month + (1 if (where < 0.5 and month < 12) or month == 1 else -1)
    else:
        new = (month + 1 + int(where * 8)) % 12 + 1
    return _dated(int(text[:4]), new, int(text[8:]))


def _year_slip(text: str, kind: float, where: float) -> str:
    """One more or less, ten, exchanged digits, or the wrong century's habit."""
    year = int(text[:4])
    if kind < OFF_BY_ONE["year"]:
        new = year + (1 if where < 0.5 else -1)
    elif kind < 0.75:
        new = year + (10 if where < 0.5 else -10)
    else:
        new = year + 2 + int(where * 7)
    if new == year or new > LAST_YEAR:
        new = year - 1
    return _dated(new, int(text[5:7]), int(text[8:]))


def _year_only(text: str, _kind: float, _where: float) -> str:
    return text[:4]


def _first_january(text: str, _kind: float, _where: float) -> str:
    return f"{text[:4]}-01-01"


def _dated(year: int, month: int, day: int) -> str:
    """The date, or the last day of its month if that has fewer."""
    return f"{year}-{month:02d}-{min(day, monthrange(year, month)[1]):02d}"


def _swapped(text: str, _kind: float, _where: float) -> str:
    return f"{text[:4]}-{text[8:]}-{text[5:7]}" if int(text[8:]) <= 12 else text


def _impossible(text: str, kind: float, _where: float) -> str:
    return f"{text[:5]}02-30" if kind < 0.5 else f"{text[:4]}-00-00"


_SLIPS: Final = {"day": _day_slip, "month": _month_slip, "year": _year_slip}
