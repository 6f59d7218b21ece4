"""The stewards' work list over HTTP: find, claim, look, answer.

A task has a revision that goes up with every change, and evidence has a digest. Both go back with
the answer, so that one given to what is no more is refused with what has changed.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from api.v1.decisions import DECIDED, NUMBER_MAX, Limit, Number, NumbersBody, Reason
from api.v1.schemas import ExplainResponse, Text
from api.v1.views import explained_view, json_response
from api.wiring import Served, Service, Told
from mpi.domain.instants import parse_instant
from mpi.domain.links import VetoReason
from mpi.domain.tasks import TaskState, TaskType
from mpi.errors import InvalidInput
from mpi.limits import PAGE_ITEMS_MAX, SOURCE_NAME_CHARACTERS_MAX
from mpi.services import task_work, work_list
from mpi.services.disclosure import Recipient
from mpi.services.review import AnsweredTask
from mpi.services.task_work import Reply
from mpi.services.work_list import TaskAnswer, TaskFilter, TaskReply

router = APIRouter(prefix="/tasks", tags=["tasks"])

_CURSOR: Final = re.compile(r"([0-9]{1,4})-([0-9]{1,18})")


class ListedTaskView(BaseModel):
    """A question for a steward; weights are in bits, instants in UTC."""

    task: int
    type: TaskType
    state: TaskState = Field(
        description="A claim that ran out and a parking that is over count as `open`."
    )
    priority: int = Field(description="0 (can wait) to 99.")
    match_weight_bits: float = Field(description="Of the heaviest edge that asks.")
    reason: str
    revision: int = Field(description="Goes back with the answer.")
    opened_at: datetime
    claimed_by: str | None
    lease_until: datetime | None
    parked_until: datetime | None
    records_count: int


class TasksResponse(BaseModel):
    """Most urgent first, then oldest first."""

    tasks: list[ListedTaskView]
    next_cursor: str | None = Field(description="For the next page, if there is one.")
    open_counts: dict[TaskType, int] = Field(description="All that are not closed, by type.")


class SideRecordView(BaseModel):
    """A record of one side, as it lives on today."""

    record: str
    state: str
    person_id: str | None
    content: dict[str, Any]


class HeldView(BaseModel):
    """A version that contradicts what its record said before."""

    version: str
    event_at: datetime
    content: dict[str, Any]


class TaskResponse(ListedTaskView):
    """A task with all there is to see; records in order of registration."""

    closed_at: datetime | None
    decision: int | None
    left: list[SideRecordView] = Field(description="At most 100; see `records_count`.")
    right: list[SideRecordView]
    held: list[HeldView] = Field(description="Of an overlay: the versions that wait.")
    evidence_digest: str | None = Field(description="Goes back with the answer.")
    veto: VetoReason | None = Field(description="What speaks against one person.")
    explanation: ExplainResponse | None = Field(description="Of the heaviest pair.")
    replies: list[TaskReply] = Field(
        description="What can be said to it. Where there are none, decide about the records "
        "themselves (/v1/decisions), then note the task."
    )


class ParkBody(BaseModel):
    """How long it can wait."""

    model_config = ConfigDict(extra="forbid")

    until: Text = Field(description="With a time zone; a year ahead at most.")


class NoteBody(BaseModel):
    """The task as it was shown."""

    model_config = ConfigDict(extra="forbid")

    revision: int = Field(ge=1, le=NUMBER_MAX)


class ReplyBody(NumbersBody):
    """What a steward says to a task."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "reply": "different",
                    "reason": "Twins; the midwife's letter names both.",
                    "revision": 2,
                    "evidence_digest": "0f3a51c29d2eab7788c0de11c4a9b2d7",
                }
            ]
        },
    )

    reply: TaskReply
    reason: Reason
    revision: int = Field(ge=1, le=NUMBER_MAX)
    evidence_digest: Text | None = Field(None, description="Needed with `same` and `different`.")
    version: Text | None = Field(None, description="Of an overlay, if several are held.")


_TASK: Final[dict[int | str, dict[str, Any]]] = {200: {"model": TaskResponse}}


@router.get("", responses={200: {"model": TasksResponse}})
def list_tasks(
    service: Served,
    recipient: Told,
    type: Annotated[TaskType | None, Query()] = None,
    state: Annotated[TaskState | None, Query(description="open, claimed or parked.")] = None,
    mine: Annotated[bool, Query(description="Only what the caller has claimed or parked.")] = False,
    source: Annotated[
        str | None,
        Query(
            max_length=SOURCE_NAME_CHARACTERS_MAX,
            description="Tasks about a record of this source.",
        ),
    ] = None,
    cursor: Annotated[str | None, Query()] = None,
    limit: Limit = PAGE_ITEMS_MAX,
) -> Response:
    """The work list: tasks that are not closed, most urgent first, then oldest first.

    Status 422 if `cursor` is not the `next_cursor` of a page.
    """
    wanted = TaskFilter(
        type=type, state=state, source=source, claimed_by=recipient.actor if mine else None
    )
    after = _after(cursor) if cursor is not None else None
    now = service.clock.now()
    page = service.ask("list_tasks", recipient, work_list.list_tasks, wanted, after, limit, now)
    cursor_of = page.next_after and "-".join(map(str, page.next_after))
    counts = {str(type_): count for type_, count in page.open_counts.items()}
    return json_response({"tasks": page.tasks, "next_cursor": cursor_of, "open_counts": counts})


@router.get("/{number:int}", responses=_TASK)
def read_task(number: Number, service: Served, recipient: Told) -> Response:
    """One task: the records of both sides, what speaks for and against them, what can be said.

    404 if there is none of this number.
    """
    return _shown(number, service, recipient)


@router.post("/{number:int}:claim", responses=_TASK)
def claim_task(number: Number, service: Served, recipient: Told) -> Response:
    """Work on a task for 15 minutes; claiming again prolongs that.

    409 if it is closed, or somebody else works on it.
    """
    service.act(task_work.claim, number, recipient)
    return _shown(number, service, recipient)


@router.post("/{number:int}:release", responses=_TASK)
def release_task(number: Number, service: Served, recipient: Told) -> Response:
    """Give it back to the list. 409 if it is closed, or somebody else works on it."""
    service.act(task_work.release, number, recipient)
    return _shown(number, service, recipient)


@router.post("/{number:int}:park", responses=_TASK)
def park_task(number: Number, said: ParkBody, service: Served, recipient: Told) -> Response:
    """Put it aside until an instant, a year ahead at most.

    409 if it is closed, or somebody else works on it.
    """
    until = parse_instant(said.until, field="until")
    service.act(task_work.park, number, recipient, until=until)
    return _shown(number, service, recipient)


@router.post("/{number:int}:note", responses=_TASK)
def note_task(number: Number, said: NoteBody, service: Served, recipient: Told) -> Response:
    """Close it without a decision: seen, and nothing is to be done about these records.

    409 if it is not what the steward saw, is closed, or somebody else works on it.
    """
    answered = AnsweredTask(number=number, revision=said.revision)
    service.act(task_work.note, answered, recipient)
    return _shown(number, service, recipient)


@router.post("/{number:int}:decide", responses=DECIDED)
def decide_task(number: Number, said: ReplyBody, service: Served, recipient: Told) -> Response:
    """Answer it: same or different people, a correction or another human.

    409 if the task or its evidence is not what the steward saw, or a decision in force says the
    opposite.
    """
    return json_response(service.act(task_work.reply_to_task, _reply(number, said), recipient))


@router.post("/{number:int}:preview", responses=DECIDED)
def preview_task(number: Number, said: ReplyBody, service: Served, recipient: Told) -> Response:
    """What that answer would do, or the error with which it would be refused; changes nothing."""
    reply = _reply(number, said)
    return json_response(service.act(task_work.reply_to_task, reply, recipient, is_preview=True))


def _shown(number: int, service: Service, recipient: Recipient) -> Response:
    at = service.clock.now()
    answer: TaskAnswer = service.ask("read_task", recipient, work_list.read_task, number, at)
    return json_response(_task_view(answer))


def _task_view(answer: TaskAnswer) -> dict[str, Any]:
    """See `TaskResponse`."""
    listed = ListedTaskView.model_fields
    view = {
        name: getattr(answer.listed if name in listed else answer, name)
        for name in TaskResponse.model_fields
    }
    return view | {"explanation": answer.explanation and explained_view(answer.explanation)}


def _reply(number: int, said: ReplyBody) -> Reply:
    return Reply(
        task=AnsweredTask(number=number, revision=said.revision),
        reply=said.reply,
        reason=said.reason,
        evidence_digest=said.evidence_digest,
        version=said.version,
        supersedes=said.supersedes,
        wrong_numbers=said.wrong_keys(),
    )


def _after(cursor: str) -> tuple[int, int]:
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise InvalidInput("cursor: must be the `next_cursor` of a page")
    return int(found[1]), int(found[2])
