"""Version 1 of the JSON API, the auditor's side: who saw a person?"""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.v1.routes import PROBLEMS, PersonIdInPath
from api.v1.schemas import DisclosuresResponse
from api.v1.views import json_response
from api.wiring import Served, Told
from mpi.domain.identifiers import parse_person_id
from mpi.services.who_saw import disclosure_view

router = APIRouter(prefix="/v1", responses=PROBLEMS)


@router.get(
    "/persons/{person_id}/disclosures",
    tags=["audit"],
    responses={200: {"model": DisclosuresResponse}},
)
def list_disclosures(person_id: PersonIdInPath, service: Served, recipient: Told) -> Response:
    """Who saw this person's records, under whatever id they were shown, the latest first.

    Followed by the record versions that were shown, so it is right after merges and splits too.
    404 if nobody ever had the id.
    """
    events = service.who_saw(parse_person_id(person_id), recipient)
    return json_response({"disclosures": [disclosure_view(event) for event in events]})
