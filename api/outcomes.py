"""What came of requests, told to those who run the service: counted, and changes logged."""

from __future__ import annotations

from typing import Any, Final

from api.counters import count_candidates, count_look_up, count_registration
from mpi import logs
from mpi.errors import MpiError
from mpi.services.answers import Answer
from mpi.services.register import Registered

REFUSED: Final = "refused"
BY_ID: Final = "by_id"
NOBODY: Final = "nobody"


def tell_of_answer(answer: object) -> None:
    """Count a question about people by how well it was answered, and what that took."""
    if not isinstance(answer, Answer):
        return
    count_look_up(_grade(answer))
    if answer.candidates_count is not None:
        count_candidates(answer.candidates_count)


def tell_of_act(result: Any) -> None:
    """Count and log what became of statements; other acts are in the feed and the trail."""
    for each in result if isinstance(result, list) else (result,):
        if isinstance(each, Registered):
            _tell_of_registration(each)
        elif isinstance(each, MpiError):
            count_registration(REFUSED)


def _tell_of_registration(registered: Registered) -> None:
    count_registration(registered.outcome)
    logs.info(
        "record_registered",
        source=registered.record.source,
        action=str(registered.outcome),
        person_id=registered.person_id,
        match_weight_bits=registered.match_weight_bits,
        tasks_count=len(registered.tasks_opened),
    )


def _grade(answer: Answer) -> str:
    """Of the best person; the first, because answers are in that order."""
    if not answer.persons:
        return NOBODY
    evidence = answer.persons[0].evidence
    return str(evidence.grade) if evidence else BY_ID
