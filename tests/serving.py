"""`mpi serve` as a process of its own, on a free port of this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

START = "import sys; sys.argv[0] = 'mpi'; from mpi.cli.main import run; run()"
ATTEMPTS_MAX = 400


@contextmanager
def serving(
    settings: dict[str, str], *words: str, first: str = ""
) -> Iterator[tuple[subprocess.Popen[str], str, dict[str, str]]]:
    """The process, its address and the headers with the token that it prints, once it answers.

    Args:
        settings: Of its environment.
        words: Options of `mpi serve`.
        first: Python that it runs before anything of its own.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", f"{first}\n{START}", "serve", "--port", str(port), *words]
    with subprocess.Popen(
        command,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            said = [process.stdout.readline() for _ in range(5)]
            token = next(line for line in said if "MPI_TOKEN=" in line).partition("=")[2].strip()
            await_answer(f"http://127.0.0.1:{port}/health/live")
            yield process, f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {token}"}
        finally:
            process.terminate()


def run_command(settings: dict[str, str], *words: str) -> str:
    """What an `mpi` command prints, which must succeed."""
    command = [sys.executable, "-c", START, *words]
    ran = subprocess.run(
        command, env=os.environ | settings, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def await_answer(address: str) -> None:
    """Returns once the server listens."""
    for _ in range(ATTEMPTS_MAX):
        try:
            httpx2.get(address, timeout=10)
            return
        except httpx2.ConnectError:
            time.sleep(0.05)
    raise AssertionError("the server does not listen")
