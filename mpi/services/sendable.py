"""What no database could hold is refused at the door, in one sentence that names field and rule."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Final

from mpi.clock import Clock
from mpi.domain.records import content_json
from mpi.errors import InvalidInput, InvalidRecord

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


def require_unicode(content: str) -> None:
    """Raise InvalidRecord if a field of this JSON holds half a character, no text in any encoding.

    Args:
        content: Of a version, as `content_json` writes it.
    """
    if _is_unicode(content):
        return
    for field, value in json.loads(content).items():
        if not _is_unicode(content_json({field: value})):
            raise InvalidRecord(f"{field}: must be valid Unicode text, without lone surrogates")


def require_plain(field: str, text: str) -> None:
    """Nothing, if what somebody typed can be kept as a database's text.

    Raises:
        InvalidInput: If it holds a NUL or half a character; the sentence names `field`.
    """
    if "\0" in text or not _is_unicode(text):
        raise InvalidInput(f"{field}: must be valid Unicode text, without NUL characters")


def _is_unicode(text: str) -> bool:
    return text.isascii() or text == text.encode("utf-8", "ignore").decode()
