"""Version 1 of the JSON API: who is this, and the routes of everything else.

No personal data is in any address: only opaque person ids and the sources' own local ids.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from api.errors import PROBLEM_JSON
from api.v1 import changes, decisions, numbers, records, tasks
from api.v1.schemas import (
    PERSON_ID_EXAMPLE,
    CrossReferencesResponse,
    ExplainRequest,
    ExplainResponse,
    PersonResponse,
    PersonThenResponse,
    ResolveRequest,
    ResolveResponse,
)
from api.v1.views import (
    cross_references_view,
    explained_view,
    json_response,
    person_view,
    resolve_view,
)
from api.wiring import Served, Told
from mpi.domain.identifiers import parse_person_id, parse_record_key
from mpi.domain.instants import parse_instant
from mpi.services.cross_reference import cross_references
from mpi.services.explanation import explain_records
from mpi.services.history import cross_references_as_of, person_as_of
from mpi.services.resolve import (
    resolve_by_demographics,
    resolve_by_nhs_number,
    resolve_by_person_id,
    resolve_by_source_id,
)

_PROBLEM = {"content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    404: {"description": "There is no such person or record.", **_PROBLEM},
    409: {"description": "The state has moved on; read again.", **_PROBLEM},
    413: {"description": "The body is too long.", **_PROBLEM},
    422: {"description": "A field breaks a rule; which one is said.", **_PROBLEM},
    503: {"description": "The store cannot be reached; retry.", **_PROBLEM},
}

router = APIRouter(prefix="/v1", responses=PROBLEMS)

PersonIdInPath = Annotated[
    str, Path(description="A person id, in use or not.", examples=[PERSON_ID_EXAMPLE])
]


AsOf = Annotated[
    str | None, Query(description="An instant, with a time zone: what the index knew then.")
]


@router.post("/resolve", tags=["resolve"], responses={200: {"model": ResolveResponse}})
def resolve(asked: ResolveRequest, service: Served, recipient: Told) -> Response:
    """Who is this? By NHS number, source record, person id or demographics; changes nothing.

    Nobody is an answer too. 404 for a record or person id that never was.
    """
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


@router.post("/explain", tags=["resolve"], responses={200: {"model": ExplainResponse}})
def explain(asked: ExplainRequest, service: Served, recipient: Told) -> Response:
    """Why are two live records one person's, or not? The evidence sums to the weight exactly.

    Weights are in bits. 404 if one of them is not live.
    """
    left, right = parse_record_key(asked.left), parse_record_key(asked.right)
    answer = service.ask("explain", recipient, explain_records, left, right)
    return json_response(explained_view(answer))


@router.get(
    "/persons/{person_id}",
    tags=["persons"],
    responses={200: {"model": PersonResponse | PersonThenResponse}},
)
def read_person(
    person_id: PersonIdInPath, service: Served, recipient: Told, as_of: AsOf = None
) -> Response:
    """The golden record of a person; an id no longer in use leads to who holds its records.

    With `as_of`, what the index knew of this very id then; see `PersonThenResponse`. 404 if nobody
    ever had the id.
    """
    asked = parse_person_id(person_id)
    if as_of is not None:
        at = parse_instant(as_of, field="as_of")
        return json_response(service.ask("read_person", recipient, person_as_of, asked, at))
    answer = service.ask("read_person", recipient, resolve_by_person_id, asked)
    return json_response(person_view(answer))


@router.get(
    "/persons/{person_id}/records",
    tags=["persons"],
    responses={200: {"model": CrossReferencesResponse}},
)
def list_person_records(
    person_id: PersonIdInPath, service: Served, recipient: Told, as_of: AsOf = None
) -> Response:
    """Where a person has records, or had some at an instant; by source and local id.

    Without `as_of` an id no longer in use leads on. 404 if nobody ever had it.
    """
    asked = parse_person_id(person_id)
    if as_of is not None:
        at = parse_instant(as_of, field="as_of")
        then = service.ask("list_person_records", recipient, cross_references_as_of, asked, at)
        return json_response(cross_references_view(then))
    answer = service.ask("list_person_records", recipient, cross_references, asked)
    return json_response(cross_references_view(answer))


for each in (records, decisions, numbers, tasks, changes):
    router.include_router(each.router)
