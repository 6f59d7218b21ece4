"""What a source says about a person, in its own words.

Nothing here is corrected: text stays as it was written, so that a golden record can quote it, a
steward can see it and a better standardiser can read it again. `mpi.standardise` makes of it what
is compared.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousName:
    """A name that the source says the person had, or also uses."""

    given_name: str | None = None
    family_name: str | None = None
    kind: str | None = None
    """`maiden`, `previous`, `alias` or `preferred`."""
    until: str | None = None
    """When it ceased, in ISO 8601 where the source's text could be read, as far as known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousAddress:
    """An address that the source says the person has left, or also uses.

    `address`, `town` and `postcode` are as in `Demographics`, `until` as in `PreviousName`.
    """

    address: str | None = None
    town: str | None = None
    postcode: str | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedPerson:
    """Next of kin, carer or parent: never compared, but people look for it."""

    name: str | None = None
    relationship: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Demographics:
    """One version of a record's content, in canonical fields; every text as the source wrote it.

    The columns of `mpi link` are among the fields up to `email`. Dates are any text; a source
    mapping turns its own format into ISO 8601 where it can and leaves the text where it cannot.
    """

    nhs_number: str | None = None
    nhs_number_status: str | None = None
    """NHS Data Dictionary, NHS NUMBER STATUS INDICATOR CODE `01`..`08`; `01` is verified."""
    identifier: str | None = None
    """A number of another scheme (another country's, a national insurance number)."""
    given_name: str | None = None
    middle_name: str | None = None
    family_name: str | None = None
    date_of_birth: str | None = None
    sex: str | None = None
    address: str | None = None
    """Lines joined by `, `, without town and postcode."""
    town: str | None = None
    postcode: str | None = None
    phone: str | None = None
    email: str | None = None
    other_phones: tuple[str, ...] = ()
    birth_order: str | None = None
    """`1`, `2`... in a multiple birth."""
    title: str | None = None
    gp_practice: str | None = None
    """ODS code of the practice."""
    ethnic_category: str | None = None
    language: str | None = None
    date_of_death: str | None = None
    previous_names: tuple[PreviousName, ...] = ()
    previous_addresses: tuple[PreviousAddress, ...] = ()
    related_people: tuple[RelatedPerson, ...] = ()


TEXT_FIELDS: tuple[str, ...] = tuple(
    field.name for field in fields(Demographics) if field.type == "str | None"
)
"""The fields of `Demographics` that hold one text, in order."""


NO_DEMOGRAPHICS = Demographics()
"""What a deletion says."""
