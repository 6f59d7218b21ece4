"""The words of a name field, once everything that is not the name has been set aside.

Clerks write more than a name into a name: titles, `(NEE JONES)`, `aka Liz`, `D/O MOHAN`, a comma
and the forename, `TWIN 1`.  What names the person is kept; what names nobody is dropped.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from mpi.standardise.data_files import read_words
from mpi.standardise.sentinels import (
    UNKNOWN_NAMES,
    UNNAMED_CHILD_SEX_WORDS,
    UNNAMED_CHILD_WORDS,
)
from mpi.standardise.text import fold_text, remembered

NAME_WORDS_MAX: Final = 8

_TITLES: Final = read_words("names", "titles")
_GIVEN_TITLES: Final = _TITLES | read_words("names", "given_titles")
_SUFFIXES: Final = read_words("names", "suffixes")
_OTHER_NAME: Final = (
    r"NEE|FORMERLY|PREVIOUSLY|F\.?K\.?A|A\.?K\.?A|A/K/A|ALIAS|(?:ALSO )?KNOWN AS|MAIDEN NAME"
)
_ALTERNATIVE: Final = re.compile(
    r"[(\[]([^)\]]*)[)\]]?"
    r"|\"([^\"]*)\""
    r"|(?<![A-Z])'([A-Z ]+)'(?![A-Z])"
    rf"|(?<=.) (?:{_OTHER_NAME})\b[:. ]*(.*)$"
)
_MARKER: Final = re.compile(rf"^(?:{_OTHER_NAME}|PREV|WAS|NOW|OR|PREFERRED)\b[:. ]*")
_RELATION: Final = re.compile(r"\b(?:[SDW]\s?/\s?O|SON OF|DAUGHTER OF|WIFE OF)\b\.?(.*)$")
_MARKER_WORDS: Final = frozenset({"NEE", "AKA", "FKA", "ALIAS", "FORMERLY", "PREVIOUSLY"})
_ORDINALS: Final = frozenset({"FIRST", "SECOND", "THIRD", "IST", "OST", "ND", "RD", "ST"})
_FIRST_WORDS: Final = (
    frozenset(name.split()[0] for name in UNKNOWN_NAMES if " " in name)
    | UNNAMED_CHILD_WORDS
    | UNNAMED_CHILD_SEX_WORDS
    | _ORDINALS
)
_BABY_OF: Final = re.compile(r"B\s?/\s?O\b|BO (?=[A-Z])")
_APOSTROPHES: Final = re.compile(r"(?<=[A-Z])' ?(?=[A-Z])|'")
_DIGITS_IN_WORD: Final = str.maketrans("015", "OIS", "2346789")
"""What a scanner makes of letters; other digits inside a word are dropped."""
_WORD: Final = re.compile(r"[A-Z0-9]+(?:-[A-Z0-9]+)*")


class NameText(NamedTuple):
    """A name field taken apart; everything is folded text."""

    main: str
    alternatives: tuple[str, ...]
    """Other names in brackets, in quotes or after a word like NEE."""
    relative: str
    """The name after D/O, S/O or W/O: a father's or husband's, often used as family name."""


def read_name_text(text: str) -> NameText:
    """The parts of a raw name field."""
    folded = fold_text(text)
    alternatives: list[str] = []
    relative = ""
    if not folded.isalpha():
        found = _RELATION.search(folded)
        if found:
            relative, folded = found[1].strip(), folded[: found.start()]
        for match in _ALTERNATIVE.finditer(folded):
            other = next((group for group in match.groups() if group), "")
            alternatives.append(_MARKER.sub("", other.strip()))
        if alternatives:
            folded = _ALTERNATIVE.sub(" ", folded)
    return NameText(folded, tuple(other for other in alternatives if other), relative)


def name_words(folded: str) -> list[str]:
    """Words of letters, hyphens inside a word kept: `O'NEIL-SMITH` gives `ONEIL-SMITH`."""
    if folded.isalpha():
        return [folded]
    words = [_letters(word) for word in _WORD.findall(_APOSTROPHES.sub("", folded))]
    words = [word for word in words if word][:NAME_WORDS_MAX]
    if len(words) > 1:
        words = [word for word in words if word not in _MARKER_WORDS]
    return words


def without_titles(words: list[str], *, is_given: bool) -> list[str]:
    """The words without titles before and suffixes after, if anything else remains."""
    titles = _GIVEN_TITLES if is_given else _TITLES
    start, end = 0, len(words)
    while start < end - 1 and words[start] in titles:
        start += 1
    while end > start + 1 and words[end - 1] in _SUFFIXES:
        end -= 1
    return words[start:end]


def is_unknown_name(folded: str, words: list[str]) -> bool:
    """Whether a whole name field is a placeholder."""
    return not words or folded in UNKNOWN_NAMES or is_unknown_word(" ".join(words))


def is_unknown_word(word: str) -> bool:
    """Whether this word names nobody: NK, TEST, one letter repeated."""
    return word in UNKNOWN_NAMES or (len(word) > 2 and len(set(word)) == 1)


def is_unnamed_child(words: list[str]) -> bool:
    """BABY, TWIN 1, MALE INFANT, BABY OF SARAH: a child that has no name of its own yet."""
    if words[0] in UNNAMED_CHILD_WORDS:
        return True
    second = words[1] if len(words) > 1 else ""
    if words[0] in UNNAMED_CHILD_SEX_WORDS:
        return not second or len(second) == 1 or second in UNNAMED_CHILD_WORDS
    return second in UNNAMED_CHILD_WORDS and words[0] in _ORDINALS


def names_somebody(word: str) -> bool:
    """Whether this word can be a given name by itself."""
    return not (is_unknown_word(word) or is_unnamed_child([word]))


@remembered(1 << 12)
def may_begin_placeholder(text: str) -> bool:
    """Whether a given name may be the first word of a placeholder: NOT (KNOWN), TWIN (1)."""
    return fold_text(text) in _FIRST_WORDS


def is_child_of(folded: str) -> bool:
    """`B/O SARAH`: the mother's name where the baby's should be."""
    return bool(_BABY_OF.match(folded))


def _letters(word: str) -> str:
    """The word without digits; those that a scanner takes for letters become letters."""
    if word.replace("-", "").isalpha():
        return word
    if not any(character.isalpha() for character in word):
        return ""
    return "-".join(part for part in word.translate(_DIGITS_IN_WORD).split("-") if part)
