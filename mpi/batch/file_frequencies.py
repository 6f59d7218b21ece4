"""How common values are in one file, which may be small and full of duplicates.

A value that occurs once among 500 people is not held by one person in 500, and one that two people
share need not be common: so counts are drawn towards the field's chance agreement, the more so
the fewer people there are. The shipped chance agreement is the starting point of that, too.

Source of the estimate: the posterior mean of a multinomial under a Dirichlet prior, without the
person who holds the value (leave one out).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import duckdb

from mpi.linkage.model import Model

PRIOR_VALUES: Final = 1.0
"""The prior weighs as much as this many people for each value that a field would have if all its
values were equally common."""
CHANCE_PAIRS: Final = 3.0
"""The shipped chance agreement weighs as much as having seen this many pairs agree."""
FULL_NAME_PEOPLE_MIN: Final = 3
"""A full name is listed if so many people share it; else its parts say how common it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFrequencies:
    """What a model needs to know of the file's values."""

    listed: dict[str, dict[str, float]]
    """Field -> value -> share of people, 0..1."""
    unseen: dict[str, float]
    """Field -> share of people given to a value that is not listed."""
    chance: dict[str, float]
    """Field -> probability that two random people agree."""


def count_file_frequencies(connection: duckdb.DuckDBPyConnection, model: Model) -> FileFrequencies:
    """Frequencies over people, drawn towards the model's chance agreement.

    Args:
        connection: Holds the table `records`, a column for each field, and `taken_person` (record,
            person): whom each record is taken to belong to for now.
        model: Its fields and its chance agreement, the starting point.
    """
    found = FileFrequencies(listed={}, unseen={}, chance={})
    for field in model.frequency_fields:
        rows = connection.execute(
            f"""select {field}, count(distinct person) as people
            from records join taken_person using (record)
            where {field} is not null group by {field} order by {field}"""
        ).fetchall()
        _add_field(found, field, rows, model.chance_agreement[field])
    return found


def _add_field(
    found: FileFrequencies, field: str, rows: Sequence[tuple[str, int]], shipped_chance: float
) -> None:
    total = sum(people for _, people in rows)
    agreeing = sum(people * (people - 1) for _, people in rows) / 2
    pairs = total * (total - 1) / 2
    chance = (agreeing + CHANCE_PAIRS) / (pairs + CHANCE_PAIRS / shipped_chance)
    others = max(total - 1, 0) + PRIOR_VALUES / chance
    least = FULL_NAME_PEOPLE_MIN if field == "full_name" else 2
    found.listed[field] = {
        value: (people - 1 + PRIOR_VALUES) / others for value, people in rows if people >= least
    }
    found.unseen[field] = PRIOR_VALUES / others
    found.chance[field] = chance
