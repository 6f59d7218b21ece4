"""The most memory that the whole process takes: loading a region, linking a file, being asked.

Each is a process of its own, so that one's peak is not another's. Worker processes are counted as
if each held as much as the largest of them: the figure is an upper bound.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.cases.region import region_file, write_feeds
from benchmarks.loaded import loaded_region
from benchmarks.suite import ROOT, SEED, Outcome, Scale, Table
from mpi.cli.footprint import workers_count
from mpi.config import Settings

FILE_PEOPLE = {"quick": 5_000, "full": 24_000}
CHILD = """
import sys
from mpi.cli.footprint import peak_memory_mib
from mpi.cli.main import exit_status
status = exit_status(sys.argv[2:])
print(peak_memory_mib(workers_count=int(sys.argv[1])))
sys.exit(status)
"""


def run(scale: Scale) -> Outcome:
    """The peak of each kind of work, in MiB."""
    with loaded_region(scale.people) as region, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        people = FILE_PEOPLE[scale.name]
        small = write_feeds(folder / "small", people=people, seed=SEED)
        file = region_file(small, without=("nhs_number",), name="people")
        path = file.write(folder / "people.csv")
        key, url = _first_key(region.feeds), region.settings.database_url
        commands = {
            f"mpi link, {len(file.rows):,} rows": ["link", str(path), "--out", f"{path}.out.csv"],
            "mpi resolve, one question": ["resolve", "--record", key, "--database-url", url],
        }
        peaks = {f"mpi load, {scale.people:,} people": region.load.peak_mib}
        peaks |= {title: peak_mib(words) for title, words in commands.items()}
    table = Table("Peak memory, at most", ("command", "MiB"), list(peaks.items()))
    return Outcome([table], {"peak_mib": peaks})


def _first_key(feeds: Path) -> str:
    with (feeds / "truth.csv").open(encoding="utf-8") as file:
        file.readline()
        source, local_id = file.readline().split(",")[:2]
    return f"{source}:{local_id}"


def peak_mib(words: list[str]) -> int:
    """Of a whole `mpi` command with its workers, at most."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(workers_count(Settings())), *words],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout.splitlines()[-1])
