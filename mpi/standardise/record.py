"""A source record as it is compared: every part standardised, history included.

The parts do the work and remember it for each distinct text; this module only puts their results
together, because it runs for each of 3.4 million records.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Final

from mpi.domain.demographics import Demographics
from mpi.domain.identifiers import NumberTrust
from mpi.domain.records import ComparisonRecord, SourceRecord
from mpi.limits import HISTORY_VALUES_MAX
from mpi.standardise.contacts import read_contacts
from mpi.standardise.dates import standardise_birth_date
from mpi.standardise.names import Values
from mpi.standardise.numbers import (
    is_trusted,
    standardise_birth_order,
    standardise_identifier,
    standardise_nhs_number,
    standardise_sex,
    successor,
)
from mpi.standardise.person_names import read_person_names

_LIVE_NAMES: Final = 5
_LIVE_CONTACTS: Final = 3
"""Leading members of `PersonNames` and `Contacts` that come from the live version only."""


def standardise(record: SourceRecord, trust: NumberTrust) -> ComparisonRecord:
    """The comparison record of a source record; never raises, whatever the text.

    Args:
        record: Its accepted versions, of which the last is live.
        trust: Which NHS numbers are trusted, disputed and superseded.
    """
    versions = record.versions
    earlier = [version.demographics for version in versions[-2::-1]] if len(versions) > 1 else ()
    return standardise_demographics(record.key.source, versions[-1].demographics, earlier, trust)


def standardise_demographics(
    source: str, live: Demographics, earlier: Sequence[Demographics], trust: NumberTrust
) -> ComparisonRecord:
    """The same for callers without a source record.

    Args:
        source: Name of the source system; it may make an NHS number trusted.
        live: What the source says now.
        earlier: What it said before, the most recent first.
        trust: See `standardise`.
    """
    number = successor(standardise_nhs_number(live.nhs_number), trust)
    born = standardise_birth_date(live.date_of_birth)
    names, contacts = read_person_names(live), read_contacts(live)
    given, family = names.given_name, names.family_name
    history: tuple[Values, ...] = names[_LIVE_NAMES:] + contacts[_LIVE_CONTACTS:]
    if earlier:
        history = _with_history(history, earlier)
    return ComparisonRecord(
        nhs_number=number,
        trusted_nhs_number=number if is_trusted(live.nhs_number_status, source, trust) else None,
        identifier=standardise_identifier(live.identifier),
        given_name=given,
        given_names=history[0],
        given_roots=history[1],
        given_sounds=history[2],
        given_initials=history[3],
        given_forms=names.given_forms,
        middle_names=history[4],
        family_name=family,
        family_names=history[5],
        family_parts=history[6],
        family_sounds=history[7],
        full_name=f"{given}|{family}" if given and family else None,
        name_bag=" ".join(sorted(set(names.words))) or None,
        birth_date=born.text,
        birth_year=born.year,
        birth_month=born.month,
        birth_day=born.day,
        birth_order=standardise_birth_order(live.birth_order) or names.birth_order,
        sex=standardise_sex(live.sex),
        postcode=contacts.postcode,
        postcodes=history[8],
        outward_codes=history[9],
        addresses=history[10],
        places=history[11],
        phone=contacts.phone,
        phones=history[12],
        email=contacts.email,
        emails=history[13],
    )


def _with_history(live: tuple[Values, ...], earlier: Sequence[Demographics]) -> tuple[Values, ...]:
    """Each field's values with those of the earlier versions."""
    histories = [
        read_person_names(version)[_LIVE_NAMES:] + read_contacts(version)[_LIVE_CONTACTS:]
        for version in earlier
    ]
    return tuple(_with_values(own, others) for own, *others in zip(live, *histories, strict=True))


def _with_values(own: Values, others: Sequence[Values]) -> Values:
    """The live version's first value, then all others sorted; at most `HISTORY_VALUES_MAX`.

    Past that the oldest are left out.
    """
    values = dict.fromkeys(chain(own, *others))
    if len(values) == len(own):
        return own
    kept = list(values)[:HISTORY_VALUES_MAX]
    first = 1 if own else 0
    return (*kept[:first], *sorted(kept[first:]))
