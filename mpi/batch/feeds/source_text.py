"""Texts of a source made into canonical ones: its dates, its instants, its names and addresses.

Nothing is corrected and nothing is lost: what is not understood stays as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from mpi.source_layout import date_pattern

REMEMBERED_TEXTS: Final = 65_536
"""Distinct texts that one function remembers; enough for the dates and names of a region."""
RECENT_TEXTS: Final = 1_024
"""The same for texts that hardly repeat, but are split for each of their parts."""
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_POSTCODE: Final = re.compile(r"[A-Z]{1,2}[0-9A-Z]{1,3}\s?[0-9A-Z]{3}", re.IGNORECASE)
"""Loose on purpose: O for 0 and I for 1 are what scanners and hurried people write."""
_SPACED_POSTCODE: Final = re.compile(r"[A-Z]{1,2}[0-9][0-9A-Z]?\s?[0-9][A-Z]{2}", re.IGNORECASE)


def compile_date(formats: Sequence[str]) -> Callable[[str], str]:
    """Text -> ISO 8601 (`YYYY-MM-DD`, shorter if the format is), or the text if no format fits.

    A day that the calendar does not have fits no format: it is kept as it was written.
    """
    patterns = [re.compile(date_pattern(each)) for each in formats]

    def read(text: str) -> str:
        for pattern in patterns:
            match = pattern.fullmatch(text)
            iso = _iso_date(match) if match else None
            if iso is not None:
                return iso
        return text

    return read


def compile_instant(date_format: str, zone: ZoneInfo) -> Callable[[str], datetime]:
    """Text -> instant in UTC; the function raises ValueError or OverflowError if it is none.

    Args:
        date_format: `ISO`, or a format with year, month and day.
        zone: Where the clock hangs that the text was read from, unless the text says so itself;
            an hour that occurs twice in autumn is taken the first time.
    """
    if date_format == "ISO":

        def read_iso(text: str) -> datetime:
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)

        return read_iso
    pattern = re.compile(date_pattern(date_format))
    units = ("year", "month", "day", "hour", "minute", "second")
    groups = [pattern.groupindex[unit] for unit in units if unit in pattern.groupindex]
    month_group = pattern.groupindex.get("month_name")

    def read(text: str) -> datetime:
        match = pattern.fullmatch(text)
        if match is None:
            raise ValueError(date_format)
        numbers = [int(match[group]) for group in groups]
        if month_group is not None:
            numbers.insert(1, _MONTHS.get(match[month_group].lower(), 0))
        year, month, day, hour, minute, second, *_ = (*numbers, 0, 0, 0)
        moment = datetime(year, month, day, hour, minute, second, tzinfo=zone)
        return moment.astimezone(UTC)

    return read


@lru_cache(RECENT_TEXTS)
def split_comma_name(text: str) -> Mapping[str, str | None]:
    """The parts of `SURNAME, Forename Middle`; a text without comma is a family name."""
    family, _, rest = text.partition(",")
    given, _, middle = " ".join(rest.replace(",", " ").split()).partition(" ")
    return {
        "family_name": family.strip() or None,
        "given_name": given or None,
        "middle_name": middle or None,
    }


@lru_cache(RECENT_TEXTS)
def split_address(text: str) -> Mapping[str, str | None]:
    """The parts of `12 High Street, Dorchester, DT1 1AA`, separated by commas or line ends.

    A postcode comes last, as a piece or at the end of one; the town is the last other piece, if
    there is more than one. What is not recognised stays in the address.
    """
    pieces = [piece for part in re.split(r"[,\r\n]", text) if (piece := " ".join(part.split()))]
    postcode = _take_postcode(pieces)
    town = pieces.pop() if len(pieces) > 1 else None
    return {"address": ", ".join(pieces) or None, "town": town, "postcode": postcode}


def _take_postcode(pieces: list[str]) -> str | None:
    last = pieces[-1] if pieces else ""
    alone = _POSTCODE if len(pieces) > 1 else _SPACED_POSTCODE
    if alone.fullmatch(last) and any(character.isdigit() for character in last):
        return pieces.pop()
    words = last.split(" ")
    for count in (2, 1):
        ending = " ".join(words[-count:])
        if len(words) > count and _SPACED_POSTCODE.fullmatch(ending):
            pieces[-1] = " ".join(words[:-count])
            return ending
    return None


def _iso_date(match: re.Match[str]) -> str | None:
    parts = match.groupdict()
    month = _month(parts)
    year, day = int(parts["year"]), int(parts["day"]) if "day" in parts else None
    try:
        date(year, month or 1, day or 1)
    except ValueError:
        return None
    if day == 0 or month == 0 or (month is None and day is not None):
        return None
    return "-".join([f"{year:04}", *(f"{part:02}" for part in (month, day) if part is not None)])


def _month(parts: Mapping[str, str]) -> int | None:
    if "month_name" in parts:
        return _MONTHS.get(parts["month_name"].lower(), 0)
    return int(parts["month"]) if "month" in parts else None
