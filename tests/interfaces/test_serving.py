"""`mpi serve` serves: the command, the server and the store, over a real socket."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import httpx2
import pytest

from tests.small_region import ADA, person_id

START = "import sys; sys.argv[0] = 'mpi'; from mpi.cli.main import run; run()"
ATTEMPTS_MAX = 200


@pytest.fixture(scope="module")
def server(installation):
    """A server on a free port of this machine, ended with the module; with the token it prints."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", START, "serve", "--port", str(port)]
    with subprocess.Popen(
        command, env=os.environ | installation, stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            said = [running.stdout.readline() for _ in range(4)]
            token = next(line for line in said if "MPI_TOKEN=" in line).partition("=")[2].strip()
            yield f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {token}"}
        finally:
            running.terminate()


def test_a_served_store_answers_whoever_has_the_printed_token(server):
    address, headers = server
    response = answered(address, headers)
    assert response.status_code == 200
    assert response.json()["persons"][0]["person_id"] == person_id(1)
    assert answered(address, {}).status_code == 401


def answered(address, headers):
    """The answer, once the server listens."""
    for _ in range(ATTEMPTS_MAX):
        try:
            question = {"demographics": ADA}
            return httpx2.post(f"{address}/v1/resolve", json=question, headers=headers, timeout=10)
        except httpx2.ConnectError:
            time.sleep(0.05)
    raise AssertionError("the server does not listen")
