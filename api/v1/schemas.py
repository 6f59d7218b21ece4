"""What version 1 of the API takes and gives, as OpenAPI documents it.

Unknown fields are refused: a misspelt field that is quietly ignored would change an answer.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mpi.domain.demographics import Demographics
from mpi.domain.links import LinkOrigin, VetoReason
from mpi.limits import FIELD_CHARACTERS_MAX
from mpi.services.answers import Grade

PERSON_ID_EXAMPLE: Final = "P7K2M9QX4T1BW7"
RECORD_EXAMPLE: Final = "gp:J81001-17"
_NUMBER_EXAMPLE: Final = "999 000 0018"

Text = Annotated[str, Field(max_length=FIELD_CHARACTERS_MAX)]


class AskedDemographics(BaseModel):
    """As much as is known; text as it was written, dates in any form. Named as in `mpi link`."""

    model_config = ConfigDict(extra="forbid")

    nhs_number: Text | None = None
    given_name: Text | None = None
    middle_name: Text | None = None
    family_name: Text | None = None
    date_of_birth: Text | None = None
    sex: Text | None = None
    postcode: Text | None = None
    address: Text | None = None
    town: Text | None = None
    phone: Text | None = None
    email: Text | None = None

    def to_domain(self) -> Demographics:
        """The same as the domain knows it; empty text is a missing value."""
        given = {name: value for name, value in self.model_dump().items() if value}
        return Demographics(**given)


class ResolveRequest(BaseModel):
    """Exactly one of the four."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"nhs_number": _NUMBER_EXAMPLE},
                {"record": RECORD_EXAMPLE},
                {"person_id": PERSON_ID_EXAMPLE},
                {
                    "demographics": {
                        "given_name": "Ada",
                        "family_name": "Okafor",
                        "date_of_birth": "2 March 1989",
                        "postcode": "DT1 1AA",
                    }
                },
            ]
        },
    )

    nhs_number: Text | None = None
    record: Text | None = Field(default=None, description="`source:local_id`")
    person_id: Text | None = None
    demographics: AskedDemographics | None = None

    @model_validator(mode="after")
    def _asks_one_thing(self) -> ResolveRequest:
        given = [self.nhs_number, self.record, self.person_id, self.demographics]
        if sum(value is not None for value in given) != 1:
            raise ValueError("give one of nhs_number, record, person_id and demographics")
        if self.demographics is not None and not any(self.demographics.model_dump().values()):
            raise ValueError("demographics: give at least one field")
        return self


class ExplanationStepView(BaseModel):
    """What one comparison adds, in bits: its level's weight and an adjustment for a rare value.

    `running_bits` is the sum so far, the prior included.
    """

    comparison: str
    level: str
    words: str
    frequency_words: str
    weight_bits: float
    adjustment_bits: float
    running_bits: float


class ExplainRequest(BaseModel):
    """Two records that live."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"left": RECORD_EXAMPLE, "right": "poole-council:P445"}]},
    )

    left: Text = Field(description="`source:local_id`")
    right: Text


class ExplainResponse(BaseModel):
    """The evidence for and against two records being one person's; all weights are in bits.

    Source: Fellegi and Sunter (1969): log2 odds, of which each comparison adds its part.
    """

    left: str
    right: str
    person_ids: list[str | None] = Field(description="Of the left and of the right record.")
    match_weight_bits: float
    veto: VetoReason | None = Field(description="Between the two records alone.")
    prior_bits: float
    steps: list[ExplanationStepView]
    link_bits: float
    review_bits: float
    model_digest: str


class EvidenceView(BaseModel):
    """Why a person answers a question asked by demographics.

    The weight w is in bits; `match_probability`, 2^w / (1 + 2^w), is the same for display. Where a
    veto says that they are two people it is null, whatever the weight.
    """

    grade: Grade
    match_weight_bits: float
    match_probability: float | None
    record: str = Field(description="The person's record that fits best.")
    veto: VetoReason | None
    prior_bits: float
    steps: list[ExplanationStepView] = Field(
        description="`prior_bits` and every step's weight and adjustment, added in order, are "
        "`match_weight_bits` exactly."
    )


PARTED: Final[Any] = Field(
    description="Persons that it was one with until a split that no decision caused and no steward "
    "has looked at: take care."
)


class PersonView(BaseModel):
    """One live person with the golden record.

    That is field -> value, record, version and rule, or a list of these.
    """

    person_id: str = Field(examples=[PERSON_ID_EXAMPLE])
    recently_parted_from: list[str] = PARTED
    golden: dict[str, Any]
    evidence: EvidenceView | None = None


class ResolveResponse(BaseModel):
    """Nobody, one person, or several to choose from, best first."""

    persons: list[PersonView]
    is_complete: bool = Field(
        description="False if more records or persons fit than were looked at or are shown."
    )
    asked_id: str | None = Field(description="The id asked about, if no longer in use.")
    is_closed: bool = Field(description="None of the asked id's records is left.")
    model_digest: str


class PersonResponse(BaseModel):
    """The person of an id."""

    person_id: str | None = Field(description="None if the id is closed.")
    asked_id: str | None = Field(description="The id asked about, if no longer in use.")
    is_closed: bool
    went_to: list[str] = Field(description="Who holds the records of a closed id.")
    recently_parted_from: list[str] = PARTED
    golden: dict[str, Any]
    model_digest: str


class PersonThenResponse(BaseModel):
    """A person as the index knew it at an instant; without records if it had none then.

    Records are `source:local_id`, in order.
    """

    person_id: str
    as_of: datetime
    golden: dict[str, Any]
    records: list[str]


class CrossReferenceView(BaseModel):
    """One source record of a person; the weight, in bits, is of its heaviest edge to another."""

    source: str
    local_id: str
    origin: LinkOrigin
    match_weight_bits: float | None
    model_digest: str
    linked_at: datetime


class CrossReferencesResponse(BaseModel):
    """Where a person has records, by source and local id; nowhere if the id is closed."""

    person_id: str
    asked_id: str | None
    records: list[CrossReferenceView]


class RecordResponse(BaseModel):
    """One source record: what it says now, and whose it is.

    `state` is `live`, `retired` or `merged`; `content` is empty and `person_id` null unless it
    lives.
    """

    source: str
    local_id: str
    state: str
    person_id: str | None
    merged_into: str | None
    registered_at: datetime
    content: dict[str, Any]


class FieldProblem(BaseModel):
    """One wrong field, as a path with dots, and the rule that it breaks; never the value."""

    field: str
    rule: str


class Problem(BaseModel):
    """Problem details (RFC 9457): `type` names the kind for programs, `detail` is one sentence."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = []


class UserView(BaseModel):
    """On whose behalf a client asked, as the client named them."""

    id: str
    role: str
    organisation: str = Field(description="ODS code.")


class Disclosure(BaseModel):
    """One time that a person's records were shown, or that something was done about them."""

    recorded_at: datetime
    actor: str = Field(description="The client, command or source system.")
    organisation: str | None = Field(description="ODS code of the client's organisation.")
    user: UserView | None = None
    purpose: str
    action: str
    person_id: str | None = Field(description="The id under which they were shown then.")
    seen: dict[str, str] = Field(
        description="Record -> digest of the version shown; empty where only the key was."
    )


class DisclosuresResponse(BaseModel):
    """Who saw a person, the latest first.

    At most 1,000 times that records were shown, and 1,000 times that something was done.
    """

    disclosures: list[Disclosure]
