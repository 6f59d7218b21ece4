"""What the servers are asked, as bytes for the service and as tapes for the floor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any

import orjson

from api.v1.schemas import AskedDemographics
from api.v1.views import json_response, resolve_view
from benchmarks.floor import TAPE_HEADER
from benchmarks.load_generator import rendered
from benchmarks.loaded import LoadedRegion
from benchmarks.register import statements_about
from benchmarks.resolve import questions_about
from benchmarks.tapes import Kind, Tape, TapingWriter, taped
from mpi.cli.clients import local_token
from mpi.clock import SystemClock
from mpi.config import read_source_systems
from mpi.domain.demographics import Demographics
from mpi.domain.identifiers import RecordKey
from mpi.domain.policy import Role
from mpi.domain.records import demographics_to_dict
from mpi.services.answers import Answer
from mpi.services.disclosure import (
    Recipient,
    disclosed,
    disclosure_events,
    person_ids_in,
    seen_in,
)
from mpi.services.linkage_index import LinkageIndex, compile_linkage_index
from mpi.services.prepare import prepare_store
from mpi.services.register import Statement, submit_registration
from mpi.services.resolve import resolve_by_demographics, resolve_by_source_id
from mpi.services.signing_keys import create_keys
from mpi.settings import Settings, keys_folder_of
from mpi.storage.audit import add_audit_events, add_audit_events_alone
from mpi.storage.engine import Store, open_store
from mpi.storage.releases import read_release, release_in_force

BY_DEMOGRAPHICS = "resolve by demographics"
BY_SOURCE_ID = "resolve by source id"
REGISTER = "register"
ACTIONS = (BY_DEMOGRAPHICS, BY_SOURCE_ID, REGISTER)
ROLES = (Role.INTEGRATION, Role.STEWARD)
ORGANISATION = "J81001"
RECIPIENT = Recipient(actor="benchmark", purpose="HOPERAT", organisation=ORGANISATION)
UNLIMITED = "100000000"
"""Requests in a minute of one client: the limit is counted and never met."""


Request = tuple[str, str, dict[str, Any], Tape]
"""Method, path, body, and what the floor does for it."""


@dataclass(slots=True)
class Asked:
    """Requests of each action, and the tapes that the floor plays for them."""

    environment: dict[str, str]
    """Of the servers."""
    token: str
    tapes: list[Tape] = field(default_factory=list)
    _requests: dict[str, list[bytes]] = field(default_factory=dict)
    _bare: dict[str, list[bytes]] = field(default_factory=dict)
    _at: dict[str, int] = field(default_factory=dict)

    def add(
        self, action: str, requests: Iterable[Request], bare: Iterable[Request] | None = None
    ) -> None:
        """Requests of an action; `bare` for the floor, if it may not be asked the same."""
        self._requests[action] = [self._rendered(each) for each in requests]
        own = self._requests[action]
        self._bare[action] = own if bare is None else [self._rendered(each) for each in bare]

    def take(self, action: str, count: int) -> tuple[list[bytes], list[bytes]]:
        """The next ones for the service and for the floor; questions come round again."""
        at = self._at.get(action, 0)
        self._at[action] = at + count
        whole = self._requests[action]
        assert action != REGISTER or at + count <= len(whole), "a statement is news only once"
        mine, bare = (cycle(each[action]) for each in (self._requests, self._bare))
        return list(islice(mine, at, at + count)), list(islice(bare, at, at + count))

    def _rendered(self, request: Request) -> bytes:
        method, path, content, tape = request
        headers = {"authorization": f"Bearer {self.token}", TAPE_HEADER: str(len(self.tapes))}
        self.tapes.append(tape)
        return rendered(method, path, orjson.dumps(content), headers)


def questions_and_statements(
    region: LoadedRegion, url: str, *, questions: int, statements: int
) -> Asked:
    """So many of each, about people of a region that is loaded in this store.

    Args:
        region: What was loaded; its folder takes keys and other feeds.
        url: Of the store that is asked, which may be another with the same content.
        questions: Of each kind.
        statements: For the service, and as many others for the floor.
    """
    sources = read_source_systems()
    index = compile_linkage_index(read_release(release_in_force(None)), sources)
    store = open_store(url)
    prepare_store(store, index, sources, clock=SystemClock())
    settings = Settings(database_url=url, keys_folder=region.folder / "keys")
    token = _token(settings, tuple(sources))
    people = questions_about(region, questions)
    stated = statements_about(region, statements * 2)
    asked = Asked(_environment(settings), token)
    asked.add(BY_DEMOGRAPHICS, [_question(store, index, about) for _, about in people])
    asked.add(BY_SOURCE_ID, [_question(store, index, key) for key, _ in people])
    asked.add(
        REGISTER,
        [(*_put(each), Tape()) for each in stated[:statements]],
        [(*_put(each), tape_of_statement(store, index, each)) for each in stated[statements:]],
    )
    store.close()
    return asked


def _environment(settings: Settings) -> dict[str, str]:
    return {
        "MPI_DATABASE_URL": settings.database_url,
        "MPI_KEYS_FOLDER": str(settings.keys_folder),
        "MPI_REQUESTS_PER_MINUTE": UNLIMITED,
    }


def _token(settings: Settings, sources: Sequence[str]) -> str:
    """A real one, of a registered client that owns every source."""
    create_keys(keys_folder_of(settings), is_demo=True)
    return local_token(settings, ROLES, ORGANISATION, sources=sources)


def _question(
    store: Store, index: LinkageIndex, about: Demographics | RecordKey
) -> tuple[str, str, dict[str, Any], Tape]:
    if isinstance(about, RecordKey):
        tape = tape_of_question(store, index, resolve_by_source_id, about)
        return "POST", "/v1/resolve", {"record": str(about)}, tape
    tape = tape_of_question(store, index, resolve_by_demographics, about)
    known = demographics_to_dict(about)
    fields = AskedDemographics.model_fields
    return (
        "POST",
        "/v1/resolve",
        {"demographics": {n: known[n] for n in fields if n in known}},
        tape,
    )


def tape_of_question(
    store: Store, index: LinkageIndex, look_up: Callable[..., Answer], about: object
) -> Tape:
    """What `ask` runs: the look-up, and the audit as `keep_audit_events` keeps it."""
    tape, now = Tape(), SystemClock().now()
    with taped(store, tape, Kind.READS) as unit:
        answer = disclosed(look_up(unit, index, about), RECIPIENT)
    told, seen = person_ids_in(answer), seen_in(answer)
    events = disclosure_events(look_up.__name__, RECIPIENT, told, at=now, seen=seen)
    with taped(store, tape, Kind.WRITES if store.is_sqlite else Kind.ALONE) as unit:
        (add_audit_events if store.is_sqlite else add_audit_events_alone)(unit, events)
    tape.answer = bytes(json_response(resolve_view(answer)).body)
    return tape


def tape_of_statement(store: Store, index: LinkageIndex, statement: Statement) -> Tape:
    """What a registration runs."""
    writer = TapingWriter(store)
    future = submit_registration(writer, index, statement, RECIPIENT, clock=SystemClock())
    writer.tape.answer = bytes(json_response(future.result()).body)
    return writer.tape


def _put(statement: Statement) -> tuple[str, str, dict[str, Any]]:
    told = {"event_at": statement.event_at.isoformat(), "sequence": statement.sequence}
    path = f"/v1/sources/{statement.key.source}/records/{statement.key.local_id}"
    return "PUT", path, told | demographics_to_dict(statement.demographics)
