"""Different people who are easily taken for one: how many of them the index made one person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations, groupby, pairwise
from typing import Any, Final

import duckdb
import numpy as np

from mpi.synthetic.people import Population

HOUSEHOLD_MAX: Final = 12
"""Larger ones are institutions."""
Pair = tuple[int, int]
KINDS: Final = ("twins", "namesakes of one home", "namesakes elsewhere", "household")


def hard_pairs(people: Population) -> dict[Pair, str]:
    """Pairs of people by what they share, hardest kind first: all of one home, and namesakes."""
    found = dict.fromkeys(_namesakes_elsewhere(people), KINDS[2])
    for members in _groups(people.household):
        if len(members) <= HOUSEHOLD_MAX:
            found |= {pair: _kind(people, *pair) for pair in combinations(members, 2)}
    return found


def count_hard_cases(connection: duckdb.DuckDBPyConnection, people: Population) -> Counter[str]:
    """Pairs of each kind, and under `<kind>, linked` those with records on one person.

    Args:
        connection: Holds `known` (record, human) and `index_records` (record, person).
        people: Whom the truth knows by their number after an H.
    """
    pairs = hard_pairs(people)
    counts = Counter(pairs.values())
    for humans in connection.execute(_MERGED_SQL).fetchall():
        for pair in combinations(sorted(int(human[1:]) for human in humans[0]), 2):
            if pair in pairs:
                counts[f"{pairs[pair]}, linked"] += 1
    return counts


def hard_rows(counts: Counter[str]) -> list[tuple[Any, ...]]:
    """A row for each kind, and their sum."""
    rows = [(kind, counts[kind], counts[f"{kind}, linked"]) for kind in KINDS]
    return [*rows, ("all", sum(row[1] for row in rows), sum(row[2] for row in rows))]


_MERGED_SQL: Final = """
select list(distinct human) as humans from index_records join known using (record)
group by person having count(distinct human) > 1
"""


def _kind(people: Population, one: int, other: int) -> str:
    if people.twin[one] and people.twin[other] and people.birth[one] == people.birth[other]:
        return KINDS[0]
    names = [(people.given[who], people.family[who]) for who in (one, other)]
    return KINDS[1] if names[0] == names[1] else KINDS[3]


def _groups(values: Any) -> Iterator[list[int]]:
    order = np.argsort(values, kind="stable").tolist()
    for _, members in groupby(order, key=lambda who: values[who]):
        yield list(members)


def _namesakes_elsewhere(people: Population) -> Iterator[Pair]:
    """Each person with the one of the same given and family name who is next in age."""
    names = [f"{given} {family}" for given, family in zip(people.given, people.family, strict=True)]
    order = sorted(range(len(names)), key=lambda who: (names[who], people.birth[who]))
    for one, other in pairwise(order):
        if names[one] == names[other]:
            yield min(one, other), max(one, other)
