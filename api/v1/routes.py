"""Version 1 of the JSON API, the side that reads.

No personal data is in any address: only opaque person ids and the sources' own local ids.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from api.errors import PROBLEM_JSON
from api.v1.schemas import (
    PERSON_ID_EXAMPLE,
    CrossReferencesResponse,
    PersonResponse,
    Problem,
    RecordResponse,
    ResolveRequest,
    ResolveResponse,
)
from api.v1.views import (
    cross_references_view,
    json_response,
    person_view,
    record_view,
    resolve_view,
)
from api.wiring import Served, Told
from mpi.domain.identifiers import checked_record_key, parse_person_id, parse_record_key
from mpi.services.cross_reference import cross_references, read_record
from mpi.services.resolve import (
    resolve_by_demographics,
    resolve_by_nhs_number,
    resolve_by_person_id,
    resolve_by_source_id,
)

_PROBLEM = {"content": {PROBLEM_JSON: {"schema": Problem.model_json_schema()}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    404: {"description": "There is no such person or record.", **_PROBLEM},
    413: {"description": "The body is too long.", **_PROBLEM},
    422: {"description": "A field breaks a rule; which one is said.", **_PROBLEM},
    503: {"description": "The store cannot be reached; retry.", **_PROBLEM},
}

router = APIRouter(prefix="/v1", responses=PROBLEMS)

PersonIdInPath = Annotated[
    str, Path(description="A person id, in use or not.", examples=[PERSON_ID_EXAMPLE])
]


@router.post("/resolve", tags=["resolve"], responses={200: {"model": ResolveResponse}})
def resolve(asked: ResolveRequest, service: Served, recipient: Told) -> Response:
    """Who is this? By NHS number, source record, person id or demographics; changes nothing."""
    if asked.nhs_number is not None:
        answer = service.ask(
            "resolve_by_nhs_number", recipient, resolve_by_nhs_number, asked.nhs_number
        )
    elif asked.record is not None:
        key = parse_record_key(asked.record)
        answer = service.ask("resolve_by_source_id", recipient, resolve_by_source_id, key)
    elif asked.person_id is not None:
        person_id = parse_person_id(asked.person_id)
        answer = service.ask("resolve_by_person_id", recipient, resolve_by_person_id, person_id)
    else:
        assert asked.demographics is not None, "the request model demands one of the four"
        demographics = asked.demographics.to_domain()
        answer = service.ask(
            "resolve_by_demographics", recipient, resolve_by_demographics, demographics
        )
    return json_response(resolve_view(answer))


@router.get("/persons/{person_id}", tags=["persons"], responses={200: {"model": PersonResponse}})
def read_person(person_id: PersonIdInPath, service: Served, recipient: Told) -> Response:
    """The golden record of a person; an id no longer in use leads to who holds its records."""
    asked = parse_person_id(person_id)
    answer = service.ask("read_person", recipient, resolve_by_person_id, asked)
    return json_response(person_view(answer))


@router.get(
    "/persons/{person_id}/records",
    tags=["persons"],
    responses={200: {"model": CrossReferencesResponse}},
)
def list_person_records(person_id: PersonIdInPath, service: Served, recipient: Told) -> Response:
    """Where a person has records."""
    asked = parse_person_id(person_id)
    answer = service.ask("list_person_records", recipient, cross_references, asked)
    return json_response(cross_references_view(answer))


@router.get(
    "/sources/{source}/records/{local_id:path}",
    tags=["sources"],
    responses={200: {"model": RecordResponse}},
)
def read_source_record(source: str, local_id: str, service: Served, recipient: Told) -> Response:
    """One source record: what it says now, and whose it is."""
    key = checked_record_key(source, local_id)
    answer = service.ask("read_source_record", recipient, read_record, key)
    return json_response(record_view(answer))
