"""`python -m benchmarks NAME...`: measure, print the tables, and write them as JSON.

One suite runs here. Several run one after another in processes of their own, each within a limit of
time, so that one that fails, hangs or runs out of memory costs nobody else's results.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from time import perf_counter

from benchmarks.suite import ROOT, SCALES, Outcome, write_outcome

SUITES = (
    "accuracy", "scorer", "bulk", "resolve", "register", "http", "growth", "memory",
)  # fmt: skip
"""Modules of this package, in the order in which they run; each has `run(scale) -> Outcome`."""
WITHIN_S = {"quick": 600, "full": 7_200}
"""A suite that takes longer is stopped, with every process that it started."""


def main() -> int:
    """Run the suites that the command line names, or all; gives the status to end with."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*SUITES, []], metavar="NAME", default=[])
    parser.add_argument("--full", action="store_true", help="the whole region; takes hours")
    chosen = parser.parse_args()
    scale = "full" if chosen.full else "quick"
    names = chosen.names or SUITES
    if len(names) == 1:
        run_suite(names[0], scale)
        return 0
    options = ["--full"] if chosen.full else []
    command = [sys.executable, "-m", "benchmarks"]
    failed = [
        name for name in names if not ran([*command, name, *options], within_s=WITHIN_S[scale])
    ]
    if failed:
        print(f"No result of: {', '.join(failed)}.", file=sys.stderr)
    return min(len(failed), 1)


def run_suite(name: str, scale_name: str) -> None:
    """Run one suite in this process, print its tables and write them."""
    scale, began = SCALES[scale_name], perf_counter()
    outcome: Outcome = import_module(f"benchmarks.{name}").run(scale)
    seconds = perf_counter() - began
    print(f"# {name} ({scale.name}, {seconds:.0f} s)\n")
    for table in outcome.tables:
        print(table.to_markdown())
    print(f"Written to {write_outcome(name, scale, outcome, seconds=seconds)}\n", flush=True)
    gc.unfreeze()  # Else the engine's binding tells of everything that was kept as leaked.


def ran(command: Sequence[str], *, within_s: float) -> bool:
    """Whether a command ended well and in time; nothing that it started outlives it."""
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True) as process:
        try:
            return process.wait(within_s) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
