"""Moves, deaths and family ties: what makes two true records of one person differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from mpi.synthetic.households import DAYS_A_YEAR, EXTRACT_DAY, Members, Role
from mpi.synthetic.people import LONG_AGO, NEVER, NOBODY, Flags, Floats, Integers, Texts
from mpi.synthetic.places import Dwellings

STAY_YEARS: Final = ((18, 25, 32, 42, 55, 70, 90), (3.2, 1.8, 3.0, 7.5, 14.0, 20.0, 14.0))
"""Mean years at one address, by the age of the head of the household."""
SAME_SECTOR_SHARE: Final = 0.038
"""Moves within one postcode sector, chance included, of which some stay in the postcode
(CRATE: 3 % of differing postcodes)."""
OWN_PAST_SHARE: Final = 0.35
"""Partners and grown-up children who lived elsewhere before they moved in."""


@dataclass(frozen=True, slots=True)
class Moves:
    """Three dwellings a person, the latest first, and the days of the two moves.

    One entry a person: indexes of dwellings; days from 1970-01-01, `LONG_AGO` if born there.
    """

    home: Integers
    before: Integers
    earlier: Integers
    moved: Integers
    moved_earlier: Integers


@dataclass(frozen=True, slots=True)
class Ties:
    """Who of the household somebody's mother, next of kin and carer is; one entry a person.

    Indexes of people, `NOBODY` for none; `relation` says what the next of kin is.
    """

    mother: Integers
    kin: Integers
    relation: Texts
    carer: Integers


def draw_moves(members: Members, dwellings: Dwellings, random: Generator) -> Moves:
    """Where everybody lives and lived; households mostly move together.

    Takes and gives one entry a person, in the order of `members`.
    """
    households = int(members.household.max()) + 1
    head_age = np.zeros(households)
    is_head = np.isin(members.role, (Role.HEAD, Role.RESIDENT))
    head_age[members.household[is_head]] = _age(members.birth[is_head])
    home = _spread(households, dwellings.home_count, random)
    own = _is_own_past(members, random)
    moved = EXTRACT_DAY - _stay_days(head_age, random)[members.household]
    own_moved = EXTRACT_DAY - _stay_days(_age(members.birth), random)
    moved = np.where(own, np.maximum(moved, own_moved), moved)
    before = np.where(
        own,
        _elsewhere(home[members.household], dwellings, random),
        _elsewhere(home, dwellings, random)[members.household],
    )
    stay = _stay_days(np.maximum(_age(members.birth) - 3, 0), random)
    earlier = _elsewhere(before, dwellings, random)
    return Moves(
        home=home[members.household],
        before=before,
        earlier=earlier,
        moved=np.where(moved > members.birth, moved, LONG_AGO),
        moved_earlier=np.where(moved - stay > members.birth, moved - stay, LONG_AGO),
    )


def draw_deaths(birth: Integers, random: Generator) -> Integers:
    """Day of death in the last five years for some, `NEVER` for the others; one entry a person.

    Args:
        birth: Day of birth; days count from 1970-01-01.
        random: Decides.
    """
    age = _age(birth)
    rate = np.interp(age, [0, 1, 40, 60, 75, 85, 100], [0.004, 0.001, 0.002, 0.01, 0.05, 0.2, 0.6])
    day = EXTRACT_DAY - random.integers(0, 5 * 365, len(birth))
    died: Integers = np.where((random.random(len(birth)) < rate) & (day > birth), day, NEVER)
    return died


def find_ties(members: Members) -> Ties:
    """Mother, next of kin and carer within the household, from roles and sex.

    One entry a person, in the order of `members`.
    """
    head = _first_of(members, members.role == Role.HEAD)
    partner = _first_of(members, members.role == Role.PARTNER)
    child = _first_of(members, (members.role == Role.CHILD) & (_age(members.birth) > 16))
    is_child = members.role == Role.CHILD
    head_is_mother = (head != NOBODY) & (members.sex[head] == 1)
    mother = np.where(is_child, np.where(head_is_mother, head, partner), NOBODY)
    mother = np.where((mother != NOBODY) & (members.sex[mother] == 1), mother, NOBODY)
    is_head, is_partner = members.role == Role.HEAD, members.role == Role.PARTNER
    spouse = np.where(is_head, partner, np.where(is_partner, head, NOBODY))
    parent = np.where(is_child, np.where(mother != NOBODY, mother, head), NOBODY)
    own_child = np.where((is_head | is_partner) & (spouse == NOBODY), child, NOBODY)
    kin = np.max(np.stack([spouse, parent, own_child]), axis=0)
    relation = np.full(len(kin), None, dtype=object)
    relation[spouse != NOBODY] = "spouse"
    relation[parent != NOBODY] = "father"
    relation[mother != NOBODY] = "mother"
    relation[own_child != NOBODY] = "child"
    is_cared_for = (_age(members.birth) > 78) & (kin != NOBODY)
    return Ties(mother, kin, relation, np.where(is_cared_for, kin, NOBODY))


def _first_of(members: Members, chosen: Flags) -> Integers:
    """For each person, somebody of the household with the flag, or `NOBODY`."""
    found = np.full(int(members.household.max()) + 1, NOBODY, dtype=np.int64)
    at = np.flatnonzero(chosen)
    found[members.household[at]] = at
    of_each: Integers = found[members.household]
    return of_each


def _is_own_past(members: Members, random: Generator) -> Flags:
    alone = np.isin(members.role, (Role.SHARER, Role.RESIDENT, Role.ELDER))
    joined = (members.role == Role.PARTNER) | (
        (members.role == Role.CHILD) & (_age(members.birth) > 18)
    )
    own: Flags = alone | (joined & (random.random(len(alone)) < OWN_PAST_SHARE))
    return own


def _spread(households: int, home_count: int, random: Generator) -> Integers:
    """A dwelling of its own for each household, all over the region."""
    chosen: Integers = random.permutation(home_count)[:households]
    return chosen


def _elsewhere(home: Integers, dwellings: Dwellings, random: Generator) -> Integers:
    """Another dwelling for each: anywhere, or now and then round the corner."""
    anywhere = random.integers(0, len(dwellings.house), len(home))
    _, sizes = np.unique(dwellings.sector, return_counts=True)
    by_chance = float(((sizes / sizes.sum()) ** 2).sum())
    stays_near = random.random(len(home)) < max(SAME_SECTOR_SHARE - by_chance, 0.0)
    near = _in_sector(home, dwellings, random)
    stays_near &= dwellings.postcode[near] != dwellings.postcode[home]
    chosen: Integers = np.where(stays_near, near, anywhere)
    return chosen


def _in_sector(home: Integers, dwellings: Dwellings, random: Generator) -> Integers:
    """Any dwelling of each home's postcode sector; those of a sector are neighbours in order."""
    _, first, sizes = np.unique(dwellings.sector, return_index=True, return_counts=True)
    sector = np.searchsorted(dwellings.sector[first], dwellings.sector[home])
    within = (random.random(len(home)) * sizes[sector]).astype(np.int64)
    found: Integers = first[sector] + within
    return found


def _stay_days(age: Floats, random: Generator) -> Integers:
    years = np.interp(age, *STAY_YEARS) * random.exponential(1.0, len(age))
    days: Integers = (years * DAYS_A_YEAR).astype(np.int64)
    return days


def _age(birth: Integers) -> Floats:
    years: Floats = (EXTRACT_DAY - birth) / DAYS_A_YEAR
    return years
