"""`mpi serve` as a process of its own, with the service or another application in its place."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.suite import ROOT

SERVICE = "api.app:create_app"
UNAUDITED = "benchmarks.unaudited:create_app"
FLOOR = "benchmarks.floor:create_app"
START_TIMEOUT_S = 60
_PROGRAM = """
import sys
import mpi.cli.server
mpi.cli.server.SERVER_APPLICATION = sys.argv[1]
sys.argv = ["mpi", *sys.argv[2:]]
from mpi.cli.main import run
run()
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server on this machine."""

    port: int
    pid: int

    def processor_seconds(self) -> float:
        """What its processes have taken so far, to a hundredth: other programs do not count."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return sum(_processor_seconds(pid) for pid in (self.pid, *map(int, children)))


@contextmanager
def serving(
    application: str, settings: dict[str, str], *, workers: int, log: Path
) -> Iterator[Server]:
    """A server that answers; stopped at the end.

    Raises:
        RuntimeError: If it does not answer in time; with the end of its log.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    words = ["serve", "--port", str(port), "--workers", str(workers)]
    with log.open("ab") as kept:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, application, *words],
            cwd=ROOT, env=os.environ | settings, stdout=kept, stderr=kept,
        )  # fmt: skip
        try:
            if not _answers(process, port):
                raise RuntimeError(f"a server did not start: {log.read_text()[-1_000:]}")
            yield Server(port, process.pid)
        finally:
            process.terminate()
            process.wait(START_TIMEOUT_S)


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Waits for it, unless the process ends."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=5).close()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
        else:
            return True
    return False


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
