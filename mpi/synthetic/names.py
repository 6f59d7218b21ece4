"""Pools of given and family names with frequencies by origin, sex and decade of birth.

Linkage lives on how common a name is, so a region of a few hundred names would flatter nobody and
fool everybody.  Common names are listed by hand in `names/`; the long tail is composed from the
parts that such names are really made of (place-names, patronymics, Gaelic and Cornish prefixes).
The exponents are set so that two people share a name as often as published (see
`mpi.synthetic.check`).

Frequencies by rank: Zipf 1949, Human behavior and the principle of least effort, with the offset of
Mandelbrot 1953, An informational theory of the statistical structure of language.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mpi.synthetic import name_parts

Texts = NDArray[np.object_]
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

MALE: Final = 0
FEMALE: Final = 1
FIRST_DECADE: Final = 1920
DECADES: Final = 10
ORDER_SEED: Final = 20180930
"""The tail is shuffled once, the same for every region: a name's rank is no matter of the seed."""
GIVEN_EXPONENT: Final = 1.3
GIVEN_OFFSET: Final = 1.0
FAMILY_EXPONENT: Final = 1.0
FAMILY_OFFSET: Final = 16.0
"""The probability of the name of rank r, from 1, is in proportion to (r + offset) ** -exponent."""
TAIL_SHARE: Final = (0.04, 0.15)
"""Share of given names outside the listed ones, for the first and the last decade."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Texts and their cumulative probabilities, one for each; a draw is one binary search."""

    texts: Texts
    cumulative: Floats

    def draw(self, uniform: Floats) -> Texts:
        """One text for each number in [0, 1), in their order."""
        at = np.searchsorted(self.cumulative, uniform, side="right")
        drawn: Texts = self.texts[np.minimum(at, len(self.texts) - 1)]
        return drawn


@dataclass(frozen=True, slots=True)
class Origin:
    """How the people of one name origin are called."""

    name: str
    share: float
    language: str
    ethnic: tuple[str, ...]
    takes_name: float
    """Probability that a wife takes her husband's family name."""
    given: tuple[tuple[Pool, ...], tuple[Pool, ...]]
    """By sex, then by decade; one pool if the decade does not matter."""
    family: tuple[Pool, Pool]
    """By sex: some languages inflect the family name."""
    middle: tuple[Pool | None, Pool | None] = field(default=(None, None))


@cache
def origins() -> tuple[Origin, ...]:
    """Every name origin of the region, the commonest first; shares add up to one."""
    tables = _toml("origins.toml")
    total = sum(table["share"] for table in tables.values())
    return tuple(_origin(name, table, total) for name, table in tables.items())


@cache
def nicknames() -> dict[str, tuple[str, ...]]:
    """Formal given name -> what its bearers are called."""
    return {line[0]: tuple(line[1:]) for line in _lines("nicknames.txt")}


@cache
def spellings() -> dict[str, tuple[str, ...]]:
    """Given name -> other spellings that clerks write for it."""
    variants: dict[str, tuple[str, ...]] = {}
    for line in _lines("spellings.txt"):
        for name in line:
            others = tuple(other for other in line if other != name)
            variants[name] = variants.get(name, ()) + others
    return variants


@cache
def family_names() -> Texts:
    """All British family names, each once, the commonest first: one entry a name."""
    listed = list(dict.fromkeys(_text("surnames_english.txt").split()))
    tail = _shuffled(name_parts.composed_family_names() - set(listed))
    return _texts(listed + tail)


def draw_given(origin: Origin, *, sex: Integers, year: Integers, uniform: Floats) -> Texts:
    """A given name for each person of one origin.

    Args:
        sex: `MALE` or `FEMALE`, one a person.
        year: Year of birth, which decides the fashion.
        uniform: Numbers in [0, 1).
    """
    drawn = np.empty(len(sex), dtype=object)
    decade = np.clip((year - FIRST_DECADE) // 10, 0, DECADES - 1)
    for one_sex, pools in enumerate(origin.given):
        for number, pool in enumerate(pools):
            chosen = (sex == one_sex) & ((decade == number) | (len(pools) == 1))
            drawn[chosen] = pool.draw(uniform[chosen])
    return drawn


def feminine(name: str) -> str:
    """The form of a Polish family name that a woman bears."""
    for ending in ("ski", "cki", "dzki"):
        if name.endswith(ending):
            return name[:-1] + "a"
    return name


def _origin(name: str, table: dict[str, Any], total: float) -> Origin:
    given = _british_given() if name == "british" else _given(table)
    family = _family(name, table)
    return Origin(
        name=name,
        share=table["share"] / total,
        language=table["language"],
        ethnic=tuple(table["ethnic"]),
        takes_name=table["takes_name"],
        given=given,
        family=family,
        middle=_middle(table),
    )


def _british_given() -> tuple[tuple[Pool, ...], tuple[Pool, ...]]:
    lists = _toml("forenames_english.toml")
    tails = name_parts.composed_given_names()
    return (
        _decade_pools(lists["male"], _shuffled(tails[MALE])),
        _decade_pools(lists["female"], _shuffled(tails[FEMALE])),
    )


def _decade_pools(lists: dict[str, str], tail: list[str]) -> tuple[Pool, ...]:
    pools = []
    for number in range(DECADES):
        listed = list(dict.fromkeys(lists[str(FIRST_DECADE + 10 * number)].split()))
        share = TAIL_SHARE[0] + (TAIL_SHARE[1] - TAIL_SHARE[0]) * number / (DECADES - 1)
        weights = np.concatenate(
            [
                (1 - share) * _normal(_zipf(len(listed), GIVEN_EXPONENT, GIVEN_OFFSET)),
                share * _normal(_zipf(len(tail), 0.6, 10.0)),
            ]
        )
        pools.append(_pool(listed + tail, weights))
    return tuple(pools)


def _given(table: dict[str, Any]) -> tuple[tuple[Pool, ...], tuple[Pool, ...]]:
    if "first_part" in table:
        composed = _composed(table["first_part"].split(), table["second_part"].split())
        pool = _ranked(composed, 0.7, 10.0)
        return ((pool,), (pool,))
    return (
        (_ranked(table["male"].split(), 0.8, 2.0),),
        (_ranked(table["female"].split(), 0.8, 2.0),),
    )


def _composed(first: list[str], second: list[str]) -> list[str]:
    names = [f"{left}{right.lower()}" for left, right in product(first, second)]
    return _shuffled(set(names))


def _family(name: str, table: dict[str, Any]) -> tuple[Pool, Pool]:
    if name == "british":
        pool = _ranked(list(family_names()), FAMILY_EXPONENT, FAMILY_OFFSET)
        return pool, pool
    listed = [word.replace("-", " ") if word[0].islower() else word for word in _words(table)]
    if table.get("gendered"):
        listed += _shuffled(name_parts.composed_polish_names() - set(listed))
        pool = _ranked(listed, 0.7, 8.0)
        return pool, Pool(_texts([feminine(text) for text in listed]), pool.cumulative)
    if table.get("double"):
        pairs = _shuffled({f"{a} {b}" for a, b in product(listed, listed) if a != b})
        listed = listed + pairs[:3000]
    male = _ranked(listed, 0.75, 5.0)
    female = _ranked(table["female_family"].split(), 0.8, 1.0) if "female_family" in table else male
    return male, female


def _words(table: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(table["family"].split()))


def _middle(table: dict[str, Any]) -> tuple[Pool | None, Pool | None]:
    both = table.get("middle")
    texts = (table.get("male_middle", both), table.get("female_middle", both))
    pools = [_ranked(text.split(), 0.7, 2.0) if text else None for text in texts]
    return pools[MALE], pools[FEMALE]


def _ranked(texts: list[str], exponent: float, offset: float) -> Pool:
    return _pool(texts, _zipf(len(texts), exponent, offset))


def _pool(texts: list[str], weights: Floats) -> Pool:
    return Pool(_texts(texts), np.cumsum(_normal(weights)))


def _zipf(count: int, exponent: float, offset: float) -> Floats:
    """Zipf-Mandelbrot weights by rank, the commonest first."""
    ranks: Floats = 1.0 / (np.arange(count, dtype=np.float64) + 1.0 + offset) ** exponent
    return ranks


def _normal(weights: Floats) -> Floats:
    shares: Floats = weights / weights.sum()
    return shares


def _shuffled(texts: set[str]) -> list[str]:
    ordered = sorted(texts)
    order = np.random.Generator(np.random.PCG64(ORDER_SEED)).permutation(len(ordered))
    return [ordered[at] for at in order]


def _texts(texts: list[str]) -> Texts:
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads(_text(name))


def _lines(name: str) -> list[list[str]]:
    return [line.split() for line in _text(name).splitlines() if line and line[0] != "#"]


def _text(name: str) -> str:
    return resources.files("mpi.synthetic").joinpath("names", name).read_text(encoding="utf-8")
