"""Keys that are equal for names that sound, transliterate or are commonly misspelt alike.

Soundex and NYSIIS were made for English surnames of the 1900s, and stop after four or six letters;
a region has CHAUDHRY and CHOWDHURY, KOWALSKI and KOWALSKA too.  The key is the name's consonants
in classes of sound; short names keep their first vowel, or JANE, JOHN and JUNE would be one.

Made for this project; compared with Soundex (R. C. Russell, US patent 1,261,167, 1918) and NYSIIS
(Taft 1970, Name search techniques), it keeps more of a name and is nobody's standard.
"""

from __future__ import annotations

import re
from typing import Final

from mpi.standardise.text import remembered

SOUND_CHARACTERS_MAX: Final = 8
"""Consonants kept: errors past these are rare, and a bound keeps keys small."""
_SHORT_CONSONANTS: Final = 2
"""Keys of at most this many consonants keep the first vowel."""

_STARTS: Final = (
    (r"^(?:KN|GN|PN)", "N"),
    (r"^WR", "R"),
    (r"^PS", "S"),
    (r"^X", "S"),
    (r"^MA?C(?=[^EIYH])", "MK"),
    (r"^WH", "W"),
    (r"^RH", "R"),
    (r"^(?:GEO|JEO)", "JE"),
    (r"^Y(?=[AEIOU])", "J"),
)
_ENDS: Final = (
    (r"(?<=[SCZ]K)[AI]$|(?<=[SCZ]K)[YI]J?$", ""),  # KOWALSKA, KOWALSKI, KOWALSKY
    (r"(?<=[OE]V)A$", ""),  # IVANOVA, IVANOV
)
_CONSONANTS: Final = (
    (r"X", "KS"),  # from here on X is the sound of CH
    (r"SCHW", "SW"),
    (r"SCH|SZ|SH|ZH|RZ", "S"),
    (r"TCH|CZ|^CH(?=[AEIOUY])|CH(?=[^RLTO]|$)", "X"),
    (r"CH", "K"),
    (r"PH", "F"),
    (r"GHT", "T"),
    (r"(?<=[AEIOU])GH", ""),  # HUGHES, GALLAGHER
    (r"(?<=M)P(?=[ST])", ""),  # THOMPSON, THOMSON
    (r"(?<=[AO])W(?=[AIOU])|W(?=SK)", "F"),  # NOWAK, NOVAK
    (r"DT", "T"),
    (r"DGE?", "J"),
    (r"G(?=[EY])", "J"),
    (r"CK|QU|Q", "K"),
    (r"C(?=[EIY])", "S"),
    (r"C", "K"),
    (r"Z", "S"),
    (r"V", "F"),
    (r"(?<=.)[WH]", ""),
)
_VOWELS: Final = (
    (r"AU|AW|OU|OW|OO", "O"),
    (r"A[IY]|E[AEIY]|I[AE]", "E"),
    (r"[IY]", "E"),
    (r"U", "O"),
)


def _compile(rules: tuple[tuple[str, str], ...]) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(pattern), by) for pattern, by in rules)


_RULES: Final = _compile(_STARTS + _ENDS + _CONSONANTS)
_VOWEL_RULES: Final = _compile(_VOWELS)
_DOUBLE: Final = re.compile(r"(.)\1+")
_FIRST_VOWELS: Final = re.compile(r"[AEIOUY]+")


@remembered(1 << 18)
def sound_key(word: str) -> str:
    """The key of one name (capitals `A-Z`, spaces ignored); empty for fewer than two letters.

    `CATHERINE` and `KATHRYN` give `KTRN`, `SMITH` and `SMYTHE` `SMT`, `JANE` `JAN`, `JOHN` `JON`.
    """
    word = word.replace(" ", "")
    if len(word) < 2:
        return ""
    vowel = _first_vowel(word)
    for pattern, by in _RULES:
        word = pattern.sub(by, word)
    word = _DOUBLE.sub(r"\1", word)
    consonants = _DOUBLE.sub(r"\1", _FIRST_VOWELS.sub("", word))
    if word[:1] in "AEIOUY" or not consonants:
        return (vowel + consonants)[:SOUND_CHARACTERS_MAX]
    if len(consonants) <= _SHORT_CONSONANTS:
        return consonants[0] + vowel + consonants[1:]
    return consonants[:SOUND_CHARACTERS_MAX]


@remembered(1 << 18)
def family_sound_key(word: str) -> str:
    """The same for a family name, where M and N are one sound.

    Scanners and telephones exchange them.  Given names keep them apart: AMY and ANN are two people,
    and twins have no other difference.
    """
    return sound_key(word).replace("M", "N")


def _first_vowel(word: str) -> str:
    """`A`, `E` or `O`: the class of the first vowel; empty if there is none."""
    found = _FIRST_VOWELS.search(word) if word[0] not in "Y" else _FIRST_VOWELS.search(word, 1)
    vowels = found[0] if found else ""
    for pattern, by in _VOWEL_RULES:
        vowels = pattern.sub(by, vowels)
    return vowels[:1]
