"""Relatives: the kind of pair that shares a home and a family name without being one person.

What they agree on by the project's estimate, on which levels one may be sure of them, and on which
of one person. `mpi.batch.expectation` estimates on a file from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mpi.batch.pattern_moves import MISSING
from mpi.batch.patterns import Levels
from mpi.linkage.model import Comparison, Model

Shares = npt.NDArray[np.float64]
TINY: Final = 1e-300
"""Instead of a probability of 0."""

RELATIVES: Final[Mapping[str, Mapping[str, float]]] = {
    "name": {
        "same": 0.006,
        "same_once": 0.002,
        "reordered": 0.0005,
        "given_close_family_same": 0.005,
        "given_same_family_close": 0.001,
        "both_close": 0.001,
        "reordered_close": 0.0005,
        "family_same_given_missing": 0.01,
        "initial_family_same": 0.005,
        "given_same_family_missing": 0.01,
        "family_close_given_missing": 0.001,
        "given_same_family_differs_woman": 0.002,
        "given_same_family_differs": 0.002,
        "given_close_family_differs": 0.003,
        "family_same_given_differs": 0.685,
        "family_close_given_differs": 0.08,
        "differs": 0.178,
    },
    "birth_date": {
        "same": 0.03,
        "one_slip": 0.004,
        "swapped": 0.0002,
        "two_parts": 0.015,
        "partial": 0.001,
        "two_slips": 0.01,
        "one_part": 0.15,
        "differs": 0.7898,
    },
    "home": {
        "same_place_and_phone": 0.25,
        "same_place_phone_missing": 0.2,
        "same_place": 0.25,
        "same_place_once": 0.05,
        "same_phone": 0.03,
        "place_close": 0.05,
        "same_postcode": 0.08,
        "same_postcode_once": 0.01,
        "same_address": 0.03,
        "postcode_slip_same_area": 0.005,
        "address_close": 0.01,
        "postcode_slip": 0.005,
        "phone_slip": 0.005,
        "same_area": 0.02,
        "differs": 0.015,
    },
    "middle_name": {"same": 0.08, "initial": 0.10, "differs": 0.82},
    "email": {"same": 0.10, "close": 0.02, "differs": 0.88},
    "birth_order": {"same": 0.10, "differs": 0.90},
    "identifier": {"same": 0.001, "one_slip": 0.002, "differs": 0.997},
    "nhs_number": {"same": 0.0005, "one_slip": 0.0005},
}
"""Comparison -> level -> share of pairs of relatives in one home. An estimate of the project: a son
with his father's name, twins in one birth of 65 (Office for National Statistics), siblings with
similar names. A level that is not named has the rest, in proportion to strangers."""
HELD: Final = frozenset(
    {("name", "same"), ("name", "same_once"), ("name", "reordered"), ("identifier", "same"),
     ("identifier", "one_slip")}
)  # fmt: skip
"""Shares of relatives that are not re-estimated: nothing but their names tells a father and a son
without birth dates from one person, so a file cannot teach it."""


class Tie(NamedTuple):
    """A level on which one side lacks a name: how often that is has nothing to do with the kind."""

    like: frozenset[str]
    """Levels on which the other name agrees and neither is lacking."""
    factor: float
    """Share of relatives, among those, who are on the level too if a match would be."""


_FAMILY_SAME: Final = frozenset({"same", "given_close_family_same", "family_same_given_differs"})
_GIVEN_SAME: Final = frozenset(
    {"same", "given_same_family_close", "given_same_family_differs",
     "given_same_family_differs_woman"}
)  # fmt: skip
TIES: Final[Mapping[str, Tie]] = {
    "family_same_given_missing": Tie(_FAMILY_SAME, 1.0),
    # An initial agrees by chance with one name of eight.
    "initial_family_same": Tie(_FAMILY_SAME, 0.12),
    "given_same_family_missing": Tie(_GIVEN_SAME, 1.0),
    "family_close_given_missing": Tie(_FAMILY_SAME, 1.0),
}
"""Level of the name -> what relatives' share of it follows from, given that of matches."""


class Aspect(NamedTuple):
    """Levels of one comparison."""

    comparison: str
    levels: frozenset[str]


UNLIKE_NAMES: Final = Aspect(
    "name", frozenset({"family_same_given_differs", "family_close_given_differs", "differs"})
)
UNLIKE_DATES: Final = Aspect("birth_date", frozenset({"one_part", "differs"}))
"""Levels that one person is hardly ever on. What relatives share is learned from pairs on them: how
often they have similar names from those born on different days, everything else from those with
different names. Otherwise they would be taken for people who resemble matches ever more."""
GIVEN_NAMES: Final = Aspect(
    "name",
    frozenset(
        {"same", "given_close_family_same", "family_same_given_differs",
         "given_same_family_differs"}
    ),
)  # fmt: skip
"""Levels that no pair is on in a file without given names."""
BIRTH_DATES: Final = Aspect("birth_date", frozenset({"same", "one_part", "differs"}))
"""Levels that no pair is on in a file without birth dates."""
CONFIRMED_BY_NUMBER: Final = (
    Aspect("identifier", frozenset({"same"})),
    Aspect("nhs_number", frozenset({"same"})),
)
CONFIRMED_BY_DATE: Final = (Aspect("birth_date", frozenset({"same", "one_slip", "swapped"})),)
"""Levels on which a pair is one person whatever the given names, the second unless it is twins.
How often one person's given names differ is learned from such pairs only; elsewhere siblings would
teach it."""
MOSTLY: Final = 0.5
"""Share of slips from which differences in one home are rather one person's than two people's."""
CONFIRMED_PAIRS_MIN: Final = 30.0
"""With fewer, the shipped share of different names stays."""


def is_on_levels(model: Model, levels: Levels, aspect: Aspect) -> npt.NDArray[np.bool_]:
    """Which patterns are on one of the aspect's levels, one flag for each pattern.

    No flag is set if the model does not compare it. `levels` are patterns x comparisons.
    """
    for place, comparison in enumerate(model.comparisons):
        if comparison.name == aspect.comparison:
            names = (MISSING, *(level.name for level in comparison.levels))
            named = [at for at, name in enumerate(names) if name in aspect.levels]
            return np.isin(levels[:, place], named)
    return np.zeros(len(levels), dtype=bool)


def relatives_start(comparison: Comparison, strangers: Shares) -> Shares:
    """Where relatives' shares start: one entry for missing (1.0), then one for each level.

    Args:
        comparison: Levels that `RELATIVES` does not name share what is left as strangers' do.
        strangers: Shares of the levels among strangers, missing first.
    """
    named = RELATIVES.get(comparison.name, {})
    given = np.array([named.get(level.name, 0.0) for level in comparison.levels])
    rest = np.where(given > 0, 0.0, strangers[1:])
    if rest.sum() > 0:
        rest *= max(1 - given.sum(), 0.0) / rest.sum()
    return np.concatenate([[1.0], np.maximum(given + rest, TINY)])


def tied_shares(comparison: Comparison, relatives: Shares, matches: Shares) -> Shares:
    """Relatives' shares with those of `TIES` in proportion to what matches have there.

    Args:
        comparison: Has one level for each entry of the shares, which leave missing out.
        relatives: Shares of the levels among relatives.
        matches: The same among matches.

    Returns:
        Shares of the levels, adding up to 1.
    """
    names = [level.name for level in comparison.levels]
    tied = relatives.copy()
    for place, name in enumerate(names):
        tie = TIES.get(name)
        if tie:
            like = np.array([other in tie.like for other in names])
            ratio = relatives[like].sum() / max(matches[like].sum(), TINY)
            tied[place] = tie.factor * min(ratio, 1.0) * matches[place]
    free = np.array([name not in TIES for name in names])
    tied[free] *= (1 - tied[~free].sum()) / tied[free].sum()
    return np.asarray(tied, float)


ALIKE_LEVEL: Final = "given_close_family_same"
ALIKE_PER_FAMILY_SLIP: Final = 2.0
ALIKE_MIN: Final = 0.02
"""One person's given names differ a little no more often than so many times the family names do,
beside nicknames. What is more are twins with similar names, whom nothing else tells apart."""


def alike_share_max(comparison: Comparison, matches: Shares) -> float:
    """The most that matches may have of similar given names under one family name: a share.

    Args:
        comparison: Of names; one level for each entry of `matches`, missing left out.
        matches: Shares of the levels, 0..1.
    """
    slips = sum(
        float(share)
        for level, share in zip(comparison.levels, matches, strict=True)
        if level.name == "given_same_family_close"
    )
    return ALIKE_MIN + ALIKE_PER_FAMILY_SLIP * slips
