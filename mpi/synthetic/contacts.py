"""Telephones, e-mails, titles, languages: what people share and change, and few sources agree on.

Every number and address is invented: e-mails lie in domains reserved for examples (RFC 2606),
telephone numbers are drawn at random and belong to nobody on purpose.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from mpi.synthetic.family_life import Moves
from mpi.synthetic.households import DAYS_A_YEAR, EXTRACT_DAY, Members, Role
from mpi.synthetic.names import FEMALE, origins
from mpi.synthetic.naming import Named
from mpi.synthetic.people import Flags, Floats, Texts
from mpi.synthetic.places import Dwellings

EMAIL_DOMAINS: Final = ("example.com", "example.org", "example.net", "mail.example", "post.example")
LANDLINE_BY_AGE: Final = ((18, 30, 45, 60, 75), (0.25, 0.4, 0.7, 0.9, 0.95))
MOBILE_BY_AGE: Final = ((10, 14, 20, 60, 75, 90), (0.05, 0.8, 0.97, 0.93, 0.7, 0.3))
EMAIL_BY_AGE: Final = ((14, 18, 30, 60, 75, 90), (0.1, 0.6, 0.75, 0.6, 0.35, 0.1))
"""Ages in years, and the share of people of each age who have one; between ages it is interpolated.
A landline is a household's, by the age of its head."""
SHARED_EMAIL: Final = 0.12
"""Share of people who give the e-mail address of the head of the household."""


@dataclass(frozen=True, slots=True)
class Contacts:
    """How people are reached, and what is written of them beside; one entry a person.

    Texts, None where there is nothing; people of one household share a landline.
    """

    landline: Texts
    mobile: Texts
    mobile_before: Texts
    email: Texts
    email_before: Texts
    title: Texts
    ethnic: Texts
    language: Texts


def draw_contacts(
    members: Members, named: Named, moves: Moves, dwellings: Dwellings, random: Generator
) -> Contacts:
    """How to reach everybody, and what else sources write down without comparing it.

    Takes and gives one entry a person, in the order of `members`.
    """
    age = (EXTRACT_DAY - members.birth) / DAYS_A_YEAR
    ethnic, language = _origin_facts(named, random)
    return Contacts(
        landline=_landlines(members, age, moves, dwellings, random),
        mobile=_mobiles(random.random(len(age)) < np.interp(age, *MOBILE_BY_AGE), random),
        mobile_before=_mobiles(random.random(len(age)) < 0.5, random),
        email=_emails(members, named, age, random),
        # Of its own generator, so that nothing else of the region depends on it.
        email_before=_emails(members, named, age, random.spawn(1)[0]),
        title=_titles(members, named, age, random),
        ethnic=ethnic,
        language=language,
    )


def _landlines(
    members: Members, age: Floats, moves: Moves, dwellings: Dwellings, random: Generator
) -> Texts:
    """One number a household or institution."""
    households = int(members.household.max()) + 1
    head_age = np.zeros(households)
    head_age[members.household] = age
    home = np.zeros(households, dtype=np.int64)
    home[members.household] = moves.home
    digits = random.integers(200_000, 900_000, households).tolist()
    numbers = np.empty(households, dtype=object)
    numbers[:] = [
        f"{code} {number}" for code, number in zip(dwellings.phone_code[home], digits, strict=True)
    ]
    numbers[random.random(households) > np.interp(head_age, *LANDLINE_BY_AGE)] = None
    return numbers[members.household]


def _mobiles(has: Flags, random: Generator) -> Texts:
    at = np.flatnonzero(has)
    mobiles = np.full(len(has), None, dtype=object)
    first = random.integers(300, 1000, len(at)).tolist()
    last = random.integers(0, 1_000_000, len(at)).tolist()
    mobiles[at] = [f"07{one} {other:06d}" for one, other in zip(first, last, strict=True)]
    return mobiles


def _emails(members: Members, named: Named, age: Floats, random: Generator) -> Texts:
    at = np.flatnonzero(random.random(len(age)) < np.interp(age, *EMAIL_BY_AGE))
    emails = np.full(len(age), None, dtype=object)
    numbers = random.integers(1, 2000, len(at)).tolist()
    domains = random.integers(0, len(EMAIL_DOMAINS), len(at)).tolist()
    columns = zip(named.given[at], named.family[at], numbers, domains, strict=True)
    emails[at] = [
        f"{_mailbox(given)}.{_mailbox(family)}{number}@{EMAIL_DOMAINS[domain]}"
        for given, family, number, domain in columns
    ]
    head = np.zeros(int(members.household.max()) + 1, dtype=np.int64)
    heads = np.flatnonzero(members.role == Role.HEAD)
    head[members.household[heads]] = heads
    sharing = np.isin(members.role, (Role.PARTNER, Role.CHILD)) & (
        random.random(len(age)) < SHARED_EMAIL
    )
    emails[sharing] = emails[head[members.household[sharing]]]
    return emails


def _mailbox(name: str) -> str:
    folded = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    return folded.replace(" ", "").replace("'", "")


def _titles(members: Members, named: Named, age: Floats, random: Generator) -> Texts:
    titles = np.full(len(age), "Mr", dtype=object)
    women = members.sex == FEMALE
    titles[women] = np.where(random.random(len(age)) < 0.7, "Miss", "Ms")[women]
    married = women & np.array([name is not None for name in named.family_before])
    titles[married] = "Mrs"
    titles[(members.sex != FEMALE) & (age < 16)] = "Master"
    titles[(age > 25) & (random.random(len(age)) < 0.015)] = "Dr"
    return titles


def _origin_facts(named: Named, random: Generator) -> tuple[Texts, Texts]:
    """Ethnic category (NHS Data Dictionary letters) and main language by origin."""
    ethnic = np.empty(len(named.origin), dtype=object)
    language = np.full(len(named.origin), "English", dtype=object)
    speaks = random.random(len(named.origin)) < 0.6
    for number, origin in enumerate(origins()):
        at = np.flatnonzero(named.origin == number)
        codes = np.array(origin.ethnic, dtype=object)
        ethnic[at] = codes[random.integers(0, len(codes), len(at))]
        language[at[speaks[at]]] = origin.language
    return ethnic, language
