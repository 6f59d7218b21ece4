"""Scenarios: what must become of records, as tables that people who do not code can check.

A scenario file has a title, a sentence of its own and then scenarios:

    title = "Twins at one address stay two people"
    why = "They share birth date, family name, address and often sex."
    source  | id | family | given | born       | expect
    gp      | 1  | OKAFOR | ADA   | 2019-03-02 | P1
    acute-1 | 9  | OKAFOR | AMARA | 2019-03-02 | P2, task: blocked by veto with P1

A row is a version of a record; several rows of one record come in the order of events, and the
last one says what is expected: a person, and every task about that person's records. Persons are
only names: P1 here is whoever holds the first record. `docs/scenarios.md` is made of the same
files: `python -m tests.spec.scenarios`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from mpi.domain.demographics import Demographics
from mpi.domain.identifiers import RecordKey, checked_record_key
from mpi.domain.records import RecordVersion, SourceRecord, fold_versions
from mpi.domain.tasks import TaskType

FOLDER = Path(__file__).with_name("scenarios")
PAGE = Path(__file__).parents[2] / "docs/scenarios.md"
FIELDS = {
    "nhs number": "nhs_number",
    "number status": "nhs_number_status",
    "given": "given_name",
    "middle": "middle_name",
    "family": "family_name",
    "born": "date_of_birth",
    "sex": "sex",
    "address": "address",
    "postcode": "postcode",
    "phone": "phone",
    "email": "email",
    "birth order": "birth_order",
}
"""Column of a table -> field of the demographics."""
VERIFIED = "01"
"""Status of the NHS numbers of a table without the column `number status`."""
FIRST_EVENT_AT = datetime(2026, 1, 1, tzinfo=UTC)

Expected = tuple[frozenset[frozenset[RecordKey]], frozenset[tuple[str, frozenset[RecordKey]]]]
"""Groups of records, and tasks: the type and all the records that it is about."""


@dataclass(frozen=True)
class Scenario:
    """A table, the sentence it stands for and the reason."""

    title: str
    why: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @cached_property
    def records(self) -> Mapping[RecordKey, SourceRecord]:
        """The records in the order of the table."""
        versions: dict[RecordKey, list[RecordVersion]] = {}
        for number, row in enumerate(self._named_rows()):
            key = _key(row)
            at = FIRST_EVENT_AT + timedelta(days=number)
            version = RecordVersion(key=key, demographics=_demographics(row), event_at=at)
            versions.setdefault(key, []).append(version)
        return {key: fold_versions(each) for key, each in versions.items()}

    @cached_property
    def expected(self) -> Expected:
        """What the last column says."""
        texts = {_key(row): row["expect"] for row in self._named_rows()}
        persons = {key: text.split(", task: ") for key, text in texts.items()}
        groups: dict[str, set[RecordKey]] = {}
        for key, (name, *_) in persons.items():
            groups.setdefault(name, set()).add(key)
        tasks = {
            _task(name, text, groups) for name, *questions in persons.values() for text in questions
        }
        return frozenset(frozenset(group) for group in groups.values()), frozenset(tasks)

    def _named_rows(self) -> Iterator[dict[str, str]]:
        for row in self.rows:
            yield dict(zip(self.columns, row, strict=True))


@dataclass(frozen=True)
class Topic:
    """One file of scenarios."""

    title: str
    why: str
    scenarios: tuple[Scenario, ...]


def read_topics(folder: Path = FOLDER) -> tuple[Topic, ...]:
    """Every scenario file, in the order of the file names."""
    return tuple(parse_topic(path.read_text("utf-8")) for path in sorted(folder.glob("*.txt")))


def parse_topic(text: str) -> Topic:
    """The topic that a file describes. Raises ValueError if a table is not well formed."""
    head, *blocks = text.strip().split("\n\n")
    names = tomllib.loads(head)
    return Topic(names["title"], names["why"], tuple(_parse_scenario(block) for block in blocks))


def _parse_scenario(block: str) -> Scenario:
    lines = block.strip().splitlines()
    names = tomllib.loads("\n".join(line for line in lines if "|" not in line))
    table = [tuple(cell.strip() for cell in line.split("|")) for line in lines if "|" in line]
    scenario = Scenario(names["title"], names["why"], table[0], tuple(table[1:]))
    unknown = set(scenario.columns) - {"source", "id", "expect", *FIELDS}
    if unknown or any(len(row) != len(scenario.columns) for row in scenario.rows):
        raise ValueError(f"{scenario.title}: unknown column or a row of another length")
    return scenario


def _key(row: Mapping[str, str]) -> RecordKey:
    return checked_record_key(row["source"], row["id"])


def _demographics(row: Mapping[str, str]) -> Demographics:
    fields = {FIELDS[name]: value for name, value in row.items() if name in FIELDS and value}
    if "nhs_number" in fields and "number status" not in row:
        fields["nhs_number_status"] = VERIFIED
    return Demographics(**fields)


def _task(
    person: str, text: str, groups: Mapping[str, set[RecordKey]]
) -> tuple[str, frozenset[RecordKey]]:
    words, _, other = text.partition(" with ")
    task_type = TaskType(words.replace(" ", "_"))
    return task_type, frozenset(groups[person] | groups[other])


def render_page(topics: tuple[Topic, ...]) -> str:
    """The scenarios as one page of Markdown."""
    parts = [
        "# Scenarios",
        "What becomes of records that are hard to link: each table is a test that runs on every "
        "executor. A row is a version of a record; `expect` names the person that the record "
        "belongs to (P1, P2: names within one table) and every task that a steward gets.",
        "Made from `tests/spec/scenarios/` by `python -m tests.spec.scenarios`; change it there.",
    ]
    for topic in topics:
        parts += [f"## {topic.title}", topic.why]
        for scenario in topic.scenarios:
            parts += [f"### {scenario.title}", scenario.why, _render_table(scenario)]
    return "\n\n".join(parts) + "\n"


def _render_table(scenario: Scenario) -> str:
    rule = tuple("---" for _ in scenario.columns)
    rows = (scenario.columns, rule, *scenario.rows)
    return "\n".join(f"| {' | '.join(row)} |".replace("|  |", "| |") for row in rows)


if __name__ == "__main__":
    PAGE.write_text(render_page(read_topics()), encoding="utf-8")
