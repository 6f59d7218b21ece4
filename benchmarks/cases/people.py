"""Invented people of other countries, in households: parents, children, twins, namesakes.

Names and addresses are those that Faker lists for a country, so that neither the names nor their
frequencies are those of the region on which the shipped model was trained. Faker is a dependency
of the benchmarks only.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import SequenceMatcher
from typing import Any, Final

from faker import Faker

NEWEST_BIRTH: Final = date(2023, 12, 31)
ADULT_DAYS: Final = (20 * 365, 88 * 365)
CHILD_GAP_DAYS: Final = (19 * 365, 40 * 365)
PARTNER_DAYS: Final = 2_500
TOWNS: Final = 60
NAMES_CONSIDERED: Final = 200
SIZES: Final = ((1, 2, 3, 4, 5), (0.35, 0.3, 0.15, 0.13, 0.07))
"""People of a household, and the share of households of each size."""

Row = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Culture:
    """How people of one country are called, live and write."""

    locale: str
    dates: str = "%d/%m/%Y"
    """As `strftime` takes it."""
    has_middle: bool = False
    feminine: tuple[tuple[str, str], ...] = ()
    """Endings of family names, a man's and a woman's."""
    number_digits: int = 9
    """Of the national number; it has no check digit."""


AMERICAN: Final = Culture(locale="en_US", dates="%m/%d/%Y", has_middle=True)
POLISH: Final = Culture(
    locale="pl_PL", dates="%d.%m.%Y", feminine=(("ski", "ska"), ("cki", "cka")), number_digits=11
)
GERMAN: Final = Culture(locale="de_DE", dates="%d.%m.%Y")
INDIAN: Final = Culture(locale="en_IN", dates="%d-%m-%Y", number_digits=12)
MEXICAN: Final = Culture(locale="es_MX", dates="%Y-%m-%d", has_middle=True)
VIETNAMESE: Final = Culture(locale="vi_VN", dates="%d/%m/%Y")
DUTCH: Final = Culture(locale="nl_NL", dates="%d-%m-%Y")
TURKISH: Final = Culture(locale="tr_TR", dates="%d.%m.%Y", number_digits=11)


@dataclass(frozen=True, slots=True, kw_only=True)
class Households:
    """What households are like; all are probabilities."""

    twins: float = 0.015
    """That a child is born with a twin."""
    alike: float = 0.0
    """That twins get the most similar of two hundred names."""
    namesakes: float = 0.01
    """That a child is called as its parent of the same sex."""
    takes_name: float = 0.6
    """That partners share a family name."""


class Town:
    """A seeded place that people of one culture live in."""

    def __init__(self, culture: Culture, households: Households, seed: int) -> None:
        self.culture, self.households = culture, households
        self.chance = random.Random(seed)
        self.fake: Any = Faker(culture.locale)
        self.fake.seed_instance(seed)
        self.towns = [(self.fake.city(), self._postcodes()) for _ in range(TOWNS)]
        self.numbers: set[str] = set()

    def people(self, count: int) -> list[Row]:
        """So many people, whole households one after another but for the last."""
        found: list[Row] = []
        while len(found) < count:
            found.extend(self._household())
        return found[:count]

    def home(self) -> Row:
        """An address; streets recur in a town."""
        town, postcodes = self.chance.choice(self.towns)
        return {
            "address": self.fake.street_address().replace("\n", " "),
            "town": town,
            "postcode": self.chance.choice(postcodes),
        }

    def phone(self) -> str:
        """Ten digits at random."""
        return "".join(str(self.chance.randrange(10)) for _ in range(10))

    def given_name(self, sex: str) -> str:
        """A name of a woman (`F`) or a man, as often as Faker gives it."""
        return str(self.fake.first_name_female() if sex == "F" else self.fake.first_name_male())

    def family_name(self) -> str:
        """A family name as a man bears it; see `Culture.feminine`."""
        return str(self.fake.last_name_male())

    def _postcodes(self) -> list[str]:
        return [str(self.fake.postcode()) for _ in range(8)]

    def _household(self) -> Iterator[Row]:
        chance, home = self.chance, self.home()
        size = chance.choices(*SIZES)[0]
        phone = self.phone()
        older = NEWEST_BIRTH - timedelta(days=chance.randint(*ADULT_DAYS))
        head = self._person(chance.choice("MF"), self.family_name(), older, home, phone)
        yield head
        adults = [head]
        if size > 1:
            other = "F" if head["sex"] == "M" else "M"
            shares = chance.random() < self.households.takes_name
            family = head["_family"] if shares else self.family_name()
            born = older + timedelta(days=chance.randint(-PARTNER_DAYS, PARTNER_DAYS))
            adults.append(self._person(other, family, min(born, NEWEST_BIRTH), home, phone))
            yield adults[1]
        for _ in range(size - 2):
            yield from self._children(adults, older, home, phone)

    def _children(self, adults: list[Row], older: date, home: Row, phone: str) -> Iterator[Row]:
        chance = self.chance
        born = older + timedelta(days=chance.randint(*CHILD_GAP_DAYS))
        if born > NEWEST_BIRTH:
            return
        child = self._person(chance.choice("MF"), adults[0]["_family"], born, home, phone)
        for adult in adults:
            if adult["sex"] == child["sex"] and chance.random() < self.households.namesakes:
                child["given_name"] = adult["given_name"]
        yield child
        if chance.random() < self.households.twins:
            twin = self._twin(child, born, home)
            if twin["given_name"] != child["given_name"]:
                yield twin

    def _twin(self, child: Row, born: date, home: Row) -> Row:
        if self.chance.random() >= self.households.alike:
            sex = self.chance.choice("MF")
            return self._person(sex, child["_family"], born, home, child["phone"])
        twin = self._person(child["sex"], child["_family"], born, home, child["phone"])
        names = {self.given_name(child["sex"]) for _ in range(NAMES_CONSIDERED)}
        names.discard(child["given_name"])
        twin["given_name"] = max(
            sorted(names),
            key=lambda name: SequenceMatcher(None, name, child["given_name"]).ratio(),
        )
        return twin

    def _person(self, sex: str, family: str, born: date, home: Row, phone: str) -> Row:
        given = self.given_name(sex)
        number = self._number()
        middle = self.given_name(sex) if self.culture.has_middle else ""
        return {
            "_family": family,
            "nhs_number": number,
            "given_name": given,
            "middle_name": middle if self.chance.random() < 0.7 else "",
            "family_name": self._inflected(family, sex),
            "date_of_birth": born.strftime(self.culture.dates),
            "sex": sex,
            "phone": phone if self.chance.random() < 0.5 else self.phone(),
            "email": f"{given}.{family}{self.chance.randrange(1000)}@example.com".lower(),
            **home,
        }

    def _inflected(self, family: str, sex: str) -> str:
        for man, woman in self.culture.feminine if sex == "F" else ():
            if family.endswith(man):
                return family.removesuffix(man) + woman
        return family

    def _number(self) -> str:
        while True:
            digits = self.culture.number_digits
            number = str(self.chance.randrange(10 ** (digits - 1), 10**digits))
            if number not in self.numbers:
                self.numbers.add(number)
                return number
