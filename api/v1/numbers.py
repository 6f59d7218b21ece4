"""What is said of NHS numbers over HTTP: disputed, superseded, and taken back.

Numbers stand in bodies only, never in an address.
"""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from api.v1.decisions import DECIDED
from api.v1.schemas import Text
from api.v1.views import json_response
from api.wiring import Served, Told
from mpi.services.state_number import NumberStatement, NumberStatus, retract_number, state_number

router = APIRouter(prefix="/nhs-numbers", tags=["nhs numbers"])


class NumberBody(BaseModel):
    """An NHS number."""

    model_config = ConfigDict(extra="forbid")

    nhs_number: Text = Field(description="Ten digits; spaces and hyphens do not matter.")


class NumberStatementBody(NumberBody):
    """What is said of an NHS number."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"nhs_number": "9990000026", "status": "superseded", "successor": "9990000018"}
            ]
        },
    )

    status: NumberStatus = Field(
        description="`disputed`: it counts as absent everywhere. `superseded`: it counts as its "
        "successor."
    )
    successor: Text | None = Field(None, description="Of a superseded number.")

    def to_domain(self) -> NumberStatement:
        """The same as the services know it; whether the numbers are any is judged there."""
        return NumberStatement(**self.model_dump())


@router.post(":state", responses=DECIDED)
def state_nhs_number(said: NumberStatementBody, service: Served, recipient: Told) -> Response:
    """A number is disputed or superseded: every record with it is judged anew.

    Saying the same again changes nothing. 409 if something else is in force about it.
    """
    return json_response(service.act(state_number, said.to_domain(), recipient))


@router.post(":preview", responses=DECIDED)
def preview_nhs_number(said: NumberStatementBody, service: Served, recipient: Told) -> Response:
    """What saying so would do, or the error with which it would be refused; changes nothing."""
    return json_response(service.act(state_number, said.to_domain(), recipient, is_preview=True))


@router.post(":retract", responses=DECIDED)
def retract_nhs_number(said: NumberBody, service: Served, recipient: Told) -> Response:
    """Take back what is in force about a number.

    404 if nothing is, 409 if it is part of a decision, with which it is retracted.
    """
    return json_response(service.act(retract_number, said.nhs_number, recipient))
