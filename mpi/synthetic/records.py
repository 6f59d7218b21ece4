"""The rows of one source: its records, their earlier versions, and rows of somebody else.

Everything here is canonical (one column a field); `mpi.synthetic.write` puts it into the source's
own layout.  A source is drawn from its own seed, so that adding one changes no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from mpi.synthetic import written_names, written_places
from mpi.synthetic.birth_dates import write_birth_dates
from mpi.synthetic.corruption import fold_accents
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
from mpi.synthetic.slips import Slips
from mpi.synthetic.sources import SourceSpec
from mpi.synthetic.written_numbers import write_nhs_numbers

DUPLICATE_LEVEL: Final = 6.0
"""Factor on the error odds of a second registration: it exists because something was wrong."""
RECENT_NAME_CHANGE_DAYS: Final = 3_650
SECONDS_A_DAY: Final = 86_400
BABY_VERSIONS: Final = 0.3
"""Named infants at the hospitals whose first version was still unnamed."""

Columns = dict[str, Texts]


@dataclass(slots=True, kw_only=True)
class Records:
    """Rows of one source, in order of local id and version; one entry a row in every array.

    `columns` hold texts or None.  `owner`, `service` and `hard_cases` have one entry a *record*;
    `record` leads from a row to its record, and so does `live` from a record to its last row.
    """

    spec: SourceSpec
    columns: Columns
    record: Integers
    updated: Integers
    """Seconds since 1970, when the row became true at the source."""
    sequence: Integers
    is_error: Flags
    live: Integers
    owner: Integers
    """Person whose record it is."""
    service: NDArray[np.int8]
    local_id: Texts
    """Per record."""
    practice_number: Texts
    """Per record: the number within the practice or source."""
    hard_cases: dict[str, Flags]


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
        _restyle(columns, spec)
    updated = _updated(spec, population, holding, random)
    hard = _hard_cases(population, holding, columns, unnamed, wrong)
    local_id, number = _local_ids(spec, columns["practice_code"], random)
    rows = _Rows(columns, updated)
    _add_earlier_versions(rows, spec, population, dwellings, holding, behind, slips)
    _add_first_names(rows, spec, population, holding, unnamed, slips)
    hard["recycled"] = _add_strangers(rows, spec, population, holding, random)
    return rows.arranged(
        spec=spec,
        owner=holding.who,
        service=holding.service,
        local_id=local_id,
        practice_number=number,
        hard_cases=hard,
    )


class _Rows:
    """Rows under construction: one live row a record, then versions that came before or after."""

    def __init__(self, columns: Columns, updated: Integers) -> None:
        count = len(updated)
        self.live_columns = columns
        self.live_updated = updated
        self.columns = [columns]
        self.updated = [updated]
        self.record = [np.arange(count)]
        self.order = [np.zeros(count, dtype=np.int64)]
        self.is_error = [np.zeros(count, dtype=bool)]

    def copied(self, at: Integers) -> Columns:
        """The live rows of these records, to be changed into other versions."""
        return {name: column[at].copy() for name, column in self.live_columns.items()}

    def add(
        self, at: Integers, columns: Columns, updated: Integers, *, order: int, is_error: bool
    ) -> None:
        """One more row for each record; negative orders come before the live row."""
        self.columns.append(columns)
        self.updated.append(updated)
        self.record.append(at)
        self.order.append(np.full(len(at), order))
        self.is_error.append(np.full(len(at), is_error))

    def arranged(self, *, local_id: Texts, **of_records: Any) -> Records:
        """All rows by local id and version, numbered within the record from 1."""
        record = np.concatenate(self.record)
        order = np.concatenate(self.order)
        rank = np.empty(len(local_id), dtype=np.int64)
        rank[np.argsort(local_id.astype(str), kind="stable")] = np.arange(len(local_id))
        updated = np.concatenate(self.updated)
        arrangement = np.lexsort((order, updated, rank[record]))
        record, order = record[arrangement], order[arrangement]
        is_first = np.append(True, record[1:] != record[:-1])[: len(record)]
        start = np.maximum.accumulate(np.where(is_first, np.arange(len(record)), 0))
        live = np.empty(len(local_id), dtype=np.int64)
        live[record[order == 0]] = np.flatnonzero(order == 0)
        columns = {
            name: np.concatenate([part[name] for part in self.columns])[arrangement]
            for name in self.live_columns
        }
        return Records(
            columns=columns,
            record=record,
            updated=updated[arrangement],
            sequence=np.arange(len(record)) - start + 1,
            is_error=np.concatenate(self.is_error)[arrangement],
            live=live,
            local_id=local_id,
            **of_records,
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


STYLED: Final = (
    "given", "middle", "known_as", "family", "previous_family", "title", "flat", "house", "street",
    "locality", "town", "kin_name", "carer_name", "previous_flat", "previous_house",
    "previous_street", "previous_locality", "previous_town",
)  # fmt: skip


def _restyle(columns: Columns, spec: SourceSpec) -> None:
    """Capitals and no accents, as old systems keep them; each distinct text is folded once."""
    for name in STYLED:
        folded: dict[str | None, str | None] = {None: None}
        for text in set(columns[name].tolist()) - {None}:
            plain = fold_accents(text)
            folded[text] = plain.upper() if spec.is_upper else plain
        columns[name][:] = [folded[text] for text in columns[name].tolist()]


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


def _add_earlier_versions(
    rows: _Rows,
    spec: SourceSpec,
    population: Population,
    dwellings: Dwellings,
    holding: Holding,
    behind: Integers,
    slips: Slips,
) -> None:
    """What some records said before: the address and the name of that day."""
    age = holding.contact - population.birth[holding.who]
    chosen = (slips.random.random(len(age)) < spec.earlier_versions) & (age > 400)
    at = np.flatnonzero(chosen & ~holding.is_duplicate)
    who = holding.who[at]
    ago = (slips.random.exponential(4.0, len(at)) * DAYS_A_YEAR).astype(np.int64) + 30
    live_day = rows.live_updated[at] // SECONDS_A_DAY
    day = np.minimum(np.maximum(live_day - ago, population.birth[who] + 1), live_day - 1)
    columns = rows.copied(at)
    then = np.maximum(behind[at], written_places.moves_behind(population, who, day))
    moved = then > behind[at]
    place = written_places.place_of(population, dwellings, who, then)
    for name, column in place.items():
        columns[name] = np.where(moved, column, columns[name])
    is_old = population.family_before[who].astype(bool) & (population.family_changed[who] > day)
    is_old &= columns["family"] == population.family[who]
    columns["family"] = np.where(is_old, population.family_before[who], columns["family"])
    for name in list(columns):
        if name.startswith("previous") or name in ("death", "landline"):
            columns[name] = np.full(len(at), None, dtype=object)
    if spec.is_ascii or spec.is_upper:
        _restyle(columns, spec)
    rows.add(at, columns, day * SECONDS_A_DAY + 36_000, order=-2, is_error=False)


def _add_first_names(
    rows: _Rows,
    spec: SourceSpec,
    population: Population,
    holding: Holding,
    unnamed: Flags,
    slips: Slips,
) -> None:
    """Infants who were BABY in the first version and have a name in the live one."""
    who = holding.who
    infant = EXTRACT_DAY - population.birth[who] < written_names.BABY_DAYS
    share = BABY_VERSIONS if spec.unnamed_babies > 0.1 else 0.0
    chosen = infant & ~unnamed & (slips.random.random(len(who)) < share)
    at = np.flatnonzero(chosen & (holding.contact - population.birth[who] > 3))
    columns = rows.copied(at)
    written_names.unname(columns, population, who[at], np.arange(len(at)), _of(slips, at))
    traced = slips.random.random(len(at)) < 0.6
    columns["nhs_number"] = kept_where(traced, columns["nhs_number"])
    if spec.is_ascii or spec.is_upper:
        _restyle(columns, spec)
    rows.add(at, columns, population.birth[who[at]] * SECONDS_A_DAY, order=-1, is_error=False)


def _of(slips: Slips, at: Integers) -> Slips:
    """The same generator over some of the records."""
    return Slips(slips.level[at], slips.random)


def _add_strangers(
    rows: _Rows, spec: SourceSpec, population: Population, holding: Holding, random: Generator
) -> Flags:
    """Recycled numbers (an earlier version was another human) and rows entered in error.

    Both carry another record's content of the same source.
    """
    count = len(holding.who)
    recycled = np.zeros(count, dtype=bool)
    for share, order, is_error in (
        (spec.recycled_numbers, -3, False),
        (spec.entered_in_error, 1, True),
    ):
        expected = max(share * count, 1.0 if share and count > 2_000 else 0.0)
        at = np.unique(random.integers(0, max(count, 1), random.poisson(expected)))
        other = random.integers(0, max(count, 1), len(at))
        days = random.integers(2_500, 5_000, len(at)) if order < 0 else np.zeros(len(at), dtype=int)
        updated = rows.live_updated[at] - days * SECONDS_A_DAY + (1 if order > 0 else 0)
        columns = rows.copied(other)
        columns["practice_code"] = rows.live_columns["practice_code"][at].copy()
        rows.add(at, columns, updated, order=order, is_error=is_error)
        if not is_error:
            recycled[at] = (
                population.nhs_number[holding.who[at]]
                != (population.nhs_number[holding.who[other]])
            )
    return recycled
