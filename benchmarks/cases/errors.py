"""What becomes of a person in a record: slips of key, ear and scanner, swaps, gaps, moves.

Kinds and letters are those of published confusions, not those of the synthetic region, whose
errors the shipped model has learned.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from benchmarks.cases.people import Row, Town

LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
SOUNDS: Final = (
    ("ph", "f"), ("ck", "k"), ("th", "t"), ("sch", "sh"), ("sz", "sh"), ("cz", "ch"), ("ie", "y"),
    ("ee", "i"), ("ou", "u"), ("ay", "ai"), ("tz", "z"), ("x", "ks"), ("w", "v"), ("c", "k"),
    ("z", "s"), ("dt", "t"), ("mm", "m"), ("nn", "n"), ("ll", "l"), ("y", "i"), ("q", "k"),
    ("gh", "g"), ("v", "f"), ("b", "p"), ("d", "t"),
)  # fmt: skip
LOOKS: Final = (
    ("m", "rn"), ("d", "cl"), ("l", "1"), ("o", "0"), ("i", "l"), ("s", "5"), ("b", "6"),
    ("g", "q"), ("u", "v"), ("h", "b"), ("e", "c"), ("z", "2"), ("nn", "m"), ("a", "o"),
)  # fmt: skip
DIGIT_LOOKS: Final = {"1": "7", "7": "1", "0": "8", "8": "3", "3": "8", "5": "6", "6": "5"}
TEXTS: Final = ("given_name", "middle_name", "family_name", "address", "town", "email")
CODES: Final = ("date_of_birth", "postcode", "phone", "nhs_number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Probability, 0..1, of each kind of error in one record; of kinds by field in each field."""

    key: float = 0.03
    ear: float = 0.02
    scanner: float = 0.0
    gap: float = 0.02
    gaps: Mapping[str, float] = field(default_factory=dict)
    """Probability of a gap in single fields, instead."""
    moved: float = 0.08
    new_family: float = 0.02
    swapped_names: float = 0.003
    swapped_date: float = 0.003
    initial: float = 0.01
    wrong_sex: float = 0.005


def corrupted(person: Row, errors: Errors, town: Town, chance: random.Random) -> Row:
    """The person as one clerk, ear and scanner have it."""
    row = {name: value for name, value in person.items() if not name.startswith("_")}
    if chance.random() < errors.moved:
        row |= town.home()
        row["phone"] = town.phone() if chance.random() < 0.5 else row["phone"]
    if row["sex"] == "F" and chance.random() < errors.new_family:
        row["family_name"] = town.family_name()
    _swap(row, errors, chance)
    if chance.random() < errors.initial:
        row["given_name"] = row["given_name"][:1]
    if chance.random() < errors.wrong_sex:
        row["sex"] = "M" if row["sex"] == "F" else "F"
    for name in row:
        row[name] = _slipped(name, row[name], errors, chance)
        if chance.random() < errors.gaps.get(name, errors.gap):
            row[name] = ""
    return row


def _swap(row: Row, errors: Errors, chance: random.Random) -> None:
    if chance.random() < errors.swapped_names:
        row["given_name"], row["family_name"] = row["family_name"], row["given_name"]
    if chance.random() < errors.swapped_date:
        row["date_of_birth"] = _swapped_date(row["date_of_birth"])


def _swapped_date(text: str) -> str:
    """The first two numbers, or the last two of an ISO date, exchanged."""
    mark = next((mark for mark in "/.-" if mark in text), "-")
    one, two, three = text.split(mark)
    return mark.join((one, three, two) if len(one) == 4 else (two, one, three))


def _slipped(name: str, text: str, errors: Errors, chance: random.Random) -> str:
    kinds: list[tuple[float, Callable[[str, random.Random], str]]] = []
    if name in TEXTS:
        kinds = [(errors.key, slip_of_key), (errors.ear, slip_of_ear), (errors.scanner, misread)]
    elif name in CODES:
        kinds = [(errors.key, digit_slip), (errors.scanner, misread_digit)]
    for probability, slip in kinds:
        if text and chance.random() < probability:
            text = slip(text, chance)
    return text


def slip_of_key(text: str, chance: random.Random) -> str:
    """A letter wrong, lost, doubled, added or exchanged with the next."""
    at = chance.randrange(len(text))
    kind = chance.randrange(4)
    if kind == 0:
        return text[:at] + chance.choice(LETTERS) + text[at + 1 :]
    if kind == 1:
        return text[:at] + text[at + 1 :] if len(text) > 1 else text
    if kind == 2:
        return text[:at] + chance.choice(LETTERS) + text[at:]
    return text[:at] + text[at + 1 : at + 2] + text[at] + text[at + 2 :]


def slip_of_ear(text: str, chance: random.Random) -> str:
    """A sound written another way (`SOUNDS`); the text itself if none fits."""
    return _replaced(text, SOUNDS, chance)


def misread(text: str, chance: random.Random) -> str:
    """A letter, or two, read as another that looks alike (`LOOKS`); else the text itself."""
    return _replaced(text, LOOKS, chance)


def misread_digit(text: str, chance: random.Random) -> str:
    """A digit read as another that looks alike (`DIGIT_LOOKS`); else the text itself."""
    places = [at for at, digit in enumerate(text) if digit in DIGIT_LOOKS]
    if not places:
        return text
    at = chance.choice(places)
    return text[:at] + DIGIT_LOOKS[text[at]] + text[at + 1 :]


def digit_slip(text: str, chance: random.Random) -> str:
    """A digit wrong, or two exchanged; marks between them stay."""
    places = [at for at, mark in enumerate(text) if mark.isalnum()]
    at = chance.choice(places)
    if chance.random() < 0.3 and at + 1 in places:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + str(chance.randrange(10)) + text[at + 1 :]


def _replaced(text: str, rules: tuple[tuple[str, str], ...], chance: random.Random) -> str:
    lowered = text.lower()
    possible = [
        (old, new)
        for one, other in rules
        for old, new in ((one, other), (other, one))
        if old in lowered
    ]
    if not possible:
        return slip_of_key(text, chance)
    old, new = chance.choice(possible)
    at = lowered.find(old)
    return text[:at] + new + text[at + len(old) :]
