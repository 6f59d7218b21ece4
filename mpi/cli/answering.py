"""A store and its model, opened to be asked on the command line; every answer leaves its trail."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any, Final

from mpi.cli.question import Question
from mpi.clock import Clock, SystemClock
from mpi.config import Settings
from mpi.domain.identifiers import PersonId, RecordKey
from mpi.services.answers import Answer, CrossReferences, PairExplanation, PersonAnswer
from mpi.services.ask import ask
from mpi.services.cross_reference import cross_references
from mpi.services.disclosure import Recipient
from mpi.services.explanation import explain_records
from mpi.services.linkage_index import (
    LinkageIndex,
    compile_linkage_index,
    require_release_in_force,
)
from mpi.services.resolve import (
    resolve_by_demographics,
    resolve_by_nhs_number,
    resolve_by_person_id,
    resolve_by_source_id,
)
from mpi.storage.engine import open_store
from mpi.storage.releases import read_release, release_in_force
from mpi.storage.unit_of_work import UnitOfWork, reading
from mpi.storage.writer import Writer

PURPOSE: Final = "administration"
"""Whoever may run commands beside the store runs the index; care is given through the API."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """An answer, and where each of its persons has records."""

    answer: Answer
    records: tuple[CrossReferences, ...]


@dataclass(frozen=True, slots=True)
class Desk:
    """Where questions are asked."""

    writer: Writer
    index: LinkageIndex
    recipient: Recipient
    clock: Clock

    def resolve(self, question: Question) -> Resolved:
        """Who is this, and where do they have records? Leaves its trail in the audit.

        Raises:
            UnknownPerson, UnknownRecord: If nobody ever had the id or the key.
        """
        answer = ask(
            self.writer,
            lambda unit: _answer(unit, self.index, question),
            action="resolve",
            recipient=self.recipient,
            clock=self.clock,
        )
        return Resolved(answer, tuple(self._records(each.person_id) for each in answer.persons))

    def explain(self, left: RecordKey, right: RecordKey) -> PairExplanation:
        """Why are these two live records one person's, or not?

        Raises:
            UnknownRecord: If one of them is not in the store, or not live.
        """
        return ask(
            self.writer,
            lambda unit: explain_records(unit, self.index, left, right),
            action="explain",
            recipient=self.recipient,
            clock=self.clock,
        )

    def _records(self, person_id: PersonId) -> CrossReferences:
        return ask(
            self.writer,
            lambda unit: cross_references(unit, self.index, person_id),
            action="cross_reference",
            recipient=self.recipient,
            clock=self.clock,
        )


def open_desk(settings: Settings) -> Desk:
    """The store of these settings, ready to be asked.

    Raises:
        StorageUnavailable, WrongSchema: If the store cannot be used.
        Unavailable: If it is empty, or was linked with another release than the one in force.
        InvalidModel: If the release is missing or was changed.
    """
    release = read_release(release_in_force(settings.release_folder))
    store = open_store(settings.database_url)
    with reading(store) as unit:
        require_release_in_force(unit, release.digest)
    return Desk(Writer(store), compile_linkage_index(release), own_recipient(), SystemClock())


def own_recipient() -> Recipient:
    """Whoever runs the command: their account, and that they administer the store."""
    return Recipient(actor=command_line_actor(), purpose=PURPOSE)


def resolved_view(resolved: Resolved) -> dict[str, Any]:
    """What `mpi resolve --json` prints: the answer of `POST /v1/resolve`, with the records."""
    answer = resolved.answer
    return {
        "persons": [
            _person_view(person, records)
            for person, records in zip(answer.persons, resolved.records, strict=True)
        ],
        "is_complete": answer.is_complete,
        "asked_id": answer.asked_id,
        "is_closed": answer.is_closed,
        "model_digest": answer.model_digest,
    }


def plain(value: Any) -> Any:
    """The value as JSON has it: keys as `source:local_id`, times as ISO 8601."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, RecordKey):
        return str(value)
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _person_view(person: PersonAnswer, records: CrossReferences) -> dict[str, Any]:
    view: dict[str, Any] = plain(person)
    if person.evidence:
        explanation = view["evidence"].pop("explanation")
        explanation.pop("match_weight_bits")
        view["evidence"] |= explanation
    return view | {"records": plain(records.records)}


def _answer(unit: UnitOfWork, index: LinkageIndex, question: Question) -> Answer:
    if question.record:
        return resolve_by_source_id(unit, index, question.record)
    if question.person:
        return resolve_by_person_id(unit, index, question.person)
    if question.nhs_number:
        return resolve_by_nhs_number(unit, index, question.nhs_number)
    assert question.demographics is not None
    return resolve_by_demographics(unit, index, question.demographics)


def command_line_actor() -> str:
    """Who types: the account of the operating system."""
    try:
        return f"command line: {getpass.getuser()}"
    except (KeyError, OSError):
        return "command line: unnamed account"
