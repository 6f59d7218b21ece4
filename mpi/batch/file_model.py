"""The shipped model with what files from elsewhere need beside it.

A region's records are typed from a list of addresses and under a number; elsewhere an address is
whatever somebody wrote, and names change columns. Weights of what is added here are only starting
points, as all others: the file itself teaches them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mpi.linkage.model import Comparison, Level, Model, parse_condition

_PLACE_CLOSE: Final = Level(
    name="place_close",
    words="same postcode, address much alike",
    when=(parse_condition("equal(postcode) and similarity(addresses) >= 0.9"),),
    m=0.05,
    u=2.0e-5,
)
_ADDRESS_CLOSE: Final = Level(
    name="address_close",
    words="address much alike, other postcode",
    when=(parse_condition("similarity(addresses) >= 0.92"),),
    m=0.01,
    u=1.0e-3,
)
_EXCHANGED: Final = parse_condition("shared(given_names, family_parts)")
"""Given and family name in each other's column are no different given names."""


def model_for_files(model: Model) -> Model:
    """The model with levels for addresses that are nearly the same, and names that are exchanged.

    That given names are alike by their letters is left to `mpi.batch.names_in_use`.

    A model without the comparison `home` or its levels keeps what it has.
    """
    comparisons = tuple(
        _with_close_addresses(comparison) if comparison.name == "home" else comparison
        for comparison in model.comparisons
    )
    by_letters = [
        condition
        for condition in model.given_names_agree
        if any(test.comparator == "similarity" for test in condition)
    ]
    others = (each for each in model.given_names_agree if each not in by_letters)
    return replace(model, comparisons=comparisons, given_names_agree=(*others, _EXCHANGED))


def _with_close_addresses(home: Comparison) -> Comparison:
    levels: list[Level] = []
    for level in home.levels:
        if level.name == "same_postcode":
            levels.append(_PLACE_CLOSE)
        if level.name == "postcode_slip":
            levels.append(_ADDRESS_CLOSE)
        levels.append(level)
    # No cap on what a home weighs: relatives are a kind of pair of their own here.
    return replace(home, levels=tuple(replace(level, u_min=0.0) for level in levels))
