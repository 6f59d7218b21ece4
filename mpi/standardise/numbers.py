"""Numbers and codes of a person: NHS number, identifiers of other schemes, sex, birth order."""

from __future__ import annotations

import re
from typing import Final

from mpi.domain.identifiers import NumberTrust, is_valid_nhs_number
from mpi.standardise.sentinels import UNKNOWN_IDENTIFIERS, UNKNOWN_NHS_NUMBERS, is_one_character
from mpi.standardise.text import fold_code, fold_digits, fold_text, remembered

IDENTIFIER_CHARACTERS_MIN: Final = 3
"""Shorter ones are row numbers and codes, shared by too many."""

_SEXES: Final = {
    **dict.fromkeys(("M", "1", "MALE", "MAN", "BOY", "MASC", "MASCULINE"), "M"),
    **dict.fromkeys(("F", "2", "FEMALE", "WOMAN", "GIRL", "FEM", "FEMININE", "W", "K"), "F"),
}
"""NHS Data Dictionary PERSON STATED GENDER CODE 1, 2; HL7 table 0001 M, F; W and K are German and
Polish for a woman.  0, 9, X, U and I say nothing that helps."""
_ORDERS: Final = {
    **{word: str(n) for n, word in enumerate(("A", "B", "C", "D", "E", "F"), 1)},
    **{word: str(n) for n, word in enumerate(("I", "II", "III", "IV", "V"), 1)},
    **{word: str(n) for n, word in enumerate(("ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX"), 1)},
    **{word: str(n) for n, word in enumerate(("FIRST", "SECOND", "THIRD", "FOURTH"), 1)},
    **{word: str(n) for n, word in enumerate(("1ST", "2ND", "3RD", "4TH", "5TH", "6TH"), 1)},
    **{str(n): str(n) for n in range(1, 9)},
}
_ONLY_NUMBER: Final = re.compile(r"[0-9 \u00a0-]{10,20}")
_ORDER_WORD: Final = re.compile(r"[A-Z0-9]+")


def standardise_nhs_number(text: str | None) -> str | None:
    """The ten digits, if they pass the check and are no known placeholder; else None.

    Not remembered: nearly every person has another one. Source: NHS Data Dictionary, NHS NUMBER.
    """
    if not text:
        return None
    digits = text if len(text) == 10 and text.isascii() else fold_digits(text)
    if not is_valid_nhs_number(digits) or digits in UNKNOWN_NHS_NUMBERS:
        return None
    return digits


def stated_nhs_number(text: str) -> str | None:
    """The same for a number that a question or a statement is about: nothing may stand beside it.

    What a record holds is read as well as it can be; who names a number must mean that one.
    """
    return standardise_nhs_number(text) if _ONLY_NUMBER.fullmatch(text) else None


def successor(number: str | None, trust: NumberTrust) -> str | None:
    """The number that stands for this one now; None if it, or its successor, is disputed."""
    if number is None or number in trust.disputed:
        return None
    number = trust.superseded.get(number, number)
    return None if number in trust.disputed else number


def is_trusted(status: str | None, source: str, trust: NumberTrust) -> bool:
    """Whether a number that came with this status from this source may veto a merge.

    The source counts only where there is no status: a sender that says "not verified" is believed.
    Source of the codes: NHS Data Dictionary, NHS NUMBER STATUS INDICATOR (`1` counts as `01`).
    """
    code = (status or "").strip()
    if not code:
        return source in trust.sources
    return code in trust.statuses or code.zfill(2) in trust.statuses


@remembered(1 << 16)
def standardise_identifier(text: str) -> str | None:
    """Letters and digits of a number of another scheme; placeholders are missing."""
    code = fold_code(text.removesuffix(".0"))
    if len(code) < IDENTIFIER_CHARACTERS_MIN or is_one_character(code):
        return None
    return None if code in UNKNOWN_IDENTIFIERS else code


@remembered(1 << 12)
def standardise_sex(text: str) -> str | None:
    """`M` or `F`; None for anything else, which is no evidence."""
    words = _ORDER_WORD.findall(fold_text(text).removesuffix(".0"))
    return next((_SEXES[word] for word in words if word in _SEXES), None)


@remembered(1 << 12)
def standardise_birth_order(text: str) -> str | None:
    """`1`..`8` from `1`, `01`, `1 of 2`, `Twin II`, `B`; 9 is "not known" (NHS BIRTH ORDER).

    None for anything else.
    """
    words = _ORDER_WORD.findall(fold_text(text).removesuffix(".0"))
    orders = (_ORDERS.get(word.lstrip("0")) for word in words)
    return next((order for order in orders if order), None)
