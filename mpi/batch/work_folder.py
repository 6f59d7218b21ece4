"""Where a load keeps what it has read, so that one that was killed goes on from there.

It lies beside the feeds, because it holds what they hold, for its owner's eyes only; it is locked
while a load runs, and what an older load left behind for other input is removed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import mpi
from mpi.batch.engines import SPILL_PREFIX
from mpi.config import SourceSystem
from mpi.errors import Conflict, InvalidInput

_PREFIX: Final = ".loading-"


@contextmanager
def work_folder(
    folder: Path, feeds: Sequence[tuple[SourceSystem, Path]], *, model_digest: str
) -> Iterator[Path]:
    """A private folder beside the feeds, the same for the same input; gone after success.

    It goes too when the input is wrong: what was read of it will not be asked for again.

    Raises:
        Conflict: If another load of these feeds is running.
    """
    work = folder / f"{_PREFIX}{_input_digest(feeds, model_digest)}"
    for stale in folder.glob(f"{_PREFIX}*"):
        if stale != work:
            _remove_unless_used(stale)
    work.mkdir(mode=0o700, exist_ok=True)
    with _locked(work) as is_mine:
        if not is_mine:
            raise Conflict(f"{folder}: another load of these feeds is running")
        for spilt in work.glob(f"{SPILL_PREFIX}*"):
            shutil.rmtree(spilt)
        try:
            yield work
        except InvalidInput:
            shutil.rmtree(work)
            raise
        shutil.rmtree(work)


def _input_digest(feeds: Sequence[tuple[SourceSystem, Path]], model_digest: str) -> str:
    digest = hashlib.sha256(f"{mpi.__version__}{model_digest}".encode())
    for source, path in feeds:
        status = path.stat()
        digest.update(
            f"{source.name}{source.digest}{path.name}{status.st_size}{status.st_mtime_ns}".encode()
        )
    return digest.hexdigest()[:16]


def _remove_unless_used(work: Path) -> None:
    with _locked(work) as is_mine:
        if is_mine:
            shutil.rmtree(work)


@contextmanager
def _locked(work: Path) -> Iterator[bool]:
    """Whether the folder is ours alone; a lock ends with its process, however that ends."""
    descriptor = os.open(work, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)
