"""What no database could hold is refused at the door, in one sentence that names field and rule."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from mpi.clock import Clock
from mpi.domain.demographics import Demographics
from mpi.domain.records import content_json, demographics_to_dict
from mpi.errors import InvalidInput, InvalidRecord
from mpi.storage.records import canonical_json

EVENT_SKEW_MAX: Final = timedelta(days=1)
"""How far ahead of ours a source's clock may be; a later event would stay live for ever."""
SEQUENCE_MAX: Final = (1 << 63) - 1


def require_event(event_at: datetime, sequence: int, clock: Clock) -> None:
    """Nothing, if an event can have happened and has a place among others.

    Raises:
        InvalidRecord: If it has no time zone, lies more than `EVENT_SKEW_MAX` ahead, or its
            sequence needs more than 64 bits.
    """
    if event_at.tzinfo is None:
        raise InvalidRecord("event_at: must say its time zone")
    if event_at > clock.now() + EVENT_SKEW_MAX:
        raise InvalidRecord("event_at: must not lie in the future")
    if abs(sequence) > SEQUENCE_MAX:
        raise InvalidRecord("sequence: must fit into 64 bits")


def sendable_content(demographics: Demographics) -> str:
    """What is kept of demographics, as `content_json` has it.

    Raises:
        InvalidRecord: If a field holds half a character, which is no text in any encoding.
    """
    content = demographics_to_dict(demographics)
    try:
        return canonical_json(content)
    except TypeError:
        wrong = next(name for name in content if not _is_unicode(content_json(content[name])))
    raise InvalidRecord(f"{wrong}: must be valid Unicode text, without lone surrogates")


def require_plain(field: str, text: str) -> None:
    """Nothing, if what somebody typed can be kept as a database's text.

    Raises:
        InvalidInput: If it holds a NUL or half a character; the sentence names `field`.
    """
    if "\0" in text or not _is_unicode(text):
        raise InvalidInput(f"{field}: must be valid Unicode text, without NUL characters")


def _is_unicode(text: str) -> bool:
    return text.isascii() or text == text.encode("utf-8", "ignore").decode()
