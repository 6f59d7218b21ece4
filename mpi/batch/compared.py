"""Comparison records of many versions at once, by columns instead of one by one.

`mpi.standardise.record` is the reference and what the live service runs; here its parts run once
for each distinct text, and SQL puts their results together as it does. Where the fields of a name
run into each other (`SMITH, JOHN`, KAUR, earlier names) the one function reads them together. A
property test holds both to the same records.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import duckdb
import orjson
import pyarrow as pa

from mpi.batch.bulk_tables import make_table
from mpi.batch.distinct_texts import PARTS, read_parts
from mpi.domain.identifiers import NumberTrust
from mpi.domain.records import COMPARISON_FIELDS

_TOLD: Final = {
    **dict.fromkeys(
        (
            "nhs_number", "nhs_number_status", "identifier", "given_name", "middle_name",
            "family_name", "date_of_birth", "sex", "address", "postcode", "phone", "email",
            "birth_order",
        ),
        "VARCHAR",
    ),
    "other_phones": ["VARCHAR"],
    "previous_names": [{"given_name": "VARCHAR", "family_name": "VARCHAR", "kind": "VARCHAR"}],
    "previous_addresses": [{"address": "VARCHAR", "postcode": "VARCHAR"}],
}  # fmt: skip
"""What of a version's content is compared, as DuckDB's JSON structure."""
STATED_NUMBER: Final = "stated_nhs_number"
"""Beside the fields of a comparison record: the number before any status was applied."""
COMPARED_COLUMNS: Final = (*COMPARISON_FIELDS, STATED_NUMBER)

LIST_MACROS: Final = (
    "create or replace macro mpi_distinct(l) as "
    "(list_filter(l, lambda x, i: list_position(l, x) = i))",
    # As `mpi.standardise.names.first_then_sorted`.
    """create or replace macro mpi_first_then_sorted(l, own) as (
        case when len(mpi_distinct(l)) <= own + 1 then mpi_distinct(l)
        else list_concat(mpi_distinct(l)[1:own], list_sort(mpi_distinct(l)[own + 1:])) end)""",
    "create or replace macro mpi_one(x) as (case when x is null then [] else [x] end)",
    "create or replace macro mpi_filled(l) as (case when len(l) > 0 then l end)",
)
"""Distinct values in order; the own ones first and the others sorted; a value or none as a list;
an empty list as a missing value."""


def add_list_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Teach a connection `LIST_MACROS`; no table is touched."""
    for macro in LIST_MACROS:
        connection.execute(macro)


def read_told(
    connection: duckdb.DuckDBPyConnection, *, trust: NumberTrust, workers: int = 1
) -> None:
    """Tables `told` and `part_<kind>`, of which `compared_sql` makes comparison records.

    Args:
        connection: Holds `version` (place, source, content); `place` names a version in this run.
        trust: Which NHS numbers are trusted, disputed and superseded.
        workers: Processes; 0 means one for each processor.
    """
    add_list_macros(connection)
    structure = orjson.dumps(_TOLD).decode()
    connection.execute(
        f"""create or replace table told as
        select place, source, unnest(json_transform(content, '{structure}')) from version"""
    )
    _read(connection, _TEXT_SQL, trust, workers)
    connection.execute(_MIXED_SQL)
    _read(connection, {"mixed": "select distinct names from mixed_name"}, trust, workers)


def list_uninformative(connection: duckdb.DuckDBPyConnection) -> None:
    """The table `uninformative` (field, text), as `mpi.standardise.informative` would tell them."""
    connection.execute(f"create or replace table uninformative as {_UNINFORMATIVE_SQL}")


def drop_told(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop the tables `told` and `part_<kind>` that `read_told` made: they take much memory."""
    for table in ("told", "mixed_name", *(f"part_{kind}" for kind in PARTS)):
        connection.execute(f"drop table {table}")


_PREVIOUS_NAMES: Final = "case when len(previous_names) > 0 then previous_names end"
_TEXT_SQL: Final[Mapping[str, str]] = {
    kind: f"select distinct coalesce({column}, '') from told"
    for kind, column in {
        "given": "given_name",
        "middle": "middle_name",
        "family": "family_name",
        "born": "date_of_birth",
        "birth_order": "birth_order",
        "sex": "sex",
        "identifier": "identifier",
        "nhs_number": "nhs_number",
        "postcode": "postcode",
        "address": "address",
        "phone": "phone",
        "email": "email",
    }.items()
} | {
    "trust": "select distinct to_json([source, nhs_number_status])::varchar from told",
    "other_phones": """select distinct to_json(other_phones)::varchar from told
        where len(other_phones) > 0""",
    "previous_homes": """select distinct to_json(previous_addresses)::varchar from told
        where len(previous_addresses) > 0""",
}

# A text says nothing if its part reads nothing in it.
_UNINFORMATIVE_SQL: Final = " union all ".join(
    f"select '{field}' as field, text from part_{kind} where {read} is null and text <> ''"
    for field, kind, read in (
        ("nhs_number", "nhs_number", "stated"),
        ("given_name", "given", "names"),
        ("family_name", "family", "names"),
        ("date_of_birth", "born", "birth_date"),
        ("sex", "sex", "value"),
        ("address", "address", "value"),
        ("postcode", "postcode", "value"),
        ("phone", "phone", "numbers"),
        ("email", "email", "value"),
    )
)

# Names that cannot be put together from their fields: the place and the JSON text of them.
_MIXED_SQL: Final = f"""
create or replace table mixed_name as
select place, to_json({{'given_name': given_name, 'middle_name': middle_name,
    'family_name': family_name, 'previous_names': {_PREVIOUS_NAMES}}})::varchar as names
from told
join part_given as given on given.text = coalesce(given_name, '')
join part_middle as middle on middle.text = coalesce(middle_name, '')
join part_family as family on family.text = coalesce(family_name, '')
where len(previous_names) > 0 or given.is_mixed or middle.is_mixed or family.is_mixed
    or (given.may_begin_placeholder and middle_name <> '')
    or (given.middles is not null and middle.names is not null)
"""

_OWN: Final = {
    "postcodes": "mpi_one(postcode.value)",
    "outward_codes": "mpi_one(postcode.outward)",
    "addresses": "mpi_one(address.value)",
    "places": "mpi_one(address.value || '|' || postcode.value)",
}
_PHONES: Final = """case when len(told.other_phones) > 0
    then mpi_first_then_sorted(list_concat(coalesce(phone.numbers, []),
        coalesce(other_phones.numbers, [])), 1)
    else phone.numbers end"""


def _homes(field: str) -> str:
    own = _OWN[field]
    return f"""case when previous_homes.text is null then {own}
        else mpi_first_then_sorted(
            list_concat({own}, coalesce(previous_homes.{field}, [])), len({own})) end"""


def _name(field: str, of_plain: str) -> str:
    return f"case when mixed.text is null then {of_plain} else mixed.{field} end"


_WORDS: Final = _name(
    "words",
    """list_concat(coalesce(given.words, []), coalesce(middle.words, []),
        coalesce(family.words, []))""",
)
_GIVEN: Final = _name("given_name", "given.name")
_FAMILY: Final = _name("family_name", "family.name")
_COMPARED: Final[Mapping[str, str]] = {
    "nhs_number": "nhs_number.value",
    "trusted_nhs_number": "case when trust.is_trusted then nhs_number.value end",
    "identifier": "identifier.value",
    "given_name": _GIVEN,
    "given_names": _name("given_names", "given.names"),
    "given_roots": _name("given_roots", "given.roots"),
    "given_sounds": _name("given_sounds", "given.sounds"),
    "given_initials": _name("given_initials", "given.initials"),
    "given_forms": _name("given_forms", "given.forms"),
    "middle_names": _name("middle_names", "coalesce(given.middles, list_sort(middle.names))"),
    "family_name": _FAMILY,
    "family_names": _name("family_names", "family.names"),
    "family_parts": _name("family_parts", "family.parts"),
    "family_sounds": _name("family_sounds", "family.sounds"),
    "full_name": f"({_GIVEN}) || '|' || ({_FAMILY})",
    "name_bag": f"nullif(array_to_string(list_sort(list_distinct({_WORDS})), ' '), '')",
    "birth_date": "born.birth_date",
    "birth_year": "born.birth_year",
    "birth_month": "born.birth_month",
    "birth_day": "born.birth_day",
    "birth_order": f"coalesce(birth_order.value, {_name('birth_order', 'given.birth_order')})",
    "sex": "sex.value",
    "postcode": "postcode.value",
    **{field: f"mpi_filled({_homes(field)})" for field in _OWN},
    "phone": f"({_PHONES})[1]",
    "phones": f"mpi_filled({_PHONES})",
    "email": "email.value",
    "emails": "mpi_filled(mpi_one(email.value))",
    STATED_NUMBER: "nhs_number.stated",
}
assert _COMPARED.keys() == set(COMPARED_COLUMNS)


def compared_sql(condition: str) -> str:
    """SELECT of place and `COMPARED_COLUMNS` of the versions of `told` that meet a condition.

    One row for each version; the condition is SQL over the columns of `told`.
    """
    columns = ", ".join(f"{_COMPARED[name]} as {name}" for name in COMPARED_COLUMNS)
    return f"""select told.place, {columns}
        from (from told where {condition}) as told
        join part_given as given on given.text = coalesce(told.given_name, '')
        join part_middle as middle on middle.text = coalesce(told.middle_name, '')
        join part_family as family on family.text = coalesce(told.family_name, '')
        left join mixed_name on mixed_name.place = told.place
        left join part_mixed as mixed on mixed.text = mixed_name.names
        join part_born as born on born.text = coalesce(told.date_of_birth, '')
        join part_birth_order as birth_order
            on birth_order.text = coalesce(told.birth_order, '')
        join part_sex as sex on sex.text = coalesce(told.sex, '')
        join part_identifier as identifier on identifier.text = coalesce(told.identifier, '')
        join part_nhs_number as nhs_number on nhs_number.text = coalesce(told.nhs_number, '')
        join part_trust as trust
            on trust.text = to_json([told.source, told.nhs_number_status])::varchar
        join part_postcode as postcode on postcode.text = coalesce(told.postcode, '')
        join part_address as address on address.text = coalesce(told.address, '')
        join part_phone as phone on phone.text = coalesce(told.phone, '')
        left join part_other_phones as other_phones on len(told.other_phones) > 0
            and other_phones.text = to_json(told.other_phones)::varchar
        join part_email as email on email.text = coalesce(told.email, '')
        left join part_previous_homes as previous_homes on len(told.previous_addresses) > 0
            and previous_homes.text = to_json(told.previous_addresses)::varchar"""


def _read(
    connection: duckdb.DuckDBPyConnection,
    queries: Mapping[str, str],
    trust: NumberTrust,
    workers: int,
) -> None:
    texts = {
        kind: connection.sql(query).to_arrow_table().column(0).combine_chunks()
        for kind, query in queries.items()
    }
    tables: dict[str, list[pa.Table]] = {kind: [] for kind in queries}
    for kind, table in read_parts(texts, trust=trust, workers=workers):
        tables[kind].append(table)
    for kind, pieces in tables.items():
        schema = pa.schema([("text", pa.string()), *PARTS[kind].columns.items()])
        make_table(connection, f"part_{kind}", pa.concat_tables([schema.empty_table(), *pieces]))
