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
    ("name", "given_close_family_differs"): _level(
        "family_close_given_missing",
        "family name close or once the same, given name missing",
        "missing(given_names) and shared(family_parts)",
        "missing(given_names) and shared(family_sounds)",
        "missing(given_names) and similarity(family_names) >= 0.88",
        m=0.0005,
        u=1.0e-4,
    ),
    ("birth_date", "one_part"): _level(
        "two_slips",
        "two digits of the birth date differ, in two of its parts",
        "edits(birth_date) <= 2",
        m=0.001,
        u=0.01,
    ),
    ("home", "same_place"): _level(
        "same_place_phone_missing",
        "same address and postcode, telephone missing",
        "equal(postcode) and shared(places) and missing(phones)",
        m=0.15,
        u=2.5e-5,
        frequency="postcode",
    ),
    ("home", "same_postcode"): _level(
        "place_close",
        "same postcode, address much alike",
        "equal(postcode) and similarity(addresses) >= 0.9",
        m=0.05,
        u=2.0e-5,
    ),
    ("home", "address_close"): _level(
        "postcode_slip_same_area",
        "postcode differs in one character, same area or town",
        "edits(postcodes) <= 1 and shared(outward_codes)",
        m=0.01,
        u=2.0e-4,
    ),
    ("home", "postcode_slip"): _level(
        "address_close",
        "address much alike, other postcode",
        "similarity(addresses) >= 0.92",
        "similarity(addresses) >= 0.85 and shared(outward_codes)",
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
"""Comparison and level, which may be an added one -> the level that comes before it."""
_LEFT_OUT: Final = frozenset({("home", "household")})
"""Relatives are a kind of pair of their own here."""
_REORDERED: Final = _alternatives(
    "equal(name_bag) and not equal(family_name)",
    "equal(name_bag) and shared(given_names, middle_names)",
    "crossed(given_name, family_name)",
)
"""Not merely that two records without given names have one family name."""
_PLACE_AND_PHONE: Final = _alternatives(
    "shared(places) and shared(phones)", "shared(places) and edits(phones) <= 1"
)
"""A slip in the telephone of one address is no other telephone."""
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
        if (comparison.name, level.name) in _LEFT_OUT:
            continue
        levels += [*_added_before(comparison.name, level.name), change(level)]
    return replace(comparison, levels=tuple(levels))


def _added_before(comparison: str, level: str) -> list[Level]:
    added = _ADDED.get((comparison, level))
    return [*_added_before(comparison, added.name), added] if added else []


def _unchanged(level: Level) -> Level:
    return level


def _for_files(level: Level) -> Level:
    """Without a cap on what a home weighs: relatives are a kind of pair of their own here."""
    when = _PLACE_AND_PHONE if level.name == "same_place_and_phone" else level.when
    return replace(level, when=when, u_min=0.0)


def _reordered_means_two_names(level: Level) -> Level:
    return replace(level, when=_REORDERED) if level.name == "reordered" else level


_CHANGES: Final[Mapping[str, Callable[[Level], Level]]] = {
    "name": _reordered_means_two_names,
    "home": _for_files,
}
