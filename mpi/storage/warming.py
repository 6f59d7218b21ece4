"""Reading a SQLite store into the system's memory before anybody asks.

A look-up touches some thirty pages all over the file. While they lie on a disk it takes several
times as long, and after a start or a load that lasts for hours, because hardly two look-ups touch
the same pages. PostgreSQL keeps its own memory and is left alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from mpi.storage.engine import parsed_url

_READ: Final = """
import os, sys
with open(sys.argv[1], "rb", buffering=0) as file:
    part = bytearray(1 << 23)
    while os.getppid() == int(sys.argv[2]) and file.readinto(part):
        pass
"""
"""Ends with its parent, which a signal can end without a word."""
_MEMORY: Final = Path("/proc/meminfo")


@contextmanager
def warming(database_url: str) -> Iterator[None]:
    """Have the store's file read beside the block; what is not read when it ends stays cold.

    Args:
        database_url: Of the store. Nothing happens unless it is a SQLite file that fits into the
            memory that is free, or if the system does not tell how much that is.
    """
    reading = _begin(database_url)
    try:
        yield
    finally:
        if reading is not None:
            reading.kill()
            reading.wait()


def warm(database_url: str) -> None:
    """Back when the store's file has been read as `warming` does."""
    reading = _begin(database_url)
    if reading is not None:
        reading.wait()


def _begin(database_url: str) -> subprocess.Popen[bytes] | None:
    url = parsed_url(database_url)
    path = Path(url.database or "")
    if url.drivername != "sqlite" or not path.is_file():
        return None
    if path.stat().st_size >= available_bytes():
        return None
    # Another process, because closing a file takes away the locks that SQLite has on it in ours.
    command = [sys.executable, "-IS", "-c", _READ, str(path), str(os.getpid())]
    nothing = subprocess.DEVNULL  # Ctrl+C reaches it too, and Python would say so at length.
    with suppress(OSError):  # No room for a process: the server starts cold.
        return subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing)
    return None


def available_bytes() -> int:
    """Memory that programs could take without others being moved out; 0 if nobody tells.

    Source: proc_meminfo(5), MemAvailable.
    """
    if not os.access(_MEMORY, os.R_OK):
        return 0
    lines = _MEMORY.read_text(encoding="ascii").splitlines()
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return 1024 * int(found[0]) if found else 0
