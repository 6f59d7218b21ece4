"""Birth dates from any text, kept as evidence even when they are partial or impossible.

Two records that both say 31 February agree on a slip of the pen; that agreement is worth as much
as a real date.  What is unknown (placeholders, 1 January's day and month) must weigh nothing.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final, NamedTuple

from mpi.standardise.sentinels import UNKNOWN_DATES, UNKNOWN_YEARS
from mpi.standardise.text import fold_text, remembered

TWO_DIGIT_PIVOT: Final = 30
"""Years 00..29 are 2000..2029, 30..99 are 1930..1999; fixed, because nothing here reads a clock."""
_SERIAL_EPOCH: Final = date(1899, 12, 30)
_SERIAL_DAYS: Final = range(3_654, 58_000)
"""Spreadsheet day numbers from 1910 to 2058 (five digits from 1927)."""

_MONTHS: Final = {
    name: f"{number:02}"
    for number, names in enumerate(
        (
            ("JAN", "JANUARY", "STYCZNIA", "JANUAR", "JANVIER", "ENERO"),
            ("FEB", "FEBRUARY", "LUTEGO", "FEBRUAR", "FEVRIER", "FEBRERO"),
            ("MAR", "MARCH", "MARCA", "MARZ", "MARS", "MARZO"),
            ("APR", "APRIL", "KWIETNIA", "AVRIL", "ABRIL"),
            ("MAY", "MAJA", "MAI", "MAYO"),
            ("JUN", "JUNE", "CZERWCA", "JUNI", "JUIN", "JUNIO"),
            ("JUL", "JULY", "LIPCA", "JULI", "JUILLET", "JULIO"),
            ("AUG", "AUGUST", "SIERPNIA", "AOUT", "AGOSTO"),
            ("SEP", "SEPT", "SEPTEMBER", "WRZESNIA", "SEPTEMBRE", "SEPTIEMBRE"),
            ("OCT", "OCTOBER", "PAZDZIERNIKA", "OKT", "OKTOBER", "OCTOBRE", "OCTUBRE"),
            ("NOV", "NOVEMBER", "LISTOPADA", "NOVEMBRE", "NOVIEMBRE"),
            ("DEC", "DECEMBER", "GRUDNIA", "DEZ", "DEZEMBER", "DECEMBRE", "DICIEMBRE"),
        ),
        start=1,
    )
    for name in names
}
_UNKNOWN_PARTS: Final = frozenset({"0", "00", "X", "XX", "U", "UU", "?", "??"})
_TIME: Final = re.compile(
    r"(?<=[0-9])(?:T| )\s*[0-9]{1,2}:[0-9:.]*\s*(?:AM|PM)?\s*(?:Z|[+-][0-9:]+)?$"
)
_PART: Final = re.compile(r"[0-9]+|[A-Z]+|\?+")
_YEARS: Final = range(1700, 2200)
"""Four digits that are read as a year where nothing but the digits says so."""
_ORDINAL: Final = re.compile(r"(?<=[0-9])(?:ST|ND|RD|TH)\b")
_COMPACT: Final = re.compile(r"[0-9]{4,}")


class BirthDate(NamedTuple):
    """A date as text and as components; a component that is not known is None."""

    text: str | None = None
    """`YYYY-MM-DD`, `YYYY-MM` or `YYYY`; impossible dates in the same form."""
    year: str | None = None
    month: str | None = None
    day: str | None = None


NO_DATE: Final = BirthDate()


@remembered(1 << 17)
def standardise_birth_date(text: str) -> BirthDate:
    """What this text says of a birth date, in any usual form; day before month where both fit.

    Source: HL7 v2 2.A.22 (DT), ISO 8601; sentinels in `data/sentinels.toml`.
    """
    folded = _TIME.sub("", fold_text(text))
    compact = folded.removesuffix(".0").lstrip("'")
    if _COMPACT.fullmatch(compact):
        return _checked(_compact_parts(compact))
    parts = [part for part in _PART.findall(_ORDINAL.sub("", folded)) if _can_belong(part)]
    named = [part for part in parts if part in _MONTHS]
    if named:
        numbers = [part for part in parts if part not in _MONTHS]
        return _checked(_parts_around_month(_MONTHS[named[0]], numbers))
    return _checked(_separated_parts(parts[:3]))


def _checked(parts: tuple[str, str, str] | None) -> BirthDate:
    """The date of year, month and day texts, of which month and day may be empty."""
    if parts is None or not parts[0]:
        return NO_DATE
    year, month, day = parts
    day = day if month else ""
    text = "-".join(part for part in (year, month, day) if part)
    if year in UNKNOWN_YEARS or text in UNKNOWN_DATES or not (month or _is_year(year)):
        return NO_DATE
    if (month, day) == ("01", "01"):
        return BirthDate(text, year, None, None)
    return BirthDate(text, year, month or None, day or None)


def _compact_parts(digits: str) -> tuple[str, str, str] | None:
    """Digits without separators: `YYYY`, `YYYYMM`, `YYYYMMDD[HHMM[SS]]`, `DDMMYYYY`, `DDMMYY`."""
    match len(digits):
        case 4:
            return digits, "", ""
        case 5:
            return _serial_parts(int(digits))
        case 6 if _is_year(digits[:4]) and "01" <= digits[4:] <= "12":
            return digits[:4], digits[4:], ""
        case 6:
            return _ordered(digits[:2], digits[2:4], digits[4:])
        case 8 if _is_year(digits[4:]) and not _is_year(digits[:4]):
            return _ordered(digits[:2], digits[2:4], digits[4:])
        case 8 | 12 | 14:
            return digits[:4], _known(digits[4:6]), _known(digits[6:8])
    return None


def _is_year(digits: str) -> bool:
    return int(digits) in _YEARS


def _serial_parts(days: int) -> tuple[str, str, str] | None:
    if days not in _SERIAL_DAYS:
        return None
    year, month, day = (_SERIAL_EPOCH + timedelta(days=days)).isoformat().split("-")
    return year, month, day


def _can_belong(part: str) -> bool:
    """Numbers, names of months and signs of the unknown; the rest is noise (`MON`, `DOB`)."""
    return part.isdigit() or part in _MONTHS or part in _UNKNOWN_PARTS


def _parts_around_month(month: str, numbers: list[str]) -> tuple[str, str, str] | None:
    """`3 FEB 1980`, `FEB 3 1980`, `1980 FEB 3`, `FEB 1980`."""
    if not numbers or any(len(number) not in (1, 2, 4) for number in numbers[:2]):
        return None
    if len(numbers) == 1:
        return _with_century(numbers[0]), month, ""
    first, second = numbers[:2]
    if len(first) == 4:
        return (first, month, _known(second)) if len(second) < 3 else None
    return _with_century(second), month, _known(first)


def _separated_parts(parts: list[str]) -> tuple[str, str, str] | None:
    """`1980-02-03`, `3/2/1980`, `3.2.80`, `80-02-31`, `2/1980`, `1980`."""
    if not parts or any(len(part) not in (1, 2, 4) for part in parts):
        return None
    years = [part for part in parts if len(part) == 4]
    rest = [part for part in parts if len(part) != 4]
    if len(years) > 1 or (not years and len(parts) < 3):
        return None
    if years and len(parts) == 1:
        return years[0], "", ""
    if years and len(parts) == 2:
        return years[0], _known(rest[0]), ""
    if years and len(parts[0]) == 4:
        return years[0], _known(rest[0]), _known(rest[1])
    if not years and parts[0].isdigit() and int(parts[0]) > 31:
        return _with_century(parts[0]), _known(parts[1]), _known(parts[2])
    return _ordered(rest[0], rest[1], years[0] if years else parts[2])


def _ordered(first: str, second: str, year: str) -> tuple[str, str, str] | None:
    """Day before month, as in most of the world, unless only the other order can be a date."""
    day, month = _known(first), _known(second)
    if month > "12" and "" < day <= "12":
        day, month = month, day
    return _with_century(year), month, day


def _with_century(year: str) -> str:
    if len(year) == 4:
        return year
    return f"{20 if int(year) < TWO_DIGIT_PIVOT else 19}{int(year):02}" if year.isdigit() else ""


def _known(part: str) -> str:
    """Two digits, or nothing for a sign of the unknown."""
    return "" if part in _UNKNOWN_PARTS else part.zfill(2)
