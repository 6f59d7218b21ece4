"""The folder of one run: regions that its suites share, and the temporary files of each.

A suite that is killed cleans nothing up, so whoever starts it owns all that it writes, tens of GB
in full: temporary files go after the suite, regions after the run. What a run leaves behind that
was itself killed goes when the next one begins.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.loaded import REGIONS_VARIABLE

PREFIX: Final = "mpi-benchmarks-"
REMOVED_WITHIN_S: Final = 10.0
"""Programs that were killed may take so long to let go of their files."""
_ENTERED_BY_OTHERS: Final = 0o711
"""PostgreSQL runs as a user of its own, and has its folder in ours."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A folder, and the lock on it that every process of the run holds."""

    path: Path
    lock: int
    """A descriptor, for processes to inherit."""

    @contextmanager
    def suite_environment(self) -> Iterator[dict[str, str]]:
        """Environment of one suite; its temporary files are removed at the end."""
        temporary = self.path / "temporary"
        temporary.mkdir(_ENTERED_BY_OTHERS)
        try:
            shared = {"TMPDIR": str(temporary), REGIONS_VARIABLE: str(self.path / "regions")}
            yield os.environ | shared
        finally:
            remove(temporary)


@contextmanager
def run_folder(parent: Path | None = None) -> Iterator[RunFolder]:
    """A new one, removed at the end; first what killed runs left there is removed.

    Args:
        parent: Where it is made; the system's folder for temporary files by default.
    """
    place = parent or Path(tempfile.gettempdir())
    for left in place.glob(f"{PREFIX}*"):
        _remove_unless_used(left)
    path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    path.chmod(_ENTERED_BY_OTHERS)
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield RunFolder(path, lock)
    finally:
        remove(path)
        os.close(lock)


def remove(folder: Path) -> None:
    """Remove a folder, also while killed programs still let go of it."""
    deadline = time.monotonic() + REMOVED_WITHIN_S
    shutil.rmtree(folder, ignore_errors=True)
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
        shutil.rmtree(folder, ignore_errors=True)


def _remove_unless_used(folder: Path) -> None:
    """A lock ends with the last process that holds it, however that ends."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # Gone meanwhile, or somebody else's.
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    else:
        remove(folder)
    finally:
        os.close(descriptor)
