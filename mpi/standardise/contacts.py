"""Homes and contact points of one version of a record, put together from its fields."""

from __future__ import annotations

from typing import NamedTuple

from mpi.domain.demographics import Demographics
from mpi.standardise.addresses import standardise_address
from mpi.standardise.names import Values, first_then_sorted
from mpi.standardise.phones import standardise_email, standardise_phones
from mpi.standardise.postcodes import standardise_postcode


class Contacts(NamedTuple):
    """Where a version says the person lives, lived and can be reached; its own value first."""

    postcode: str | None
    phone: str | None
    email: str | None
    postcodes: Values
    outward_codes: Values
    addresses: Values
    places: Values
    phones: Values
    emails: Values


def read_contacts(version: Demographics) -> Contacts:
    """What the address and contact fields of this version say together."""
    code, outward = standardise_postcode(version.postcode)
    address = standardise_address(version.address)
    phones = standardise_phones(version.phone)
    email = standardise_email(version.email)
    if version.other_phones:
        more = (number for text in version.other_phones for number in standardise_phones(text))
        phones = first_then_sorted((*phones, *more))
    contacts = Contacts(
        code,
        phones[0] if phones else None,
        email,
        (code,) if code else (),
        (outward,) if outward else (),
        (address,) if address else (),
        (f"{address}|{code}",) if address and code else (),
        phones,
        (email,) if email else (),
    )
    return _with_previous_homes(contacts, version) if version.previous_addresses else contacts


def _with_previous_homes(contacts: Contacts, version: Demographics) -> Contacts:
    codes, outwards, addresses, places = (list(values) for values in contacts[3:7])
    own = tuple(map(len, (codes, outwards, addresses, places)))
    for home in version.previous_addresses:
        code, outward = standardise_postcode(home.postcode)
        address = standardise_address(home.address)
        codes += [code] if code else []
        outwards += [outward] if outward else []
        addresses += [address] if address else []
        places += [f"{address}|{code}"] if address and code else []
    return Contacts(
        *contacts[:3],
        first_then_sorted(codes, own=own[0]),
        first_then_sorted(outwards, own=own[1]),
        first_then_sorted(addresses, own=own[2]),
        first_then_sorted(places, own=own[3]),
        *contacts[7:],
    )
