"""The region as a whole: generate the people, then each source from its own seed, then write."""

from __future__ import annotations

import csv
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence

from mpi.errors import InvalidInput, StorageUnavailable
from mpi.limits import SYNTHETIC_PEOPLE_MAX
from mpi.synthetic.households import DAYS_A_YEAR, EXTRACT_DAY
from mpi.synthetic.names import origins
from mpi.synthetic.people import Population
from mpi.synthetic.places import Dwellings
from mpi.synthetic.population import make_population
from mpi.synthetic.records import draw_records
from mpi.synthetic.rows import Records
from mpi.synthetic.sources import get_source, list_source_names
from mpi.synthetic.write import write_source

Profile = Literal["normal", "stress"]
ERROR_ODDS: Final[dict[str, float]] = {"normal": 1.0, "stress": 5.0}
"""Factor on the odds of every error."""
TRUTH_COLUMNS: Final = (
    "source", "local_id", "human_id", "hard_case", "name_origin", "sex", "age",
)  # fmt: skip
TRUTH_FILE_NAME: Final = "truth.csv"
NUMBERS_FILE_NAME: Final = "reference/nhs_number_status.csv"
"""In a folder of its own: everything else in the folder of feeds is a feed."""
MANIFEST_FILE_NAME: Final = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """The people; the sources' records are drawn when asked for, the same every time."""

    seed: int
    profile: Profile
    population: Population
    dwellings: Dwellings
    sources: tuple[str, ...]

    def records(self, source: str) -> Records:
        """Everything that one source holds, drawn anew from its own seed."""
        return draw_records(
            get_source(source),
            self.population,
            self.dwellings,
            odds=ERROR_ODDS[self.profile],
            random=_generator(self.seed, source),
        )


def generate(
    *,
    people: int,
    seed: int,
    profile: Profile = "normal",
    sources: Sequence[str] | None = None,
) -> Region:
    """People and dwellings of a synthetic region.

    Args:
        people: How many, 1 to `SYNTHETIC_PEOPLE_MAX`.
        seed: Decides everything; equal seeds give equal bytes on every machine.
        profile: `stress` multiplies the odds of every error by five.
        sources: Only these; by default all that have a file in `mpi/synthetic/sources`.

    Raises:
        InvalidInput: If the number of people, the seed, the profile or a source is not possible.
    """
    _check(people, seed, profile)
    known = list_source_names()
    chosen = tuple(known if sources is None else sources)
    if set(chosen) - set(known):
        raise InvalidInput(f"sources: must be among {', '.join(known)}")
    population, dwellings = make_population(people, _generator(seed, "people"))
    return Region(
        seed=seed, profile=profile, population=population, dwellings=dwellings, sources=chosen
    )


def write_region(region: Region, folder: Path) -> dict[str, Any]:
    """Writes every source's raw file, the truth, known number statuses and a manifest.

    Returns:
        The manifest: seed, people, profile, and rows, malformed rows and records per source.

    Raises:
        StorageUnavailable: If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _write(region, folder)
    except OSError as error:
        raise StorageUnavailable(f"cannot write to {folder}: {error.strerror}") from error


def _write(region: Region, folder: Path) -> dict[str, Any]:
    counts = {}
    with (folder / TRUTH_FILE_NAME).open("w", encoding="utf-8", newline="") as file:
        truth = csv.writer(file, lineterminator="\n")
        truth.writerow(TRUTH_COLUMNS)
        for source in region.sources:
            records = region.records(source)
            rows, malformed = write_source(records, folder)
            truth.writerows(truth_rows(region, records))
            counts[source] = {
                "records": len(records.owner),
                "rows": rows,
                "malformed_rows": malformed,
            }
    _write_numbers(region.population, folder / NUMBERS_FILE_NAME)
    manifest = {
        "seed": region.seed,
        "people": region.population.people_count,
        "profile": region.profile,
        "extracted_on": str(np.datetime64(EXTRACT_DAY, "D")),
        "sources": counts,
    }
    text = json.dumps(manifest, indent=2) + "\n"
    (folder / MANIFEST_FILE_NAME).write_text(text, encoding="utf-8")
    return manifest


def truth_rows(region: Region, records: Records) -> Iterator[tuple[Any, ...]]:
    """One row a record, as `TRUTH_COLUMNS`; `hard_case` holds words joined by `;`."""
    population = region.population
    owner = records.first_owner
    cases = np.full(len(owner), "", dtype=object)
    for word, flags in records.hard_cases.items():
        for at in np.flatnonzero(flags).tolist():
            cases[at] = f"{cases[at]};{word}" if cases[at] else word
    names = np.array([origin.name for origin in origins()], dtype=object)
    sexes = np.array(["M", "F", "O"], dtype=object)
    sex = np.where(population.is_unspecified_sex, 2, population.sex)
    age = ((EXTRACT_DAY - population.birth) / DAYS_A_YEAR).astype(np.int64)
    return zip(
        [records.spec.name] * len(owner),
        records.local_id.tolist(),
        [f"H{person:07d}" for person in owner.tolist()],
        cases.tolist(),
        names[population.origin[owner]].tolist(),
        sexes[sex[owner]].tolist(),
        age[owner].tolist(),
        strict=True,
    )


def _write_numbers(population: Population, path: Path) -> None:
    """What the national office announced: superseded numbers, but a fifth it has not found."""
    path.parent.mkdir(exist_ok=True)
    at = np.flatnonzero(population.nhs_number_before > 0)
    known = at[at % 5 != 0]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("nhs_number", "status", "superseded_by"))
        before = population.nhs_number_before[known].tolist()
        after = population.nhs_number[known].tolist()
        writer.writerows((old, "superseded", new) for old, new in zip(before, after, strict=True))


def _check(people: int, seed: int, profile: str) -> None:
    if people < 1:
        raise InvalidInput("people: must be at least 1")
    if people > SYNTHETIC_PEOPLE_MAX:
        raise InvalidInput(
            f"people: at most {SYNTHETIC_PEOPLE_MAX:,}, because only so many NHS numbers from "
            "999 000 0000 to 999 999 9999 are valid and nobody's"
        )
    if seed < 0:
        raise InvalidInput("seed: must not be negative")
    if profile not in ERROR_ODDS:
        raise InvalidInput(f"profile: must be one of {', '.join(ERROR_ODDS)}")


def _generator(seed: int, part: str) -> Generator:
    """A generator for the people or one source, unmoved by what other sources there are."""
    return Generator(PCG64(SeedSequence([seed, zlib.crc32(part.encode())])))
