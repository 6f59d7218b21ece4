"""Telephone numbers and e-mail addresses: one form each."""

from __future__ import annotations

import re
from typing import Final

from mpi.standardise.sentinels import UNKNOWN_EMAIL_LOCALS, UNKNOWN_PHONES
from mpi.standardise.text import fold_text, remembered

PHONE_DIGITS_MIN: Final = 9
PHONE_DIGITS_MAX: Final = 15
"""ITU-T E.164."""
EMAIL_CHARACTERS_MAX: Final = 254
"""RFC 5321."""
_SAME_ENDING_DIGITS: Final = 6
"""A number that ends in one digit this often was made up: 07000 000000, 01305 999999."""

_TRUNKS: Final = {
    **dict.fromkeys(("44", "353", "61", "64", "49", "33", "31", "27", "234", "92", "880"), "0"),
    **dict.fromkeys(("1", "48", "34", "351", "45", "47"), ""),
}
"""Country code -> what a caller inside the country dials instead (ITU-T E.164 national plans)."""
_SEPARATORS: Final = re.compile(r"[/;,|&]|\bOR\b|\bAND\b")
_EXTENSION: Final = re.compile(r"\b(?:X|EXT|EXTN|EXTENSION)[. :]*[0-9]+.*$")
_DIGITS: Final = re.compile(r"[0-9]+")
_EMAIL: Final = re.compile(r"[A-Z0-9._%'&/=-]+@[A-Z0-9-]+(?:\.[A-Z0-9-]+)+")
_SAME_MAIL: Final = {"GOOGLEMAIL.COM": "GMAIL.COM", "HOTMAIL.CO": "HOTMAIL.COM"}


@remembered(1 << 18)
def standardise_phones(text: str) -> tuple[str, ...]:
    """The telephone numbers in this text, in order, in national form: `07700900123`.

    A known country code gives way to its country's trunk prefix (0, or none). Placeholders are left
    out, and numbers of fewer than `PHONE_DIGITS_MIN` or more than `PHONE_DIGITS_MAX` digits.
    """
    parts = _SEPARATORS.split(fold_text(text))
    numbers = dict.fromkeys(number for part in parts if (number := _phone(part)))
    return tuple(numbers)


@remembered(1 << 18)
def standardise_email(text: str) -> str | None:
    """The first e-mail address in this text, in capitals, without a `+` tag."""
    compact = fold_text(text).replace(" ", "").removeprefix("MAILTO:")
    found = _EMAIL.search(re.sub(r"\+[^@]*@", "@", compact))
    if not found or len(found[0]) > EMAIL_CHARACTERS_MAX:
        return None
    local, _, domain = found[0].partition("@")
    local = local.strip(".'")
    if not local or local in UNKNOWN_EMAIL_LOCALS:
        return None
    return f"{local}@{_SAME_MAIL.get(domain, domain)}"


def _phone(part: str) -> str | None:
    part = _EXTENSION.sub("", part).removesuffix(".0").replace("(0)", "")
    digits = _national("".join(_DIGITS.findall(part)), part)
    if not PHONE_DIGITS_MIN <= len(digits) <= PHONE_DIGITS_MAX:
        return None
    if digits in UNKNOWN_PHONES or len(set(digits[-_SAME_ENDING_DIGITS:])) == 1:
        return None
    return digits


def _national(digits: str, part: str) -> str:
    """Without the country code; a British number whose first 0 a spreadsheet ate gets it back."""
    international = digits[2:] if digits.startswith("00") else digits
    if digits.startswith("00") or part.strip().startswith("+"):
        code = next((international[:n] for n in (3, 2, 1) if international[:n] in _TRUNKS), None)
        if code:
            digits = _TRUNKS[code] + international[len(code) :].lstrip("0")
    elif len(digits) == 12 and digits.startswith("44"):
        digits = "0" + digits[2:]
    elif len(digits) == 11 and digits[0] == "1" and digits[1] > "1":
        digits = digits[1:]
    if len(digits) == 10 and digits[0] in "127":
        return "0" + digits
    return digits
