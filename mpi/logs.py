"""Logs for operators: events and ids, never people.

An event has a static name and fields from the list below, so that no name, birth date, address or
number can reach a log by somebody's good intention. A person's id is written as a reference that
changes every month. One line an event, JSON, on standard error.
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final, TextIO

PERSON_FIELD: Final = "person_id"
"""Given as an id; in the log it is `person_ref`, and the id is not."""
ALLOWED_FIELDS: Final = frozenset(
    {
        "action", "bytes_count", "candidates_count", "command", "database", "duration_ms",
        "edges_count", "error_class", "event_number", "exit_status", "field", "file", "format",
        "groups_count", "line", "match_weight_bits", "method", "model_digest", "model_version",
        "peak_memory_mib", PERSON_FIELD, "persons_count", "phase", "quarantined_count", "reason",
        "records_count", "request_id", "route", "rows_count", "rule", "seed", "settings_count",
        "source", "status", "task_id", "task_type", "tasks_count", "versions_count",
        "workers_count",
    }
)  # fmt: skip
"""Surrogate ids, source systems, counts, weights, durations, digests and classes of errors; `route`
is a template. No number of a record: a load numbers by birth date, so it tells something of it."""
REFERENCE_DIGITS: Final = 16
_LOGGER: Final = logging.getLogger("mpi")
_LOGGER.addHandler(logging.NullHandler())
_REQUEST: ContextVar[str | None] = ContextVar("request_id", default=None)

Scalar = str | int | float | bool | None


class LogFieldNotAllowed(AssertionError):
    """A field that is not in the list: a mistake in our code, never in data; under tests only."""


def configure_logs(
    *, stream: TextIO | None = None, level: str = "info", secret: bytes | None = None
) -> None:
    """Write events from now on; to be called once.

    Args:
        stream: Where to; standard error if None.
        level: Least level that is written.
        secret: Makes the references to persons; None: one that ends with the process.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_JsonLines(secret or secrets.token_bytes()))
    _LOGGER.handlers[:] = [handler]
    _LOGGER.setLevel(level.upper())
    _LOGGER.propagate = False


def person_reference(person_id: str, *, month: str, secret: bytes) -> str:
    """How a person is called in the log of a month (`2026-11`).

    Keyed, because ids can be tried out; by month, so that nobody is followed for longer.
    """
    of_month = hmac.digest(secret, month.encode(), "sha256")
    return hmac.digest(of_month, person_id.encode(), "sha256").hex()[:REFERENCE_DIGITS]


def bind_request_id(request_id: str | None) -> None:
    """Every later event of this task or thread carries this id; None ends that.

    Kept in a context variable, so that requests served side by side do not mix.
    """
    _REQUEST.set(request_id)


def debug(event: str, **fields: Scalar) -> None:
    """For developers only.

    Args:
        event: Static name in the past tense: `record_registered`.
        fields: Members of `ALLOWED_FIELDS` with plain values; any other is left out and told of.

    Raises:
        LogFieldNotAllowed: Under tests, instead of leaving a field out.
    """
    _write(logging.DEBUG, event, fields)


def info(event: str, **fields: Scalar) -> None:
    """State has changed. Arguments as for `debug`; raises LogFieldNotAllowed under tests."""
    _write(logging.INFO, event, fields)


def warning(event: str, **fields: Scalar) -> None:
    """Odd, but handled. Arguments as for `debug`; raises LogFieldNotAllowed under tests."""
    _write(logging.WARNING, event, fields)


def error(event: str, **fields: Scalar) -> None:
    """Somebody must look. Arguments as for `debug`; raises LogFieldNotAllowed under tests."""
    _write(logging.ERROR, event, fields)


class _JsonLines(logging.Formatter):
    def __init__(self, secret: bytes) -> None:
        super().__init__()
        self._secret = secret

    def format(self, record: logging.LogRecord) -> str:
        """One JSON object; of other libraries' messages only where they come from."""
        at = datetime.fromtimestamp(record.created, UTC)
        fields = getattr(record, "event_fields", None)
        if fields is None:
            fields, event = {"reason": record.name}, "foreign_message_dropped"
        else:
            event, fields = record.getMessage(), self._referred(fields, f"{at:%Y-%m}")
        written_at = at.isoformat(timespec="milliseconds")
        line = {"at": written_at, "level": record.levelname.lower(), "event": event, **fields}
        return json.dumps(line, ensure_ascii=True)

    def _referred(self, fields: dict[str, Scalar], month: str) -> dict[str, Scalar]:
        person_id = fields.get(PERSON_FIELD)
        if PERSON_FIELD not in fields:
            return fields
        others = {name: value for name, value in fields.items() if name != PERSON_FIELD}
        if person_id is None:
            return others
        reference = person_reference(str(person_id), month=month, secret=self._secret)
        return others | {"person_ref": reference}


def _write(level: int, event: str, fields: dict[str, Scalar]) -> None:
    if not _LOGGER.isEnabledFor(level):
        _allowed(fields)
        return
    kept = _allowed(fields)
    request_id = _REQUEST.get()
    if request_id is not None:
        kept.setdefault("request_id", request_id)
    _LOGGER.log(level, event, extra={"event_fields": kept})


def _allowed(fields: dict[str, Scalar]) -> dict[str, Scalar]:
    """The fields that may be written; under tests one that may not is an error."""
    unknown = sorted(fields.keys() - ALLOWED_FIELDS)
    unknown += sorted(key for key, value in fields.items() if not _is_scalar(value))
    if not unknown:
        return fields
    if "pytest" in sys.modules:
        raise LogFieldNotAllowed(f"not allowed in a log: {', '.join(unknown)}")
    kept = {key: value for key, value in fields.items() if key not in unknown}
    _LOGGER.warning("log_field_dropped", extra={"event_fields": {"field": ", ".join(unknown)}})
    return kept


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | bool)
