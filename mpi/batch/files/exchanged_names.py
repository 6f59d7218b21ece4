"""Given and family name in each other's column, told by what the file's names are elsewhere.

Everything that is made of a name (sounds, nicknames, blocking keys, vetoes) depends on which of the
two it is, so an exchange is undone before. SMITH PETER is Peter Smith in a file in which other
people are called Smith and Peter; names that are both, or neither, stay as they are written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import pyarrow as pa

RATIO_MIN: Final = 100.0
"""How much commoner the two names must be in each other's column: exchanges are rare."""
UNSEEN: Final = 0.5
"""A name that nobody else has counts as half a person's."""

_Names = Sequence[str | None]


def with_names_in_order(rows: pa.Table) -> tuple[pa.Table, int]:
    """The rows with exchanged names put back, and how many those are.

    Args:
        rows: Has the text columns `given_name` and `family_name`, NULL where empty.
    """
    given, family = (rows[name].to_pylist() for name in ("given_name", "family_name"))
    is_exchanged = _find_exchanged(_folded(given), _folded(family))
    count = sum(is_exchanged)
    if not count:
        return rows, 0
    pairs = [
        (two, one) if exchanged else (one, two)
        for one, two, exchanged in zip(given, family, is_exchanged, strict=True)
    ]
    for place, name in enumerate(("given_name", "family_name")):
        column = pa.array([pair[place] for pair in pairs], pa.string())
        rows = rows.set_column(rows.schema.get_field_index(name), name, column)
    return rows, count


def _folded(names: _Names) -> list[str | None]:
    return [name.casefold().strip() if name else None for name in names]


def _find_exchanged(given: _Names, family: _Names) -> list[bool]:
    as_given, as_family = Counter(filter(None, given)), Counter(filter(None, family))

    def is_exchanged(one: str | None, two: str | None) -> bool:
        if not one or not two or one == two:
            return False
        # The row itself says nothing, so it is left out of the counts.
        written = (as_given[one] - 1 + UNSEEN) * (as_family[two] - 1 + UNSEEN)
        exchanged = (as_given[two] + UNSEEN) * (as_family[one] + UNSEEN)
        return exchanged >= RATIO_MIN * written

    return [is_exchanged(one, two) for one, two in zip(given, family, strict=True)]
