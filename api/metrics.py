"""What Prometheus reads: counts and times of requests, and how much waits. Nobody's data.

With several workers each counts in files that all share; a scrape of any of them tells the sum.
How much waits is read from the store at the scrape, so that every worker tells the same.
"""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from api.counters import counted
from api.wiring import Served
from mpi.services.figures import Figure

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
def read_metrics(service: Served) -> Response:
    """The figures in the text format of Prometheus; ages and times in seconds."""
    waiting = CollectorRegistry()
    waiting.register(_Gauges(service.figures()))
    return Response(counted() + generate_latest(waiting), media_type=CONTENT_TYPE_LATEST)


class _Gauges(Collector):
    def __init__(self, figures: Iterable[Figure]) -> None:
        self._figures = figures

    def collect(self) -> Iterable[GaugeMetricFamily]:
        for figure in self._figures:
            family = GaugeMetricFamily(figure.name, figure.words, labels=figure.labels)
            for labels, value in figure.values:
                family.add_metric(labels, value)
            yield family
