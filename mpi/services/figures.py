"""The figures that operators watch, by name, as any door can show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mpi.storage.audit_seals import count_unsealed, find_last_seal
from mpi.storage.figures import (
    Waiting,
    count_open_tasks,
    count_unnumbered_events,
    last_heard,
    last_sequence,
)
from mpi.storage.unit_of_work import UnitOfWork
from mpi.storage.webhooks import list_backlogs


@dataclass(frozen=True, slots=True)
class Figure:
    """One gauge, as Prometheus has them: `_seconds` ends the name of an age, others are counts."""

    name: str
    words: str
    labels: tuple[str, ...]
    values: tuple[tuple[tuple[str, ...], float], ...]
    """Values of the labels, in the order of `labels` -> value; ages in seconds."""


def figures(unit: UnitOfWork, *, now: datetime) -> list[Figure]:
    """How much waits, and how long (seconds) the oldest has; 0 where nothing waits.

    Args:
        unit: Where to look.
        now: The present instant, from which ages are counted.
    """
    tasks, seal = count_open_tasks(unit), find_last_seal(unit)
    unsealed = Waiting(*count_unsealed(unit, after=seal.last_event if seal else 0))
    unnumbered = count_unnumbered_events(unit)
    heard, backlogs = last_heard(unit), list_backlogs(unit)
    return [
        _by("mpi_tasks_open", "Open tasks", "type", {k: v.count for k, v in tasks.items()}),
        _by(
            "mpi_task_oldest_seconds",
            "Age of the oldest open task",
            "type",
            {k: _age(v, now) for k, v in tasks.items()},
        ),
        _by(
            "mpi_feed_silence_seconds",
            "Time since a source system was last heard of",
            "source",
            {source: (now - at).total_seconds() for source, at in heard.items()},
        ),
        _one("mpi_outbox_waiting", "Events not yet in the feed", unnumbered.count),
        _one("mpi_outbox_lag_seconds", "Age of the oldest of them", _age(unnumbered, now)),
        _one("mpi_outbox_last_sequence", "Place of the newest event", last_sequence(unit)),
        _one("mpi_audit_unsealed", "Audit events without a seal", unsealed.count),
        _one("mpi_audit_lag_seconds", "Age of the oldest of them", _age(unsealed, now)),
        _by(
            "mpi_webhook_waiting",
            "Messages not yet received",
            "webhook",
            {each.webhook_id: each.waiting_count for each in backlogs},
        ),
        _by(
            "mpi_webhook_dead",
            "Messages given up",
            "webhook",
            {each.webhook_id: each.dead_count for each in backlogs},
        ),
        _by(
            "mpi_webhook_oldest_seconds",
            "Age of the oldest event not received",
            "webhook",
            {each.webhook_id: _age(Waiting(1, each.since), now) for each in backlogs},
        ),
    ]


def _age(waiting: Waiting, now: datetime) -> float:
    return (now - waiting.since).total_seconds() if waiting.since else 0.0


def _one(name: str, words: str, value: float) -> Figure:
    return Figure(name, words, (), (((), value),))


def _by(name: str, words: str, label: str, values: dict[str, float]) -> Figure:
    return Figure(name, words, (label,), tuple(((k,), v) for k, v in sorted(values.items())))
