"""What a caller asks `mpi resolve`, from options or from JSON, as one value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mpi.domain.demographics import TEXT_FIELDS, Demographics
from mpi.domain.identifiers import PersonId, RecordKey, parse_person_id, parse_record_key
from mpi.domain.records import demographics_from_dict
from mpi.errors import InvalidInput

KEY_FIELDS: Final = ("record", "person_id")
QUESTION_BYTES_MAX: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Exactly one of these is set: what is asked."""

    record: RecordKey | None = None
    person: PersonId | None = None
    nhs_number: str | None = None
    """Asked by number alone: a look-up, no comparison."""
    demographics: Demographics | None = None


def question_from_json(text: str) -> Question:
    """The question written as one JSON object of texts.

    The same as `POST /v1/resolve` takes; demographics may also stand in the object itself.

    Raises:
        InvalidInput: If it is no such object, or has a field that nobody knows.
    """
    if len(text.encode()) > QUESTION_BYTES_MAX:
        raise InvalidInput(f"question: longer than {QUESTION_BYTES_MAX} bytes")
    try:
        content = json.loads(text)
    except ValueError as error:
        raise InvalidInput("question: is not JSON") from error
    if not isinstance(content, dict):
        raise InvalidInput("question: must be one JSON object")
    if isinstance(content.get("demographics"), dict):
        content |= content.pop("demographics")
    for name, value in content.items():
        if name not in TEXT_FIELDS and name not in KEY_FIELDS:
            raise InvalidInput("question: has a field that is not among those of mpi resolve")
        if value is not None and not isinstance(value, str):
            raise InvalidInput(f"{name}: must be a text")
    return question_from_fields(content)


def question_from_fields(fields: Mapping[str, str | None]) -> Question:
    """The question that these fields ask; empty ones are not asked about.

    Args:
        fields: `record` (`source:local_id`), `person_id` or text fields of `Demographics`.

    Raises:
        InvalidInput: If nothing is asked, or two things at once; InvalidIdentifier if a key is
            malformed.
    """
    asked = {name: value.strip() for name, value in fields.items() if value and value.strip()}
    if not asked:
        raise InvalidInput("question: give a record, a person, an NHS number or demographics")
    if asked.keys() & set(KEY_FIELDS) and len(asked) > 1:
        raise InvalidInput("question: a record or a person is asked for alone")
    if "record" in asked:
        return Question(record=parse_record_key(asked["record"]))
    if "person_id" in asked:
        return Question(person=parse_person_id(asked["person_id"]))
    if asked.keys() == {"nhs_number"}:
        return Question(nhs_number=asked["nhs_number"])
    return Question(demographics=demographics_from_dict(asked))
