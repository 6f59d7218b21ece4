"""How right the links are: of the region's index, and of `mpi link` on files from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.accuracy_files import measure_files
from benchmarks.accuracy_region import measure_regions
from benchmarks.clerical_work import work_chart
from benchmarks.suite import Outcome, Scale, stand_alone
from mpi.batch.quality.charts import svg_of


def run(scale: Scale) -> Outcome:
    """Precision, recall and questions of all regions and files, with the curve by threshold."""
    regions, region_figures = measure_regions(scale)
    files, file_figures = measure_files(scale)
    figures = {"regions": region_figures, "files": file_figures}
    return Outcome([*regions, *files], figures, _plots(scale, region_figures))


def _plots(scale: Scale, regions: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Named by the scale, so that a quick run leaves those of the whole regions as they are."""
    curve = svg_of(_curve({name: each["curve"] for name, each in regions.items()}))
    work = svg_of(work_chart({name: each["clerical_work"] for name, each in regions.items()}))
    return {
        f"accuracy-curve-{scale.name}.svg": stand_alone(curve),
        f"accuracy-work-{scale.name}.svg": stand_alone(work),
    }


def _curve(curves: dict[str, Sequence[dict[str, float]]]) -> dict[str, Any]:
    """Precision and recall of the weights alone by threshold; one mark a whole bit and seed."""
    values = [{"profile": name, **point} for name, points in curves.items() for point in points]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": 560,
        "height": 320,
        "data": {"values": values},
        "mark": {"type": "point", "filled": True, "size": 40},
        "encoding": {
            "x": {"field": "recall", "type": "quantitative", "scale": {"zero": False}},
            "y": {"field": "precision", "type": "quantitative", "scale": {"zero": False}},
            "shape": {"field": "profile", "type": "nominal"},
            "color": {"field": "profile", "type": "nominal"},
        },
    }
