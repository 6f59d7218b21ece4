"""Answers of the services as the plain values that version 1 sends; the shapes are `schemas`."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import Response

from mpi.services.answers import (
    Answer,
    CrossReferences,
    Evidence,
    Explanation,
    ExplanationStep,
    PairExplanation,
    PersonAnswer,
    RecordAnswer,
)


def json_response(content: object) -> Response:
    """Plain values and answers of services as JSON; a record's key is `source:local_id`.

    Instants are in ISO 8601, in UTC with a `Z`.
    """
    text = orjson.dumps(content, default=str, option=orjson.OPT_UTC_Z)
    return Response(text, media_type="application/json")


def resolve_view(answer: Answer) -> dict[str, Any]:
    """The fields of `ResolveResponse`."""
    return {
        "persons": [_person(person) for person in answer.persons],
        "is_complete": answer.is_complete,
        "asked_id": answer.asked_id,
        "is_closed": answer.is_closed,
        "model_digest": answer.model_digest,
    }


def person_view(answer: Answer) -> dict[str, Any]:
    """The fields of `PersonResponse`; of a closed id without a person."""
    person = None if answer.is_closed else answer.persons[0]
    return {
        "person_id": person and person.person_id,
        "asked_id": answer.asked_id,
        "is_closed": answer.is_closed,
        "went_to": [each.person_id for each in answer.persons] if answer.is_closed else [],
        "recently_parted_from": person.recently_parted_from if person else [],
        "golden": person.golden if person else {},
        "model_digest": answer.model_digest,
    }


def cross_references_view(answer: CrossReferences) -> dict[str, Any]:
    """The fields of `CrossReferencesResponse`."""
    return {
        "person_id": answer.person_id,
        "asked_id": answer.asked_id,
        "records": [
            {
                "source": each.record.source,
                "local_id": each.record.local_id,
                "origin": each.origin,
                "match_weight_bits": each.match_weight_bits,
                "model_digest": each.model_digest,
                "linked_at": each.linked_at,
            }
            for each in answer.records
        ],
    }


def record_view(answer: RecordAnswer) -> dict[str, Any]:
    """The fields of `RecordResponse`."""
    return {
        "source": answer.record.source,
        "local_id": answer.record.local_id,
        "state": answer.state,
        "person_id": answer.person_id,
        "merged_into": str(answer.merged_into) if answer.merged_into else None,
        "registered_at": answer.registered_at,
        "content": answer.content,
    }


def explained_view(answer: PairExplanation) -> dict[str, Any]:
    """The fields of `ExplainResponse`."""
    return {
        "left": answer.left,
        "right": answer.right,
        "person_ids": answer.person_ids,
        "match_weight_bits": answer.explanation.match_weight_bits,
        "veto": answer.veto,
        **_explanation(answer.explanation),
        "link_bits": answer.link_bits,
        "review_bits": answer.review_bits,
        "model_digest": answer.model_digest,
    }


def _person(person: PersonAnswer) -> dict[str, Any]:
    return {
        "person_id": person.person_id,
        "recently_parted_from": person.recently_parted_from,
        "golden": person.golden,
        "evidence": _evidence(person.evidence) if person.evidence else None,
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "grade": evidence.grade,
        "match_weight_bits": evidence.match_weight_bits,
        "match_probability": evidence.match_probability,
        "record": str(evidence.record),
        "veto": evidence.veto,
        **_explanation(evidence.explanation),
    }


def _explanation(explanation: Explanation) -> dict[str, Any]:
    return {
        "prior_bits": explanation.prior_bits,
        "steps": [_step(step) for step in explanation.steps],
    }


def _step(step: ExplanationStep) -> dict[str, Any]:
    return {
        "comparison": step.comparison,
        "level": step.level,
        "words": step.words,
        "frequency_words": step.frequency_words,
        "weight_bits": step.weight_bits,
        "adjustment_bits": step.adjustment_bits,
        "running_bits": step.running_bits,
    }
