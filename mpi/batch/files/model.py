"""The shipped model with what files from elsewhere need beside it.

A region's records are typed from a list of addresses and under a number; elsewhere an address is
whatever somebody wrote, names change columns and whole columns are missing. The levels that are
added are in `levels.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.resources import files
from typing import Final

from mpi.linkage.model import (
    Alternatives,
    Comparison,
    Level,
    Model,
    parse_condition,
    parse_level,
)


def _alternatives(*when: str) -> Alternatives:
    return tuple(parse_condition(text) for text in when)


def _read_added() -> dict[tuple[str, str], Level]:
    tables = tomllib.loads(files("mpi.batch.files").joinpath("levels.toml").read_text("utf-8"))
    return {
        (table["comparison"], table["before"]): parse_level(table, table["comparison"])
        for table in tables["levels"]
    }


_ADDED: Final = _read_added()
"""Comparison and level -> the level that comes before it."""
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

    That given names are alike by their letters is left to `mpi.batch.files.names_in_use`. A level
    whose successor the model lacks is not added.
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
