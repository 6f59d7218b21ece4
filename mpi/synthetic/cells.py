"""Turns canonical columns into the texts that a source writes: `field|style`.

A cell names a field of the records or one composed of several, and a style: a date pattern, a
code table (`@sex`), a format (`NSTS{}`), a number (`#`), a truth value (`?`), or none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mpi.synthetic.days import iso_dates
from mpi.synthetic.rows import SECONDS_A_DAY, Records

MONTHS: Final = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
Column = Sequence[Any]
Row = tuple[Any, ...]


class Cells:
    """The columns of one source's rows, composed on demand."""

    def __init__(self, records: Records, code_tables: Mapping[str, Mapping[str, str]]) -> None:
        self._records = records
        self._code_tables = code_tables
        self._fields: dict[str, list[Any]] = {}

    def column(self, cell: str) -> Column:
        """The texts of one cell, a row each; None where there is nothing to write."""
        if cell.startswith("'"):
            return [cell[1:]] * len(self._records.record)
        name, _, style = cell.partition("|")
        if name == "updated":
            return _timestamps(self._records.updated, style)
        values = self.field(name)
        if not style:
            return values
        if style.startswith("@"):
            codes = self._code_tables[style[1:]]
            return [codes.get(value) for value in values]
        return _cached(values, _STYLES.get(style) or _patterned(style))

    def field(self, name: str) -> list[Any]:
        """The values of one field, a row each."""
        if name not in self._fields:
            composed = _COMPOSED.get(name)
            if composed:
                inputs = [self.field(part) for part in composed[0]]
                self._fields[name] = [composed[1](*row) for row in zip(*inputs, strict=True)]
            else:
                self._fields[name] = self._stored(name)
        return self._fields[name]

    def _stored(self, name: str) -> list[Any]:
        records = self._records
        if name in records.columns:
            return list(records.columns[name].tolist())
        count = len(records.record)
        if name == "nothing":
            return [None] * count
        if name == "sequence":
            return [str(value) for value in records.sequence.tolist()]
        if name == "is_error":
            return ["yes" if value else "no" for value in records.is_error.tolist()]
        if name == "service":
            names = [service.name for service in records.spec.services]
            return [names[at] for at in records.service[records.record].tolist()]
        of_record = {"local_id": records.local_id, "local_number": records.practice_number}
        if name in of_record:
            return list(of_record[name][records.record].tolist())
        return [_CONSTANTS[name]] * count


def _cached(values: Sequence[Any], style: Callable[[str], Any]) -> list[Any]:
    """Each distinct text is styled once."""
    done: dict[Any, Any] = {None: None}
    styled = []
    for value in values:
        if value not in done:
            done[value] = style(value)
        styled.append(done[value])
    return styled


def _patterned(style: str) -> Callable[[str], str]:
    if "{}" in style:
        return style.format
    return lambda text: iso_to_pattern(text, style)


@cache
def iso_to_pattern(text: str, pattern: str) -> str:
    """An ISO 8601 date, whole or only a year, in the pattern of a source (`DD-Mon-YYYY`)."""
    if len(text) < 10:
        return text
    year, month, day = text[:4], text[5:7], text[8:10]
    name = MONTHS[int(month) - 1] if 1 <= int(month) <= 12 else month
    if pattern.startswith("D/M/"):
        return f"{int(day)}/{int(month)}/{year}"
    written = pattern.replace("YYYY", year).replace("DD", day).replace("Mon", name)
    return written.replace("MM", month)


def _timestamps(updated: NDArray[np.int64], pattern: str) -> list[str]:
    """Seconds since 1970 in the pattern of a source, of which days and clock are looked up."""
    day, has_clock, minutes = pattern.partition("HH")
    clock = has_clock + minutes
    days = _cached(
        iso_dates(updated // SECONDS_A_DAY).tolist(), lambda text: iso_to_pattern(text, day)
    )
    seconds = (updated % SECONDS_A_DAY).tolist()
    if not clock:
        return days
    times = {second: _clock(second, clock) for second in set(seconds)}
    return [text + times[second] for text, second in zip(days, seconds, strict=True)]


def _clock(second: int, pattern: str) -> str:
    hour, minute = f"{second // 3600:02d}", f"{second // 60 % 60:02d}"
    written = pattern.replace("HH", hour).replace("MM", minute)
    return written.replace("SS", f"{second % 60:02d}")


def _joined(*parts: str | None) -> str | None:
    return ", ".join(filter(None, parts)) or None


def _spaced(*parts: str | None) -> str | None:
    return " ".join(filter(None, parts)) or None


def _house_road(flat: str | None, house: str | None, street: str | None) -> str | None:
    """`Flat 3, 12 High Street`; a name instead of a number takes a comma."""
    if not house or not street:
        return _joined(flat, house, street)
    between = " " if house[0].isdigit() else ", "
    return f"{flat}, {house}{between}{street}" if flat else f"{house}{between}{street}"


def _comma_name(family: str | None, given: str | None, middle: str | None = None) -> str | None:
    """`SURNAME, Forename Middle`."""
    return _joined(family.upper() if family else None, _spaced(given, middle))


def _former_comma_name(family: str | None, given: str | None) -> str | None:
    return _comma_name(family, given) if family else None


def _filled_lines(number: int) -> Callable[..., str | None]:
    def line(*parts: str | None) -> str | None:
        filled = [part for part in parts if part]
        return filled[number] if number < len(filled) else None

    return line


def _if_kind(kind: str) -> Callable[[str | None, str | None], str | None]:
    return lambda name, written: name if written == kind else None


def _given_list(given: str | None, middle: str | None) -> list[str]:
    return ([given] if given else []) + (middle.split(" ") if middle else [])


def _first_word(text: str | None) -> str | None:
    return text.split(" ", 1)[0] if text else None


def _other_words(text: str | None) -> str | None:
    return text.partition(" ")[2] or None if text else None


def _until(name: str | None, until: str | None) -> str | None:
    return until if name else None


def _alias(family: str | None, known_as: str | None, kind: str | None) -> str | None:
    return kind if family else "preferred" if known_as else None


_PLACE: Final = ("flat", "house", "street")
_LINES: Final = ("house_road", "locality", "town", "postcode")
_BEFORE: Final = tuple(f"previous_{name}" for name in _PLACE)
_CONSTANTS: Final = {
    "registration_type": "Regular",
    "usual_gp": "Any partner",
    "preferred_kind": "preferred",
}
_COMPOSED: Final[Mapping[str, tuple[tuple[str, ...], Callable[..., Any]]]] = {
    "forenames": (("given", "middle"), _spaced),
    "given_list": (("given", "middle"), _given_list),
    "middle_first": (("middle",), _first_word),
    "middle_rest": (("middle",), _other_words),
    "comma_name": (("family", "given", "middle"), _comma_name),
    "previous_comma_name": (("previous_family", "given"), _former_comma_name),
    "previous_family_until": (("previous_family", "family_until"), _until),
    "maiden_family": (("previous_family", "previous_kind"), _if_kind("maiden")),
    "former_family": (("previous_family", "previous_kind"), _if_kind("previous")),
    "alias_kind": (("previous_family", "known_as", "previous_kind"), _alias),
    "alias_family": (("previous_family",), lambda name: name),
    "alias_given": (
        ("previous_family", "known_as"),
        lambda family, known: known if not family else None,
    ),
    "house_road": (_PLACE, _house_road),
    "previous_house_road": (_BEFORE, _house_road),
    "address_lines": (
        ("house_road", "locality"),
        lambda *parts: [part for part in parts if part],
    ),
    "full_address": (_LINES, _joined),
    "address_and_town": (_LINES[:3], _joined),
    "previous_full_address": (
        ("previous_house_road", "previous_town", "previous_postcode"),
        _joined,
    ),
    "previous_address_and_town": (("previous_house_road", "previous_town"), _joined),
    "telephones": (
        ("landline", "mobile"),
        lambda *parts: " / ".join(part for part in parts if part) or None,
    ),
    "any_phone": (("mobile", "landline"), lambda mobile, landline: mobile or landline),
    **{f"line_{number + 1}": (_LINES, _filled_lines(number)) for number in range(5)},
}
_STYLES: Final[Mapping[str, Callable[[str], Any]]] = {
    "#": lambda text: int(text) if text else None,
    "?": lambda text: text == "yes",
    "3-3-4": lambda text: f"{text[:3]} {text[3:6]} {text[6:]}",
    "3 3 4": lambda text: f"{text[:3]} {text[3:6]} {text[6:]}",
    "before/": lambda text: text.split("/")[0],
    "after/": lambda text: text.split("/")[1],
}
