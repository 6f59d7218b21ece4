"""The synthetic region as one plain file: the newest version of every record of every source."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from pathlib import Path

from benchmarks.cases.table import LabelledFile
from mpi.batch.feeds.reader import list_feeds, read_feed
from mpi.batch.files.input import FILE_COLUMNS
from mpi.config import read_source_systems
from mpi.domain.identifiers import RecordKey
from mpi.domain.records import RecordVersion
from mpi.synthetic.people import Population
from mpi.synthetic.region import Profile, generate, write_region

TRUTH_FILE = "truth.csv"


def write_feeds(folder: Path, *, people: int, seed: int, profile: Profile = "normal") -> Path:
    """The raw feeds of a region with its truth, as `mpi synth` writes them."""
    write_people(folder, people=people, seed=seed, profile=profile)
    return folder


def write_people(folder: Path, *, people: int, seed: int, profile: Profile) -> Population:
    """The same; gives the people behind the records."""
    region = generate(people=people, seed=seed, profile=profile)
    write_region(region, folder)
    return region.population


def region_file(folder: Path, *, without: Collection[str], name: str) -> LabelledFile:
    """A folder of feeds as a file for `mpi link`; records of a recycled number are left out.

    Args:
        folder: As `write_feeds` makes it.
        without: Columns that the file shall lack.
        name: What the file is called in tables.
    """
    humans = _humans(folder)
    columns = [column for column in FILE_COLUMNS[2:] if column not in without]
    rows, owners = [], []
    for key, version in newest_versions(folder).items():
        if key in humans:
            row = {column: getattr(version.demographics, column) or "" for column in columns}
            rows.append({"source": key.source, **row})
            owners.append(humans[key])
    return LabelledFile(name, rows, owners)


def newest_versions(folder: Path) -> dict[RecordKey, RecordVersion]:
    """The live content of each record, its history left out."""
    newest: dict[RecordKey, RecordVersion] = {}
    for version in _versions(folder):
        key = version.key
        if key not in newest or newest[key].order < version.order:
            newest[key] = version
    return newest


def _versions(folder: Path) -> Iterator[RecordVersion]:
    for source, path in list_feeds(folder, read_source_systems()):
        for version in read_feed(path, source):
            if isinstance(version, RecordVersion):
                yield version


def _humans(folder: Path) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], set[str]] = {}
    with (folder / TRUTH_FILE).open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault((row["source"], row["local_id"]), set()).add(row["human_id"])
    return {key: humans.pop() for key, humans in found.items() if len(humans) == 1}
