"""What records said before, and rows of somebody else on a record's id.

Versions matter to linkage twice: an earlier address or name is evidence, and a recycled number or
a row entered in error is evidence about another human.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator

from mpi.synthetic import written_names, written_places
from mpi.synthetic.holders import Holding
from mpi.synthetic.households import DAYS_A_YEAR, EXTRACT_DAY
from mpi.synthetic.people import Flags, Integers, Population, kept_where
from mpi.synthetic.places import Dwellings
from mpi.synthetic.rows import SECONDS_A_DAY, Rows, restyle
from mpi.synthetic.slips import Slips
from mpi.synthetic.sources import SourceSpec

BABY_VERSIONS: Final = 0.3
"""Share of named infants at the hospitals whose first version was still unnamed."""


def add_earlier_versions(
    rows: Rows,
    spec: SourceSpec,
    population: Population,
    dwellings: Dwellings,
    holding: Holding,
    behind: Integers,
    slips: Slips,
) -> None:
    """What some records said before: the address and the name of that day; rows are added.

    Args:
        rows: Of the source; one more for each record that is chosen.
        spec: How the source behaves.
        population: The people.
        dwellings: Where they live or lived.
        holding: One entry a record.
        behind: How many moves each record is behind: 0, 1 or 2.
        slips: Of the source's records.
    """
    age = holding.contact - population.birth[holding.who]
    chosen = (slips.random.random(len(age)) < spec.earlier_versions) & (age > 400)
    at = np.flatnonzero(chosen & ~holding.is_duplicate)
    who = holding.who[at]
    ago = (slips.random.exponential(4.0, len(at)) * DAYS_A_YEAR).astype(np.int64) + 30
    live_day = rows.live_updated[at] // SECONDS_A_DAY
    day = np.minimum(np.maximum(live_day - ago, population.birth[who] + 1), live_day - 1)
    columns = rows.copied(at)
    then = np.maximum(behind[at], written_places.moves_behind(population, who, day))
    moved = then > behind[at]
    place = written_places.place_of(population, dwellings, who, then)
    for name, column in place.items():
        columns[name] = np.where(moved, column, columns[name])
    is_old = population.family_before[who].astype(bool) & (population.family_changed[who] > day)
    is_old &= columns["family"] == population.family[who]
    columns["family"] = np.where(is_old, population.family_before[who], columns["family"])
    for name in list(columns):
        if name.startswith("previous") or name in ("death", "landline"):
            columns[name] = np.full(len(at), None, dtype=object)
    if spec.is_ascii or spec.is_upper:
        restyle(columns, spec)
    rows.add(at, columns, day * SECONDS_A_DAY + 36_000, order=-2, is_error=False)


def add_first_names(
    rows: Rows,
    spec: SourceSpec,
    population: Population,
    holding: Holding,
    unnamed: Flags,
    slips: Slips,
) -> None:
    """Infants who were BABY in the first version and have a name in the live one; rows are added.

    Args:
        rows: Of the source; one more for each record that is chosen.
        spec: How the source behaves.
        population: The people.
        holding: One entry a record.
        unnamed: Flag of each record whose live row has no name either.
        slips: Of the source's records.
    """
    who = holding.who
    infant = EXTRACT_DAY - population.birth[who] < written_names.BABY_DAYS
    share = BABY_VERSIONS if spec.unnamed_babies > 0.1 else 0.0
    chosen = infant & ~unnamed & (slips.random.random(len(who)) < share)
    at = np.flatnonzero(chosen & (holding.contact - population.birth[who] > 3))
    columns = rows.copied(at)
    written_names.unname(columns, population, who[at], np.arange(len(at)), _of(slips, at))
    traced = slips.random.random(len(at)) < 0.6
    columns["nhs_number"] = kept_where(traced, columns["nhs_number"])
    if spec.is_ascii or spec.is_upper:
        restyle(columns, spec)
    rows.add(at, columns, population.birth[who[at]] * SECONDS_A_DAY, order=-1, is_error=False)


def _of(slips: Slips, at: Integers) -> Slips:
    """The same generator over some of the records."""
    return Slips(slips.level[at], slips.random)


def add_strangers(rows: Rows, spec: SourceSpec, holding: Holding, random: Generator) -> Integers:
    """Recycled numbers (an earlier version was another human) and rows entered in error.

    Both carry another record's content of the same source.

    Returns:
        For each record the person of its first version: the owner, unless the number was recycled.
    """
    count = len(holding.who)
    first_owner = holding.who.copy()
    for share, order, is_error in (
        (spec.recycled_numbers, -3, False),
        (spec.entered_in_error, 1, True),
    ):
        expected = max(share * count, 1.0 if share and count > 2_000 else 0.0)
        at = np.unique(random.integers(0, max(count, 1), random.poisson(expected)))
        other = random.integers(0, max(count, 1), len(at))
        days = random.integers(2_500, 5_000, len(at)) if order < 0 else np.zeros(len(at), dtype=int)
        updated = rows.live_updated[at] - days * SECONDS_A_DAY + (1 if order > 0 else 0)
        columns = rows.copied(other)
        columns["practice_code"] = rows.live_columns["practice_code"][at].copy()
        rows.add(at, columns, updated, order=order, is_error=is_error)
        if not is_error:
            first_owner[at] = holding.who[other]
    return first_owner
