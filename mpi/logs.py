"""Logs for operators: events and ids, never people.

An event has a static name and fields from the list below, so that no name, birth date, address or
number can reach a log by somebody's good intention. One line an event, JSON, on standard error.
"""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final, TextIO

ALLOWED_FIELDS: Final = frozenset(
    {
        "action", "bytes_count", "candidates_count", "command", "database", "duration_ms",
        "edges_count", "error_class", "event_number", "exit_status", "field", "file", "format",
        "groups_count", "line", "match_weight_bits", "method", "model_digest", "model_version",
        "peak_memory_mib", "person_id", "persons_count", "phase", "quarantined_count", "reason",
        "record_ref", "records_count", "request_id", "route", "rows_count", "rule", "seed",
        "settings_count", "source", "status", "task_id", "task_type", "tasks_count",
        "versions_count", "workers_count",
    }
)  # fmt: skip
"""Surrogate ids, source systems, counts, weights, durations, digests and classes of errors.
`record_ref` is the store's own number of a record, not its local id; `route` a template."""
_LOGGER: Final = logging.getLogger("mpi")
_LOGGER.addHandler(logging.NullHandler())
_REQUEST: ContextVar[str | None] = ContextVar("request_id", default=None)

Scalar = str | int | float | bool | None


class LogFieldNotAllowed(AssertionError):
    """A field that is not in the list: a mistake in our code, never in data; under tests only."""


def configure_logs(*, stream: TextIO | None = None, level: str = "info") -> None:
    """Write events to a stream (standard error if None) from this level up; to be called once."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_JsonLines())
    _LOGGER.handlers[:] = [handler]
    _LOGGER.setLevel(level.upper())
    _LOGGER.propagate = False


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
    def format(self, record: logging.LogRecord) -> str:
        """One JSON object; of other libraries' messages only where they come from."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = getattr(record, "event_fields", None)
        if fields is None:
            fields, event = {"reason": record.name}, "foreign_message_dropped"
        else:
            event = record.getMessage()
        line = {"at": at, "level": record.levelname.lower(), "event": event, **fields}
        return json.dumps(line, ensure_ascii=True)


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
