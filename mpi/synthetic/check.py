"""Compares a region with what was published of English identity data, figure by figure.

The pairs are chosen as CRATE's were: one person in two NHS systems, both records holding the
person's NHS number, each record in one pair.  Chance agreement of birth dates is measured in the
mental-health service, because CRATE's registers were such, with many young adults; a whole
region is spread over 100 years of birth, and its dates agree by chance three times less often.
Names are measured over the whole region.

Source of CRATE's figures: Cardinal et al. 2023, De-identified Bayesian personal identity matching
for privacy-preserving record linkage despite errors, BMC Medical Informatics and Decision Making
23:85. Other figures are named where they are compared, and in data/synthetic/README.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mpi.domain.identifiers import is_valid_nhs_number
from mpi.synthetic.birth_dates import STAND_INS
from mpi.synthetic.corruption import fold_accents
from mpi.synthetic.figures import (
    Figure,
    Measured,
    agreement_by_chance,
    share_in_households,
    share_of,
    share_where,
)
from mpi.synthetic.households import EXTRACT_DAY
from mpi.synthetic.people import Flags, Integers, Population
from mpi.synthetic.places import NO_FIXED_ABODE
from mpi.synthetic.region import Region
from mpi.synthetic.rows import Records
from mpi.synthetic.written_names import UNKNOWN

NHS_SYSTEMS: Final = ("gp", "dorset-county", "poole", "bournemouth", "dorset-healthcare")
ACUTES: Final = ("dorset-county", "poole", "bournemouth")
COUNCILS: Final = ("bournemouth-council", "poole-council", "dorset-council")
COMPARED: Final = ("given", "middle", "family", "birth", "sex", "postcode", "nhs_number")
INFANT_DAYS: Final = 365
HALF_A_YEAR: Final = (160, 205)
"""Days since the move of people who moved about six months ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRecords:
    """The records of several sources as they stand; one entry a record in every array.

    `who` are indexes of people; `columns` are texts by field, None where there is nothing.
    """

    source: NDArray[np.int8]
    who: Integers
    service: NDArray[np.object_]
    is_duplicate: Flags
    columns: dict[str, NDArray[np.object_]]

    def taken(self, at: Any) -> LiveRecords:
        """The records at these places: one entry for each place, or each flag that is set."""
        return LiveRecords(
            source=self.source[at],
            who=self.who[at],
            service=self.service[at],
            is_duplicate=self.is_duplicate[at],
            columns={name: column[at] for name, column in self.columns.items()},
        )


def check(region: Region) -> list[Figure]:
    """Every published figure beside what came out of the region.

    Args:
        region: With all nine sources; the more people, the narrower the intervals.
    """
    all_records = {source: live_records([region.records(source)]) for source in region.sources}
    nhs = joined([all_records[source] for source in NHS_SYSTEMS])
    figures = [*_of_pairs(region, nhs), *_of_records(region, nhs)]
    figures += _by_chance(all_records)
    figures += _numbers_present(all_records)
    figures += _numbers_wrong(region.population, joined(list(all_records.values())))
    figures += _of_registers(all_records)
    return figures


def live_records(records: Sequence[Records]) -> LiveRecords:
    """The live rows of these sources' records, names folded to ASCII capitals."""
    parts = []
    for number, each in enumerate(records):
        names = np.array([service.name for service in each.spec.services], dtype=object)
        parts.append(
            LiveRecords(
                source=np.full(len(each.owner), number, dtype=np.int8),
                who=each.owner,
                service=names[each.service],
                is_duplicate=each.hard_cases["duplicate"],
                columns={name: _folded(each.columns[name][each.live]) for name in COMPARED},
            )
        )
    return parts[0] if len(parts) == 1 else joined(parts)


def joined(parts: Sequence[LiveRecords]) -> LiveRecords:
    """Records of several sources, each with a number of its own."""
    return LiveRecords(
        source=np.concatenate(
            [np.full(len(part.who), at, dtype=np.int8) for at, part in enumerate(parts)]
        ),
        who=np.concatenate([part.who for part in parts]),
        service=np.concatenate([part.service for part in parts]),
        is_duplicate=np.concatenate([part.is_duplicate for part in parts]),
        columns={name: np.concatenate([part.columns[name] for part in parts]) for name in COMPARED},
    )


def disjoint_pairs(region: Region, records: LiveRecords) -> tuple[LiveRecords, LiveRecords]:
    """Records of one person in two systems, both with the person's number; each in one pair.

    Returns:
        The two sides of the pairs, one entry for each pair in both.
    """
    number = region.population.nhs_number[records.who].astype(str).astype(object)
    records = records.taken(np.flatnonzero(records.columns["nhs_number"] == number))
    random = np.random.Generator(np.random.PCG64(region.seed))
    records = records.taken(random.permutation(len(records.who)))
    records = records.taken(np.argsort(records.who, kind="stable"))
    _, first, of_person = np.unique(records.who, return_index=True, return_inverse=True)
    rank = np.arange(len(records.who)) - first[of_person]
    is_pair = (records.who[1:] == records.who[:-1]) & (records.source[1:] != records.source[:-1])
    left = np.flatnonzero(is_pair & (rank[:-1] % 2 == 0))
    return records.taken(left), records.taken(left + 1)


def _of_pairs(region: Region, nhs: LiveRecords) -> Iterator[Figure]:
    """Section 1: how often each field differs between two records of one person."""
    left, right = disjoint_pairs(region, nhs)
    yield from _birth_dates(left, right)
    yield from _names(left, right, region.population)
    known = np.isin(left.columns["sex"], ("M", "F")) & np.isin(right.columns["sex"], ("M", "F"))
    differs = left.columns["sex"] != right.columns["sex"]
    yield _figure("sex differs", 0.0033, share_where(differs[known]), len(known))
    yield from _postcodes(region, left, right)


def _birth_dates(left: LiveRecords, right: LiveRecords) -> Iterator[Figure]:
    one, other = left.columns["birth"], right.columns["birth"]
    known = _is_whole_date(one) & _is_whole_date(other)
    differs = np.flatnonzero(known & (one != other))
    yield _figure(
        "birth date differs", 0.0049, share_of(len(differs), int(known.sum())), len(known)
    )
    pairs = [
        (_parts(text), _parts(against))
        for text, against in zip(one[differs], other[differs], strict=True)
    ]
    changed = [tuple(a != b for a, b in zip(*pair, strict=True)) for pair in pairs]
    single = [sum(parts) == 1 for parts in changed]
    yield _figure(
        "of these: one component only", 0.93, share_of(sum(single), len(pairs)), len(pairs)
    )
    for place, name, hits in ((2, "day", 274), (1, "month", 172), (0, "year", 136)):
        only = [alone and parts[place] for alone, parts in zip(single, changed, strict=True)]
        share = share_of(sum(only), len(pairs))
        yield _figure(f"of these: {name} only", hits / 624, share, len(pairs))
    for place, name, hits in ((2, "day", 74), (1, "month", 64), (0, "year", 55)):
        near = [
            alone and abs(a[place] - b[place]) == 1
            for alone, (a, b) in zip(single, pairs, strict=True)
        ]
        share = share_of(sum(near), len(pairs))
        yield _figure(f"of these: {name} off by one", hits / 624, share, len(pairs))
    swapped = [a[0] == b[0] and a[1] == b[2] and a[2] == b[1] for a, b in pairs]
    share = share_of(sum(swapped), len(pairs))
    yield _figure("of these: day and month swapped", 3 / 624, share, len(pairs))


def _names(left: LiveRecords, right: LiveRecords, population: Population) -> Iterator[Figure]:
    given, other_given = left.columns["given"], right.columns["given"]
    family, other_family = left.columns["family"], right.columns["family"]
    known = ~np.isin(given, _UNKNOWN) & ~np.isin(other_given, _UNKNOWN)
    known &= ~np.isin(family, _UNKNOWN) & ~np.isin(other_family, _UNKNOWN)
    differs = known & (given != other_given)
    alike = _first_letters(given) == _first_letters(other_given)
    yield _figure("forename differs", 0.0236, share_where(differs[known]), int(known.sum()))
    share = share_where(alike[differs])
    yield _figure("of these: forename keeps first two letters", 0.69, share, int(differs.sum()))
    middle = _is_among(given, right.columns["middle"]) | _is_among(
        other_given, left.columns["middle"]
    )
    share = share_where((differs & middle)[known])
    yield _figure("middle name used as first", 0.0019, share, int(known.sum()))
    differs = known & (family != other_family)
    alike = _first_letters(family) == _first_letters(other_family)
    yield _figure("surname differs", 0.0486, share_where(differs[known]), int(known.sum()))
    share = share_where(alike[differs])
    yield _figure("of these: surname keeps first two letters", 0.20, share, int(differs.sum()))
    for sex, name, published in ((1, "women", 0.057), (0, "men", 0.013)):
        of_sex = known & (population.sex[left.who] == sex)
        share = share_where((differs & ~alike)[of_sex])
        yield _figure(f"surname mismatch, {name}", published, share, int(of_sex.sum()))
    exchanged = known & (given == other_family) & (family == other_given) & (given != family)
    yield _figure("names exchanged", 0.0008, share_where(exchanged[known]), int(known.sum()))


def _postcodes(region: Region, left: LiveRecords, right: LiveRecords) -> Iterator[Figure]:
    household = region.population.household[left.who]
    one, other = left.columns["postcode"], right.columns["postcode"]
    known = _is_real_postcode(one) & _is_real_postcode(other)
    differs = known & (one != other)
    yield _figure(
        "postcode differs",
        0.31,
        share_in_households(differs[known], household[known]),
        int(known.sum()),
    )
    sector = np.array(
        [
            bool(text) and bool(against) and text[:-2] == against[:-2]
            for text, against in zip(one, other, strict=True)
        ]
    )
    share = share_in_households(sector[differs], household[differs])
    yield _figure("of these: same sector", 0.03, share, int(differs.sum()))
    infant = known & (EXTRACT_DAY - region.population.birth[left.who] < INFANT_DAYS)
    share = share_where(differs[infant])
    yield _figure("infant's postcode differs", 0.5, share, int(infant.sum()))


def _of_records(region: Region, nhs: LiveRecords) -> Iterator[Figure]:
    """Section 1: shares of records, and of movers."""
    sex, postcode = nhs.columns["sex"], nhs.columns["postcode"]
    count = len(nhs.who)
    yield _figure(
        "sex neither male nor female", 0.004, share_where(~np.isin(sex, ("M", "F"))), count
    )
    pseudo = np.array([bool(text) and text.startswith("ZZ99") for text in postcode])
    yield _figure("ZZ99 pseudo-postcode", 0.004, share_where(pseudo), count)
    yield _figure("no fixed abode", 0.002, share_where(postcode == NO_FIXED_ABODE), count)
    since = EXTRACT_DAY - region.population.moved[nhs.who]
    movers = (nhs.source == NHS_SYSTEMS.index("gp")) & ~nhs.is_duplicate
    movers &= (since > HALF_A_YEAR[0]) & (since < HALF_A_YEAR[1])
    at = np.flatnonzero(
        movers & ~region.population.is_homeless[nhs.who] & _is_real_postcode(postcode)
    )
    home = region.dwellings.postcode[region.population.home[nhs.who[at]]]
    untold = share_where(postcode[at] != home)
    yield _figure("movers who have not told a GP after six months", 0.40, untold, len(at))


def _by_chance(records: dict[str, LiveRecords]) -> Iterator[Figure]:
    """Section 1: two different people's records agree."""
    trust = records["dorset-healthcare"]
    birth = trust.columns["birth"][(trust.service == "mental health") & ~trust.is_duplicate]
    birth = birth[_is_whole_date(birth)].astype(str)
    parts = [_parts(text) for text in birth]
    year, month, day = np.array(parts, dtype=np.int64).reshape(-1, 3).T
    whole = year * 10_000 + month * 100 + day
    two = [(1.0, year * 100 + month), (1.0, year * 100 + day), (1.0, month * 100 + day)]
    yield _figure(
        "birth date agrees by chance", 9.0e-5, agreement_by_chance([(1.0, whole)]), len(birth)
    )
    share = agreement_by_chance([*two, (-3.0, whole)])
    yield _figure("two of its parts agree by chance", 0.0063, share, len(birth))
    everybody = records["gp"].taken(np.flatnonzero(~records["gp"].is_duplicate))
    for name, words, published in (
        ("given", "forename agrees by chance", 0.0062),
        ("family", "surname agrees by chance", 0.00087),
    ):
        values = everybody.columns[name].astype(str)
        yield _figure(words, published, agreement_by_chance([(1.0, values)]), len(values))


def _numbers_present(records: dict[str, LiveRecords]) -> Iterator[Figure]:
    """Section 2: is the NHS number there?"""
    acutes = joined([records[source] for source in ACUTES])
    councils = joined([records[source] for source in COUNCILS])
    of_service = (
        ("GP", records["gp"], None, (0.999, 0.999)),
        ("inpatients", acutes, "inpatient", (0.997, 0.997)),
        ("emergency department", acutes, "emergency", (0.98, 0.98)),
        ("acute hospitals", acutes, None, (0.98, 0.995)),
        ("community and mental health", records["dorset-healthcare"], None, (0.97, 0.98)),
        ("adult social care", councils, "adults", (0.70, 0.90)),
        ("children's social care", councils, "children", (0.50, 0.70)),
        ("ambulance", records["ambulance"], "ambulance", (0.144, 0.144)),
        ("NHS 111", records["ambulance"], "111", (0.963, 0.963)),
    )
    for name, of_source, service, published in of_service:
        chosen = ~of_source.is_duplicate & (
            np.ones(len(of_source.who), dtype=bool)
            if service is None
            else of_source.service == service
        )
        present = share_where(of_source.columns["nhs_number"][chosen].astype(bool))
        yield Figure(
            name=f"NHS number present: {name}",
            published=published,
            observed=present,
            count=int(chosen.sum()),
        )


def _numbers_wrong(population: Population, records: LiveRecords) -> Iterator[Figure]:
    """Section 2: valid numbers that are not the person's, or not any more."""
    at = np.flatnonzero(records.columns["nhs_number"].astype(bool))
    written = records.columns["nhs_number"][at]
    who = records.who[at]
    own, before = population.nhs_number[who], population.nhs_number_before[who]
    mother = np.where(population.mother[who] >= 0, population.nhs_number[population.mother[who]], 0)
    number = written.astype(np.int64)
    valid = np.array([is_valid_nhs_number(text) for text in written])
    infant = EXTRACT_DAY - population.birth[who] < 2 * INFANT_DAYS
    wrong = valid & (number != own) & (number != before) & ~(infant & (number == mother))
    yield _range("wrong but valid NHS number", 0.0002, 0.001, share_where(wrong), len(at))
    yield _figure("superseded NHS number", 0.001, share_where(number == before), len(at))
    _, people = np.unique(population.nhs_number, return_counts=True)
    share = share_of(int((people > 1).sum()), len(population.nhs_number))
    yield _figure("two people on one NHS number", 1 / 20_000, share, len(population.nhs_number))


def _of_registers(records: dict[str, LiveRecords]) -> Iterator[Figure]:
    """Section 2: people twice in one register."""
    for source, of_source in records.items():
        share = share_where(of_source.is_duplicate)
        yield _range(f"duplicates in {source}", 0.003, 0.01, share, len(of_source.who))


def _figure(name: str, published: float, observed: Measured, count: int) -> Figure:
    return _range(name, published, published, observed, count)


def _range(name: str, low: float, high: float, observed: Measured, count: int) -> Figure:
    return Figure(name=name.strip(), published=(low, high), observed=observed, count=count)


def _folded(column: NDArray[np.object_]) -> NDArray[np.object_]:
    done: dict[Any, Any] = {None: None}
    for text in set(column.tolist()) - {None}:
        done[text] = fold_accents(text).upper()
    folded = np.empty(len(column), dtype=object)
    folded[:] = [done[text] for text in column.tolist()]
    return folded


def _is_whole_date(column: NDArray[np.object_]) -> Flags:
    """Whole and possible, and no stand-in for an unknown date."""
    return np.array(
        [len(text) == 10 and text not in STAND_INS and text[5:] not in _NO_DAYS for text in column],
        dtype=bool,
    )


def _parts(text: str) -> tuple[int, int, int]:
    return int(text[:4]), int(text[5:7]), int(text[8:])


def _first_letters(column: NDArray[np.object_]) -> NDArray[np.str_]:
    return column.astype("U2")


def _is_among(column: NDArray[np.object_], others: NDArray[np.object_]) -> Flags:
    """Whether each text is one word of the other column's."""
    return np.array(
        [
            bool(other) and text in other.split(" ")
            for text, other in zip(column, others, strict=True)
        ],
        dtype=bool,
    )


def _is_real_postcode(column: NDArray[np.object_]) -> Flags:
    return np.array([bool(text) and not text.startswith("ZZ99") for text in column], dtype=bool)


_UNKNOWN: Final = tuple(text.upper() for text in UNKNOWN)
_NO_DAYS: Final = ("02-30", "00-00")
