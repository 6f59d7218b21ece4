"""Foreign-like files: other countries, other errors, missing columns, many duplicates or none."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from benchmarks.cases.errors import Errors, corrupted
from benchmarks.cases.people import (
    AMERICAN,
    DUTCH,
    GERMAN,
    INDIAN,
    MEXICAN,
    POLISH,
    TURKISH,
    VIETNAMESE,
    Culture,
    Households,
    Row,
    Town,
)
from benchmarks.cases.table import LabelledFile

EVERY: Final = (
    "given_name", "middle_name", "family_name", "date_of_birth", "sex", "postcode", "address",
    "town", "phone", "email", "nhs_number",
)  # fmt: skip
NO_NUMBER: Final = tuple(name for name in EVERY if name != "nhs_number")

Copies = Callable[[random.Random], int]


def one_or_two(share: float) -> Copies:
    """A second record of so many people: a share, 0..1."""
    return lambda chance: 1 + (chance.random() < share)


def skewed(chance: random.Random) -> int:
    """One to eight records, few people with many."""
    return min(1 + int(chance.expovariate(0.8)), 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One file; two sources if `is_two_sources`, else one."""

    name: str
    culture: Culture
    columns: tuple[str, ...] = NO_NUMBER
    people: int = 3_000
    copies: Copies = field(default=one_or_two(0.5))
    is_two_sources: bool = False
    errors: Errors = field(default=Errors())
    households: Households = field(default=Households())


HEAVY: Final = Errors(
    key=0.10, ear=0.06, gap=0.06, moved=0.2, new_family=0.04, swapped_names=0.02, swapped_date=0.02,
    initial=0.03, wrong_sex=0.02,
)  # fmt: skip
"""Probabilities of errors, several times those of an ordinary file."""

RECIPES: Final = (
    Recipe(name="american, one source", culture=AMERICAN),
    Recipe(name="american with a number", culture=AMERICAN, columns=EVERY),
    Recipe(name="polish, two sources", culture=POLISH, is_two_sources=True),
    Recipe(
        name="polish with a number, many gaps", culture=POLISH, columns=EVERY, is_two_sources=True,
        errors=Errors(gap=0.15, gaps={"nhs_number": 0.4}),
    ),
    Recipe(name="german, many errors", culture=GERMAN, errors=HEAVY),
    Recipe(
        name="german, names and birth dates only", culture=GERMAN,
        columns=("given_name", "family_name", "date_of_birth"),
    ),
    Recipe(name="indian, two sources, many errors", culture=INDIAN, is_two_sources=True,
           errors=HEAVY),
    Recipe(
        name="indian, no birth dates", culture=INDIAN,
        columns=("given_name", "family_name", "sex", "address", "town", "postcode", "phone"),
    ),
    Recipe(
        name="mexican, no address", culture=MEXICAN,
        columns=("given_name", "middle_name", "family_name", "date_of_birth", "sex", "phone",
                 "email"),
    ),
    Recipe(name="vietnamese, few family names", culture=VIETNAMESE, is_two_sources=True),
    Recipe(name="dutch, a slip of the ear in every third name", culture=DUTCH,
           errors=Errors(ear=0.33)),
    Recipe(name="american, scanned", culture=AMERICAN, errors=Errors(scanner=0.2),
           is_two_sources=True),
    Recipe(
        name="turkish, fields swapped", culture=TURKISH,
        errors=Errors(swapped_names=0.15, swapped_date=0.1),
    ),
    Recipe(name="american, no duplicates", culture=AMERICAN, copies=one_or_two(0.0)),
    Recipe(name="dutch, many duplicates", culture=DUTCH, copies=skewed, people=1_500),
    Recipe(name="german, many duplicates and errors", culture=GERMAN, copies=skewed, errors=HEAVY,
           people=1_500),
    Recipe(
        name="american, twins and namesakes", culture=AMERICAN,
        households=Households(twins=0.4, namesakes=0.25),
    ),
    Recipe(
        name="american, near-twins in every home", culture=AMERICAN, people=2_000, copies=skewed,
        columns=("given_name", "family_name", "date_of_birth", "sex", "postcode", "address",
                 "phone"),
        households=Households(twins=1.0, alike=1.0),
    ),
    Recipe(
        name="german, near-twins, two sources", culture=GERMAN, people=2_000, is_two_sources=True,
        columns=("given_name", "family_name", "date_of_birth", "sex", "postcode", "address"),
        households=Households(twins=1.0, alike=0.7),
    ),
    Recipe(
        name="polish, twins, names and town only", culture=POLISH,
        columns=("given_name", "family_name", "date_of_birth", "sex", "town"),
        households=Households(twins=0.3, namesakes=0.1),
    ),
    Recipe(
        name="american, half the cells empty", culture=AMERICAN, columns=EVERY,
        errors=Errors(gap=0.4, gaps={"given_name": 0.1, "family_name": 0.1}),
    ),
    Recipe(name="german, a hundred people", culture=GERMAN, people=100),
    Recipe(
        name="american, telephone and e-mail only beside names", culture=AMERICAN,
        columns=("given_name", "family_name", "phone", "email"),
    ),
    Recipe(
        name="mexican, no given names", culture=MEXICAN,
        columns=("family_name", "date_of_birth", "sex", "postcode", "address", "phone"),
    ),
)  # fmt: skip
"""All files, with their shares of duplicates and probabilities of errors where not the usual."""


def foreign_file(recipe: Recipe, seed: int) -> LabelledFile:
    """The recipe's rows in random order; the same for the same seed."""
    chance = random.Random(seed)
    town = Town(recipe.culture, recipe.households, seed)
    rows: list[Row] = []
    humans: list[int] = []
    for human, person in enumerate(town.people(recipe.people)):
        for source in _sources(recipe, chance):
            row = corrupted(person, recipe.errors, town, chance)
            kept = {name: row[name] for name in recipe.columns}
            rows.append(kept | ({"source": source} if recipe.is_two_sources else {}))
            humans.append(human)
    order = list(range(len(rows)))
    chance.shuffle(order)
    return LabelledFile(recipe.name, [rows[at] for at in order], [humans[at] for at in order])


def _sources(recipe: Recipe, chance: random.Random) -> list[str]:
    copies = recipe.copies(chance)
    if not recipe.is_two_sources:
        return ["" for _ in range(copies)]
    return ["north", "south"] if copies > 1 else [chance.choice(("north", "south"))]
