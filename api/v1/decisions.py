"""Decisions over HTTP: the same person, different people, whose a held version is; and retraction.

Each can be previewed: the answer says what would become of whom, and nothing has changed.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from api.v1.schemas import PERSON_ID_EXAMPLE, RECORD_EXAMPLE, Text
from api.v1.views import json_response
from api.wiring import Served, Service, Told
from mpi.domain.identifiers import RecordKey, parse_person_id, parse_record_key
from mpi.domain.links import DecisionKind
from mpi.domain.records import VersionVerdict
from mpi.limits import CANDIDATES_MAX, PAGE_ITEMS_MAX
from mpi.services.decide import Named, Proposal
from mpi.services.decide import decide as take_decision
from mpi.services.decided import Decided
from mpi.services.decisions import read_decision as look_up_decision
from mpi.services.decisions import read_decisions
from mpi.services.disclosure import Recipient
from mpi.services.judge_version import Verdict
from mpi.services.judge_version import judge_version as take_verdict
from mpi.services.retract import retract
from mpi.services.review import AnsweredTask

router = APIRouter(tags=["decisions"])

NUMBER_MAX: Final = 2**63 - 1
Reason = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2_000,
        pattern=r"^[^\x00]*[^\x00\s][^\x00]*$",
        description="Why; kept with the decision and shown to stewards.",
    ),
]
Records = Annotated[list[Text], Field(max_length=CANDIDATES_MAX)]
Number = Annotated[int, Path(ge=1, le=NUMBER_MAX)]
Limit = Annotated[int, Query(ge=1, le=PAGE_ITEMS_MAX)]


class NumbersBody(BaseModel):
    """What a decision *same* says about two different trusted NHS numbers."""

    model_config = ConfigDict(extra="forbid")

    supersedes: dict[Text, Text] = Field(
        {}, description="NHS number -> the number that takes its place."
    )
    wrong_numbers: Records = Field(
        [], description="Records, as `source:local_id`, that carry a number which is not theirs."
    )

    def wrong_keys(self) -> tuple[RecordKey, ...]:
        """The keys of `wrong_numbers`, in order. Raises InvalidIdentifier."""
        return tuple(map(parse_record_key, self.wrong_numbers))


class TaskReference(BaseModel):
    """A task as it was shown: its number and its revision then."""

    model_config = ConfigDict(extra="forbid")

    task: int = Field(ge=1, le=NUMBER_MAX)
    revision: int = Field(ge=1, le=NUMBER_MAX)

    def to_domain(self) -> AnsweredTask:
        """The same as the services know it."""
        return AnsweredTask(number=self.task, revision=self.revision)


class DecisionBody(NumbersBody):
    """What a steward says about two persons."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "kind": "same",
                    "left": [RECORD_EXAMPLE],
                    "right": [PERSON_ID_EXAMPLE],
                    "reason": "The practice confirmed the change of name.",
                }
            ]
        },
    )

    kind: DecisionKind
    left: Records = Field(
        description="The records of the one person, as `source:local_id`; a person id stands for "
        "all records of a live person."
    )
    right: Records = Field(description="Those of the other.")
    reason: Reason
    evidence_digest: Text | None = Field(
        None, description="Of what the steward saw: refused if there is something else to see."
    )
    answers: TaskReference | None = Field(None, description="The task that this settles.")

    def to_domain(self) -> Proposal:
        """The same as the services know it.

        Raises:
            InvalidIdentifier: If a key or id is malformed.
        """
        return Proposal(
            kind=self.kind,
            left=_named(self.left),
            right=_named(self.right),
            reason=self.reason,
            supersedes=self.supersedes,
            wrong_numbers=self.wrong_keys(),
            evidence_digest=self.evidence_digest,
            task=self.answers.to_domain() if self.answers else None,
        )


class VerdictBody(BaseModel):
    """What a steward says about a version that is held back."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"record": RECORD_EXAMPLE, "verdict": "correction", "reason": "A typing error."}
            ]
        },
    )

    record: Text = Field(description="`source:local_id`")
    version: Text | None = Field(None, description="Its digest; needed if several are held.")
    verdict: VersionVerdict
    reason: Reason
    answers: TaskReference | None = None

    def to_domain(self) -> Verdict:
        """The same as the services know it.

        Raises:
            InvalidIdentifier: If the record's key is malformed.
        """
        return Verdict(
            record=parse_record_key(self.record),
            version=self.version,
            verdict=self.verdict,
            reason=self.reason,
            task=self.answers.to_domain() if self.answers else None,
        )


class MergePersonsBody(NumbersBody):
    """Whom a person is the same as."""

    person_id: Text = Field(description="The other person; which id stays follows from their age.")
    reason: Reason


class SplitPersonBody(BaseModel):
    """Which records of a person are another human's."""

    model_config = ConfigDict(extra="forbid")

    records: Records = Field(description="As `source:local_id`.")
    reason: Reason


class RetractionBody(BaseModel):
    """Why a decision does not hold."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


class DecidedResponse(BaseModel):
    """What it did to whom, or would do; ids only. Records are `source:local_id`, in order."""

    decision: int = Field(description="Its number; 0 in a preview.")
    evidence_digest: str | None = Field(description="Of what there was to see.")
    before: dict[str, list[str]] = Field(description="Person -> records, of those it touched.")
    after: dict[str, list[str]]
    merged: dict[str, str] = Field(description="A person that is no more -> who has its records.")
    tasks_opened: list[int]
    tasks_settled: list[int] = Field(description="Tasks that settled themselves.")


class DecisionResponse(BaseModel):
    """A decision, in force or taken back; instants in ISO 8601.

    Records are `source:local_id`, in order. What begins with `retract` is null while it is in
    force.
    """

    decision: int
    kind: DecisionKind = Field(
        description="Of a verdict, `same` is a correction and `different` another human."
    )
    reason: str
    author: str
    decided_at: str
    evidence_digest: str | None
    retracted_at: str | None
    retracted_by: str | None
    retraction_reason: str | None
    left: list[str]
    right: list[str]
    wrong_numbers: list[str]
    supersedes: dict[str, str]
    record: str | None = Field(description="Whose version a verdict is about.")
    version: str | None
    person_ids: list[str | None] = Field(description="Whose the records are today.")


class DecisionsResponse(BaseModel):
    """In the order in which they were taken."""

    decisions: list[DecisionResponse]
    next_after: int | None = Field(description="For the next page, if there is one.")


DECIDED: Final[dict[int | str, dict[str, Any]]] = {200: {"model": DecidedResponse}}


@router.post("/decisions", responses=DECIDED)
def decide(said: DecisionBody, service: Served, recipient: Told) -> Response:
    """The same person, or different people: outranks every weight until it is retracted.

    404 if what is named does not exist. 409 if a decision in force says the opposite, or persons,
    evidence or task are not what the steward saw.
    """
    return _decided(service, recipient, said.to_domain())


@router.post("/decisions:preview", responses=DECIDED)
def preview_decision(said: DecisionBody, service: Served, recipient: Told) -> Response:
    """What that decision would do, or the error with which it would be refused; changes nothing."""
    return _decided(service, recipient, said.to_domain(), is_preview=True)


@router.get("/decisions", responses={200: {"model": DecisionsResponse}})
def list_decisions(
    service: Served,
    recipient: Told,
    after: Annotated[int, Query(ge=0, le=NUMBER_MAX)] = 0,
    limit: Limit = PAGE_ITEMS_MAX,
) -> Response:
    """All decisions, retracted ones too, the first first.

    `after` is 0, or `next_after` of the page before.
    """
    answer = service.ask("list_decisions", recipient, read_decisions, after, limit)
    return json_response(answer)


@router.get("/decisions/{number:int}", responses={200: {"model": DecisionResponse}})
def read_decision(number: Number, service: Served, recipient: Told) -> Response:
    """One decision, in force or retracted. 404 if there is none of this number."""
    return json_response(service.ask("read_decision", recipient, look_up_decision, number))


@router.post("/decisions/{number:int}:retract", responses=DECIDED)
def retract_decision(
    number: Number, said: RetractionBody, service: Served, recipient: Told
) -> Response:
    """Take a decision back: groups, ids and golden records are what they are without it.

    404 if there is none of this number, 409 if it was retracted before.
    """
    return json_response(service.act(retract, number, said.reason, recipient))


@router.post("/decisions/{number:int}:preview-retraction", responses=DECIDED)
def preview_retraction(
    number: Number, said: RetractionBody, service: Served, recipient: Told
) -> Response:
    """What retracting it would do, or the error with which it would be refused; changes nothing."""
    return json_response(service.act(retract, number, said.reason, recipient, is_preview=True))


@router.post("/verdicts", responses=DECIDED)
def judge_version(said: VerdictBody, service: Served, recipient: Told) -> Response:
    """A held version is a correction, or another human's: then what came before does not count.

    404 if there is no such record or version. 409 if it is not held back, or the task is not what
    the steward saw.
    """
    return json_response(service.act(take_verdict, said.to_domain(), recipient))


@router.post("/verdicts:preview", responses=DECIDED)
def preview_verdict(said: VerdictBody, service: Served, recipient: Told) -> Response:
    """What that verdict would do, or the error with which it would be refused; changes nothing."""
    return json_response(service.act(take_verdict, said.to_domain(), recipient, is_preview=True))


@router.post("/persons/{person_id}:merge", tags=["persons"], responses=DECIDED)
def merge_persons(
    person_id: str, said: MergePersonsBody, service: Served, recipient: Told
) -> Response:
    """Two persons are one: a decision *same* about all their records.

    404 and 409 as for a decision; 422 if they hold two trusted NHS numbers and the body does not
    say which of them is right.
    """
    proposal = Proposal(
        kind=DecisionKind.SAME,
        left=(parse_person_id(person_id),),
        right=(parse_person_id(said.person_id),),
        reason=said.reason,
        supersedes=said.supersedes,
        wrong_numbers=said.wrong_keys(),
    )
    return _decided(service, recipient, proposal)


@router.post("/persons/{person_id}:split", tags=["persons"], responses=DECIDED)
def split_person(
    person_id: str, said: SplitPersonBody, service: Served, recipient: Told
) -> Response:
    """Some records are another human's: a decision *different* between them and the others.

    404 and 409 as for a decision; 422 unless the records are the person's, and not all of them.
    """
    parted = tuple(map(parse_record_key, said.records))
    proposal = Proposal(
        kind=DecisionKind.DIFFERENT,
        left=(parse_person_id(person_id),),
        right=parted,
        reason=said.reason,
        is_split=True,
    )
    return _decided(service, recipient, proposal)


def _decided(
    service: Service, recipient: Recipient, proposal: Proposal, *, is_preview: bool = False
) -> Response:
    decided: Decided = service.act(take_decision, proposal, recipient, is_preview=is_preview)
    return json_response(decided)


def _named(texts: list[str]) -> tuple[Named, ...]:
    """A record's key has a colon, a person id has none."""
    return tuple(parse_record_key(t) if ":" in t else parse_person_id(t) for t in texts)
