"""Source records over HTTP: what a source system says, deletes and merges, and what that came to.

A local id may hold slashes and colons. So it is always the last part of an address, percent-encoded
or not, and what is done to a record follows it as a suffix: `POST .../records/E/7:merge`.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Depends, Header, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, SkipValidation

from api.errors import problem_of, problem_response
from api.v1.schemas import (
    PERSON_ID_EXAMPLE,
    RECORD_EXAMPLE,
    Problem,
    RecordResponse,
    Text,
)
from api.v1.views import json_response, record_view
from api.wiring import Permitted, Served, Told
from mpi.domain.identifiers import RecordKey, checked_record_key
from mpi.domain.instants import parse_instant
from mpi.errors import InvalidIdentifier, InvalidRecord, MpiError, Unavailable
from mpi.limits import FEED_FIELD_CHARACTERS_MAX
from mpi.services.change_record import delete_record as delete
from mpi.services.change_record import merge_records, unmerge_record
from mpi.services.cross_reference import read_record
from mpi.services.register import Outcome, Registered, register
from mpi.services.register_batch import register_batch as register_all
from mpi.services.statements import checked_request_key, checked_sequence, read_statement

router = APIRouter(tags=["records"])

SourceText = Annotated[str, Field(max_length=FEED_FIELD_CHARACTERS_MAX)]
EVENT_EXAMPLE: Final = "2026-03-03T09:00:00Z"
_DESCRIBED: Final[dict[str, Any]] = {
    "nhs_number": "9990000018",
    "nhs_number_status": "01",
    "given_name": "Ada",
    "family_name": "Okafor",
    "date_of_birth": "1989-03-02",
    "sex": "F",
    "address": "12 High Street",
    "town": "Dorchester",
    "postcode": "DT1 1AA",
    "phone": "01305 251150",
    "previous_names": [{"family_name": "Eze", "kind": "maiden"}],
    "related_people": [{"name": "Obi Okafor", "relationship": "father"}],
    "event_at": EVENT_EXAMPLE,
}


class PreviousNameBody(BaseModel):
    """A name that the person had, or also uses, as the source wrote it; `until` when it ceased."""

    given_name: SourceText | None = None
    family_name: SourceText | None = None
    kind: SourceText | None = Field(
        None, description="`maiden`, `previous`, `alias` or `preferred`."
    )
    until: SourceText | None = None


class PreviousAddressBody(BaseModel):
    """An address that the person has left, or also uses, as the source wrote it."""

    address: SourceText | None = None
    town: SourceText | None = None
    postcode: SourceText | None = None
    until: SourceText | None = None


class RelatedPersonBody(BaseModel):
    """Next of kin, carer or parent: never compared."""

    name: SourceText | None = None
    relationship: SourceText | None = None
    phone: SourceText | None = None


class StatementBody(BaseModel):
    """One version of a record: as much as the source knows, every text as it was written.

    Whatever is left out, null or empty is unknown. Fields that are not listed are refused. Dates
    may be in any form; ISO 8601 leaves nothing to be guessed.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_DESCRIBED]})

    event_at: str = Field(
        description="When it became true at the source, with a time zone: versions count in this "
        "order, however they arrive. At most a day ahead."
    )
    sequence: int = Field(0, description="The source's own order among events of one instant.")
    entered_in_error: bool = Field(
        False, description="The source takes this version back; it no longer counts."
    )
    nhs_number: SourceText | None = None
    nhs_number_status: SourceText | None = Field(
        None, description="NHS NUMBER STATUS INDICATOR `01`..`08`; `01` is verified."
    )
    identifier: SourceText | None = Field(None, description="A number of another scheme.")
    given_name: SourceText | None = None
    middle_name: SourceText | None = None
    family_name: SourceText | None = None
    date_of_birth: SourceText | None = None
    sex: SourceText | None = None
    address: SourceText | None = Field(None, description="Lines joined by `, `, without the town.")
    town: SourceText | None = None
    postcode: SourceText | None = None
    phone: SourceText | None = None
    email: SourceText | None = None
    other_phones: list[SourceText] = []
    birth_order: SourceText | None = Field(None, description="`1`, `2`... in a multiple birth.")
    title: SourceText | None = None
    gp_practice: SourceText | None = Field(None, description="ODS code of the practice.")
    ethnic_category: SourceText | None = None
    language: SourceText | None = None
    date_of_death: SourceText | None = None
    previous_names: list[PreviousNameBody] = []
    previous_addresses: list[PreviousAddressBody] = []
    related_people: list[RelatedPersonBody] = []


class KeyedStatementBody(StatementBody):
    """A statement that names its record."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"source": "gp", "local_id": "J81001-17", **_DESCRIBED}],
        },
    )

    source: str
    local_id: str
    request_key: str | None = Field(
        None, description="As the header Idempotency-Key, for this statement."
    )


class BatchBody(BaseModel):
    """Up to 1,000 statements, each about any record of the client's own sources."""

    records: list[KeyedStatementBody]


class RegisteredResponse(BaseModel):
    """What became of what was said; the weight is in bits: log2 odds that two are one human's."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "record": "poole-council:P445",
                    "outcome": "linked",
                    "person_id": PERSON_ID_EXAMPLE,
                    "match_weight_bits": 21.4,
                    "explained_by": RECORD_EXAMPLE,
                    "tasks_opened": [],
                    "is_complete": True,
                }
            ]
        }
    )

    record: str
    outcome: Outcome = Field(
        description="`new`: the first record of a new person. `linked`: it belongs to a person "
        "who has others, or still to its own. `moved`: to another person than before. `merged`: "
        "it made two persons one. `held`: it contradicts what the record said before and waits "
        "for a steward. `unchanged`: known already. `deleted`: the record lives no longer."
    )
    person_id: str | None = Field(description="Whose the record is; null unless it lives.")
    match_weight_bits: float | None = Field(
        description="Of its heaviest edge to another record of the person."
    )
    explained_by: str | None = Field(
        description="The record at the other end of that edge: send both to /v1/explain."
    )
    tasks_opened: list[int] = Field(description="Questions that this raised for stewards.")
    is_complete: bool = Field(
        description="False if it shares a value with so many records that it was not compared "
        "with all of them."
    )


class BatchResult(BaseModel):
    """One of the two: what became of the statement, or why it was refused."""

    registered: RegisteredResponse | None = None
    problem: Problem | None = None


class BatchResponse(BaseModel):
    """A result for each statement, in order."""

    results: list[BatchResult]


class MergeBody(BaseModel):
    """Which record the retired one lives on in."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"into": "J2"}]})

    into: Text = Field(description="Local id of another record of the same source.")


async def record_key(
    source: Annotated[str, Path(description="The source system, as its mapping names it.")],
    local_id: Annotated[
        str, Path(description="The source's own id; percent-encode `/`, `?`, `#` and `%`.")
    ],
) -> RecordKey:
    """The key in an address.

    Raises:
        InvalidIdentifier: If a part is malformed; bytes that are no UTF-8 would make different
            ids look alike.
    """
    if "\ufffd" in local_id:
        raise InvalidIdentifier("local_id: must be UTF-8, percent-encoded")
    return checked_record_key(source, local_id)


KeyInPath = Annotated[RecordKey, Depends(record_key)]
EventAt = Annotated[
    str | None, Query(description="When it happened at the source; now, if left out.")
]

_REGISTERED: Final[dict[int | str, dict[str, Any]]] = {200: {"model": RegisteredResponse}}
_RECORD: Final = "/sources/{source}/records/{local_id:path}"


@router.get(_RECORD, responses={200: {"model": RecordResponse}})
def read_source_record(key: KeyInPath, service: Served, recipient: Told) -> Response:
    """One source record: what it says now, and whose it is. 404 if nothing was ever said of it."""
    answer = service.ask("read_source_record", recipient, read_record, key)
    return json_response(record_view(answer))


@router.put(_RECORD, responses=_REGISTERED)
def register_record(
    key: KeyInPath,
    told: Annotated[StatementBody, SkipValidation, Body()],
    service: Served,
    recipient: Told,
    idempotency_key: Annotated[
        str | None,
        Header(description="The sender's own key of this message: sent again, it gets its answer."),
    ] = None,
) -> Response:
    """A source says something about a record; who is one person follows. Answered once durable.

    Saying the same again changes nothing, so whatever got no answer can be sent again. 409 if the
    Idempotency-Key was used for another message.
    """
    statement = read_statement(told, key=key, request_key=checked_request_key(idempotency_key))
    return json_response(service.act(register, statement, recipient))


@router.delete(_RECORD, responses=_REGISTERED)
def delete_record(
    key: KeyInPath,
    service: Served,
    recipient: Told,
    event_at: EventAt = None,
    sequence: Annotated[int, Query(description="As in a statement.")] = 0,
) -> Response:
    """The source deleted a record. What it says of a later time brings the record back.

    404 if nothing was ever said of it.
    """
    at = service.clock.now() if event_at is None else parse_instant(event_at, field="event_at")
    order = checked_sequence(sequence)
    return json_response(service.act(delete, key, recipient, event_at=at, sequence=order))


@router.post(f"{_RECORD}:merge", responses=_REGISTERED)
def merge_record(key: KeyInPath, merge: MergeBody, service: Served, recipient: Told) -> Response:
    """The source merged this record into another of its own; either may be unknown yet.

    409 if it was merged into another one before, or that one into it.
    """
    survivor = checked_record_key(key.source, merge.into)
    return json_response(service.act(merge_records, key, survivor, recipient))


@router.post(f"{_RECORD}:unmerge", responses=_REGISTERED)
def take_merge_back(key: KeyInPath, service: Served, recipient: Told) -> Response:
    """The source took a merge back: the record lives by its own versions again.

    404 if nothing was ever said of it, 409 if it is not merged.
    """
    return json_response(service.act(unmerge_record, key, recipient))


@router.post("/records:batch", responses={200: {"model": BatchResponse}})
def register_batch(
    batch: Annotated[BatchBody, SkipValidation, Body()],
    service: Served,
    recipient: Told,
    permit: Permitted,
) -> Response:
    """Up to 1,000 statements, each registered or refused by itself; a result for each, in order.

    If the store failed for all of them, the status is 503 and all can be sent again; it is 422 if
    the body is no such list.
    """
    results = service.act(
        register_all, _records_in(batch), recipient, may_state=permit.allows_source
    )
    failures = [each for each in results if isinstance(each, Unavailable)]
    if failures and len(failures) == len(results):
        return problem_response(problem_of(failures[0]))
    return json_response({"results": [_result(each) for each in results]})


def _records_in(batch: object) -> list[Any]:
    records = batch.get("records") if isinstance(batch, dict) and len(batch) == 1 else None
    if not isinstance(records, list):
        raise InvalidRecord("body: must be a JSON object with nothing but the list `records`")
    return records


def _result(each: Registered | MpiError) -> dict[str, Any]:
    return {"problem": problem_of(each)} if isinstance(each, MpiError) else {"registered": each}
