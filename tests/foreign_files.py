"""Files of people that nothing in the project has ever seen, with who is who.

Names, errors and layouts are made here from scratch and share nothing with the synthetic region or
with the benchmarks: keys of a typewriter, look-alikes of a scanner, names cut off, halves of double
surnames, fields exchanged, ZIP codes with four more digits, twins whose names rhyme.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Final

Row = dict[str, str]
Copies = Callable[[random.Random], int]

KEYS: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
SCANNED: Final = {"l": "1", "o": "0", "m": "rn", "d": "cl", "e": "c", "s": "5", "b": "6", "g": "9"}
HEARD: Final = (("ph", "f"), ("cz", "ch"), ("sz", "sh"), ("z", "s"), ("c", "k"), ("ie", "y"))
NICKNAMES: Final = {"elizabeth": "liz", "william": "bill", "margaret": "maggie", "robert": "bob"}
RHYMES: Final = (("ella", "bella"), ("jayden", "kayden"), ("anna", "hanna"), ("aidan", "nadian"))
WOMEN: Final = (
    "elizabeth", "margaret", "ella", "bella", "anna", "hanna", "zofia", "agnieszka", "lucia",
    "carmen", "ngozi", "ifeoma", "priya", "meera", "fatima", "leila", "ingrid", "astrid", "noemi",
    "chiara", "dorota", "wanda", "paloma", "beatriz", "rosalind", "edith",
)  # fmt: skip
MEN: Final = (
    "william", "robert", "jayden", "kayden", "aidan", "nadian", "krzysztof", "zbigniew",
    "alejandro", "joaquin", "chukwu", "emeka", "rajesh", "vikram", "omar", "yusuf", "bjorn",
    "sven", "matteo", "giorgio", "tadeusz", "bogdan", "rodrigo", "ignacio", "rupert", "hugh",
)  # fmt: skip
STARTS: Final = (
    "wal", "kow", "ber", "mor", "gar", "fern", "thorn", "ash", "oko", "ade", "pat", "shar",
    "lind", "bran", "hol", "mar", "rod", "zie",
)  # fmt: skip
MIDDLES: Final = "", "a", "er", "in", "o", "es", "ul"
ENDS: Final = (
    "ski", "ez", "son", "ton", "wicz", "ley", "ham", "berg", "dez", "ia", "kwu", "man", "stein",
    "ford",
)  # fmt: skip
STREETS: Final = (
    "elm", "oak", "station", "mill", "church", "park", "river", "bridge", "king", "queen", "lake",
    "hill",
)  # fmt: skip
KINDS: Final = ("street", "avenue", "road", "lane")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignFile:
    """How one file is made; probabilities are of each copy."""

    name: str
    columns: tuple[str, ...] = (
        "given_name", "family_name", "date_of_birth", "sex", "postcode", "address", "town", "phone",
    )  # fmt: skip
    people: int = 500
    copies: Copies = field(default=lambda chance: 1 + (chance.random() < 0.6))
    sources: tuple[str, ...] = ()
    """With sources every copy is of another one."""
    slip: float = 0.05
    """Of each field."""
    gap: float = 0.02
    exchanged: float = 0.01
    cut_at: int = 0
    """Characters that a name may have, if above 0."""
    double_surnames: bool = False
    twins: float = 0.02
    date_styles: tuple[str, ...] = ("%d/%m/%Y",)

    def make(self, seed: int) -> tuple[list[Row], list[int]]:
        """Rows in random order and the human of each."""
        chance = random.Random(seed)
        told = [
            (self._copy(person, number, chance), human)
            for human, person in enumerate(_people(self, chance))
            for number in range(min(self.copies(chance), len(self.sources) or 99))
        ]
        chance.shuffle(told)
        return [row for row, _ in told], [human for _, human in told]

    def _copy(self, person: Row, number: int, chance: random.Random) -> Row:
        row = dict(person)
        if chance.random() < 0.05:
            row |= _home(chance)
        if row["given_name"] in NICKNAMES and chance.random() < 0.2:
            row["given_name"] = NICKNAMES[row["given_name"]]
        if " " in row["family_name"] and chance.random() < 0.3:
            row["family_name"] = row["family_name"].split()[0]
        born = date.fromisoformat(row["date_of_birth"])
        style = chance.choice(self.date_styles)
        row["date_of_birth"] = born.strftime(style)
        for name in self.columns:
            if chance.random() < self.slip:
                row[name] = _slipped(row[name], chance)
            if chance.random() < self.gap:
                row[name] = ""
        if chance.random() < self.exchanged:
            row["given_name"], row["family_name"] = row["family_name"], row["given_name"]
        if self.cut_at:
            for name in ("given_name", "family_name"):
                row[name] = row[name][: self.cut_at]
        kept = {name: row[name] for name in self.columns}
        return kept | ({"source": self.sources[number]} if self.sources else {})


def write(rows: list[Row], path: Path) -> Path:
    """As CSV; the record id is the row's number, from 0."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["record_id", *rows[0]])
        writer.writeheader()
        writer.writerows({"record_id": str(at), **row} for at, row in enumerate(rows))
    return path


def _people(kind: ForeignFile, chance: random.Random) -> list[Row]:
    found: list[Row] = []
    while len(found) < kind.people:
        home, family = _home(chance), _family(kind, chance)
        for _ in range(chance.choice((1, 1, 2, 3, 4))):
            found.append(_person(home, family, chance))
            if chance.random() < kind.twins:
                found += _twins(home, family, chance)
    return found[: kind.people]


def _person(home: Row, family: str, chance: random.Random) -> Row:
    sex = chance.choice("FM")
    born = date(1930, 1, 1) + timedelta(days=chance.randrange(90 * 365))
    given = chance.choice(WOMEN if sex == "F" else MEN)
    return {
        "given_name": given, "family_name": family, "date_of_birth": born.isoformat(), "sex": sex,
        "email": f"{given}{chance.randrange(9_999)}@example.org", **home,
        "phone": f"07{chance.randrange(10**8, 10**9)}",
        "nhs_number": str(chance.randrange(10**10, 10**11)),
    }  # fmt: skip


def _twins(home: Row, family: str, chance: random.Random) -> list[Row]:
    pair = chance.choice(RHYMES)
    one = _person(home, family, chance)
    other = _person(home, family, chance)
    shared = {"date_of_birth": one["date_of_birth"], "sex": one["sex"]}
    return [
        each | shared | {"given_name": name} for each, name in zip((one, other), pair, strict=True)
    ]


def _family(kind: ForeignFile, chance: random.Random) -> str:
    names = [
        chance.choice(STARTS) + chance.choice(MIDDLES) + chance.choice(ENDS)
        for _ in range(1 + kind.double_surnames)
    ]
    return " ".join(names)


def _home(chance: random.Random) -> Row:
    town = chance.randrange(40)
    zip_code = f"{10_000 + 97 * town + chance.randrange(5):05d}"
    more = f"-{chance.randrange(1_000, 9_999)}" if chance.random() < 0.3 else ""
    street = f"{chance.choice(STREETS)} {chance.choice(KINDS)}"
    return {
        "address": f"{chance.randrange(1, 300)} {street}",
        "town": f"{STARTS[town % len(STARTS)]}{KINDS[town % 4]}",
        "postcode": zip_code + more,
    }


def _slipped(text: str, chance: random.Random) -> str:
    if len(text) < 3:
        return text
    at = chance.randrange(len(text))
    kind = chance.randrange(5)
    if kind == 0:
        return text[:at] + SCANNED.get(text[at], text[at]) + text[at + 1 :]
    if kind == 1:
        for old, new in HEARD:
            if old in text:
                return text.replace(old, new, 1)
    row = next((keys for keys in KEYS if text[at] in keys), "")
    if kind == 2 and row:
        place = row.index(text[at])
        return text[:at] + row[place - 1 if place else 1] + text[at + 1 :]
    if kind == 3:
        return text[:at] + text[at + 1 :]
    return text[:at] + text[at + 1 : at + 2] + text[at] + text[at + 2 :]


def skewed(chance: random.Random) -> int:
    """One to ten copies, few people with many."""
    return min(1 + int(chance.expovariate(0.6)), 10)


_NAMES: Final = ("given_name", "family_name")
FOREIGN_FILES: Final = (
    ForeignFile(name="typed twice", slip=0.08),
    ForeignFile(name="names cut off", cut_at=7),
    ForeignFile(name="double surnames, halves lost", double_surnames=True),
    ForeignFile(name="names in each other's column", exchanged=0.1),
    ForeignFile(name="two registers, one record each", sources=("north", "south")),
    ForeignFile(name="many copies, no source", copies=skewed, people=250),
    ForeignFile(name="rhyming twins in many homes", twins=0.3),
    ForeignFile(name="dates in any style", date_styles=("%d.%m.%Y", "%Y-%m-%d", "%d %B %Y")),
    ForeignFile(name="no birth dates", columns=(*_NAMES, "sex", "postcode", "address", "phone")),
    ForeignFile(name="no home", columns=(*_NAMES, "date_of_birth", "sex", "email")),
    ForeignFile(name="half the cells empty", gap=0.35),
    ForeignFile(name="a number of another country, often missing",
                columns=(*_NAMES, "date_of_birth", "nhs_number"), gap=0.2),
)  # fmt: skip
