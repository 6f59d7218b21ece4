"""Draws everything that one source holds: truth, made stale, then made wrong.

A source is drawn from its own seed, so that adding one changes no other.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator

from mpi.synthetic import versions, written_names, written_places
from mpi.synthetic.birth_dates import write_birth_dates
from mpi.synthetic.days import iso_dates
from mpi.synthetic.holders import Holding, draw_holding
from mpi.synthetic.households import DAYS_A_YEAR, EXTRACT_DAY
from mpi.synthetic.people import (
    LONG_AGO,
    NEVER,
    NOBODY,
    Flags,
    Integers,
    Population,
    Texts,
    kept_where,
)
from mpi.synthetic.places import Dwellings
from mpi.synthetic.rows import SECONDS_A_DAY, Columns, Records, Rows, restyle
from mpi.synthetic.slips import Slips
from mpi.synthetic.sources import SourceSpec
from mpi.synthetic.written_numbers import write_nhs_numbers

DUPLICATE_LEVEL: Final = 6.0
"""Factor on the error odds of a second registration: it exists because something was wrong."""
RECENT_NAME_CHANGE_DAYS: Final = 3_650


def draw_records(
    spec: SourceSpec,
    population: Population,
    dwellings: Dwellings,
    *,
    odds: float,
    random: Generator,
) -> Records:
    """Everything that one source holds.

    Args:
        spec: How the source behaves.
        population: The people.
        dwellings: Where they live or lived.
        odds: Factor of the profile on the odds of every error (1 normal, 5 stress).
        random: The source's own generator.
    """
    holding = draw_holding(spec, population, dwellings, odds=odds, random=random)
    level = population.error_level[holding.who] * spec.error_level * odds
    slips = Slips(np.where(holding.is_duplicate, level * DUPLICATE_LEVEL, level), random)
    names, unnamed = written_names.write_names(spec, population, holding, slips)
    places, behind = written_places.write_places(spec, population, dwellings, holding, slips)
    numbers, wrong = write_nhs_numbers(spec, population, holding, odds=odds, slips=slips)
    columns = names | places | numbers | _other_columns(spec, population, holding, slips)
    columns["birth"] = write_birth_dates(
        population.birth[holding.who], slips, unknown_level=spec.unknown_birth_level
    )
    _misspell_families(columns, holding)
    columns["sex"] = _write_sex(population, holding.who, slips)
    if spec.is_ascii or spec.is_upper:
        restyle(columns, spec)
    updated = _updated(spec, population, holding, random)
    hard = _hard_cases(population, holding, columns, unnamed, wrong)
    local_id, number = _local_ids(spec, columns["practice_code"], random)
    rows = Rows(columns, updated)
    versions.add_earlier_versions(rows, spec, population, dwellings, holding, behind, slips)
    versions.add_first_names(rows, spec, population, holding, unnamed, slips)
    first_owner = versions.add_strangers(rows, spec, holding, random)
    hard["recycled"] = first_owner != holding.who
    return rows.arranged(
        spec=spec,
        owner=holding.who,
        first_owner=first_owner,
        service=holding.service,
        local_id=local_id,
        practice_number=number,
        hard_cases=hard,
    )


def _other_columns(
    spec: SourceSpec, population: Population, holding: Holding, slips: Slips
) -> Columns:
    """What is not compared but must reach the golden record."""
    who = holding.who
    count = len(who)

    def kept(field: str, column: Texts) -> Texts:
        return kept_where(slips.random.random(count) < spec.has[field], column)

    kin, carer = population.kin[who], population.carer[who]
    kin_name = kept("kin", _full_names(population, kin))
    carer_name = kept("carer", _full_names(population, carer))
    behind = population.moved[who] > holding.address_known
    practice = np.where(behind, population.practice_before[who], population.practice[who])
    order = np.array([None, "1", "2"], dtype=object)[population.twin[who]]
    died = population.death[who] < NEVER
    day = kept_where(died, iso_dates(population.death[who]))
    changed = np.clip(population.family_changed[who], LONG_AGO, EXTRACT_DAY)
    return {
        "practice_code": kept("practice", _practice_codes(practice)),
        "ethnic": kept("ethnic", population.ethnic[who]),
        "language": kept("language", population.language[who]),
        "birth_order": kept("birth_order", order),
        "death": kept("death", day),
        "kin_name": kin_name,
        "kin_relation": kept_where(kin_name.astype(bool), population.kin_relation[who]),
        "kin_phone": kept_where(kin_name.astype(bool), population.mobile[kin]),
        "carer_name": carer_name,
        "carer_phone": kept_where(carer_name.astype(bool), population.mobile[carer]),
        "family_until": iso_dates(changed),
    }


def _full_names(population: Population, at: Integers) -> Texts:
    names = np.full(len(at), None, dtype=object)
    known = np.flatnonzero(at != NOBODY)
    columns = zip(population.given[at[known]], population.family[at[known]], strict=True)
    names[known] = [f"{given} {family}" for given, family in columns]
    return names


def _practice_codes(practice: Integers) -> Texts:
    codes = np.array([f"J81{number:03d}" for number in range(1000)], dtype=object)
    chosen: Texts = codes[(practice + 1) % 1000]
    return chosen


def _misspell_families(columns: Columns, holding: Holding) -> None:
    """A family registered twice: one letter of the name lost, one birth date a month out."""
    at = holding.family_again
    columns["family"][at] = [name[:2] + name[3:] for name in columns["family"][at]]
    for first in at[:1].tolist():
        text = columns["birth"][first]
        if len(text) == 10 and text[5:7].isdigit() and 1 <= int(text[5:7]) < 12:
            day = min(text[8:], "28")
            columns["birth"][first] = f"{text[:5]}{int(text[5:7]) + 1:02d}-{day}"


def _write_sex(population: Population, who: Integers, slips: Slips) -> Texts:
    code = population.sex[who].copy()
    at = slips.hit("sex", "wrong")
    code[at] = 1 - code[at]
    code[population.is_unspecified_sex[who]] = 2
    at = slips.hit("sex", "unspecified")
    code[at] = np.where(slips.random.random(len(at)) < 0.8, 3, 2)
    written: Texts = np.array(["M", "F", "O", "U"], dtype=object)[code]
    return written


def _updated(
    spec: SourceSpec, population: Population, holding: Holding, random: Generator
) -> Integers:
    """When each live row was last touched, in office hours."""
    who = holding.who
    count = len(who)
    idle = (random.exponential(1.0, count) * spec.amended_years * DAYS_A_YEAR).astype(np.int64)
    moved = np.where(
        population.moved[who] <= holding.address_known, population.moved[who], LONG_AGO
    )
    day = np.maximum.reduce([holding.contact - idle, moved, population.birth[who]])
    day = np.minimum(day, EXTRACT_DAY - 1)
    seconds: Integers = day * SECONDS_A_DAY + random.integers(8 * 3600, 18 * 3600, count)
    return seconds


def _hard_cases(
    population: Population,
    holding: Holding,
    columns: Columns,
    unnamed: Flags,
    wrong: dict[str, Flags],
) -> dict[str, Flags]:
    """Which records are hard, and why; words of the `hard_case` column of the truth."""
    who = holding.who
    changed = population.family_before[who].astype(bool) & (
        EXTRACT_DAY - population.family_changed[who] < RECENT_NAME_CHANGE_DAYS
    )
    return {
        "twin": population.twin[who] > 0,
        "namesake": population.is_namesake[who],
        "baby": unnamed | (EXTRACT_DAY - population.birth[who] < 366),
        "name_change": changed,
        "no_nhs_number": ~columns["nhs_number"].astype(bool),
        "wrong_nhs_number": wrong["another"] | wrong["mothers"] | population.is_sharing_number[who],
        "superseded_nhs_number": wrong["superseded"],
        "duplicate": holding.is_duplicate,
        "institution": population.institution[who] > 0,
        "no_fixed_abode": population.is_homeless[who],
    }


def _local_ids(spec: SourceSpec, practice: Texts, random: Generator) -> tuple[Texts, Texts]:
    """Local ids in no order of anything, numbered within the practice or the source."""
    count = len(practice)
    group = practice.astype(str) if spec.numbered_by == "practice" else np.zeros(count, dtype=int)
    shuffled = random.permutation(count)
    order = shuffled[np.argsort(group[shuffled], kind="stable")]
    is_first = np.concatenate([[True], group[order][1:] != group[order][:-1]])
    start = np.maximum.accumulate(np.where(is_first, np.arange(count), 0))
    number = np.empty(count, dtype=np.int64)
    number[order] = np.arange(count) - start + spec.first_number
    ids, texts = np.empty(count, dtype=object), np.empty(count, dtype=object)
    texts[:] = [str(value) for value in number.tolist()]
    ids[:] = [
        spec.identity.format(number=value, practice=code)
        for value, code in zip(number.tolist(), practice, strict=True)
    ]
    return ids, texts
