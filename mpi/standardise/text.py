"""Text as it can be compared: ASCII capitals, whatever script or encoding it arrived in.

DuckDB compares bytes and Python characters, so a comparison record holds ASCII only.  Scripts
without capitals or vowels become something stable rather than something right: the same name
written the same way stays equal, and that is all that a comparison needs.

Transliteration: the tables of anyascii, https://github.com/anyascii/anyascii (ISC licence).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Final, TypeVar

from anyascii import anyascii

from mpi.limits import FIELD_CHARACTERS_MAX

T = TypeVar("T")

_CONTROLS: Final = dict.fromkeys((*range(32), 127), " ")
_LOOKALIKES: Final = {0x00B4: "'", 0x2032: "'", 0x02BC: "'", 0x2010: "-", 0x2212: "-"}
_STRAY_ENDINGS: Final = (".0", ".00")


def fold_text(text: str) -> str:
    """The text in ASCII capitals with single spaces: `Łódź ` becomes `LODZ`.

    Never longer than `FIELD_CHARACTERS_MAX`, never raises, and folding twice changes nothing.
    """
    text = text[:FIELD_CHARACTERS_MAX]
    if not text.isascii():
        text = anyascii(_unmangled(text).translate(_LOOKALIKES))[:FIELD_CHARACTERS_MAX]
    if not text.isprintable():
        text = text.translate(_CONTROLS)
    return " ".join(text.upper().replace("`", "'").split())


def _unmangled(text: str) -> str:
    """`MÃ¼ller` is MÜLLER: UTF-8 that was read as Windows-1252 on its way, as exports often are.

    Other text in Windows-1252 is hardly ever valid UTF-8 by chance; JOÃO is not.
    """
    try:
        return text.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return text


def fold_code(text: str) -> str:
    """Only the letters and digits of the folded text: `AB 12-c` becomes `AB12C`."""
    return "".join(filter(str.isalnum, fold_text(text)))


def fold_digits(text: str) -> str:
    """Only the digits; the `.0` that a spreadsheet adds to a number is none of them."""
    folded = fold_text(text)
    for ending in _STRAY_ENDINGS:
        folded = folded.removesuffix(ending)
    return "".join(filter(str.isdigit, folded))


def remembered(values_max: int) -> Callable[[Callable[[str], T]], Callable[[str | None], T]]:
    """Decorates a part function: each distinct text is standardised once.

    A region has some 50,000 forenames and 35,000 birth dates in millions of records.  Missing text
    reads as empty; text past `FIELD_CHARACTERS_MAX` is cut before it becomes a cache key.
    """

    def decorate(function: Callable[[str], T]) -> Callable[[str | None], T]:
        cached = lru_cache(values_max)(function)

        @wraps(function)
        def standardised(text: str | None) -> T:
            if text is None:
                return cached("")
            if len(text) > FIELD_CHARACTERS_MAX:
                return cached(text[:FIELD_CHARACTERS_MAX])
            return cached(text)

        return standardised

    return decorate
