"""Vega-Lite charts as SVG text: drawn in process, with no browser, no network and no script.

Colours are told apart by people who cannot tell red from green, and by a printer without colour:
every chart also says in words, shape or position what its colours say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import log10
from typing import Any, Final

import vl_convert

Row = Mapping[str, Any]
Spec = dict[str, Any]

BLUE: Final = "#1d4f91"
ORANGE: Final = "#c25a00"
GREY: Final = "#8a8f98"
INK: Final = "#1f2328"
_BAND_COLOURS: Final = {"link": BLUE, "review": ORANGE, "below": GREY}
_CONFIG: Final[Spec] = {
    "font": "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
    "background": "transparent",
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "gridColor": "#e4e6ea",
        "domainColor": GREY,
        "tickColor": GREY,
        "labelLimit": 425,
    },
    "legend": {"labelColor": INK, "titleColor": INK, "labelFontSize": 12, "titleFontSize": 12},
    "header": {"labelColor": INK, "titleColor": INK},
    "bar": {"color": BLUE},
}
_OUTSIDE: Final = re.compile(r'\s(?:xmlns(?::\w+)?)="[^"]*"')
_WIDTH: Final = 680
_LABEL_WIDTH: Final = 430
"""Room for a level in words, the same in all charts so that they line up."""
_SHARE_MIN: Final = 1e-8
"""Smaller shares are drawn at the edge; the table has them."""


def svg_of(spec: Spec) -> str:
    """The chart as an `<svg>` element to put inside HTML: no outside address, scales with the page.

    Namespace declarations are left out, because HTML implies them. Screen readers get the caption
    and the table instead of hundreds of unnamed marks.
    """
    text: str = vl_convert.vegalite_to_svg({**spec, "config": _CONFIG})
    plain = _OUTSIDE.sub("", text)
    return plain.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1)


def weights_chart(rows: Sequence[Row], *, thresholds: Mapping[str, float]) -> Spec:
    """Pairs by match weight on a log scale, a line at each threshold.

    Args:
        rows: `from_bits`, `pairs_count`, `band` (`link`, `review` or `below`).
        thresholds: Name -> bits.
    """
    bands = [band for band in _BAND_COLOURS if any(row["band"] == band for row in rows)]
    bars = {
        "data": {"values": [{**row, "to_bits": row["from_bits"] + 1} for row in rows]},
        "mark": {"type": "bar", "binSpacing": 1},
        "encoding": {
            "x": {
                "field": "from_bits",
                "type": "quantitative",
                "bin": {"binned": True, "step": 1},
                "title": "match weight (bits)",
                "axis": {"tickMinStep": 5, "grid": False},
            },
            "x2": {"field": "to_bits"},
            "y": _log_count("pairs_count", "pairs (log scale)"),
            "y2": {"datum": 1},
            "color": {
                "field": "band",
                "type": "nominal",
                "title": "band",
                "scale": {"domain": bands, "range": [_BAND_COLOURS[band] for band in bands]},
                "legend": {"orient": "top", "offset": 22},
            },
        },
    }
    marks = [{"bits": bits, "name": name} for name, bits in thresholds.items()]
    rule = {
        "data": {"values": marks},
        "mark": {"type": "rule", "strokeDash": [5, 3], "color": INK},
        "encoding": {"x": {"field": "bits", "type": "quantitative"}},
    }
    label = {
        "data": {"values": marks},
        "mark": {"type": "text", "align": "left", "dx": -3, "y": -6, "color": INK},
        "encoding": {
            "x": {"field": "bits", "type": "quantitative"},
            "text": {"field": "name"},
        },
    }
    return {"width": _WIDTH, "height": 260, "layer": [bars, rule, label]}


def levels_chart(rows: Sequence[Row]) -> Spec:
    """m and u of a comparison's levels side by side on a log scale, and the weight that follows.

    Args:
        rows: `words`, `m`, `u`, `bits`, in the order of the levels.
    """
    order = [row["words"] for row in rows]
    axis = {"minExtent": _LABEL_WIDTH, "maxExtent": _LABEL_WIDTH}
    y = {"field": "words", "type": "nominal", "sort": order, "title": None, "axis": axis}
    return {
        "hconcat": [_share_dots(rows, y), _weight_bars(rows, {**y, "axis": None})],
        "spacing": 24,
    }


def _share_dots(rows: Sequence[Row], y: Spec) -> Spec:
    shares = [
        {"words": row["words"], "share": row[kind], "kind": kind}
        for row in rows
        for kind in ("m", "u")
    ]
    kinds = {"field": "kind", "type": "nominal", "title": None}
    return {
        "width": 230,
        "height": {"step": 24},
        "data": {"values": shares},
        "mark": {"type": "point", "filled": True, "size": 80, "opacity": 1},
        "encoding": {
            "y": y,
            "x": {
                "field": "share",
                "type": "quantitative",
                "scale": {"type": "log", "domain": [_SHARE_MIN, 1], "clamp": True},
                "axis": {"format": "~e", "values": _powers(_SHARE_MIN, 1)[::2]},
                "title": "share of pairs (log scale)",
            },
            "color": {
                **kinds,
                "scale": {"domain": ["m", "u"], "range": [BLUE, ORANGE]},
                "legend": {"orient": "top"},
            },
            "shape": {**kinds, "scale": {"domain": ["m", "u"], "range": ["circle", "diamond"]}},
        },
    }


def _weight_bars(rows: Sequence[Row], y: Spec) -> Spec:
    return {
        "width": 160,
        "height": {"step": 24},
        "data": {"values": [dict(row) for row in rows]},
        "mark": {"type": "bar", "height": {"band": 0.6}},
        "encoding": {
            "y": y,
            "x": {
                "field": "bits",
                "type": "quantitative",
                "title": "match weight (bits)",
                "scale": {"domain": [-15, 20], "clamp": True},
                "axis": {"values": [-10, 0, 10, 20]},
            },
            "color": {
                "condition": {"test": "datum.bits < 0", "value": ORANGE},
                "value": BLUE,
            },
        },
    }


def completeness_chart(rows: Sequence[Row]) -> Spec:
    """A heat map with the share written in each cell.

    Args:
        rows: `source`, `field`, `share` 0..1.
    """
    columns = list(dict.fromkeys(row["field"] for row in rows))
    shared = {
        "x": {
            "field": "field",
            "type": "nominal",
            "sort": columns,
            "title": None,
            "axis": {"orient": "top", "labelAngle": -35, "labelAlign": "left"},
        },
        "y": {"field": "source", "type": "nominal", "title": None},
    }
    cells = {
        "mark": {"type": "rect", "stroke": "white"},
        "encoding": {
            **shared,
            "color": {
                "field": "share",
                "type": "quantitative",
                "scale": {"domain": [0, 1], "range": ["#f4f6f9", BLUE]},
                "legend": None,
            },
        },
    }
    numbers = {
        "mark": {"type": "text", "fontSize": 11},
        "encoding": {
            **shared,
            "text": {"field": "share", "type": "quantitative", "format": ".0%"},
            "color": {"condition": {"test": "datum.share > 0.5", "value": "white"}, "value": INK},
        },
    }
    return {
        "width": {"step": 54},
        "height": {"step": 26},
        "data": {"values": [dict(row) for row in rows]},
        "layer": [cells, numbers],
    }


def group_sizes_chart(rows: Sequence[Row]) -> Spec:
    """Persons by how many records they have, on a log scale.

    Args:
        rows: `size` (text, in order), `persons_count`.
    """
    return {
        "width": _WIDTH,
        "height": 220,
        "data": {"values": [dict(row) for row in rows]},
        "mark": {"type": "bar"},
        "encoding": {
            "x": {
                "field": "size",
                "type": "ordinal",
                "sort": None,
                "title": "records of a person",
                "axis": {"labelAngle": 0},
            },
            "y": _log_count("persons_count", "persons (log scale)"),
            "y2": {"datum": 1},
        },
    }


def calibration_chart(rows: Sequence[Row]) -> Spec:
    """Observed shares with their intervals around the predicted curve.

    Args:
        rows: `bits` (middle of the bin), `predicted`, `observed`, `low`, `high`, all shares 0..1.
    """
    x = {"field": "bits", "type": "quantitative", "title": "match weight (bits)"}
    title = "share of pairs that match"
    y = {"type": "quantitative", "scale": {"domain": [0, 1]}, "axis": {"format": ".0%"}}
    curve = {
        "mark": {"type": "line", "color": ORANGE, "strokeDash": [6, 3], "point": False},
        "encoding": {"x": x, "y": {**y, "field": "predicted", "title": title}},
    }
    intervals = {
        "mark": {"type": "rule", "color": BLUE, "strokeWidth": 2},
        "encoding": {"x": x, "y": {**y, "field": "low", "title": title}, "y2": {"field": "high"}},
    }
    points = {
        "mark": {"type": "point", "filled": True, "color": BLUE, "size": 50, "opacity": 1},
        "encoding": {"x": x, "y": {**y, "field": "observed", "title": title}},
    }
    return {
        "width": _WIDTH,
        "height": 260,
        "data": {"values": [dict(row) for row in rows]},
        "layer": [curve, intervals, points],
    }


def _log_count(field: str, title: str) -> Spec:
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"type": "log", "domainMin": 1},
        "axis": {"format": "~s", "values": _powers(1, 1e9)},
    }


def _powers(low: float, high: float) -> list[float]:
    """The powers of ten from one to the other: the only lines that a log scale needs."""
    return [10.0**power for power in range(round(log10(low)), round(log10(high)) + 1)]
