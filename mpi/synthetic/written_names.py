"""Names as sources write them: stale, shortened, misheard, in another order, or not yet given."""

from __future__ import annotations

from typing import Final

import numpy as np

from mpi.synthetic import corruption
from mpi.synthetic.holders import Holding
from mpi.synthetic.households import EXTRACT_DAY
from mpi.synthetic.naming import ORIGIN_NAMES
from mpi.synthetic.people import NOBODY, Flags, Integers, Population, Texts, kept_where
from mpi.synthetic.slips import Slips
from mpi.synthetic.sources import SourceSpec

BABY_DAYS: Final = 1_000
"""An infant's first record may stay unnamed until the next contact, years later."""
MALE_INFANTS: Final = ("BABY", "BABY BOY", "MALE INFANT", "BABY", "INFANT", "BOY")
FEMALE_INFANTS: Final = ("BABY", "BABY GIRL", "FEMALE INFANT", "BABY", "INFANT", "GIRL")
UNKNOWN: Final = ("UNKNOWN", "Unknown", "NOT KNOWN", "UNK")
ORDER_OF_NAMES: Final = ("chinese", "muslim_south_asian", "sikh", "iberian", "arabic", "african")
"""Origins whose order and parts of names British clerks get wrong."""

Columns = dict[str, Texts]


def write_names(
    spec: SourceSpec, population: Population, holding: Holding, slips: Slips
) -> tuple[Columns, Flags]:
    """Given, middle and family name, earlier ones where kept, and which are unnamed babies.

    Returns:
        Columns of one text, or None, for each record of `holding`, and a flag for each.
    """
    who = holding.who
    columns = _true_names(spec, population, holding, slips)
    given, family = columns["given"], columns["family"]
    _misname(columns, population.known_as[who], slips)
    _miswrite_middles(columns["middle"], slips.apart())
    for kind, slip in (("slip", corruption.family_slip), ("compound", corruption.rewrite_compound)):
        slips.befall(family, "family", kind, slip)
    at = slips.hit("family", "another")
    family[at] = population.family[slips.random.integers(0, population.people_count, len(at))]
    _follow_other_customs(columns, population, who, slips)
    at = slips.hit("names", "exchanged")
    given[at], family[at] = family[at], given[at]
    for name in ("given", "family"):
        at = slips.hit(name, "unknown")
        columns[name][at] = slips.pick(np.array(UNKNOWN, dtype=object), len(at))
    unnamed = _leave_unnamed(columns, spec, population, holding, slips)
    return columns, unnamed


def _true_names(
    spec: SourceSpec, population: Population, holding: Holding, slips: Slips
) -> Columns:
    who = holding.who
    count = len(who)
    before, changed = population.family_before[who], population.family_changed[who]
    has_before = before.astype(bool)
    is_old = has_before & (changed > holding.name_known)
    is_old[slips.hit("family", "kept_old", has_before)] = True
    family = np.where(is_old, before, population.family[who])
    keeps = has_before & ~is_old & (slips.random.random(count) < spec.keeps_previous)
    married = keeps & (population.title[who] == "Mrs")
    has = slips.random.random
    return {
        "given": population.given[who].copy(),
        "middle": kept_where(has(count) < spec.has["middle"], population.middle[who]),
        "known_as": kept_where(has(count) < spec.has["known_as"], population.known_as[who]),
        "title": kept_where(has(count) < spec.has["title"], population.title[who]),
        "family": family,
        "previous_family": kept_where(keeps, before),
        "previous_kind": kept_where(keeps, np.where(married, "maiden", "previous")),
    }


def _misname(columns: Columns, known_as: Texts, slips: Slips) -> None:
    given, middle = columns["given"], columns["middle"]
    slips.befall(given, "given", "slip", corruption.slip_of_key)
    at = slips.befall(given, "given", "nickname", corruption.nickname)
    own = at[known_as[at].astype(bool)]
    given[own] = known_as[own]
    slips.befall(given, "given", "spelling", corruption.another_spelling)
    slips.befall(given, "given", "initial", corruption.initial)
    at = slips.hit("given", "middle_as_given", middle.astype(bool))
    given[at] = [text.split(" ")[0] for text in middle[at]]
    middle[at] = None
    at = slips.hit("given", "another")
    given[at] = given[slips.random.integers(0, len(given), len(at))]


def _miswrite_middles(middle: Texts, slips: Slips) -> None:
    """What clerks ask for last: misspelt like forenames, shortened more often."""
    slips.befall(middle, "middle", "slip", corruption.slip_of_key)
    slips.befall(middle, "middle", "spelling", corruption.another_spelling)
    at = slips.hit("middle", "another", middle.astype(bool))
    middle[at] = middle[slips.random.integers(0, len(middle), len(at))]
    has_several = np.array([" " in (text or "") for text in middle])
    slips.apply(middle, slips.hit("middle", "first_only", has_several), corruption.first_word)
    slips.befall(middle, "middle", "initial", corruption.initial)


def _follow_other_customs(
    columns: Columns, population: Population, who: Integers, slips: Slips
) -> None:
    """Family name first, a father's or religious name as family name, one of two surnames."""
    odd = np.isin(population.origin[who], [ORIGIN_NAMES.index(name) for name in ORDER_OF_NAMES])
    at = slips.hit("names", "by_custom", odd)
    given, middle, family = columns["given"], columns["middle"], columns["family"]
    for index, kind in zip(at.tolist(), slips.random.random(len(at)).tolist(), strict=True):
        if kind < 0.07:
            given[index], family[index] = family[index], given[index]
        elif middle[index] and kind < 0.55:
            family[index], middle[index] = middle[index].split(" ")[-1], None
        else:
            family[index] = corruption.rewrite_compound(family[index], kind, 0.5)


def _leave_unnamed(
    columns: Columns, spec: SourceSpec, population: Population, holding: Holding, slips: Slips
) -> Flags:
    """Newborns as BABY, TWIN 1 or MALE INFANT, mostly under the mother's family name."""
    who = holding.who
    age = EXTRACT_DAY - population.birth[who]
    share = spec.unnamed_babies * np.where(age < 366, 1.0, np.where(age < BABY_DAYS, 0.25, 0.0))
    unnamed = slips.random.random(len(who)) < share
    unname(columns, population, who, np.flatnonzero(unnamed), slips)
    return unnamed


def unname(
    columns: Columns, population: Population, who: Integers, at: Integers, slips: Slips
) -> None:
    """Writes the records at these indexes as those of a newborn without a name.

    Args:
        columns: One text for each record; changed in place.
        population: The people.
        who: Index of each record's person.
        at: Indexes of records.
        slips: Decides how the source calls them.
    """
    boys = slips.pick(np.array(MALE_INFANTS, dtype=object), len(at))
    girls = slips.pick(np.array(FEMALE_INFANTS, dtype=object), len(at))
    infant = np.where(population.sex[who[at]] == 1, girls, boys)
    order = population.twin[who[at]]
    twins = np.array(["", "TWIN 1", "TWIN 2"], dtype=object)[order]
    columns["given"][at] = np.where(order > 0, twins, infant)
    columns["middle"][at] = None
    columns["known_as"][at] = None
    mother = population.mother[who[at]]
    under_mother = (mother != NOBODY) & (slips.random.random(len(at)) < 0.75)
    columns["family"][at[under_mother]] = population.family[mother[under_mother]]
