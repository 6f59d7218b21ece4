"""Who lives with whom: households with plausible ages, twins and namesakes, and institutions.

Most false links join members of one household, so households come first and people second.  Every
date is a count of days since 1970-01-01, as numpy counts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Integers = NDArray[np.int64]

DAYS_A_YEAR: Final = 365.25
EXTRACT_DAY: Final = (date(2018, 9, 30) - date(1970, 1, 1)).days
"""The day on which every source wrote its extract; ages are counted to it."""
ADULT_DAYS: Final = 6_600
TWIN_RATE: Final = 0.016
"""Twin maternities; ONS birth characteristics give 15-16 in 1,000."""
INSTITUTION_SHARE: Final = 0.018


class Role(IntEnum):
    """What somebody is in the household; it decides names, kin and moves."""

    HEAD = 0
    PARTNER = 1
    CHILD = 2
    SHARER = 3
    RESIDENT = 4
    ELDER = 5


class Institution(IntEnum):
    """What kind of institution somebody lives in; `NONE` for private households."""

    NONE = 0
    CARE_HOME = 1
    HALL = 2
    PRISON = 3
    BARRACKS = 4
    HOLIDAY_PARK = 5


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of household: how often, how old its head, who else lives there.

    `head_age` is the youngest and the oldest, in years; shares lie between 0 and 1.
    """

    share: float
    head_age: tuple[float, float]
    has_partner: bool = False
    child_share: float = 0.0
    sharers: tuple[int, int] = (0, 0)
    elder_share: float = 0.0


KINDS: Final = (
    Kind(0.06, (19, 38)),
    Kind(0.10, (38, 66)),
    Kind(0.14, (66, 97)),
    Kind(0.08, (20, 38), has_partner=True),
    Kind(0.12, (40, 66), has_partner=True),
    Kind(0.15, (62, 93), has_partner=True),
    Kind(0.24, (22, 48), has_partner=True, child_share=1.0, elder_share=0.03),
    Kind(0.07, (19, 47), child_share=1.0, elder_share=0.03),
    Kind(0.04, (19, 34), sharers=(1, 4)),
)
"""The kinds of household; their shares need not add up to 1."""


@dataclass(frozen=True, slots=True)
class Members:
    """Everybody, in order of household; one entry a person in every array.

    Days count from 1970-01-01.
    """

    household: Integers
    role: NDArray[np.int8]
    sex: Integers
    birth: Integers
    """Day of birth."""
    twin: NDArray[np.int8]
    """Order in a multiple birth, 0 for single births."""
    institution: NDArray[np.int8]


def make_members(people: int, random: Generator) -> Members:
    """Exactly `people` members of households and institutions, one entry a person."""
    residents = int(people * INSTITUTION_SHARE)
    at_home = _families(people - residents, random)
    first_free = int(at_home.household.max()) + 1 if len(at_home.household) else 0
    return _joined([at_home, _residents(residents, first_free, random)])


def _families(people: int, random: Generator) -> Members:
    """Members of private households; the last household may lose some to make the count."""
    shares = np.array([kind.share for kind in KINDS])
    households = max(people // 2 + 20, 20)
    kinds = random.choice(len(KINDS), size=households, p=shares / shares.sum())
    parts = [_of_kind(np.flatnonzero(kinds == at), kind, random) for at, kind in enumerate(KINDS)]
    everyone = _joined(parts)
    order = np.lexsort((everyone.birth, everyone.role, everyone.household))
    return _taken(everyone, order[:people])


def _of_kind(households: Integers, kind: Kind, random: Generator) -> Members:
    count = len(households)
    low, high = kind.head_age
    age = low + (high - low) * random.beta(1.15, 1.25, size=count)
    birth = EXTRACT_DAY - (age * DAYS_A_YEAR).astype(np.int64) - random.integers(0, 366, count)
    sex = _head_sex(kind, count, random)
    parts = [_members(households, Role.HEAD, sex, birth)]
    youngest_parent = birth
    if kind.has_partner:
        gap = random.normal(0, 3.5, count) + np.where(sex == 0, 2.0, -2.0)
        partner_birth = _grown_up(birth + (gap * DAYS_A_YEAR).astype(np.int64))
        youngest_parent = np.maximum(birth, partner_birth)
        same_sex = random.random(count) < 0.015
        parts.append(
            _members(households, Role.PARTNER, np.where(same_sex, sex, 1 - sex), partner_birth)
        )
    if kind.child_share:
        parts.append(_children(households, youngest_parent, random))
        parts.append(_elders(households, birth, kind.elder_share, random))
    if kind.sharers[1]:
        extra = random.integers(kind.sharers[0], kind.sharers[1] + 1, size=count)
        of = np.repeat(np.arange(count), extra)
        ages = random.normal(0, 4, len(of)) * DAYS_A_YEAR
        births = _grown_up(birth[of] + ages.astype(np.int64))
        parts.append(_members(households[of], Role.SHARER, random.integers(0, 2, len(of)), births))
    return _joined(parts)


def _grown_up(birth: Integers) -> Integers:
    """Births mirrored at the 18th birthday, so that none is too young and no day is crowded."""
    last = EXTRACT_DAY - ADULT_DAYS
    mirrored: Integers = np.where(birth > last, 2 * last - birth, birth)
    return mirrored


def _head_sex(kind: Kind, count: int, random: Generator) -> Integers:
    """Women live longer and bring up children alone more often."""
    women = 0.5
    if kind.child_share and not kind.has_partner:
        women = 0.88
    elif not kind.has_partner and kind.head_age[0] > 60:
        women = 0.68
    elif kind.has_partner:
        women = 0.35
    drawn: Integers = (random.random(count) < women).astype(np.int64)
    return drawn


def _children(households: Integers, parent_birth: Integers, random: Generator) -> Members:
    """One to five children, the youngest first; siblings are 11 months to six years apart."""
    count = len(households)
    wanted = random.choice(np.arange(1, 6), size=count, p=[0.40, 0.40, 0.14, 0.045, 0.015])
    parent_age = (EXTRACT_DAY - parent_birth) / DAYS_A_YEAR
    oldest_possible = np.maximum(parent_age - 17.5, 0.3)
    youngest_age = np.minimum(random.random(count) * 19.0, oldest_possible) * DAYS_A_YEAR
    births = [EXTRACT_DAY - youngest_age.astype(np.int64) - random.integers(0, 60, count)]
    twins = [np.zeros(count, dtype=np.int8)]
    for _ in range(4):
        gap = 335 + random.gamma(2.0, 420, count).astype(np.int64)
        is_twin = (random.random(count) < TWIN_RATE * 1.6) & (twins[-1] == 0)
        twins[-1][is_twin & (len(births) < wanted)] = 2
        births.append(np.where(is_twin, births[-1], births[-1] - gap))
        twins.append(np.where(is_twin, 1, 0).astype(np.int8))
    number = np.arange(5)[:, None]
    old_enough = np.stack(births) - parent_birth > 16.5 * DAYS_A_YEAR
    exists = (number < wanted) & (old_enough | (number == 0))
    at = np.nonzero(exists)
    sex = _children_sex(np.stack(twins), random)[at]
    twin = _kept_twins(np.stack(twins), exists)[at]
    return _members(households[at[1]], Role.CHILD, sex, np.stack(births)[at], twin=twin)


def _children_sex(twins: NDArray[np.int8], random: Generator) -> Integers:
    """Two of three pairs of twins are of one sex."""
    sex = random.integers(0, 2, size=twins.shape)
    alike = (twins[1:] == 1) & (random.random(twins[1:].shape) < 0.4)
    sex[1:][alike] = sex[:-1][alike]
    return sex


def _kept_twins(twins: NDArray[np.int8], exists: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Birth orders, without those whose twin was not born after all."""
    kept = np.where(exists, twins, 0).astype(np.int8)
    alone = (kept[:-1] == 2) & (kept[1:] != 1)
    kept[:-1][alone] = 0
    return kept


def _elders(households: Integers, birth: Integers, share: float, random: Generator) -> Members:
    """A grandparent who lives with the family."""
    chosen = np.flatnonzero(random.random(len(households)) < share)
    ages = random.normal(28, 4, len(chosen)).clip(19, 40) * DAYS_A_YEAR
    sex = (random.random(len(chosen)) < 0.7).astype(np.int64)
    return _members(households[chosen], Role.ELDER, sex, birth[chosen] - ages.astype(np.int64))


INSTITUTIONS: Final = (
    (Institution.CARE_HOME, 0.46, 60, (82.0, 8.0), 0.68),
    (Institution.HALL, 0.28, 380, (19.8, 1.2), 0.53),
    (Institution.PRISON, 0.10, 500, (34.0, 10.0), 0.0),
    (Institution.BARRACKS, 0.10, 400, (26.0, 6.0), 0.08),
    (Institution.HOLIDAY_PARK, 0.06, 200, (55.0, 16.0), 0.5),
)
"""Kind, share of residents, people at one postcode, mean and spread of age, share of women."""


def _residents(people: int, first_free: int, random: Generator) -> Members:
    """People who share a postcode, a house and a telephone with hundreds, and no family."""
    shares = np.array([row[1] for row in INSTITUTIONS])
    kinds = np.sort(random.choice(len(INSTITUTIONS), size=people, p=shares / shares.sum()))
    household = np.zeros(people, dtype=np.int64)
    age = np.zeros(people)
    women = np.zeros(people)
    for number, (_, _, size, (mean, spread), women_share) in enumerate(INSTITUTIONS):
        at = np.flatnonzero(kinds == number)
        household[at] = first_free + np.arange(len(at)) // size
        first_free += -(-len(at) // size)
        age[at] = np.minimum(random.normal(mean, spread, len(at)), 100 + random.random(len(at)))
        women[at] = women_share
    birth = _grown_up(EXTRACT_DAY - (age * DAYS_A_YEAR).astype(np.int64))
    sex = (random.random(people) < women).astype(np.int64)
    codes = np.array([int(row[0]) for row in INSTITUTIONS], dtype=np.int8)
    return _members(household, Role.RESIDENT, sex, birth, institution=codes[kinds])


def _members(
    household: Integers,
    role: Role,
    sex: Integers,
    birth: Integers,
    *,
    twin: NDArray[np.int8] | None = None,
    institution: NDArray[np.int8] | None = None,
) -> Members:
    none = np.zeros(len(household), dtype=np.int8)
    return Members(
        household=household,
        role=np.full(len(household), int(role), dtype=np.int8),
        sex=sex,
        birth=birth,
        twin=none if twin is None else twin,
        institution=none if institution is None else institution,
    )


def _joined(parts: list[Members]) -> Members:
    return Members(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in Members.__dataclass_fields__
        )
    )


def _taken(members: Members, at: Integers) -> Members:
    return Members(*(getattr(members, name)[at] for name in Members.__dataclass_fields__))
