"""What answering questions is worth: precision and recall as the review band widens.

All pairs of persons that an edge of the band connects are one question each. *Answered*: stewards
unite those that are one human. *Unseen*: the same were linked without asking, which is what a
lower threshold would do.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt

from mpi.batch.groups import connected_components

STEP_BITS: Final = 0.5
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class WorkPoint:
    """Asking down to one weight."""

    review_bits: float
    questions_per_1000: float
    recall_answered: float
    precision_unseen: float
    recall_unseen: float


def work_points(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """From no questions to those of the lightest stored edge.

    Args:
        connection: Holds the tables `known` (record, human), `index_records` (record, person) and
            `edges`.
    """
    humans, persons = _numbered(connection)
    left, right, bits, is_one_human = _questions(connection)
    points = []
    for least in _thresholds(bits):
        asked = bits >= least
        answered = connected_components(
            persons.max() + 1, left[asked & is_one_human], right[asked & is_one_human]
        )[persons]
        unseen = connected_components(persons.max() + 1, left[asked], right[asked])[persons]
        true_pairs = _pairs(humans)
        points.append(
            WorkPoint(
                review_bits=least,
                questions_per_1000=1_000 * float(asked.sum()) / len(humans),
                recall_answered=_pairs(humans, answered) / true_pairs,
                precision_unseen=_pairs(humans, unseen) / max(_pairs(unseen), 1),
                recall_unseen=_pairs(humans, unseen) / true_pairs,
            )
        )
    return [asdict(point) for point in points]


def work_chart(work: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The points of each profile as a chart."""
    words = {
        "recall_answered": "recall, answered",
        "precision_unseen": "precision, unseen",
    }
    values = [
        {"questions": point["questions_per_1000"], "share": point[name], "what": words[name],
         "profile": profile}
        for profile, points in work.items() for point in points for name in words
    ]  # fmt: skip
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": 560,
        "height": 320,
        "data": {"values": values},
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": {"field": "questions", "type": "quantitative",
                  "title": "questions for each 1,000 records (dashed: stress)"},
            "y": {"field": "share", "type": "quantitative", "scale": {"zero": False},
                  "title": None},
            "color": {"field": "what", "type": "nominal", "title": None},
            "strokeDash": {"field": "profile", "type": "nominal", "legend": None},
        },
    }  # fmt: skip


def _numbered(connection: duckdb.DuckDBPyConnection) -> tuple[Numbers, Numbers]:
    columns = connection.execute(
        """create or replace temp table numbered as
        select record, dense_rank() over (order by human) - 1 as human,
            dense_rank() over (order by person) - 1 as person
        from known join index_records using (record);
        select human, person from numbered order by record"""
    ).fetchnumpy()
    return np.asarray(columns["human"], np.int64), np.asarray(columns["person"], np.int64)


def _questions(connection: duckdb.DuckDBPyConnection) -> tuple[Any, Any, Any, Any]:
    columns = connection.execute(
        """select least(l.person, r.person) as l, greatest(l.person, r.person) as r,
            max(match_weight_bits) as bits, bool_or(l.human = r.human) as is_one
        from edges join numbered as l on l.record = edges."left"
        join numbered as r on r.record = edges."right"
        where l.person <> r.person group by 1, 2"""
    ).fetchnumpy()
    ends = (np.asarray(columns[side], np.int64) for side in ("l", "r"))
    return (*ends, np.asarray(columns["bits"], float), np.asarray(columns["is_one"], bool))


def _thresholds(bits: npt.NDArray[np.float64]) -> list[float]:
    """From past the heaviest, in steps; edges of no weight at all are only shared numbers."""
    heaviest = math.ceil(bits.max()) if len(bits) else 0
    return [heaviest + 1.0, *np.arange(min(heaviest, 24.0), 0.0, -STEP_BITS).tolist()]


def _pairs(*groups: Numbers) -> int:
    """Pairs of records that agree in all of these."""
    _, held = np.unique(np.stack(groups), axis=1, return_counts=True)
    return int((held * (held - 1) // 2).sum())
