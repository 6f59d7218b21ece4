"""E-mail addresses that are made of the name: `anna.smith31` and `anna.smith37` are two people.

Most addresses repeat their owner's name, so that two people of one name have addresses that are
nearly the same. Once the names agree, all that such an address adds is what it has beside them:
its digits. Where they are equal, the letters' slips leave it as good as the same; where one digit
differs, or there are none, it says nothing; where more differ, they are two addresses.
"""

from __future__ import annotations

from typing import Final

import duckdb

from mpi.batch.pattern_moves import MISSING, move_pairs
from mpi.linkage.model import Model

NAME_LETTERS: Final = 3
"""An address that holds so many letters of a name in a row is made of it."""


def _made_of_name(side: str) -> str:
    """SQL: the address before its `@` holds the beginning of the given or of the family name."""
    mailbox = f"split_part({side}.email, '@', 1)"
    parts = (
        f"contains({mailbox}, left({side}.{name}, {NAME_LETTERS}))"
        for name in ("given_name", "family_name")
    )
    return f"coalesce({' or '.join(parts)}, false)"


_DIGITS_L: Final = "regexp_replace(l.email, '[^0-9]', '', 'g')"
_DIGITS_R: Final = "regexp_replace(r.email, '[^0-9]', '', 'g')"
_NAMED: Final = f"""({_made_of_name("l")} or {_made_of_name("r")})
    and mpi_likeness(coalesce(l.given_name, r.given_name), coalesce(r.given_name, l.given_name))
        >= 0.8"""
_SAYS_NOTHING: Final = f"""{_NAMED}
    and ({_DIGITS_L} = '' or mpi_slips({_DIGITS_L}, {_DIGITS_R}, 1) = 1)"""
_DIFFERS: Final = f"{_NAMED} and mpi_slips({_DIGITS_L}, {_DIGITS_R}, 1) > 1"


def weigh_mails_beside_names(
    connection: duckdb.DuckDBPyConnection, model: Model, *, table: str
) -> None:
    """Move pairs whose e-mail addresses are close only because their names are.

    Args:
        connection: Holds `records` and the table of patterns.
        model: Nothing is moved if it compares no `email`.
        table: As `mpi.batch.patterns.make_patterns` makes it.
    """
    move_pairs(connection, model, table, "email", {"close": "differs"}, _DIFFERS)
    move_pairs(connection, model, table, "email", {"close": MISSING}, _SAYS_NOTHING)
