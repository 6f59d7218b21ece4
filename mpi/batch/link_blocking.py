"""Blocking of a file that nobody has seen: rules by what it holds, blocks by what can be afforded.

The model's rules are made for a region whose records have birth dates, postcodes and addresses.
Here any of them may be missing, so rules that need less stand beside them; a rule whose fields the
file lacks makes no keys. Each rule may make only so many pairs: its largest blocks, which hold the
fewest matches for each pair, are tightened, or left out and reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb

from mpi.batch.edges import CrowdedKey, make_keys
from mpi.linkage.blocking import pairs_sql
from mpi.linkage.model import BlockingRule

PAIRS_PER_RECORD: Final = 6
"""Pairs that one rule may make for each record."""
PAIRS_MIN: Final = 300_000
"""The same for a small file: there, nearly everything is affordable."""

MORE_RULES: Final = (
    BlockingRule(name="bag", fields=("name_bag",), tighten=("birth_year",)),
    BlockingRule(name="names", fields=("family_sounds", "given_sounds"), tighten=("birth_year",)),
    BlockingRule(name="place", fields=("places",), tighten=("given_initials",)),
    BlockingRule(
        name="address_given", fields=("addresses", "given_sounds"), tighten=("birth_year",)
    ),
    BlockingRule(
        name="address_family", fields=("addresses", "family_sounds"), tighten=("given_initials",)
    ),
    BlockingRule(name="address_year", fields=("addresses", "birth_year"), tighten=("sex",)),
    BlockingRule(
        name="postcode_family", fields=("postcodes", "family_sounds"), tighten=("given_initials",)
    ),
    BlockingRule(
        name="postcode_year", fields=("postcodes", "birth_year"), tighten=("given_initials",)
    ),
    BlockingRule(
        name="postcode_day", fields=("postcodes", "birth_month", "birth_day"), tighten=("sex",)
    ),
    BlockingRule(name="birth_date", fields=("birth_date",), tighten=("given_initials", "sex")),
    BlockingRule(
        name="any_name_day", fields=("name_sounds", "birth_month", "birth_day"), tighten=("sex",)
    ),
    BlockingRule(name="any_name_year", fields=("name_sounds", "birth_year"), tighten=("sex",)),
    BlockingRule(
        name="any_name_contact", fields=("name_ends", "contact_ends"), tighten=("birth_year",)
    ),
    BlockingRule(name="name_ends_postcode", fields=("name_ends", "postcodes"), tighten=("sex",)),
    BlockingRule(
        name="name_ends", fields=("given_ends", "family_ends"), tighten=("birth_year", "sex")
    ),
)
"""Beside the model's own rules; `place` also shows what the members of one home have in common."""
_ENDS_LETTERS: Final = 3
_CONTACT_CHARACTERS: Final = 6
"""Beginnings and ends of this length: one slip leaves one of the two alone."""


def make_file_pairs(
    connection: duckdb.DuckDBPyConnection, rules: Sequence[BlockingRule]
) -> tuple[CrowdedKey, ...]:
    """The table `pair` (join_key_l, join_key_r) of `records`, each pair once.

    Args:
        connection: Holds `records`; a table `blocking_keys` is left in it too.
        rules: The model's; `MORE_RULES` are added.

    Returns:
        The blocks that were too large for their rule, largest first.
    """
    all_rules = (*rules, *MORE_RULES)
    _add_ends(connection)
    make_keys(connection, all_rules, frozenset())
    stopped = _keys_past_budget(connection)
    if stopped:
        make_keys(connection, all_rules, frozenset(key for _, key, _ in stopped))
        stopped = _keys_past_budget(connection)
        connection.execute(
            "delete from blocking_keys where key in (select unnest($keys))",
            {"keys": [key for _, key, _ in stopped]},
        )
    connection.execute(f"create or replace table pair as {pairs_sql()}")
    return tuple(CrowdedKey(rule, count) for rule, _, count in stopped)


def _add_ends(connection: duckdb.DuckDBPyConnection) -> None:
    """Lists in `records` that only blocking reads: what a slip, or an exchange, leaves alone."""
    given, family = (_ends("given_name", _ENDS_LETTERS), _ends("family_name", _ENDS_LETTERS))
    phone, mail = (_ends(f, _CONTACT_CHARACTERS) for f in ("phone", "split_part(email, '@', 1)"))
    lists = {
        "name_sounds": "list_distinct(list_concat(given_sounds, family_sounds))",
        "given_ends": given,
        "family_ends": family,
        "name_ends": f"list_distinct(list_concat({given}, {family}))",
        "contact_ends": f"list_concat({phone}, {mail})",
    }
    columns = ", ".join(f"{sql} as {name}" for name, sql in lists.items())
    connection.execute(f"create or replace table records as select *, {columns} from records")


def _ends(text: str, characters: int) -> str:
    """SQL: beginning and end of a text, told apart by a mark; NULL where it is missing."""
    return (
        f"case when {text} is not null then"
        f" ['^' || left({text}, {characters}), '$' || right({text}, {characters})] end"
    )


def _keys_past_budget(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, int, int]]:
    """Rule, key and size of the blocks that no longer fit: smaller blocks go first."""
    return connection.execute(
        """with block as (
            select rule, key, count(*) as size from blocking_keys
            group by rule, key having count(*) > 1),
        running as (
            select rule, key, size, sum(size * (size - 1) / 2) over (
                partition by rule order by size range unbounded preceding) as pairs
            from block)
        select rule, key, size from running
        where pairs > greatest($least, $each * (select count(*) from records))
        order by size desc, rule, key""",
        {"least": PAIRS_MIN, "each": PAIRS_PER_RECORD},
    ).fetchall()
