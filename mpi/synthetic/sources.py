"""What kind of source holds what: read from `mpi/synthetic/sources/<source>.toml`.

A source here is a behaviour (whom it knows, how stale, how wrong, with or without NHS number) and
a raw layout.  The layout is written apart from `mpi/sources/`, which describes how to *read* the
same files: the one is a test of the other.  A new source is a new file; no code.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from mpi.errors import InvalidSettings

SOURCE_NAMES: Final = (
    "gp",
    "dorset-county",
    "poole",
    "bournemouth",
    "dorset-healthcare",
    "bournemouth-council",
    "poole-council",
    "dorset-council",
)
"""The eight kinds of the region, in order; every further file follows in order of its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A part of an organisation, with its own people and its own care for NHS numbers."""

    name: str
    nhs_number: float
    """Share of records that hold a number."""
    coverage: tuple[tuple[float, ...], tuple[float, ...]]
    """Ages in years, and the share of the people of each age in the best-served area."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """How one source behaves; shares lie between 0 and 1."""

    name: str
    identity: str
    """Format of the local id, of `number` and `practice`."""
    areas: Mapping[str, float]
    services: tuple[Service, ...]
    has: Mapping[str, float]
    """Share of records in which a field is filled where it could be."""
    file: Mapping[str, Any]
    error_level: float
    years_since_contact: float
    told_after_years: float
    """Mean time until the source knows of a move."""
    name_told_after_years: float
    duplicates: float
    earlier_versions: float
    keeps_previous: float
    status_verified: float
    amended_years: float = 0.0
    """Mean time since the record was last touched, where that says nothing about contact."""
    recycled_numbers: float = 0.0
    entered_in_error: float = 0.0
    infants_elsewhere: float = 0.5
    """Infants at the address where the mother was booked: postcodes differ in half of the pairs."""
    families_again: float = 0.0
    """Whole families registered twice, per record."""
    unnamed_babies: float = 0.0
    """Share of the records of infants that still say BABY."""
    unknown_birth_level: float = 1.0
    """Factor on the odds of a stand-in or partial birth date."""
    first_number: int = 1
    numbered_by: str = "source"
    is_upper: bool = False
    is_ascii: bool = False


@cache
def error_rates() -> Mapping[str, Mapping[str, float]]:
    """Rates of every kind of error per record of an average source and person."""
    return tomllib.loads(_text("errors.toml"))


@cache
def list_source_names() -> tuple[str, ...]:
    """Every source that has a file: the eight of the region first."""
    folder = resources.files("mpi.synthetic").joinpath("sources")
    found = {entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml")}
    return SOURCE_NAMES + tuple(sorted(found - set(SOURCE_NAMES)))


@cache
def get_source(name: str) -> SourceSpec:
    """The behaviour of one source.

    Raises:
        InvalidSettings: If its file lacks a setting or has one that nothing reads.
    """
    table = tomllib.loads(_text(f"sources/{name}.toml"))
    services = tuple(
        Service(
            name=row["name"],
            nhs_number=row["nhs_number"],
            coverage=(tuple(row["coverage"][0]), tuple(row["coverage"][1])),
        )
        for row in table.pop("services")
    )
    try:
        return SourceSpec(services=services, **table)
    except TypeError as error:
        raise InvalidSettings(f"synthetic source {name}: unknown or missing setting") from error


def _text(name: str) -> str:
    return resources.files("mpi.synthetic").joinpath(name).read_text(encoding="utf-8")
