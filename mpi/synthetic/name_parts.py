"""The parts from which rare names are made, so that the tail is long and looks like one.

English place-name surnames are a first element and a generic one (`Ash` + `combe`), patronymics a
given name and an ending, Gaelic and Cornish names a prefix and a root.  The parts are facts of the
language; no list of real people's names was copied.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from itertools import product


def composed_family_names() -> set[str]:
    """About 20,000 British family names that are rare or could be."""
    places = {_joined(*parts) for parts in product(_parts("place_first"), _parts("place_second"))}
    fathers = {_joined(*parts) for parts in product(_parts("fathers"), _parts("father_endings"))}
    gaelic = {f"{prefix}{root}" for prefix, root in product(("Mac", "Mc", "O'"), _parts("gaelic"))}
    cornish = {
        _joined(*parts) for parts in product(_parts("cornish_first"), _parts("cornish_second"))
    }
    trades = {_joined(*parts) for parts in product(_parts("trades"), _parts("trade_endings"))}
    return places | fathers | gaelic | cornish | trades


def composed_polish_names() -> set[str]:
    """About 1,200 Polish family names, as a man bears them."""
    return {_joined(*parts) for parts in product(_parts("polish_first"), _parts("polish_second"))}


def composed_given_names() -> tuple[set[str], set[str]]:
    """Rare British given names, boys' and girls'."""
    boys = {_joined(*parts) for parts in product(_parts("boys_first"), _parts("boys_second"))}
    girls = {_joined(*parts) for parts in product(_parts("girls_first"), _parts("girls_second"))}
    return boys, girls


def _joined(first: str, second: str) -> str:
    """The two parts, without the third of three equal letters in a row."""
    if first[-2:].lower() == second[0] * 2:
        return first + second[1:]
    return first + second


def _parts(name: str) -> list[str]:
    return _tables()[name].split()


@cache
def _tables() -> dict[str, str]:
    file = resources.files("mpi.synthetic").joinpath("names", "parts.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))
