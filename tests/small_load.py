"""Loads of small feeds for tests, and what a store says after them, without numbers and ids.

Two invented sources with one plain layout let a test write exactly the rows that it is about; the
synthetic region brings everything else.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mpi.batch.index.load import LoadReport, load_folder
from mpi.batch.progress import SilentProgress
from mpi.config import Settings
from mpi.storage.bulk import read_table
from mpi.storage.engine import Store, open_store
from mpi.storage.releases import SHIPPED_MODEL
from mpi.storage.tables import METADATA

RELEASE: Final = SHIPPED_MODEL / "1"
COLUMNS: Final = (
    "id", "at", "status", "nhs_number", "given_name", "family_name", "date_of_birth", "sex",
    "address", "postcode", "phone",
)  # fmt: skip
MAPPING: Final = """
name = "NAME"
display = "NAME"
ods_code = "X1"
identifier_domain = { uri = "https://example.org/Id/NAME", kind = "number" }
file = { format = "csv" }

[row]
local_id = "id"
event_at = { column = "at", format = "YYYY-MM-DD" }
entered_in_error = { column = "status", values = ["E"] }

[fields]
nhs_number = "nhs_number"
nhs_number_status = { value = "01" }
given_name = "given_name"
family_name = "family_name"
date_of_birth = { column = "date_of_birth", date = "YYYY-MM-DD" }
sex = "sex"
address = "address"
postcode = "postcode"
phone = "phone"
"""
ADA: Final = {
    "nhs_number": "9990000018", "given_name": "Adaeze", "family_name": "Okafor",
    "date_of_birth": "1989-03-02", "sex": "F", "address": "12 High Street",
    "postcode": "DT1 1AA", "phone": "01305 251150",
}  # fmt: skip
JOHN: Final = {
    "nhs_number": "9990000026", "given_name": "John", "family_name": "Whitcombe",
    "date_of_birth": "1950-07-14", "sex": "M", "address": "3 Mill Lane", "postcode": "BH15 2JF",
}  # fmt: skip


class Installation:
    """A store and the settings under which folders are loaded into it."""

    def __init__(self, url: str, *, sources_folder: Path | None = None) -> None:
        self.settings = Settings(
            database_url=url,
            sources_folder=sources_folder,
            release_folder=RELEASE,
            workers_count=1,
        )

    def load(self, folder: Path, **options: Any) -> LoadReport:
        options.setdefault("progress", SilentProgress())
        return load_folder(folder, settings=self.settings, **options)

    def rows(self, table: str, where: str | None = None) -> list[dict[str, Any]]:
        store = open_store(self.settings.database_url)
        try:
            return read_rows(store, table, where)
        finally:
            store.close()

    def dump(self) -> dict[str, list[str]]:
        """Every row of every table."""
        return {name: sorted(map(repr, self.rows(name))) for name in METADATA.tables}


def read_rows(store: Store, table: str, where: str | None = None) -> list[dict[str, Any]]:
    return read_table(store, table, None, where).to_pylist()


def write_mappings(folder: Path) -> Path:
    """A folder of mappings for the sources `clinic` and `ward`."""
    folder.mkdir()
    for name in ("clinic", "ward"):
        (folder / f"{name}.toml").write_text(MAPPING.replace("NAME", name), "utf-8")
    return folder


def write_feed(folder: Path, source: str, rows: Sequence[Mapping[str, str]]) -> Path:
    """A folder with one feed more, in the layout of `MAPPING`."""
    folder.mkdir(exist_ok=True)
    with (folder / f"{source}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return folder


def said(local_id: str, at: str, person: Mapping[str, str], **changes: str) -> dict[str, str]:
    """One row: what is said of a person at a day."""
    return {"id": local_id, "at": at, **person, **changes}


def persons_of(installation: Installation) -> dict[str, frozenset[str]]:
    """Person id -> keys of the records that belong to it now."""
    keys = record_keys(installation)
    members = defaultdict(set)
    for link in installation.rows("link", "valid_to IS NULL"):
        members[link["person_id"]].add(keys[link["record"]])
    return {person: frozenset(held) for person, held in members.items()}


def record_keys(installation: Installation) -> dict[int, str]:
    records = installation.rows("source_record")
    return {row["number"]: f"{row['source']}/{row['local_id']}" for row in records}


def content(installation: Installation) -> dict[str, Any]:
    """All that a store says, by record keys: equal whatever order the feeds came in."""
    keys = record_keys(installation)
    versions = installation.rows("record_version")
    digests = {row["number"]: row["digest"] for row in versions}
    sides = defaultdict(lambda: (set(), set()))
    for row in installation.rows("task_record"):
        sides[row["task"]][row["is_left"]].add(keys[row["record"]])
    persons = persons_of(installation)
    return {
        "records": {
            keys[row["number"]]: (
                row["state"],
                row["nhs_number"],
                digests[row["live_version"]],
                row["comparison"] and json.loads(row["comparison"]),
            )
            for row in installation.rows("source_record")
        },
        "versions": {
            (keys[row["record"]], row["event_at"], row["digest"], row["state"]) for row in versions
        },
        "keys": {(row["key"], keys[row["record"]]) for row in installation.rows("blocking_key")},
        "edges": {
            (frozenset({keys[e["left_record"]], keys[e["right_record"]]}), e["match_weight_bits"])
            for e in installation.rows("edge")
        },
        "persons": {
            (persons[row["id"]], row["golden"])
            for row in installation.rows("person", "state = 'live'")
        },
        "tasks": {
            (row["type"], row["reason"], frozenset(map(frozenset, sides[row["number"]])))
            for row in installation.rows("task", "closed_at IS NULL")
        },
    }
