"""Makes the people of the region: households, then names, lives, contacts and kin.

Everything is drawn from one generator in one order, so that a seed gives the same region on every
machine; arrays of people are never looped over in Python except to compose texts.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator

from mpi.synthetic import contacts, family_life, naming
from mpi.synthetic.holders import systematic_sample
from mpi.synthetic.households import (
    DAYS_A_YEAR,
    EXTRACT_DAY,
    Members,
    Role,
    make_members,
)
from mpi.synthetic.numbers import draw_numbers
from mpi.synthetic.people import Codes, Flags, Floats, Integers, Population
from mpi.synthetic.places import Dwellings, make_dwellings

ERROR_SPREAD: Final = 0.9
"""Standard deviation of the logarithm of a person's error level: errors sit with a few."""
CONTACT_SPREAD: Final = 0.5
"""Standard deviation of the logarithm of how often a person is in contact with sources."""
HOMELESS_SHARE: Final = 0.0026
"""Of the people; of the records .2 %, because many still show the address before."""
UNSPECIFIED_SEX_SHARE: Final = 0.0012
SECOND_NUMBER_SHARE: Final = 0.004
"""People with a superseded number; a record holds it much more rarely."""
SHARED_NUMBER_SHARE: Final = 1 / 20_000
FIRST_JANUARY_SHARE: Final = 0.05
"""Of the people who came from places where births were not registered."""
PEOPLE_PER_PRACTICE: Final = 8_000


def make_population(people: int, random: Generator) -> tuple[Population, Dwellings]:
    """The people of a region and the dwellings that they live or lived in.

    Args:
        people: How many, 1 to `mpi.limits.SYNTHETIC_PEOPLE_MAX`.
        random: Decides everything.

    Raises:
        InvalidInput: If there are not enough NHS numbers.
    """
    numbers = draw_numbers(people, random)
    members = make_members(people, random)
    households = int(members.household.max()) + 1
    dwellings = make_dwellings(households, random)
    named = naming.name_people(members, random)
    moves = family_life.draw_moves(members, dwellings, random)
    naming.part_twins(members, named, random)
    birth = _official_birth(members.birth, named.origin, random)
    ties = family_life.find_ties(members)
    reached = contacts.draw_contacts(members, named, moves, dwellings, random)
    practices = max(2, people // PEOPLE_PER_PRACTICE)
    nhs_number, nhs_before, is_sharing = _numbers(named, members, numbers, random)
    population = Population(
        household=members.household,
        role=members.role,
        sex=members.sex,
        is_unspecified_sex=random.random(people) < UNSPECIFIED_SEX_SHARE,
        birth=birth,
        twin=members.twin,
        institution=members.institution,
        origin=named.origin,
        given=named.given,
        middle=named.middle,
        known_as=named.known_as,
        family=named.family,
        family_before=named.family_before,
        family_changed=named.family_changed,
        home=moves.home,
        home_before=moves.before,
        home_earlier=moves.earlier,
        moved=moves.moved,
        moved_earlier=moves.moved_earlier,
        death=family_life.draw_deaths(members.birth, random),
        practice=_practices(moves.home, dwellings.home_count, practices, random),
        practice_before=_practices(moves.before, dwellings.home_count, practices, random),
        nhs_number=nhs_number,
        nhs_number_before=nhs_before,
        contact=_contact(members, random),
        error_level=_error_level(members, named.origin, random),
        landline=reached.landline,
        mobile=reached.mobile,
        mobile_before=reached.mobile_before,
        email=reached.email,
        email_before=reached.email_before,
        title=reached.title,
        ethnic=reached.ethnic,
        language=reached.language,
        mother=ties.mother,
        kin=ties.kin,
        kin_relation=ties.relation,
        carer=ties.carer,
        is_homeless=_homeless(members, random),
        is_namesake=_namesakes(members, named),
        is_sharing_number=is_sharing,
    )
    return population, dwellings


def _official_birth(birth: Integers, origin: Codes, random: Generator) -> Integers:
    """Birth days, of which some are the official stand-in for an unknown one: 1 January."""
    unregistered = np.isin(origin, naming.UNREGISTERED_BIRTHS)
    adult = EXTRACT_DAY - birth > 20 * DAYS_A_YEAR
    chosen = unregistered & adult & (random.random(len(birth)) < FIRST_JANUARY_SHARE)
    year_start = birth.astype("datetime64[D]").astype("datetime64[Y]").astype("datetime64[D]")
    official: Integers = np.where(chosen, year_start.astype(np.int64), birth)
    return official


def _numbers(
    named: naming.Named, members: Members, numbers: Integers, random: Generator
) -> tuple[Integers, Integers, Flags]:
    """NHS numbers, the superseded ones of some, and who shares one with a namesake or so."""
    people = len(members.birth)
    current = numbers[:people].copy()
    left = numbers[people:]
    before = np.zeros(people, dtype=np.int64)
    wanted = systematic_sample(np.full(people, SECOND_NUMBER_SHARE), random)[: len(left)]
    before[wanted] = left[: len(wanted)]
    is_sharing = np.zeros(people, dtype=bool)
    pairs = int(people * SHARED_NUMBER_SHARE + random.random())
    for one, other in _confusable(named, members, pairs, random):
        current[other] = current[one]
        is_sharing[[one, other]] = True
    return current, before, is_sharing


def _confusable(
    named: naming.Named, members: Members, pairs: int, random: Generator
) -> list[tuple[int, int]]:
    """Pairs of people of one family name and sex, of about one age, in two households."""
    order = np.lexsort((members.birth, named.family.astype(str), members.sex))
    found = []
    for start in random.permutation(len(order) - 1).tolist():
        one, other = int(order[start]), int(order[start + 1])
        if named.family[one] == named.family[other] and (
            members.household[one] != members.household[other]
        ):
            found.append((one, other))
        if len(found) >= pairs:
            break
    return found[:pairs]


def _practices(home: Integers, home_count: int, practices: int, random: Generator) -> Integers:
    """A practice near the dwelling; people from outside the region take any."""
    spread = random.normal(0, 0.8, len(home))
    near = np.floor(home / home_count * practices + spread).astype(np.int64)
    anywhere = random.integers(0, practices, len(home))
    chosen: Integers = np.where(home < home_count, near % practices, anywhere)
    return chosen


def _contact(members: Members, random: Generator) -> Floats:
    age = (EXTRACT_DAY - members.birth) / DAYS_A_YEAR
    by_age = np.interp(age, [0, 2, 10, 30, 60, 80, 100], [1.6, 1.1, 0.8, 0.85, 1.0, 1.5, 1.8])
    drawn: Floats = by_age * random.lognormal(-(CONTACT_SPREAD**2) / 2, CONTACT_SPREAD, len(age))
    return drawn


def _error_level(members: Members, origin: Codes, random: Generator) -> Floats:
    """Each person's factor on every error's odds: by age, name origin and chance; mean 1."""
    age = (EXTRACT_DAY - members.birth) / DAYS_A_YEAR
    by_age = np.interp(age, [0, 1, 5, 18, 25, 40, 80, 95], [3.0, 2.0, 1.2, 1, 1.3, 0.9, 1.0, 1.4])
    by_origin = np.where(origin == 0, 1.0, 1.8)
    by_place = np.where(members.role == Role.RESIDENT, 1.5, 1.0)
    chance = random.lognormal(0, ERROR_SPREAD, len(age))
    level = by_age * by_origin * by_place * chance
    relative: Floats = level / level.mean()
    return relative


def _homeless(members: Members, random: Generator) -> Flags:
    """No fixed abode: mostly single adults."""
    alone = np.isin(members.role, (Role.HEAD, Role.SHARER)) & (
        np.bincount(members.household)[members.household] <= 2
    )
    share = HOMELESS_SHARE / max(alone.mean(), 1e-9)
    chosen = np.zeros(len(alone), dtype=bool)
    chosen[systematic_sample(np.where(alone, min(share, 1.0), 0.0), random)] = True
    return chosen


def _namesakes(members: Members, named: naming.Named) -> Flags:
    """Who has a namesake in the household, a father and his son mostly."""
    sharing: dict[tuple[int, str, str], list[int]] = {}
    columns = (members.household.tolist(), named.given.tolist(), named.family.tolist())
    for at, key in enumerate(zip(*columns, strict=True)):
        sharing.setdefault(key, []).append(at)
    is_namesake = np.zeros(len(members.birth), dtype=bool)
    for people in sharing.values():
        is_namesake[people] = len(people) > 1
    is_namesake[members.role == Role.RESIDENT] = False
    return is_namesake
