"""Names of things: source records, persons, NHS numbers.

A person id travels by telephone and on paper, so it carries a check character that catches every
single wrong character and all but two in a thousand swaps of two neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, NewType

from mpi.errors import InvalidIdentifier
from mpi.limits import LOCAL_ID_CHARACTERS_MAX, SOURCE_NAME_CHARACTERS_MAX

PersonId = NewType("PersonId", str)
"""`P` + 12 random characters + 1 check character, e.g. `P7K2M9QX4T1BW7`."""

_PERSON_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_RANDOM_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O or U, which are misread or spell words."""
PERSON_ID_RANDOM_BYTES: Final = 8
_PERSON_ID_CHARACTERS: Final = 14
_SOURCE_CHARACTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


class RecordKey(NamedTuple):
    """A source record's key; in text `source:local_id`. Ordered, so that a pair has one order.

    The order is that of source and local id by code points; a local id may hold colons itself.
    """

    source: str
    local_id: str

    def __str__(self) -> str:
        return f"{self.source}:{self.local_id}"


def parse_record_key(text: str) -> RecordKey:
    """The key written as `source:local_id`; the first colon parts the two.

    Raises:
        InvalidIdentifier: If there is no colon, or a part is empty, too long or has characters
            that its kind does not allow.
    """
    source, colon, local_id = text.partition(":")
    if not colon:
        raise InvalidIdentifier("record: must be written as source:local_id")
    return checked_record_key(source, local_id)


def checked_record_key(source: str, local_id: str) -> RecordKey:
    """The key of these parts, once they are known to be sound.

    Args:
        source: 1 to `SOURCE_NAME_CHARACTERS_MAX` of a-z, 0-9, `-` and `_`.
        local_id: 1 to `LOCAL_ID_CHARACTERS_MAX` printable characters, upper and lower case apart.

    Raises:
        InvalidIdentifier: If one of them is not; the sentence names which.
    """
    if not source or len(source) > SOURCE_NAME_CHARACTERS_MAX or set(source) - _SOURCE_CHARACTERS:
        raise InvalidIdentifier(
            f"source: must be 1-{SOURCE_NAME_CHARACTERS_MAX} lower-case letters, digits, - or _"
        )
    if not local_id or len(local_id) > LOCAL_ID_CHARACTERS_MAX or not local_id.isprintable():
        raise InvalidIdentifier(
            f"local_id: must be 1-{LOCAL_ID_CHARACTERS_MAX} printable characters"
        )
    return RecordKey(source, local_id)


def person_id_from_bytes(random_bytes: bytes) -> PersonId:
    """The person id that spells random bytes with its check character.

    Args:
        random_bytes: At least `PERSON_ID_RANDOM_BYTES` (8); 60 bits of the first 8 are used.

    Source: Crockford's base 32 for the body; ISO/IEC 7064, MOD 37,36, for the check character.
    """
    number = int.from_bytes(random_bytes[:PERSON_ID_RANDOM_BYTES], "big")
    body = "P" + "".join(_RANDOM_ALPHABET[(number >> shift) & 31] for shift in range(0, 60, 5))
    return PersonId(body + _check_character(body))


def parse_person_id(text: str) -> PersonId:
    """The person id that a clerk typed: case, spaces and hyphens do not matter.

    That the id is sound does not say that it was ever given.

    Raises:
        InvalidIdentifier: If the form or the check character is wrong.

    Source: ISO/IEC 7064, MOD 37,36.
    """
    compact = text.strip().upper().replace(" ", "").replace("-", "")
    if (
        len(compact) != _PERSON_ID_CHARACTERS
        or compact[0] != "P"
        or any(character not in _PERSON_ALPHABET for character in compact)
        or _check_character(compact[:-1]) != compact[-1]
    ):
        raise InvalidIdentifier("person_id: the form or the check character is wrong")
    return PersonId(compact)


def _check_character(body: str) -> str:
    """ISO/IEC 7064 MOD 37,36: catches single errors and swaps of neighbours."""
    product = 36
    for character in body:
        total = (product + _PERSON_ALPHABET.index(character)) % 36 or 36
        product = total * 2 % 37
    return _PERSON_ALPHABET[(37 - product) % 36]


def is_valid_nhs_number(text: str) -> bool:
    """Whether text is ten ASCII digits, not one repeated, of which the check digit holds.

    All ten repeated-digit numbers pass the check digit, and all are placeholders. Spaces and
    hyphens make it false: `mpi.standardise.numbers` takes them out.

    Source: NHS Data Dictionary, NHS NUMBER (modulus 11).
    """
    if len(text) != 10 or not text.isascii() or not text.isdigit() or len(set(text)) == 1:
        return False
    total = sum((10 - place) * (ord(digit) - 48) for place, digit in enumerate(text[:9]))
    return (11 - total % 11) % 11 == ord(text[9]) - 48


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberTrust:
    """Which NHS numbers may veto a merge and label a pair.

    Statuses and sources come from the model's spec; disputed and superseded numbers are rows that
    sources and stewards wrote, never inferred from other records.
    """

    statuses: frozenset[str]
    """NHS NUMBER STATUS INDICATOR values that make a number trusted."""
    sources: frozenset[str] = frozenset()
    """Source systems whose numbers are trusted when they send no status."""
    disputed: frozenset[str] = frozenset()
    """Numbers that count as absent everywhere."""
    superseded: Mapping[str, str] = field(default_factory=dict)
    """Number -> its final successor."""
