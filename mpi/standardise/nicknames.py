"""Nicknames, spellings and other languages' forms of given names, as data.

`data/nicknames.csv` was written for this project from general knowledge of English, Welsh, Irish,
Polish, South Asian and other naming; each row says that a name is also used for a canonical one.
Ambiguous ones have several rows: ALEX is ALEXANDER or ALEXANDRA.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from mpi.standardise.data_files import read_rows


def _read_canonical_names() -> dict[str, tuple[str, ...]]:
    canonical: defaultdict[str, list[str]] = defaultdict(list)
    for row in read_rows("nicknames.csv"):
        canonical[row["nickname"]].append(row["canonical"])
    return {nickname: tuple(sorted(names)) for nickname, names in canonical.items()}


_CANONICAL: Final = _read_canonical_names()


def canonical_names(name: str) -> tuple[str, ...]:
    """What this given name (folded) may stand for, without itself; usually nothing or one name."""
    return _CANONICAL.get(name, ())


def root_names(name: str) -> tuple[str, ...]:
    """The name itself, then what it may stand for: `LIZ` gives `LIZ`, `ELIZABETH`."""
    return (name, *_CANONICAL.get(name, ()))
