"""Counts and times of requests, in this worker or in files that all workers share."""

from __future__ import annotations

import os
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)

MULTIPROCESS_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_CANDIDATES: Final = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
_REGISTRY: Final = CollectorRegistry()

REQUESTS: Final = Counter(
    "mpi_requests", "Requests by action and status", ("action", "status"), registry=_REGISTRY
)
DURATIONS: Final = Histogram(
    "mpi_request_seconds", "Time to answer", ("action",), buckets=_SECONDS, registry=_REGISTRY
)
CANDIDATES: Final = Histogram(
    "mpi_candidates", "Records scored for one look-up", buckets=_CANDIDATES, registry=_REGISTRY
)


REGISTRATIONS: Final = Counter(
    "mpi_registrations", "What became of statements about records", ("outcome",), registry=_REGISTRY
)
LOOK_UPS: Final = Counter(
    "mpi_look_ups", "How questions about people were answered", ("outcome",), registry=_REGISTRY
)


def count_request(action: str, status: int, seconds: float) -> None:
    """Count an answered request, in the process's own registry or in its file.

    Args:
        action: A route's name, never what a caller wrote.
        status: Of HTTP; 0 if nothing was answered.
        seconds: From its arrival to the end of the answer.
    """
    REQUESTS.labels(action, str(status)).inc()
    DURATIONS.labels(action).observe(seconds)


def count_candidates(count: int) -> None:
    """Count a look-up by the records that were scored for it."""
    CANDIDATES.observe(count)


def count_registration(outcome: str) -> None:
    """Count a statement by what became of it: `new`, `linked`... or `refused`."""
    REGISTRATIONS.labels(outcome).inc()


def count_look_up(outcome: str) -> None:
    """Count a question by the grade of its best answer, `by_id` or `nobody`."""
    LOOK_UPS.labels(outcome).inc()


def counted() -> bytes:
    """The counts of all workers, in the text format of Prometheus."""
    if not os.environ.get(MULTIPROCESS_VARIABLE):
        return generate_latest(_REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
