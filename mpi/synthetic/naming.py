"""Gives everybody names as families do: by origin, fashion, marriage and custom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from mpi.synthetic.households import DAYS_A_YEAR, EXTRACT_DAY, Institution, Members, Role
from mpi.synthetic.names import FEMALE, MALE, Origin, draw_given, feminine, nicknames, origins
from mpi.synthetic.people import NEVER, Codes, Flags, Integers, Texts, kept_where

ORIGIN_NAMES: Final = tuple(origin.name for origin in origins())
UNREGISTERED_BIRTHS: Final = tuple(
    ORIGIN_NAMES.index(name) for name in ("african", "arabic", "muslim_south_asian")
)
MIXED_COUPLES: Final = 0.10
"""Share of partners whose origin is drawn apart from the household's."""
MARRIED: Final = ((20, 30, 40, 60, 80), (0.2, 0.5, 0.65, 0.85, 0.95))
"""Share of couples who are married, by age."""
DOUBLE_BARRELLED: Final = 0.05
"""Share of those who take a name on marriage that keep their own beside it."""
NAMESAKE_SONS: Final = 0.012
"""Share of sons called as their father."""
RECENT_CHANGES: Final = (0.022, 0.092)
"""Men and women renamed in the last twelve years, this marriage not counted."""
KNOWN_BY_NICKNAME: Final = 0.12
"""Share of people who are known by a nickname, if their given name has any."""
GROWN_TWINS: Final = 0.006
"""Share of the people who are twins that live apart, each alone."""


@dataclass(slots=True)
class Named:
    """Names of everybody; one entry a person in every array.

    `origin` are indexes into `ORIGIN_NAMES`, `family_changed` days from 1970-01-01; texts are None
    where there is no such name.
    """

    origin: Codes
    given: Texts
    middle: Texts
    known_as: Texts
    family: Texts
    family_before: Texts
    family_changed: Integers


def name_people(members: Members, random: Generator) -> Named:
    """Names for everybody, and the family names they bore before; in the order of `members`."""
    origin = _draw_origins(members, random)
    given = _draw_all_given(members, origin, random)
    named = Named(
        origin=origin,
        given=given,
        middle=_draw_middles(members, origin, random),
        known_as=_draw_known_as(given, random),
        family=_draw_families(members, origin, random),
        family_before=np.full(len(given), None, dtype=object),
        family_changed=np.full(len(given), NEVER, dtype=np.int64),
    )
    _marry(named, members, random)
    _name_children(named, members, random)
    _follow_customs(named, members, random)
    _change_others(named, members, random)
    return named


def _draw_origins(members: Members, random: Generator) -> Codes:
    """One origin a household; sharers, residents and some partners have their own."""
    shares = np.cumsum([origin.share for origin in origins()])
    own = np.searchsorted(shares, random.random(len(members.birth)) * shares[-1])
    by_household = own[_head_of(members)]
    alone = np.isin(members.role, (Role.SHARER, Role.RESIDENT))
    mixed = (members.role == Role.PARTNER) & (random.random(len(own)) < MIXED_COUPLES)
    origin: Codes = np.where(alone | mixed, own, by_household).astype(np.int8)
    soldiers = (members.institution == Institution.BARRACKS) & (random.random(len(own)) < 0.2)
    origin[soldiers] = ORIGIN_NAMES.index("nepali")
    return origin


def _head_of(members: Members) -> Integers:
    """Index of the head of each person's household; of any resident in an institution."""
    head = np.zeros(int(members.household.max()) + 1, dtype=np.int64)
    at = np.flatnonzero(np.isin(members.role, (Role.HEAD, Role.RESIDENT)))
    head[members.household[at]] = at
    of_each: Integers = head[members.household]
    return of_each


def _draw_all_given(members: Members, origin: Codes, random: Generator) -> Texts:
    """Given names; children of newcomers often get British ones; siblings differ."""
    year = 1970 + (members.birth + random.normal(0, 3 * DAYS_A_YEAR, len(origin))) / DAYS_A_YEAR
    style = origin.copy()
    style[(year > 1995) & (random.random(len(origin)) < 0.2)] = 0
    given = _given_of(style, members.sex, year.astype(np.int64), random)
    for _ in range(3):
        again = _repeated_siblings(members, given)
        given[again] = _given_of(
            style[again], members.sex[again], year[again].astype(np.int64), random
        )
    father = _first_male(members)
    sons = (members.role == Role.CHILD) & (members.sex == MALE) & (father >= 0)
    eldest = np.flatnonzero(sons & (random.random(len(origin)) < NAMESAKE_SONS))
    given[eldest] = given[father[eldest]]
    return given


def _given_of(style: Codes, sex: Integers, year: Integers, random: Generator) -> Texts:
    given = np.empty(len(style), dtype=object)
    uniform = random.random(len(style))
    for number, origin in enumerate(origins()):
        at = np.flatnonzero(style == number)
        given[at] = draw_given(origin, sex=sex[at], year=year[at], uniform=uniform[at])
    return given


def _repeated_siblings(members: Members, given: Texts) -> Integers:
    """Children named like an elder brother or sister."""
    at = np.flatnonzero(members.role == Role.CHILD)
    seen: set[tuple[int, str]] = set()
    again = []
    for number, key in zip(
        at.tolist(), zip(members.household[at].tolist(), given[at], strict=True), strict=True
    ):
        if key in seen:
            again.append(number)
        seen.add(key)
    return np.array(again, dtype=np.int64)


def _first_male(members: Members) -> Integers:
    """The father in each person's household: its head or partner if a man, else -1."""
    found = np.full(int(members.household.max()) + 1, -1, dtype=np.int64)
    is_parent = np.isin(members.role, (Role.HEAD, Role.PARTNER)) & (members.sex == MALE)
    at = np.flatnonzero(is_parent)
    found[members.household[at]] = at
    of_each: Integers = found[members.household]
    return of_each


def _draw_middles(members: Members, origin: Codes, random: Generator) -> Texts:
    """One or two more given names, of a generation ago; by custom for some origins."""
    count = len(origin)
    year = (1970 + members.birth / DAYS_A_YEAR - 25).astype(np.int64)
    first = _given_of(origin, members.sex, year, random)
    second = _given_of(origin, members.sex, year, random)
    drawn = random.random(count)
    middle = kept_where(drawn < 0.72, first)
    two = np.flatnonzero(drawn < 0.10)
    middle[two] = [f"{one} {other}" for one, other in zip(first[two], second[two], strict=True)]
    for number, kind in enumerate(origins()):
        for sex, pool in enumerate(kind.middle):
            if pool is None:
                continue
            at = np.flatnonzero((origin == number) & (members.sex == sex) & (drawn < 0.8))
            middle[at] = pool.draw(random.random(len(at)))
    return middle


def _draw_known_as(given: Texts, random: Generator) -> Texts:
    """What some people are called instead."""
    table = nicknames()
    known_as = np.full(len(given), None, dtype=object)
    chosen = np.flatnonzero(random.random(len(given)) < KNOWN_BY_NICKNAME)
    picks = random.random(len(chosen))
    for at, pick in zip(chosen.tolist(), picks.tolist(), strict=True):
        names = table.get(given[at])
        if names:
            known_as[at] = names[int(pick * len(names))]
    return known_as


def _draw_families(members: Members, origin: Codes, random: Generator) -> Texts:
    """A family name by birth for everybody, their own origin's."""
    family = np.empty(len(origin), dtype=object)
    uniform = random.random(len(origin))
    for number, kind in enumerate(origins()):
        for sex in (MALE, FEMALE):
            at = np.flatnonzero((origin == number) & (members.sex == sex))
            family[at] = kind.family[sex].draw(uniform[at])
    return family


def _marry(named: Named, members: Members, random: Generator) -> None:
    """Wives of most couples take the husband's family name on the wedding day."""
    husband = _first_male(members)
    is_wife = np.isin(members.role, (Role.HEAD, Role.PARTNER)) & (members.sex == FEMALE)
    wives = np.flatnonzero(is_wife & (husband >= 0))
    age = (EXTRACT_DAY - members.birth[wives]) / DAYS_A_YEAR
    takes = np.array([origin.takes_name for origin in origins()])[named.origin[husband[wives]]]
    married = random.random(len(wives)) < np.interp(age, *MARRIED) * takes
    at = wives[married]
    _rename(named, at, named.family[husband[at]], members, random)
    women_alone = (members.role == Role.HEAD) & (members.sex == FEMALE) & (husband < 0)
    older = EXTRACT_DAY - members.birth > 45 * DAYS_A_YEAR
    widowed = np.flatnonzero(women_alone & older & (random.random(len(husband)) < 0.6))
    strangers = _draw_families(members, named.origin, random)
    _rename(named, widowed, strangers[widowed], members, random)


def _rename(named: Named, at: Integers, new: Texts, members: Members, random: Generator) -> None:
    """Marriage at 19 to 45: the day, the name before, sometimes both names with a hyphen."""
    age = np.clip(random.normal(28.5, 5.5, len(at)), 18.5, 60)
    age = np.minimum(age, (EXTRACT_DAY - members.birth[at]) / DAYS_A_YEAR - 0.05)
    named.family_changed[at] = members.birth[at] + (age * DAYS_A_YEAR).astype(np.int64)
    named.family_before[at] = named.family[at]
    both = random.random(len(at)) < DOUBLE_BARRELLED
    named.family[at] = [
        f"{old}-{name}" if joins and "-" not in old + name else name
        for old, name, joins in zip(named.family[at], new, both, strict=True)
    ]


def _name_children(named: Named, members: Members, random: Generator) -> None:
    """Children mostly bear the father's name; else the mother's, both, or an absent father's."""
    father = _first_male(members)
    head = _head_of(members)
    is_child = (members.role == Role.CHILD) | (members.role == Role.ELDER)
    custom = random.random(len(father))[members.household]
    with_father = np.flatnonzero(is_child & (father >= 0) & (custom < 0.88))
    named.family[with_father] = named.family[father[with_father]]
    both = np.flatnonzero(is_child & (father >= 0) & (custom >= 0.96))
    named.family[both] = [
        f"{one}-{other}" if "-" not in one + other and one != other else one
        for one, other in zip(named.family[head[both]], named.family[father[both]], strict=True)
    ]
    mothers = np.flatnonzero(
        is_child
        & (((father < 0) & (custom < 0.6)) | ((father >= 0) & (custom >= 0.88) & (custom < 0.96)))
    )
    named.family[mothers] = named.family[head[mothers]]
    absent = np.flatnonzero(is_child & (father < 0) & (custom >= 0.6))
    first = _first_child(members)
    named.family[absent] = named.family[first[absent]]


def _first_child(members: Members) -> Integers:
    """For each person, one fixed child of the household, whose drawn family name all share."""
    found = np.zeros(int(members.household.max()) + 1, dtype=np.int64)
    at = np.flatnonzero(members.role == Role.CHILD)[::-1]
    found[members.household[at]] = at
    of_each: Integers = found[members.household]
    return of_each


def _follow_customs(named: Named, members: Members, random: Generator) -> None:
    """Singh and Kaur as last names, Begum and Bibi, -ski and -ska."""
    sikh = named.origin == ORIGIN_NAMES.index("sikh")
    religious = sikh & (random.random(len(sikh)) < 0.4)
    named.family[religious & (members.sex == MALE)] = "Singh"
    named.family[religious & (members.sex == FEMALE)] = "Kaur"
    muslim = named.origin == ORIGIN_NAMES.index("muslim_south_asian")
    girls = np.flatnonzero(
        muslim & (members.sex == FEMALE) & (members.role == Role.CHILD) & _half(random, len(sikh))
    )
    custom: Origin = origins()[ORIGIN_NAMES.index("muslim_south_asian")]
    named.family[girls] = custom.family[FEMALE].draw(random.random(len(girls)))
    polish = named.origin == ORIGIN_NAMES.index("polish")
    women = np.flatnonzero(polish & (members.sex == FEMALE))
    named.family[women] = [feminine(name) for name in named.family[women]]


def _half(random: Generator, count: int) -> Flags:
    half: Flags = random.random(count) < 0.5
    return half


def _change_others(named: Named, members: Members, random: Generator) -> None:
    """Divorce, a stepfather's name, a deed poll: changes in the last years of men and women."""
    count = len(named.given)
    share = np.where(members.sex == FEMALE, RECENT_CHANGES[1], RECENT_CHANGES[0])
    age = (EXTRACT_DAY - members.birth) / DAYS_A_YEAR
    likely = np.interp(age, [0, 3, 16, 25, 40, 60, 80], [0.3, 0.6, 0.7, 1.7, 1.6, 0.7, 0.2])
    chosen = np.flatnonzero(random.random(count) < share * likely)
    others = _draw_families(members, named.origin, random)
    ago = (random.random(len(chosen)) * np.minimum(12.0, age[chosen]) * DAYS_A_YEAR).astype(
        np.int64
    )
    changed = named.family_before[chosen] != None  # noqa: E711  (elementwise)
    named.family_before[chosen] = np.where(changed, named.family_before[chosen], others[chosen])
    named.family_changed[chosen] = EXTRACT_DAY - ago


def part_twins(members: Members, named: Named, random: Generator) -> None:
    """Makes twins of some people of one origin and age who live alone: grown up, and apart.

    Changes entries of `members` and `named` in place.

    They share a birth date and a family name with somebody in another house.
    """
    size = np.bincount(members.household)[members.household]
    age = EXTRACT_DAY - members.birth
    alone = (members.role == Role.HEAD) & (size == 1) & (age < 75 * DAYS_A_YEAR)
    never_renamed = named.family_changed == NEVER
    at = np.flatnonzero(alone & never_renamed & (named.origin == 0))
    at = at[np.argsort(members.birth[at], kind="stable")]
    one, other = at[0 : len(at) - 1 : 2], at[1::2]
    share = GROWN_TWINS * len(members.birth) / max(2 * len(one), 1)
    differ = named.given[one] != named.given[other]
    chosen = differ & (random.random(len(one)) < share)
    one, other = one[chosen], other[chosen]
    members.birth[other] = members.birth[one]
    named.family[other] = named.family[one]
    members.twin[one], members.twin[other] = 1, 2
