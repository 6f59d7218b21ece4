"""What a suite is: a function from a scale to tables and figures; and what is written of it.

A new suite is one module of this package with a function `run(scale) -> Outcome`, and its name in
`WITHIN_S` of `__main__.py`.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = Path(__file__).resolve().parent / "results"
PACKAGES: Final = ("duckdb", "splink", "sqlalchemy", "rapidfuzz", "numpy", "pyarrow")
SEED: Final = 42


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured."""

    name: str
    """`quick` (all suites in five minutes) or `full` (the whole region, where it applies)."""
    people: int
    """Of the region that speed is measured on."""
    seeds: tuple[int, ...]
    """Of the regions that accuracy is measured on."""
    repeats: int
    """Runs of what is timed, after one that is not counted."""

    @property
    def is_full(self) -> bool:
        """Whether the whole region is measured."""
        return self.name == "full"


SCALES: Final = {
    "quick": Scale("quick", people=5_000, seeds=(SEED,), repeats=3),
    "full": Scale("full", people=800_000, seeds=(SEED, 101, 102, 103, 104), repeats=5),
}


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the outcome, cells as they are shown."""

    title: str
    header: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]

    def to_markdown(self) -> str:
        """The first column to the left, the others to the right."""
        marks = "|---|" + "---:|" * (len(self.header) - 1)
        lines = [self.header, *self.rows]
        shown = ["| " + " | ".join(map(shown_cell, row)) + " |" for row in lines]
        return "\n".join([f"**{self.title}**", "", shown[0], marks, *shown[1:], ""])


def shown_cell(value: object) -> str:
    """Four significant digits, thousands apart."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a suite found."""

    tables: Sequence[Table]
    figures: dict[str, Any]
    """JSON values."""
    plots: dict[str, str] = field(default_factory=dict)
    """File name -> SVG."""


def stand_alone(svg: str) -> str:
    """A chart made for a page, with the namespace that a file of its own needs."""
    return svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)


def machine() -> dict[str, Any]:
    """Where and of what it was measured."""
    return {
        "machine": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "commit": _git("rev-parse", "--short=12", "HEAD"),
        "is_changed": is_changed(ROOT),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def is_changed(root: Path) -> bool:
    """Whether files of the commit are other than committed, results of this very run aside."""
    told = ("status", "--porcelain", "--untracked-files=no", "--", ":(exclude)benchmarks/results")
    return bool(_git(*told, folder=root))


def write_outcome(
    name: str, scale: Scale, outcome: Outcome, *, seconds: float, folder: Path = RESULTS
) -> Path:
    """`<suite>-<scale>.json` in the folder, its tables as `.md` and its plots beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, svg in outcome.plots.items():
        (folder / file).write_text(svg, encoding="utf-8")
    content = {
        "suite": name,
        "scale": asdict(scale),
        "seconds": round(seconds, 1),
        **machine(),
        "figures": outcome.figures,
        "tables": [asdict(table) for table in outcome.tables],
    }
    path = folder / f"{name}-{scale.name}.json"
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(page_of(content, sorted(outcome.plots)), encoding="utf-8")
    return path


def page_of(content: dict[str, Any], plots: Sequence[str]) -> str:
    """The tables of a result for people, in Markdown, with where and when they were measured.

    Args:
        content: As it is written in JSON.
        plots: Names of the files beside it.
    """
    where = (
        f"{content['machine']}, {content['cores']} cores, {content['memory_gib']} GiB, Python "
        f"{content['python']}; commit {content['commit']}{', changed' * content['is_changed']}; "
        f"{content['measured_at']}; {content['seconds']:,.0f} seconds."
    )
    tables = [Table(**table).to_markdown() for table in content["tables"]]
    shown = [f"![{name}]({name})" for name in plots]
    title = f"# {content['suite']}, {content['scale']['name']}"
    return "\n\n".join([title, where, *(each.strip() for each in (*tables, *shown))]) + "\n"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _git(*words: str, folder: Path = ROOT) -> str:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()
