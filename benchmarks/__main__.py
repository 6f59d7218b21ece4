"""`python -m benchmarks NAME...`: measure, print the tables, and write them as JSON."""

from __future__ import annotations

import argparse
from importlib import import_module
from time import perf_counter

from benchmarks.suite import SCALES, Outcome, write_outcome

SUITES = ("accuracy", "scorer", "bulk", "resolve", "register", "http", "memory")
"""Modules of this package, in the order in which they run; each has `run(scale) -> Outcome`."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*SUITES, []], metavar="NAME", default=[])
    parser.add_argument("--full", action="store_true", help="the whole region; takes an hour")
    chosen = parser.parse_args()
    scale = SCALES["full" if chosen.full else "quick"]
    for name in chosen.names or SUITES:
        began = perf_counter()
        outcome: Outcome = import_module(f"benchmarks.{name}").run(scale)
        seconds = perf_counter() - began
        print(f"# {name} ({scale.name}, {seconds:.0f} s)\n")
        for table in outcome.tables:
            print(table.to_markdown())
        print(f"Written to {write_outcome(name, scale, outcome, seconds=seconds)}\n")


if __name__ == "__main__":
    main()
