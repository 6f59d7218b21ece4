"""Values that stand for "unknown": data, so that adding one is an edit of `data/sentinels.toml`.

A placeholder that is taken for a value makes strangers look alike, and it does so at the very
records that have little else to go by: newborns, the homeless, the unconscious.
"""

from __future__ import annotations

from typing import Final

from mpi.standardise.data_files import read_tables

_LISTS: Final = read_tables("sentinels.toml")


def _values(table: str, key: str = "unknown") -> frozenset[str]:
    return frozenset(_LISTS[table][key])


UNKNOWN_NAMES: Final = _values("names")
UNNAMED_CHILD_WORDS: Final = _values("names", "unnamed_child")
UNNAMED_CHILD_SEX_WORDS: Final = _values("names", "unnamed_child_sex")
UNKNOWN_DATES: Final = _values("dates")
UNKNOWN_YEARS: Final = _values("dates", "unknown_years")
UNKNOWN_NHS_NUMBERS: Final = _values("nhs_numbers")
UNKNOWN_IDENTIFIERS: Final = _values("identifiers")
UNKNOWN_POSTCODES: Final = _values("postcodes")
UNKNOWN_POSTCODE_PREFIXES: Final = tuple(sorted(_values("postcodes", "unknown_prefixes")))
UNKNOWN_PHONES: Final = _values("phones")
UNKNOWN_EMAIL_LOCALS: Final = _values("emails", "unknown_locals")
UNKNOWN_ADDRESSES: Final = _values("addresses")
COUNTRY_LINES: Final = _values("addresses", "countries")


def is_one_character(code: str) -> bool:
    """`0000000`, `9999999`: one character repeated, which numbers of people hardly ever are."""
    return len(set(code)) == 1
