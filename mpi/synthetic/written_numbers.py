"""NHS numbers as sources write them: absent, slipped, superseded, or somebody else's."""

from __future__ import annotations

from typing import Final

import numpy as np

from mpi.synthetic import corruption
from mpi.synthetic.holders import Holding, chance
from mpi.synthetic.households import EXTRACT_DAY
from mpi.synthetic.people import NOBODY, Flags, Integers, Population, Texts
from mpi.synthetic.slips import Slips
from mpi.synthetic.sources import SourceSpec

PLACEHOLDERS: Final = ("0000000000", "9999999999", "1111111111", "9999999999")
UNTRACED: Final = ("03", "03", "04", "07", "02")
NEWBORN_DAYS: Final = 42

WrongNumbers = dict[str, Flags]


def write_nhs_numbers(
    spec: SourceSpec, population: Population, holding: Holding, *, odds: float, slips: Slips
) -> tuple[dict[str, Texts], WrongNumbers]:
    """Number and status of each record, and which numbers are wrong in which way.

    Args:
        spec: How the source behaves.
        population: The people, with their true numbers.
        holding: One entry a record.
        odds: Factor of the profile on the odds that a number is missing.
        slips: Of the source's records.

    Returns:
        Columns and flags by kind of error, one entry for each record.

    Source of the status codes: NHS Data Dictionary, NHS NUMBER STATUS INDICATOR CODE.
    """
    who = holding.who
    number = population.nhs_number[who].copy()
    wrong = _wrong_numbers(number, population, who, slips)
    written = number.astype(str).astype(object)
    slipped = slips.hit("nhs_number", "slip")
    slips.apply(written, slipped, corruption.digit_slip)
    at = slips.hit("nhs_number", "placeholder")
    written[at] = slips.pick(np.array(PLACEHOLDERS, dtype=object), len(at))
    lacks = np.array([1 - service.nhs_number for service in spec.services])[holding.service]
    lacks = chance(lacks, odds * np.where(holding.is_duplicate, 8.0, 1.0))
    missing = slips.random.random(len(who)) < lacks
    written[missing] = None
    status = np.where(slips.random.random(len(who)) < spec.status_verified, "01", "02")
    status = status.astype(object)
    status[slipped] = "02"
    status[at] = "04"
    status[missing] = slips.pick(np.array(UNTRACED, dtype=object), int(missing.sum()))
    status[missing & (EXTRACT_DAY - population.birth[who] < NEWBORN_DAYS)] = "08"
    present = {kind: flags & ~missing for kind, flags in wrong.items()}
    return {"nhs_number": written, "nhs_status": status}, present


def _wrong_numbers(
    number: Integers, population: Population, who: Integers, slips: Slips
) -> WrongNumbers:
    """Puts valid but wrong numbers into `number`; answers where each kind is."""
    wrong = {kind: np.zeros(len(who), dtype=bool) for kind in ("another", "mothers", "superseded")}
    before = population.nhs_number_before[who]
    at = slips.hit("nhs_number", "superseded", before > 0)
    number[at] = before[at]
    wrong["superseded"][at] = True
    at = slips.hit("nhs_number", "another_person")
    kin = population.kin[who[at]]
    anybody = slips.random.integers(0, population.people_count, len(at))
    other = np.where((kin != NOBODY) & (slips.random.random(len(at)) < 0.5), kin, anybody)
    number[at] = population.nhs_number[other]
    wrong["another"][at] = population.nhs_number[other] != population.nhs_number[who[at]]
    mother = population.mother[who]
    infant = (EXTRACT_DAY - population.birth[who] < 730) & (mother != NOBODY)
    at = slips.hit("nhs_number", "mothers", infant)
    number[at] = population.nhs_number[mother[at]]
    wrong["mothers"][at] = True
    return wrong
