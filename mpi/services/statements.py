"""What a source system sends about a record, read from JSON: the same rules at every door.

A field that is not known is refused rather than ignored, because a misspelt one would quietly
change who somebody is. Poor demographics are fine; text that no store can keep is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from mpi.domain.demographics import TEXT_FIELDS, Demographics
from mpi.domain.identifiers import RecordKey, checked_record_key
from mpi.domain.instants import parse_instant
from mpi.domain.records import PART_TYPES
from mpi.errors import InvalidRecord
from mpi.limits import FEED_FIELD_CHARACTERS_MAX, FIELD_ENTRIES_MAX, REQUEST_KEY_CHARACTERS_MAX
from mpi.services.register import Statement

KEY_FIELDS: Final = ("source", "local_id", "request_key")
"""What a statement says of itself where no address says it."""
EVENT_FIELDS: Final = ("event_at", "sequence", "entered_in_error")
SEQUENCE_MAX: Final = 2**63 - 1
"""The largest whole number that both databases hold."""
_LISTS: Final = ("other_phones", *PART_TYPES)
STATEMENT_FIELDS: Final = frozenset((*EVENT_FIELDS, *TEXT_FIELDS, *_LISTS))


def keyed_statement(content: object) -> Statement:
    """The statement of an object that names its record in `source` and `local_id`.

    Args:
        content: Plain JSON values, whatever they are; `request_key` may be among them, the rest as
            `read_statement` takes it.

    Raises:
        InvalidIdentifier: If the record's key is malformed.
        InvalidRecord: If another field breaks a rule.
        InvalidInput: If `event_at` is no instant. The sentence names field and rule.
    """
    told = _object(content, "record")
    source, local_id, request_key = (told.get(name) for name in KEY_FIELDS)
    if not isinstance(source, str) or not isinstance(local_id, str):
        raise InvalidRecord("source, local_id: must be texts")
    key = checked_record_key(source, local_id)
    rest = {name: value for name, value in told.items() if name not in KEY_FIELDS}
    return read_statement(rest, key=key, request_key=request_key)


def read_statement(content: object, *, key: RecordKey, request_key: object = None) -> Statement:
    """The statement about a record that this JSON value makes.

    Args:
        content: Demographics with `event_at` and perhaps `sequence` and `entered_in_error`. Null,
            empty and blank texts are missing values.
        key: Of the record.
        request_key: The sender's own key of the message.

    Raises:
        InvalidRecord: If a field is missing, unknown or breaks a rule.
        InvalidInput: If `event_at` is no instant. The sentence names field and rule.
    """
    told = _object(content, "body")
    if not STATEMENT_FIELDS.issuperset(told):
        raise InvalidRecord("body: has a field that is not known here")
    if "event_at" not in told:
        raise InvalidRecord("event_at: is missing")
    return Statement(
        key=key,
        demographics=_demographics(told),
        event_at=parse_instant(told["event_at"], field="event_at"),
        sequence=checked_sequence(told.get("sequence", 0)),
        is_entered_in_error=_flag(told, "entered_in_error"),
        request_key=checked_request_key(request_key),
    )


def checked_sequence(value: object) -> int:
    """A source's own order of events among those of one instant.

    Raises:
        InvalidRecord: Unless it is a whole number from 0 to `SEQUENCE_MAX`.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= SEQUENCE_MAX:
        raise InvalidRecord("sequence: must be a whole number from 0 to 2^63 - 1")
    return value


def checked_request_key(value: object) -> str | None:
    """A sender's key of a message; None if it gave none.

    Raises:
        InvalidRecord: Unless it is 1 to `REQUEST_KEY_CHARACTERS_MAX` printable ASCII characters.
    """
    if value is None:
        return None
    if (
        not isinstance(value, str)
        or not 1 <= len(value) <= REQUEST_KEY_CHARACTERS_MAX
        or not (value.isascii() and value.isprintable())
    ):
        raise InvalidRecord(
            f"idempotency_key: must be 1-{REQUEST_KEY_CHARACTERS_MAX} printable ASCII characters"
        )
    return value


def _demographics(told: Mapping[str, Any]) -> Demographics:
    content: dict[str, Any] = _texts(told, TEXT_FIELDS, "")
    phones = (_text(entry, "other_phones") for entry in _list(told, "other_phones"))
    content["other_phones"] = tuple(filter(None, phones))
    for name, part_type in PART_TYPES.items():
        names = tuple(each.name for each in fields(part_type))
        parts = (_part(entry, name, names) for entry in _list(told, name))
        content[name] = tuple(part_type(**part) for part in parts if part)
    return Demographics(**content)


def _part(entry: object, name: str, names: tuple[str, ...]) -> dict[str, str]:
    told = _object(entry, name)
    if not set(names).issuperset(told):
        raise InvalidRecord(f"{name}: has a field that is not known here")
    return _texts(told, names, f"{name}.")


def _texts(told: Mapping[str, Any], names: tuple[str, ...], prefix: str) -> dict[str, str]:
    """The fields that say something; empty text is a missing value."""
    found = {name: _text(told[name], prefix + name) for name in names if name in told}
    return {name: text for name, text in found.items() if text}


def _text(value: object, field: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidRecord(f"{field}: must be a text")
    if len(value) > FEED_FIELD_CHARACTERS_MAX:
        raise InvalidRecord(f"{field}: is longer than {FEED_FIELD_CHARACTERS_MAX} characters")
    if "\0" in value or not _is_unicode(value):
        raise InvalidRecord(f"{field}: has a NUL or half a character, which no store can keep")
    return value if value.strip() else None


def _is_unicode(value: str) -> bool:
    """Whether it can be written down: JSON's escapes can name half of a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _object(value: object, field: str) -> Mapping[str, Any]:
    if isinstance(value, bytes):
        raise InvalidRecord(f"{field}: must be sent as Content-Type: application/json")
    if not isinstance(value, dict):
        raise InvalidRecord(f"{field}: must be a JSON object")
    return value


def _list(told: Mapping[str, Any], name: str) -> list[Any]:
    value = told.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > FIELD_ENTRIES_MAX:
        raise InvalidRecord(f"{name}: must be a list of at most {FIELD_ENTRIES_MAX} entries")
    return value


def _flag(told: Mapping[str, Any], name: str) -> bool:
    value = told.get(name, False)
    if not isinstance(value, bool):
        raise InvalidRecord(f"{name}: must be true or false")
    return value
