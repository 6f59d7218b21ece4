"""Postcodes without the space, with the confusions of O and 0, I and 1 put right by position.

British ones have a grammar and 124 areas, so a wrong character can be recognised.  Others (mpi link
reads files from anywhere) are kept as letters and digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from typing import Final, NamedTuple

from mpi.standardise.data_files import read_words
from mpi.standardise.sentinels import (
    UNKNOWN_POSTCODE_PREFIXES,
    UNKNOWN_POSTCODES,
    is_one_character,
)
from mpi.standardise.text import fold_code, fold_text, remembered

POSTCODE_CHARACTERS_MAX: Final = 10
"""No country's is longer; more is an address in the wrong column."""
_FOREIGN_CHARACTERS_MIN: Final = 3

_AREAS: Final = read_words("postcodes", "areas")
_OUTWARD: Final = re.compile(r"([A-Z]{1,2})([1-9][0-9]?|0|[1-9][A-HJKMNPRSTUVWXY])")
_INWARD: Final = re.compile(r"[0-9][ABDEFGHJLNPQRSTUWXYZ]{2}")
_CONFUSIONS: Final = {"O": "O0", "0": "0O", "I": "I1", "1": "1I", "L": "L1"}
"""Each character and what it is mistaken for, itself first."""
_ZIP_PLUS_FOUR: Final = re.compile(r"([0-9]{5})[- ][0-9]{4}")


_SECTOR: Final = re.compile(r"([A-Z][A-Z0-9]{1,3}) [0-9]")


class Postcode(NamedTuple):
    """A postcode and its first half; a British outward code alone has no postcode."""

    code: str | None = None
    """`DT11AA`."""
    outward: str | None = None
    """`DT1`; the first three characters of a foreign code."""


NO_POSTCODE: Final = Postcode()


@remembered(1 << 17)
def standardise_postcode(text: str) -> Postcode:
    """The postcode in this text; pseudo-postcodes and placeholders are missing.

    Source of the grammar: Royal Mail PAF; British Standard BS 7666.
    """
    folded = fold_text(text).removesuffix(".0")
    sector = _SECTOR.fullmatch(folded)
    if sector:
        folded = sector[1]
    zip_code = _ZIP_PLUS_FOUR.fullmatch(folded)
    code = zip_code[1] if zip_code else fold_code(folded)
    if not code or len(code) > POSTCODE_CHARACTERS_MAX or code in UNKNOWN_POSTCODES:
        return NO_POSTCODE
    if code.startswith(UNKNOWN_POSTCODE_PREFIXES) or is_one_character(code):
        return NO_POSTCODE
    return _british(code) or _outward_alone(code) or _foreign(code)


def is_british(text: str) -> bool:
    """Whether this is a whole British postcode."""
    return _british(fold_code(text)) is not None


def _british(code: str) -> Postcode | None:
    if not 5 <= len(code) <= 7:
        return None
    outward = _repaired_outward(code[:-3])
    inward = code[-3].replace("O", "0").replace("I", "1") + code[-2:]
    if outward is None or not _INWARD.fullmatch(inward):
        return None
    return Postcode(outward + inward, outward)


def _outward_alone(code: str) -> Postcode | None:
    """`DT1` alone: an area, and no evidence of one home."""
    return Postcode(None, code) if _is_outward(code) else None


def _foreign(code: str) -> Postcode:
    if len(code) < _FOREIGN_CHARACTERS_MIN or not any(map(str.isdigit, code)):
        return NO_POSTCODE
    return Postcode(code, code[:3])


def _repaired_outward(text: str) -> str | None:
    return next(filter(_is_outward, _readings(text)), None)


def _readings(text: str) -> Iterator[str]:
    """The text, then what it may have been before it was misread."""
    for characters in product(*(_CONFUSIONS.get(character, character) for character in text)):
        yield "".join(characters)


def _is_outward(text: str) -> bool:
    found = _OUTWARD.fullmatch(text)
    return found is not None and found[1] in _AREAS
