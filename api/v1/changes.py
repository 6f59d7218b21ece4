"""What happened over HTTP: the change feed, and the history of a person and of a record."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api.v1.decisions import NUMBER_MAX, Limit
from api.v1.records import KeyInPath
from api.v1.views import json_response
from api.wiring import Served, Told
from mpi.domain.events import EventType
from mpi.domain.identifiers import parse_person_id
from mpi.domain.links import LinkOrigin
from mpi.limits import PAGE_ITEMS_MAX
from mpi.services.changes import CHANGES_MAX, read_changes
from mpi.services.history import person_history, record_history

router = APIRouter(tags=["history"])

WAIT_S_MAX: Final = 30
"""Seconds that a follower may ask to be kept waiting for a first event."""
POLL_S: Final = 0.25
"""Seconds between two looks while one waits."""


class EventView(BaseModel):
    """One identity event: ids and reasons, never demographics. Instants are in UTC."""

    sequence: int | None = Field(description="Place in the feed; null until it is published.")
    type: EventType
    occurred_at: datetime
    actor: str
    reason: str
    person_id: str | None
    other_person_id: str | None = Field(
        description="Of `merged`, who has the records now; of `split`, who got the parted ones."
    )
    record: str | None
    task: int | None
    decision: int | None
    model_digest: str | None


class ChangesResponse(BaseModel):
    """Events in order of `sequence`, without a gap; none if there are no newer ones."""

    events: list[EventView]
    next_after: int = Field(description="Ask for what comes after it next.")


class LinkView(BaseModel):
    """That a record belonged to a person, and when; `valid_to` is null while it does.

    Weights are in bits: log2 odds, of the heaviest edge to another of the person's records.
    """

    record: str
    person_id: str
    origin: LinkOrigin
    match_weight_bits: float | None
    valid_from: datetime
    valid_to: datetime | None


class PersonHistoryResponse(BaseModel):
    """What happened to an id, in use or not; the oldest first."""

    person_id: str
    state: str = Field(description="`live`, `retired` or `closed`.")
    created_at: datetime
    leads_to: list[str] = Field(description="Of an id not in use: who has or got its records.")
    links: list[LinkView]
    events: list[EventView]
    next_after: int | None = Field(description="For further events, if there are any.")


class VersionView(BaseModel):
    """One thing that a source said, and what it counts for today; `content` as it was sent."""

    version: str
    event_at: datetime
    sequence: int
    received_at: datetime
    state: str = Field(description="`accepted`, `held` or `entered_in_error`.")
    entered_in_error: bool = Field(description="The source's own word.")
    is_deletion: bool
    verdict: str | None = Field(description="A steward's: `correction` or `another_human`.")
    content: dict[str, Any]


class RecordHistoryResponse(BaseModel):
    """What a source said about a record, in event order, and whose it was."""

    record: str
    versions: list[VersionView]
    links: list[LinkView]


@router.get("/changes", responses={200: {"model": ChangesResponse}})
async def list_changes(
    service: Served,
    recipient: Told,
    after: Annotated[int, Query(ge=0, le=NUMBER_MAX, description="`next_after` of before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=CHANGES_MAX)] = PAGE_ITEMS_MAX,
    wait_s: Annotated[
        int, Query(ge=0, le=WAIT_S_MAX, description="How long to wait for a first event.")
    ] = 0,
) -> Response:
    """Every identity event once, in order and without a gap: keep copies up to date by it.

    None is an answer too, at once or after `wait_s` seconds.
    """
    clock = asyncio.get_running_loop()
    deadline = clock.time() + wait_s
    while True:
        page = await run_in_threadpool(service.act, read_changes, after, limit, recipient)
        if page.events or clock.time() >= deadline:
            return json_response(page)
        await asyncio.sleep(POLL_S)


@router.get("/persons/{person_id}/history", responses={200: {"model": PersonHistoryResponse}})
def read_person_history(
    person_id: str,
    service: Served,
    recipient: Told,
    after: Annotated[int, Query(ge=0, le=NUMBER_MAX)] = 0,
    limit: Limit = PAGE_ITEMS_MAX,
) -> Response:
    """What happened to a person: its records over time, and every event, the oldest first.

    The id does not lead on. 404 if nobody ever had it.
    """
    asked = parse_person_id(person_id)
    answer = service.ask("read_person_history", recipient, person_history, asked, after, limit)
    return json_response(answer)


@router.get(
    "/sources/{source}/histories/{local_id:path}",
    responses={200: {"model": RecordHistoryResponse}},
)
def read_record_history(key: KeyInPath, service: Served, recipient: Told) -> Response:
    """What a source said about a record over time, and whose it was.

    404 if it never said anything.
    """
    return json_response(service.ask("read_record_history", recipient, record_history, key))
