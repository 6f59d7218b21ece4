"""Dwellings of the region: streets, postcodes, telephone codes, and addresses elsewhere.

A postcode stands for some 15 neighbouring addresses of one street, as in life: agreement on a
postcode alone must mean little, and a whole institution can share one.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Texts = NDArray[np.object_]
Integers = NDArray[np.int64]

UNIT_LETTERS: Final = "ABDEFGHJLNPQRSTUWXYZ"
DWELLINGS_PER_POSTCODE: Final = 15
POSTCODES_PER_SECTOR: Final = 12
"""At least; a small region has fewer sectors rather than thinner ones."""
AWAY_SHARE: Final = 0.18
"""Share of the dwellings that lie outside the region: where newcomers came from."""
AREAS: Final = ("bournemouth", "poole", "east", "west", "north")
NO_FIXED_ABODE: Final = "ZZ99 3VZ"
FLAT_SHARE: Final = 0.22
NAMED_SHARE: Final = 0.06


@dataclass(frozen=True, slots=True)
class Dwellings:
    """One entry a dwelling; those of a street and postcode are neighbours in order."""

    flat: Texts
    """`Flat 3`, or None."""
    house: Texts
    """`12`, or `Rose Cottage`."""
    street: Texts
    locality: Texts
    town: Texts
    postcode: Texts
    sector: Integers
    """Equal for dwellings of one postcode sector: all but the last two letters agree."""
    area: NDArray[np.int8]
    """Index into `AREAS`; -1 outside the region."""
    phone_code: Texts
    home_count: int
    """Dwellings before this number lie in the region."""


def make_dwellings(count: int, random: Generator) -> Dwellings:
    """About `count` dwellings in the region and more outside it.

    Args:
        count: Dwellings that households live in now; a quarter more are made, to move between.
    """
    home_count = max(count + count // 4, 60)
    away_count = int(home_count * AWAY_SHARE)
    home = _home_postcodes(-(-home_count // DWELLINGS_PER_POSTCODE), random)
    away = _away_postcodes(-(-away_count // DWELLINGS_PER_POSTCODE), random)
    of_home = np.arange(home_count) // DWELLINGS_PER_POSTCODE
    of_away = np.arange(away_count) // DWELLINGS_PER_POSTCODE
    columns = {name: np.concatenate([home[name][of_home], away[name][of_away]]) for name in home}
    total = home_count + away_count
    flat, house = _houses(columns["base"], np.arange(total) % DWELLINGS_PER_POSTCODE, random)
    del columns["base"]
    return Dwellings(flat=flat, house=house, home_count=home_count, **columns)


def _home_postcodes(count: int, random: Generator) -> dict[str, NDArray[Any]]:
    """Postcodes of the region in order of district and sector, with what is common to each."""
    table = _places()["districts"]
    weights = np.array([row[2] for row in table], dtype=np.float64)
    district = np.sort(random.choice(len(table), size=count, p=weights / weights.sum()))
    outward = _column(table, 0)[district]
    columns = _inward(outward, random)
    areas = np.array([AREAS.index(row[3]) for row in table], dtype=np.int8)
    return (
        columns
        | _streets(count, random)
        | {
            "town": _column(table, 1)[district],
            "area": areas[district],
            "phone_code": _column(table, 4)[district],
        }
    )


def _away_postcodes(count: int, random: Generator) -> dict[str, NDArray[Any]]:
    table = _places()["away"]
    district = np.sort(random.integers(0, len(table), size=count))
    columns = _inward(_column(table, 0)[district], random)
    columns["sector"] += 1_000_000
    return (
        columns
        | _streets(count, random)
        | {
            "town": _column(table, 1)[district],
            "area": np.full(count, -1, dtype=np.int8),
            "phone_code": _column([["020 7"]], 0)[np.zeros(count, dtype=int)],
        }
    )


def _inward(outward: Texts, random: Generator) -> dict[str, NDArray[Any]]:
    """Distinct postcodes: sectors in order, units without repeats within the district."""
    _, first, sizes = np.unique(outward, return_index=True, return_counts=True)
    postcode = np.empty(len(outward), dtype=object)
    sector = np.empty(len(outward), dtype=np.int64)
    letters = len(UNIT_LETTERS)
    for number, (start, size) in enumerate(zip(first, sizes, strict=True)):
        sectors = min(max(size // POSTCODES_PER_SECTOR, 1), 10)
        codes = np.sort(random.choice(sectors * letters**2, size=size, replace=False))
        sector[start : start + size] = number * 100 + codes // letters**2
        for at, code in enumerate(codes.tolist(), start):
            unit = UNIT_LETTERS[code // letters % letters] + UNIT_LETTERS[code % letters]
            postcode[at] = f"{outward[at]} {code // letters**2}{unit}"
    return {"postcode": postcode, "sector": sector}


def _streets(count: int, random: Generator) -> dict[str, NDArray[Any]]:
    """A street for each postcode; long streets go on over several of them."""
    words = _places()
    first, second = words["streets_first"].split(), words["streets_second"].split()
    localities = [word.replace("-", " ") for word in words["localities"].split()]
    is_new = random.random(count) < 0.6
    is_new[:1] = True
    street_of = np.cumsum(is_new) - 1
    streets = np.empty(street_of[-1] + 1 if count else 0, dtype=object)
    picks = zip(
        random.integers(0, len(first), size=len(streets)).tolist(),
        random.integers(0, len(second), size=len(streets)).tolist(),
        strict=True,
    )
    streets[:] = [f"{first[one]} {second[two]}" for one, two in picks]
    locality = np.empty(count, dtype=object)
    chosen = np.flatnonzero(random.random(count) < 0.3)
    locality[chosen] = _texts(localities)[random.integers(0, len(localities), size=len(chosen))]
    within = np.arange(count) - np.maximum.accumulate(np.where(is_new, np.arange(count), 0))
    return {"street": streets[street_of], "locality": locality, "base": within}


def _houses(base: Integers, within: Integers, random: Generator) -> tuple[Texts, Texts]:
    """House numbers that run along the street, some flats, some names instead of numbers."""
    count = len(within)
    number = base * DWELLINGS_PER_POSTCODE + within + 1
    kind = random.random(count)
    is_flat = kind < FLAT_SHARE
    house = _texts([str(value) for value in range(int(number.max()) + 2)])[number]
    flat = np.empty(count, dtype=object)
    flat_number = random.integers(1, 13, size=count)
    flat[is_flat] = _texts([f"Flat {value}" for value in range(14)])[flat_number[is_flat]]
    house[is_flat] = house[np.maximum(np.flatnonzero(is_flat) - 1, 0)]
    is_named = kind > 1 - NAMED_SHARE
    house[is_named] = random.choice(_house_names(), size=int(is_named.sum()))
    return flat, house


@cache
def _house_names() -> Texts:
    words = _places()
    first = [word.replace("-", " ") for word in words["house_names"].split()]
    return _texts(sorted({f"{one} {two}" for one in first for two in words["house_kinds"]}))


@cache
def _places() -> dict[str, Any]:
    file = resources.files("mpi.synthetic").joinpath("places.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _column(rows: list[list[Any]], at: int) -> Texts:
    return _texts([row[at] for row in rows])


def _texts(values: list[Any]) -> Texts:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
