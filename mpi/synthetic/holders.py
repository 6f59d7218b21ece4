"""Who has a record in a source, how often twice, and when the source last heard of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from mpi.synthetic.households import DAYS_A_YEAR, EXTRACT_DAY
from mpi.synthetic.people import Codes, Flags, Floats, Integers, Population
from mpi.synthetic.places import AREAS, Dwellings
from mpi.synthetic.sources import SourceSpec

LARGE_FAMILY: Final = 6
FAMILIES_SURE: Final = 0.05
"""From this expected number on there is at least one."""
SURE: Final = 0.9995
"""Largest share of an age that a source holds: nothing holds everybody."""


@dataclass(frozen=True, slots=True)
class Holding:
    """One entry a record in every array: whose it is, which service made it, what it knows of.

    `who` are indexes of people; days count from 1970-01-01.
    """

    who: Integers
    service: Codes
    is_duplicate: Flags
    contact: Integers
    """Day on which the source last heard of the person."""
    address_known: Integers
    """Moves before this day are known."""
    name_known: Integers
    family_again: Integers
    """Records of whole families registered a second time under a misspelt name."""


def draw_holding(
    spec: SourceSpec,
    population: Population,
    dwellings: Dwellings,
    *,
    odds: float,
    random: Generator,
) -> Holding:
    """The records of one source.

    Args:
        spec: How the source behaves.
        population: The people.
        dwellings: Where they live decides who serves them.
        odds: Factor on the odds of every error, here of a duplicate.
        random: The source's own generator.
    """
    who, service = _holders(spec, population, dwellings, random)
    families = _families_again(spec, population, who, random)
    share = spec.duplicates * odds / (1 - spec.duplicates + spec.duplicates * odds)
    twice = systematic_sample(np.full(len(who), share), random)
    twice = np.concatenate([np.setdiff1d(twice, families), families])
    is_duplicate = np.arange(len(who) + len(twice)) >= len(who)
    who = np.concatenate([who, who[twice]])
    service = np.concatenate([service, service[twice]])
    contact = _contact_days(spec, population, who, random)
    records = len(who)
    return Holding(
        who=who,
        service=service,
        is_duplicate=is_duplicate,
        contact=contact,
        address_known=contact - _years(spec.told_after_years, len(who), random),
        family_again=np.arange(records - len(families), records),
        name_known=contact - _years(spec.name_told_after_years, len(who), random),
    )


def _holders(
    spec: SourceSpec, population: Population, dwellings: Dwellings, random: Generator
) -> tuple[Integers, Codes]:
    age = (EXTRACT_DAY - population.birth) / DAYS_A_YEAR
    area = np.array([spec.areas[name] for name in AREAS])[dwellings.area[population.home]]
    weights = np.stack([np.interp(age, *service.coverage) for service in spec.services])
    share = np.minimum(weights.sum(axis=0) * area, SURE)
    odds = share / (1 - share) * population.contact
    who = np.flatnonzero(random.random(len(age)) < odds / (1 + odds))
    chance = np.cumsum(weights[:, who], axis=0)
    pick = random.random(len(who)) * chance[-1]
    service = np.minimum((pick >= chance).sum(axis=0), len(spec.services) - 1)
    return who, service.astype(np.int8)


def _families_again(
    spec: SourceSpec, population: Population, who: Integers, random: Generator
) -> Integers:
    """Records of large families of which one clerk made a second set, as the back office found."""
    expected = spec.families_again * len(who)
    count = max(int(random.poisson(expected)), 1 if expected > FAMILIES_SURE else 0)
    size = np.bincount(population.household)
    large = np.flatnonzero((size >= LARGE_FAMILY) & (size <= 2 * LARGE_FAMILY))
    chosen = random.permutation(large)[:count]
    return np.flatnonzero(np.isin(population.household[who], chosen))


def _contact_days(
    spec: SourceSpec, population: Population, who: Integers, random: Generator
) -> Integers:
    """After birth and not after death; who meets organisations often was seen lately."""
    years = spec.years_since_contact / np.sqrt(population.contact[who])
    day = EXTRACT_DAY - (years * DAYS_A_YEAR * random.exponential(1.0, len(who))).astype(np.int64)
    last = np.minimum(EXTRACT_DAY, population.death[who])
    birth = population.birth[who]
    some = birth + (random.random(len(who)) * (last - birth)).astype(np.int64)
    days: Integers = np.where(day < birth, some, np.minimum(day, last))
    return days


def _years(mean: float, count: int, random: Generator) -> Integers:
    days: Integers = (random.exponential(mean, count) * DAYS_A_YEAR).astype(np.int64)
    return days


def chance(rate: float | Floats, level: float | Floats) -> Floats:
    """The rate with its odds multiplied by `level`: probabilities, one for each entry of the two.

    Args:
        rate: Probabilities below 1.
        level: Factors on the odds; one for all, or as many as there are rates.
    """
    odds = rate / (1 - rate) * level
    share: Floats = np.asarray(odds / (1 + odds))
    return share


def systematic_sample(share: Floats, random: Generator) -> Integers:
    """Indexes drawn with these probabilities, one for each, and nearly their sum in number.

    They are ascending. Independent draws would make a small region's rates jump; systematic
    sampling does not.

    Source: Madow 1949, On the theory of systematic sampling, II, Annals of Mathematical Statistics
    20.
    """
    order = random.permutation(len(share))
    reached = np.floor(np.cumsum(share[order]) + random.random())
    return np.sort(order[np.diff(reached, prepend=0.0) > 0])
