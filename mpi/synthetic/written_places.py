"""Addresses and telephones as sources write them: mostly stale, sometimes wrong."""

from __future__ import annotations

from typing import Final

import numpy as np

from mpi.synthetic import corruption
from mpi.synthetic.days import iso_dates
from mpi.synthetic.holders import Holding
from mpi.synthetic.households import EXTRACT_DAY, Institution
from mpi.synthetic.people import LONG_AGO, Floats, Integers, Population, Texts, kept_where
from mpi.synthetic.places import NO_FIXED_ABODE, Dwellings
from mpi.synthetic.slips import Slips
from mpi.synthetic.sources import SourceSpec

INFANT_DAYS: Final = 365
PSEUDO: Final = ("ZZ99 3WZ", "ZZ99 3CZ", "ZZ99 3GZ", "ZZ99 1WZ")
PLACE_FIELDS: Final = ("flat", "house", "street", "locality", "town", "postcode")

Columns = dict[str, Texts]


def write_places(
    spec: SourceSpec,
    population: Population,
    dwellings: Dwellings,
    holding: Holding,
    slips: Slips,
) -> tuple[Columns, Integers]:
    """Address columns, previous address where kept, telephones and e-mail.

    Returns:
        The columns, and how many moves each record is behind: 0, 1 or 2; one entry for each record
        of `holding`.
    """
    who = holding.who
    behind = moves_behind(population, who, holding.address_known)
    infant = EXTRACT_DAY - population.birth[who] < INFANT_DAYS
    behind[infant & (slips.random.random(len(who)) < spec.infants_elsewhere)] = 1
    columns = place_of(population, dwellings, who, behind)
    columns |= _previous(spec, population, dwellings, who, behind, slips)
    _misplace(columns, spec, slips)
    columns |= _contacts(spec, population, holding, behind, slips)
    return columns, behind


def moves_behind(population: Population, who: Integers, known: Integers) -> Integers:
    """How many of the last two moves came after the day up to which the source knows.

    Args:
        population: The people.
        who: Index of each record's person.
        known: Day for each record, counted from 1970-01-01.
    """
    behind = (population.moved[who] > known).astype(np.int64)
    behind += population.moved_earlier[who] > known
    return behind


def place_of(
    population: Population, dwellings: Dwellings, who: Integers, behind: Integers
) -> Columns:
    """The address columns of each person's home, or of the one or two before.

    Args:
        population: The people.
        dwellings: Where they live or lived.
        who: Index of each record's person.
        behind: 0, 1 or 2 for each record, as `moves_behind` gives it.
    """
    dwelling = np.choose(
        behind, [population.home[who], population.home_before[who], population.home_earlier[who]]
    )
    columns = {name: getattr(dwellings, name)[dwelling] for name in PLACE_FIELDS}
    homeless = population.is_homeless[who] & (behind == 0)
    for name in ("flat", "house", "locality", "town"):
        columns[name][homeless] = None
    columns["street"][homeless] = "No Fixed Abode"
    columns["postcode"][homeless] = NO_FIXED_ABODE
    resident = (population.institution[who] > Institution.NONE) & (behind == 0)
    columns["flat"][resident] = None
    kind = population.institution[who[resident]].astype(np.int64)
    number = population.home[who[resident]] % len(_BEFORE_HOMES)
    columns["house"][resident] = _BEFORE_HOMES[number] + _NAMES_OF_HOMES[kind]
    return columns


def _previous(
    spec: SourceSpec,
    population: Population,
    dwellings: Dwellings,
    who: Integers,
    behind: Integers,
    slips: Slips,
) -> Columns:
    """The address before the one that the record shows, where the source kept it."""
    until = np.where(behind == 0, population.moved[who], population.moved_earlier[who])
    kept = (behind < 2) & (until > LONG_AGO) & (slips.random.random(len(who)) < spec.keeps_previous)
    earlier = place_of(population, dwellings, who, np.minimum(behind + 1, 2))
    columns = {f"previous_{name}": kept_where(kept, earlier[name]) for name in PLACE_FIELDS}
    columns["previous_until"] = kept_where(kept, iso_dates(until))
    return columns


def _misplace(columns: Columns, spec: SourceSpec, slips: Slips) -> None:
    slips.befall(columns["street"], "place", "street_slip", corruption.slip_of_key)
    slips.befall(columns["street"], "place", "street_short", corruption.abbreviated_street)
    at = np.flatnonzero(slips.random.random(len(columns["street"])) >= spec.has["locality"])
    columns["locality"][at] = None
    slips.befall(columns["postcode"], "place", "postcode_slip", corruption.postcode_slip)
    columns["postcode"][slips.hit("place", "no_postcode")] = None
    at = slips.hit("place", "pseudo_postcode")
    columns["postcode"][at] = slips.pick(np.array(PSEUDO, dtype=object), len(at))


def _contacts(
    spec: SourceSpec, population: Population, holding: Holding, behind: Integers, slips: Slips
) -> Columns:
    """Contacts age like addresses: the line is left behind, mobile and e-mail changed at times."""
    who = holding.who
    count = len(who)
    drawn = slips.random.random
    landline = kept_where(drawn(count) < spec.has["landline"], population.landline[who])
    landline[(behind > 0) & (drawn(count) < 0.8)] = None
    years = (EXTRACT_DAY - holding.contact) / 365.25
    changed = drawn(count) < np.minimum(0.6, 0.06 * years + 0.03)
    mobile = np.where(changed, population.mobile_before[who], population.mobile[who])
    mobile[drawn(count) >= spec.has["mobile"]] = None
    has_email = drawn(count) < spec.has["email"]
    email = kept_where(has_email, _emails(population, who, years, slips.apart()))
    for column in (landline, mobile):
        style = drawn(count)
        for at in np.flatnonzero(column.astype(bool) & (style < 0.45)).tolist():
            column[at] = _restyled(column[at], style[at])
    return {"landline": landline, "mobile": mobile, "email": email}


def _emails(population: Population, who: Integers, years: Floats, slips: Slips) -> Texts:
    """Today's or the one before, now and then with a slip in the mailbox."""
    changed = slips.random.random(len(who)) < np.minimum(0.5, 0.05 * years + 0.02)
    email = np.where(changed, population.email_before[who], population.email[who])
    slips.befall(email, "email", "slip", corruption.mailbox_slip)
    return email


def _restyled(number: str, style: float) -> str:
    if style < 0.30:
        return number.replace(" ", "")
    if style < 0.40:
        return "+44 " + number[1:]
    return number.replace(" ", "-")


_BEFORE_HOMES: Final = np.array(
    ["Purbeck", "Seaview", "Avon", "Stour", "Cerne", "Frome", "Highfield", "Beechwood", "Oaklands"],
    dtype=object,
)
_NAMES_OF_HOMES: Final = np.array(
    ["", " Care Home", " Student Hall", " Prison", " Barracks", " Holiday Park"], dtype=object
)
