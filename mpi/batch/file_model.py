"""The shipped model with what files from elsewhere need beside it.

A region's records are typed from a list of addresses and under a number; elsewhere an address is
whatever somebody wrote, names change columns and whole columns are missing. Weights of what is
added here are only starting points, as all others: the file itself teaches them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from mpi.linkage.model import Alternatives, Comparison, Level, Model, parse_condition


def _level(
    name: str, words: str, *when: str, m: float, u: float, frequency: str | None = None
) -> Level:
    return Level(name=name, words=words, when=_alternatives(*when), m=m, u=u, frequency=frequency)


def _alternatives(*when: str) -> Alternatives:
    return tuple(parse_condition(text) for text in when)


_ADDED: Final[Mapping[tuple[str, str], Level]] = {
    ("name", "given_close_family_same"): _level(
        "reordered_close",
        "given and family name close to each other's",
        "shared(given_names, family_names) and shared(given_sounds, family_sounds)",
        m=0.001,
        u=5.0e-6,
    ),
    ("name", "initial_family_same"): _level(
        "family_same_given_missing",
        "same family name, given name missing",
        "equal(family_name) and missing(given_names)",
        m=0.003,
        u=1.0e-4,
        frequency="family_name",
    ),
    ("birth_date", "one_part"): _level(
        "two_slips",
        "two digits of the birth date differ, in two of its parts",
        "edits(birth_date) <= 2",
        m=0.001,
        u=0.01,
    ),
    ("home", "same_postcode"): _level(
        "place_close",
        "same postcode, address much alike",
        "equal(postcode) and similarity(addresses) >= 0.9",
        m=0.05,
        u=2.0e-5,
    ),
    ("home", "postcode_slip"): _level(
        "address_close",
        "address much alike, other postcode",
        "similarity(addresses) >= 0.92",
        m=0.01,
        u=1.0e-3,
    ),
    ("home", "same_area"): _level(
        "phone_slip",
        "telephone differs in one digit, or two are exchanged",
        "edits(phones) <= 1",
        m=0.01,
        u=1.0e-3,
    ),
}  # fmt: skip
"""Comparison and level -> the level that comes before it."""
_REORDERED: Final = _alternatives(
    "equal(name_bag) and not equal(family_name)",
    "equal(name_bag) and shared(given_names, middle_names)",
    "crossed(given_name, family_name)",
)
"""Not merely that two records without given names have one family name."""
_EXCHANGED: Final = parse_condition("shared(given_names, family_parts)")
"""Given and family name in each other's column are no different given names."""


def model_for_files(model: Model) -> Model:
    """The model with levels for what is nearly the same, and for names that are exchanged.

    That given names are alike by their letters is left to `mpi.batch.names_in_use`. A level whose
    successor the model lacks is not added.
    """
    by_letters = [
        condition
        for condition in model.given_names_agree
        if any(test.comparator == "similarity" for test in condition)
    ]
    others = (each for each in model.given_names_agree if each not in by_letters)
    comparisons = tuple(_with_added_levels(comparison) for comparison in model.comparisons)
    return replace(model, comparisons=comparisons, given_names_agree=(*others, _EXCHANGED))


def _with_added_levels(comparison: Comparison) -> Comparison:
    change = _CHANGES.get(comparison.name, _unchanged)
    levels: list[Level] = []
    for level in comparison.levels:
        added = _ADDED.get((comparison.name, level.name))
        levels += [added] if added else []
        levels.append(change(level))
    return replace(comparison, levels=tuple(levels))


def _unchanged(level: Level) -> Level:
    return level


def _uncapped(level: Level) -> Level:
    return replace(level, u_min=0.0)


def _reordered_means_two_names(level: Level) -> Level:
    return replace(level, when=_REORDERED) if level.name == "reordered" else level


_CHANGES: Final[Mapping[str, Callable[[Level], Level]]] = {
    "name": _reordered_means_two_names,
    # No cap on what a home weighs: relatives are a kind of pair of their own here.
    "home": _uncapped,
}
