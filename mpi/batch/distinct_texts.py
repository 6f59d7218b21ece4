"""The part functions of `mpi.standardise`, each run once for each distinct text of a region.

A region has some 50,000 forenames and 35,000 birth dates in millions of versions, so its texts are
made distinct first, standardised by the one Python function that the live service uses, and joined
back (`mpi.batch.compared`). Nothing is written twice: this module only names the functions and the
columns that their results fill.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
import pyarrow as pa

from mpi.batch.side_by_side import run_side_by_side
from mpi.domain.demographics import Demographics
from mpi.domain.identifiers import NumberTrust
from mpi.domain.records import demographics_from_dict
from mpi.standardise.addresses import standardise_address
from mpi.standardise.contacts import read_contacts
from mpi.standardise.dates import standardise_birth_date
from mpi.standardise.name_words import may_begin_placeholder
from mpi.standardise.names import (
    standardise_family_name,
    standardise_given_name,
    standardise_middle_names,
)
from mpi.standardise.numbers import (
    is_trusted,
    standardise_birth_order,
    standardise_identifier,
    standardise_nhs_number,
    standardise_sex,
    successor,
)
from mpi.standardise.person_names import read_person_names
from mpi.standardise.phones import standardise_email, standardise_phones
from mpi.standardise.postcodes import standardise_postcode

TEXTS_AT_ONCE: Final = 20_000
"""Distinct texts that one worker gets at a time: a second's work at most."""
WORKERS_FROM_TEXTS: Final = 20_000
"""With fewer, starting worker processes would cost more than they save."""

_TEXT: Final = pa.string()
_TEXTS: Final = pa.list_(pa.string())
_FLAG: Final = pa.bool_()
_Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of text, what reads it, and the columns of what it reads.

    `read` gives as many values as there are `columns`, in their order, and never raises.
    """

    read: Callable[[str, NumberTrust], _Row]
    columns: Mapping[str, pa.DataType]


def _read_given(text: str, _trust: NumberTrust) -> _Row:
    given = standardise_given_name(text)
    is_mixed = bool(given.shared_middles or given.family or given.relative)
    return (
        given.name,
        given.names,
        given.roots,
        given.sounds,
        given.initials,
        given.forms,
        given.middles,
        given.words,
        given.birth_order,
        is_mixed,
        may_begin_placeholder(text),
    )


def _read_middle(text: str, _trust: NumberTrust) -> _Row:
    middles = standardise_middle_names(text)
    return (middles.names, middles.words, bool(middles.shared))


def _read_family(text: str, _trust: NumberTrust) -> _Row:
    family = standardise_family_name(text)
    is_mixed = bool(family.given)
    return (family.name, family.names, family.parts, family.sounds, family.words, is_mixed)


def _read_mixed_names(text: str, _trust: NumberTrust) -> _Row:
    """Names whose fields run into each other, together; the text is a JSON object of them."""
    told = {name: value for name, value in orjson.loads(text).items() if value is not None}
    names = read_person_names(demographics_from_dict(told))
    return (
        names.given_name,
        names.given_names,
        names.given_roots,
        names.given_sounds,
        names.given_initials,
        names.given_forms,
        names.middle_names,
        names.family_name,
        names.family_names,
        names.family_parts,
        names.family_sounds,
        names.words,
        names.birth_order,
    )


def _read_other_phones(text: str, _trust: NumberTrust) -> _Row:
    """All numbers of a JSON list of texts."""
    return ([number for each in orjson.loads(text) for number in standardise_phones(each)],)


def _read_previous_homes(text: str, _trust: NumberTrust) -> _Row:
    """What a JSON list of previous addresses adds to a version that has no address of its own."""
    told = demographics_from_dict({"previous_addresses": orjson.loads(text)})
    alone = [
        read_contacts(Demographics(address=home.address, postcode=home.postcode))
        for home in told.previous_addresses
    ]
    values = [(home.postcodes, home.outward_codes, home.addresses, home.places) for home in alone]
    return tuple([text for own in column for text in own] for column in zip(*values, strict=True))


def _read_nhs_number(text: str, trust: NumberTrust) -> _Row:
    stated = standardise_nhs_number(text)
    return (stated, successor(stated, trust))


def _read_trust(text: str, trust: NumberTrust) -> _Row:
    source, status = orjson.loads(text)
    return (is_trusted(status, source, trust),)


PARTS: Final[Mapping[str, Part]] = {
    "given": Part(
        _read_given,
        {
            "name": _TEXT, "names": _TEXTS, "roots": _TEXTS, "sounds": _TEXTS, "initials": _TEXTS,
            "forms": _TEXTS, "middles": _TEXTS, "words": _TEXTS, "birth_order": _TEXT,
            "is_mixed": _FLAG, "may_begin_placeholder": _FLAG,
        },
    ),
    "middle": Part(_read_middle, {"names": _TEXTS, "words": _TEXTS, "is_mixed": _FLAG}),
    "family": Part(
        _read_family,
        {
            "name": _TEXT, "names": _TEXTS, "parts": _TEXTS, "sounds": _TEXTS, "words": _TEXTS,
            "is_mixed": _FLAG,
        },
    ),
    "mixed": Part(
        _read_mixed_names,
        {
            "given_name": _TEXT, "given_names": _TEXTS, "given_roots": _TEXTS,
            "given_sounds": _TEXTS, "given_initials": _TEXTS, "given_forms": _TEXTS,
            "middle_names": _TEXTS, "family_name": _TEXT, "family_names": _TEXTS,
            "family_parts": _TEXTS, "family_sounds": _TEXTS, "words": _TEXTS, "birth_order": _TEXT,
        },
    ),
    "born": Part(
        lambda text, _: tuple(standardise_birth_date(text)),
        {"birth_date": _TEXT, "birth_year": _TEXT, "birth_month": _TEXT, "birth_day": _TEXT},
    ),
    "birth_order": Part(lambda text, _: (standardise_birth_order(text),), {"value": _TEXT}),
    "sex": Part(lambda text, _: (standardise_sex(text),), {"value": _TEXT}),
    "identifier": Part(lambda text, _: (standardise_identifier(text),), {"value": _TEXT}),
    "nhs_number": Part(_read_nhs_number, {"stated": _TEXT, "value": _TEXT}),
    "trust": Part(_read_trust, {"is_trusted": _FLAG}),
    "postcode": Part(
        lambda text, _: tuple(standardise_postcode(text)), {"value": _TEXT, "outward": _TEXT}
    ),
    "address": Part(lambda text, _: (standardise_address(text),), {"value": _TEXT}),
    "phone": Part(lambda text, _: (standardise_phones(text),), {"numbers": _TEXTS}),
    "other_phones": Part(_read_other_phones, {"numbers": _TEXTS}),
    "email": Part(lambda text, _: (standardise_email(text),), {"value": _TEXT}),
    "previous_homes": Part(
        _read_previous_homes,
        {"postcodes": _TEXTS, "outward_codes": _TEXTS, "addresses": _TEXTS, "places": _TEXTS},
    ),
}  # fmt: skip
"""Kind -> how it is read. A missing text reads as an empty one, as in the live service."""


def read_parts(
    texts: Mapping[str, pa.Array], *, trust: NumberTrust, workers: int
) -> Iterator[tuple[str, pa.Table]]:
    """For pieces of the texts of each kind: a table of the column `text` and the part's own.

    Args:
        texts: Kind -> its distinct texts, without nulls.
        trust: Which NHS numbers are trusted, disputed and superseded.
        workers: Processes; 0 means one for each processor.
    """
    # One after the other, as they are taken: all texts at once as Python's would fill memory.
    jobs = (
        _Job(kind, of_kind.slice(start, TEXTS_AT_ONCE).to_pylist(), trust)
        for kind, of_kind in texts.items()
        for start in range(0, len(of_kind), TEXTS_AT_ONCE)
    )
    is_small = sum(map(len, texts.values())) < WORKERS_FROM_TEXTS
    yield from run_side_by_side(_read_texts, jobs, 1 if is_small else workers)


@dataclass(frozen=True, slots=True)
class _Job:
    kind: str
    texts: list[str]
    trust: NumberTrust


def _read_texts(job: _Job) -> tuple[str, pa.Table]:
    part, trust = PARTS[job.kind], job.trust
    read = part.read
    rows = [read(text, trust) for text in job.texts]
    columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * len(part.columns)
    arrays = [
        pa.array(_filled(column) if kind == _TEXTS else column, kind)
        for column, kind in zip(columns, part.columns.values(), strict=True)
    ]
    return job.kind, pa.table([pa.array(job.texts, _TEXT), *arrays], names=["text", *part.columns])


def _filled(column: Sequence[Any]) -> list[Any]:
    """An empty tuple is a missing value, and a missing value is NULL."""
    return [values or None for values in column]
