"""The synthetic region as one plain file: the newest version of every record of every source."""

from __future__ import annotations

import csv
import random
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from zlib import crc32

from benchmarks.cases.table import LabelledFile
from mpi.batch.feeds import list_feeds, read_feed
from mpi.batch.link_input import FILE_COLUMNS
from mpi.config import read_source_systems
from mpi.domain.identifiers import RecordKey
from mpi.domain.records import RecordVersion
from mpi.synthetic.people import Population
from mpi.synthetic.region import Profile, generate, write_region

TRUTH_FILE = "truth.csv"
_DIGESTS = 1 << 32


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
    return _newest(_versions(folder))


def some_newest_versions(folder: Path, count: int) -> list[tuple[RecordKey, RecordVersion]]:
    """The live content of so many records by chance, the same ones every time.

    Which records these are follows from their keys, so that the region need not be in memory.
    """
    with (folder / TRUTH_FILE).open(encoding="utf-8") as file:
        records = sum(1 for _ in file)
    wanted = int(min(1.0, 2 * count / records) * _DIGESTS)
    chosen = (version for version in _versions(folder) if _digest(version.key) < wanted)
    found = sorted(_newest(chosen).items())
    return random.Random(count).sample(found, min(count, len(found)))


def _newest(versions: Iterable[RecordVersion]) -> dict[RecordKey, RecordVersion]:
    newest: dict[RecordKey, RecordVersion] = {}
    for version in versions:
        key = version.key
        if key not in newest or newest[key].order < version.order:
            newest[key] = version
    return newest


def _digest(key: RecordKey) -> int:
    return crc32(str(key).encode())


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
