"""Addresses as `12 HIGH ST`: what of a dwelling two clerks write alike.

Localities, counties, house names beside a number and the order of the lines differ from source to
source; the number and the street hardly do.  With the postcode they are one dwelling.
"""

from __future__ import annotations

import re
from typing import Final

from rapidfuzz.distance import DamerauLevenshtein

from mpi.standardise.data_files import read_rows, read_words
from mpi.standardise.sentinels import COUNTRY_LINES, UNKNOWN_ADDRESSES
from mpi.standardise.text import fold_text, remembered

ADDRESS_WORDS_MAX: Final = 8
_READINGS_MAX: Final = 6
"""An address is read again until nothing changes, so that reading twice is reading once."""
_STREET_WORDS_MAX: Final = 5


_SHORT: Final = {row["word"]: row["short"] for row in read_rows("street_words.csv")}
_STREET_ENDINGS: Final = read_words("addresses", "street_endings")
_PLACE_ENDINGS: Final = read_words("addresses", "place_endings")
_BUILDING_ENDINGS: Final = read_words("addresses", "building_endings")
_ENDINGS: Final = _STREET_ENDINGS | _PLACE_ENDINGS
_QUARTERS: Final = read_words("addresses", "quarters")
_LONG_ENDINGS: Final = sorted(
    word for word, short in _SHORT.items() if short in _STREET_ENDINGS and len(word) > 3
)
_MISSPELT_CHARACTERS_MIN: Final = 4
_SEGMENTS: Final = re.compile(r"[,;|]")
_NOT_WORD: Final = re.compile(r"[^A-Z0-9/ ]+")
_CARE_OF: Final = re.compile(r"^(?:C ?/ ?O|CARE OF)\b.*$")
_NUMBER_WORD: Final = re.compile(r"^(?:NO|NUMBER|NUM)\.? ?(?=[0-9])")
_RANGE: Final = re.compile(r"^([0-9]+[A-Z]?) ?- ?[0-9]+[A-Z]?(?= |$)")
_POSTCODE_AT_END: Final = re.compile(r"(?<=.)(?:^| )[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}$")
_FLAT: Final = re.compile(r"^FLAT (?:NO )?([0-9]+[A-Z]?|[A-Z][0-9]*)(?: |$)")
_FLAT_AT_END: Final = re.compile(r"(?<=.) FLAT ([0-9]+[A-Z]?|[A-Z][0-9]*)$")
_FLAT_SLASH: Final = re.compile(r"^(?:FLAT )?([0-9]+[A-Z]?)/([0-9]+[A-Z]?)(?= |$)")
_HAS_NUMBER_FIRST: Final = re.compile(r"^(?:FLAT [0-9]+[A-Z]?/)?[0-9]")
_NUMBERED: Final = re.compile(
    r"^([0-9]+)(?: ?([A-DF-MO-RT-VX-Z])| ?([A-Z])(?=$)|([NESW]))?(?: (.*))?$"
)
"""House number, its letter (a lone N, E, S or W with a space is a quarter), the rest."""
_NUMBER_LAST: Final = re.compile(
    r"^(?:(?:UL|AL|OS) )?(?!FLAT\b)([A-Z][A-Z ]*?) ([0-9]+[A-Z]?)(?: ?/ ?([0-9]+[A-Z]?))?$"
)
"""The continental order: DLUGA 12/3."""


@remembered(1 << 18)
def standardise_address(text: str) -> str | None:
    """The dwelling in this address, without town and postcode: `FLAT 3 12 HIGH ST`.

    Args:
        text: Lines joined by commas, most specific first, as far as the source kept them apart.

    Returns:
        Flat, house number or name, and street, with common words abbreviated; None for
        placeholders (`NO FIXED ABODE`) and for text without a word.
    """
    dwelling = _read_dwelling(fold_text(text))
    for _ in range(0 if _is_plain(dwelling) else _READINGS_MAX):
        if (again := _read_dwelling(dwelling)) == dwelling:
            break
        dwelling = again
    return dwelling or None


def _is_plain(dwelling: str) -> bool:
    """The usual `12 HIGH ST`, which reading again cannot change."""
    words = dwelling.split(" ")
    return (
        len(words) == 3
        and words[0].isdigit()
        and len(words[1]) > 1
        and words[2] in _STREET_ENDINGS
        and words[1].isalpha()
        and words[1] not in _SHORT
    )


def _read_dwelling(folded: str) -> str:
    flat, segments = _without_flat(_segments(folded))
    if not segments:
        return ""
    flat_here, dwelling = _dwelling(segments)
    text = _compose(flat or flat_here, dwelling).replace("/", " ")
    return " ".join(text.split()[:ADDRESS_WORDS_MAX])


def _segments(folded: str) -> list[str]:
    """The lines that can name a dwelling, words abbreviated."""
    lines = (_clean(line) for line in _SEGMENTS.split(folded))
    kept = [line for line in lines if line and not _CARE_OF.match(line)]
    if " ".join(kept) in UNKNOWN_ADDRESSES:
        return []
    return [line for line in kept if line not in UNKNOWN_ADDRESSES and line not in COUNTRY_LINES]


def _clean(line: str) -> str:
    line = _NUMBER_WORD.sub("", line.strip())
    if not line.replace(" ", "").isalnum():
        line = _RANGE.sub(r"\1", line.replace("#", " FLAT ").replace("'", ""))
        line = " ".join(_NOT_WORD.sub(" ", line).split())
    words = _POSTCODE_AT_END.sub("", line) if line[-3:-2].isdigit() else line
    return " ".join(_SHORT.get(word, word) for word in words.split()).strip("/ ")


def _without_flat(segments: list[str]) -> tuple[str, list[str]]:
    """The flat's number, and the lines without it."""
    for index, segment in enumerate(segments):
        found = _FLAT.match(segment) or _FLAT_AT_END.search(segment)
        if found:
            rest = (segment[: found.start()] + segment[found.end() :]).strip()
            others = [*segments[:index], *([rest] if rest else []), *segments[index + 1 :]]
            return (found[1], others) if others else ("", [segment])
    return "", segments


def _dwelling(segments: list[str]) -> tuple[str, str]:
    """A flat's number found on the way, and number or name with its street."""
    numbered = [index for index, line in enumerate(segments) if _HAS_NUMBER_FIRST.match(line)]
    for index in numbered:
        flat, number, street = _read_number(segments, index)
        if street.split()[-1:] and street.split()[-1] in _BUILDING_ENDINGS and index < numbered[-1]:
            _, outer_number, outer_street = _read_number(segments, numbered[-1])
            return number, f"{outer_number} {_street(outer_street)}"
        if street:
            return flat, f"{number} {_street(street)}"
    return _unnumbered(segments)


def _read_number(segments: list[str], index: int) -> tuple[str, str, str]:
    """Flat, house number and street of a line that starts with a digit; a bare number's street
    is the next line."""
    line, flat = segments[index], ""
    slash = _FLAT_SLASH.match(line)
    if slash:
        flat, line = slash[1], slash[2] + line[slash.end() :]
    found = _NUMBERED.match(line)
    if not found:
        return flat, "", line
    number = found[1] + (found[2] or found[3] or found[4] or "")
    following = segments[index + 1] if index + 1 < len(segments) else ""
    return flat, number, found[5] or following


def _unnumbered(segments: list[str]) -> tuple[str, str]:
    """A house name with its street, or a street with its number last, or the first line."""
    found = _NUMBER_LAST.match(segments[0])
    if found:
        return found[3] or "", f"{found[2]} {_street(found[1])}"
    for index, raw_line in enumerate(segments[:3]):
        line = " ".join(_without_slips(raw_line.split()))
        if not _ENDINGS.isdisjoint(line.split()[1:]):
            name = segments[index - 1] if index else ""
            return "", f"{name} {_street(line)}"
    return "", _street(segments[0])


def _street(text: str) -> str:
    """The words up to the one that ends a street's name."""
    words = _without_slips(text.split())
    for endings in (_STREET_ENDINGS, _PLACE_ENDINGS):
        for index, word in enumerate(words[1:], 1):
            if word in endings:
                has_quarter = words[index + 1 : index + 2] and words[index + 1] in _QUARTERS
                return " ".join(words[: index + (2 if has_quarter else 1)])
    return " ".join(words[:_STREET_WORDS_MAX])


def _without_slips(words: list[str]) -> list[str]:
    """The words with a missing space before the last ending put back, or its slip put right."""
    *before, last = words or [""]
    for ending in _LONG_ENDINGS:
        stem = last.removesuffix(ending)
        if len(ending) > _MISSPELT_CHARACTERS_MIN and last != stem and len(stem) > 2:
            return [*before, stem, _SHORT[ending]]
    return [*before, _street_ending(last)] if before else words


def _street_ending(word: str) -> str:
    """The ending that this last word of a street is a slip of, if any: SQUARR, RAOD, LA."""
    if word in _ENDINGS or len(word) < _MISSPELT_CHARACTERS_MIN:
        return "LN" if word == "LA" else word
    for ending in _LONG_ENDINGS:
        if DamerauLevenshtein.distance(word, ending, score_cutoff=1) <= 1:
            return _SHORT[ending]
    return word


def _compose(flat: str, dwelling: str) -> str:
    """`12A HIGH ST` for flat A of number 12; otherwise the flat goes before."""
    number, _, street = dwelling.partition(" ")
    if flat.isalpha() and number.isdigit():
        return f"{number}{flat} {street}"
    return f"FLAT {flat} {dwelling}" if flat else dwelling
