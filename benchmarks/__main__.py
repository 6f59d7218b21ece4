"""`python -m benchmarks NAME...`: measure, print the tables, and write them as JSON.

Suites run one after another in processes of their own, each within a limit of time, so that one
that fails, hangs or runs out of memory costs nobody else's results. They share the regions that
they need (`loaded.py`), and leave no file behind but their results (`run_folder.py`).
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from time import perf_counter

from benchmarks.loaded import REGIONS_VARIABLE
from benchmarks.run_folder import RunFolder, run_folder
from benchmarks.suite import RESULTS, ROOT, SCALES, Outcome, Scale, write_outcome

WITHIN_S = {
    "accuracy": 1_800, "scorer": 600, "bulk": 2_400, "resolve": 2_400, "memory": 2_400,
    "register": 1_200, "http": 2_400, "growth": 3_000,
}  # fmt: skip
"""Suite -> how long it may take in full, alone on a slow machine, a region of its own included.

Modules of this package, in the order in which they run; each has `run(scale) -> Outcome`. One that
takes longer is stopped, with every process that it started.
"""
QUICK_WITHIN_S = 600
OF_THE_REGION = {"bulk", "resolve", "memory", "growth"}
BYTES_PER_PERSON = 30_000
"""Suites of the scale's whole region, and what they need: feeds, store, and a copy of the store."""


def main() -> int:
    """Run the suites that the command line names, or all; gives the status to end with."""
    chosen = _arguments()
    names, scale = chosen.names or list(WITHIN_S), _scale(chosen)
    if REGIONS_VARIABLE in os.environ:
        run_suite(names[0], scale, chosen.results)
        return 0
    end_when_told()
    options = _options(chosen, scale)
    began = perf_counter()
    with run_folder() as folder:
        if OF_THE_REGION & set(names):
            _warn_of_little_room(folder, scale)
        failed = [
            name
            for name in names
            if not ran_in(folder, [sys.executable, "-m", "benchmarks", name, *options],
                          within_s=WITHIN_S[name] if scale.is_full else QUICK_WITHIN_S)
        ]  # fmt: skip
    minutes = (perf_counter() - began) / 60
    print(f"Suites run: {len(names)}, in {minutes:.1f} minutes.", file=sys.stderr)
    if failed:
        print(f"No result of: {', '.join(failed)}.", file=sys.stderr)
    return min(len(failed), 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*WITHIN_S, []], metavar="NAME", default=[])
    parser.add_argument("--full", action="store_true", help="the whole region: half an hour")
    parser.add_argument("--people", type=int, help="of the region, in the place of the scale's")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    chosen = parser.parse_args()
    if chosen.people and chosen.results == RESULTS:
        parser.error("--people needs --results: those that are kept are of the scale's own size")
    return chosen


def _options(chosen: argparse.Namespace, scale: Scale) -> list[str]:
    """What the process of one suite is told."""
    options = ["--people", str(scale.people)] if chosen.people else []
    options += ["--full"] if chosen.full else []
    return [*options, "--results", str(chosen.results.absolute())]


def _warn_of_little_room(folder: RunFolder, scale: Scale) -> None:
    free = shutil.disk_usage(folder.path).free
    needed = scale.people * BYTES_PER_PERSON
    if free < needed:
        print(
            f"{folder.path.parent} has {free / 1e9:.0f} GB free, and about {needed / 1e9:.0f} GB "
            "are needed: name another folder in TMPDIR.",
            file=sys.stderr,
        )


def _scale(chosen: argparse.Namespace) -> Scale:
    scale = SCALES["full" if chosen.full else "quick"]
    return replace(scale, people=chosen.people or scale.people)


def end_when_told() -> None:
    """Stop the suite that runs and clean up before ending, if told to by a signal."""
    for told in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(told) is not signal.SIG_IGN:  # As `nohup` has it.
            signal.signal(told, lambda *_: sys.exit("Stopped."))


def run_suite(name: str, scale: Scale, results: Path) -> None:
    """Run one suite in this process, print its tables and write them."""
    began = perf_counter()
    outcome: Outcome = import_module(f"benchmarks.{name}").run(scale)
    seconds = perf_counter() - began
    print(f"# {name} ({scale.name}, {seconds:.0f} s)\n")
    for table in outcome.tables:
        print(table.to_markdown())
    written = write_outcome(name, scale, outcome, seconds=seconds, folder=results)
    print(f"Written to {written}\n", flush=True)
    gc.unfreeze()  # Else the engine's binding tells of everything that was kept as leaked.


def ran_in(folder: RunFolder, command: Sequence[str], *, within_s: float) -> bool:
    """Whether a command ended well and in time, its temporary files in the folder of the run."""
    with folder.suite_environment() as environment:
        return ran(command, environment, within_s=within_s, lock=folder.lock)


def ran(
    command: Sequence[str], environment: Mapping[str, str], *, within_s: float, lock: int
) -> bool:
    """Whether a command ended well and in time; nothing that it started outlives it."""
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, pass_fds=[lock], start_new_session=True
    ) as process:
        try:
            return process.wait(within_s) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
