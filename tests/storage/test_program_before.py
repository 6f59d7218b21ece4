"""The first program that had a store goes on working when the schema is brought up to date.

`program_0001.tar.xz` is that program: the code of commit FIRST, when the schema had revision 0001,
made with `git archive FIRST mpi api ':!mpi/synthetic' | xz -9`. A clone need not have the history.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from mpi.errors import WrongSchema
from mpi.storage.engine import open_store, upgrade_store
from tests.conftest import DATABASES
from tests.serving import START, await_answer, run_command
from tests.small_load import ADA, JOHN, RELEASE, said, write_feed, write_mappings

FIRST: Final = "74192a031e1f2607e6352bf6fd802f42e81045c1"
PROGRAM: Final = Path(__file__).with_name("program_0001.tar.xz")
ROOT: Final = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("program")
    with tarfile.open(PROGRAM) as packed:
        packed.extractall(folder, filter="data")
    return folder


class Before:
    """The program of before, over a store of its own schema."""

    def __init__(self, program: Path, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.settings = {
            "MPI_DATABASE_URL": url,
            "MPI_RELEASE_FOLDER": str(RELEASE),
            "MPI_SOURCES_FOLDER": str(write_mappings(folder / "sources")),
            "MPI_WORKERS_COUNT": "1",
        }
        self.environment = os.environ | self.settings | {"PYTHONPATH": str(program)}

    def run(self, *words: str) -> str:
        """What a command prints, which must succeed."""
        ran = subprocess.run(
            self._command(*words), cwd=self.folder, env=self.environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def load(self, source: str, *rows: dict[str, str]) -> None:
        self.run("load", str(write_feed(self.folder / source, source, rows)))

    def whose(self, record: str) -> str:
        return person_in(json.loads(self.run("resolve", "--record", record, "--json")))

    @contextmanager
    def serving(self) -> Iterator[httpx2.Client]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = self._command("serve", "--port", str(port))
        with subprocess.Popen(command, cwd=self.folder, env=self.environment) as process:
            try:
                await_answer(f"http://127.0.0.1:{port}/health/live")
                with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                    yield client
            finally:
                process.terminate()

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-c", START, *words]


def person_in(answer: Any) -> str:
    (person,) = answer["persons"]
    return str(person["person_id"])


@pytest.fixture(params=DATABASES)
def before(request: pytest.FixtureRequest, program: Path, tmp_path: Path) -> Before:
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql")
        url = server.create_database(template="template0")
    made = Before(program, tmp_path, url)
    made.run("store", "init")
    made.load("clinic", said("1", "2021-01-01", ADA), said("2", "2021-01-01", JOHN))
    return made


def test_the_program_before_works_on_beside_this_one_on_the_new_schema(before: Before) -> None:
    ada = before.whose("clinic:1")
    with pytest.raises(WrongSchema, match="has version 0001"):
        open_store(before.url)
    with before.serving() as server:
        upgrade_store(before.url)
        found = server.post("/v1/resolve", json={"record": "clinic:1"}).json()
        assert person_in(found) == ada
        assert server.get(f"/v1/persons/{ada}/records").status_code == 200
    line = {"source": "ward", "local_id": "7", "event_at": "2023-01-01T09:00:00Z"} | JOHN
    (before.folder / "said.ndjson").write_text(json.dumps(line))
    run_command(before.settings, "register", str(before.folder / "said.ndjson"))
    before.load("ward", said("9", "2022-01-01", ADA))
    assert_started_anew(before, ada)
    assert before.whose("ward:7") == before.whose("clinic:2")
    told = run_command(before.settings, "resolve", "--record", "ward:9", "--json")
    assert person_in(json.loads(told)) == ada
    for words in (("audit", "verify"), ("verify",)):
        run_command(before.settings, *words)


def assert_started_anew(before: Before, ada: str) -> None:
    """The program of before is started on the new schema, and finds whom it knew."""
    asked = {key: ADA[key] for key in ("given_name", "family_name", "date_of_birth", "postcode")}
    with before.serving() as server:
        assert server.get("/health/ready").status_code == 200
        for body in ({"demographics": asked}, {"nhs_number": ADA["nhs_number"]}):
            assert person_in(server.post("/v1/resolve", json=body).json()) == ada


def test_the_program_of_before_is_the_code_of_its_commit(program: Path) -> None:
    """Where the history is at hand; a clone without it has nothing to compare with."""
    listed = subprocess.run(
        ["git", "ls-tree", "-r", FIRST, "mpi", "api"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    kept = [path for path in sorted(program.rglob("*.*")) if path.suffix != ".pyc"]
    assert len(kept) > 100
    for line in listed.stdout.splitlines() if listed.returncode == 0 else ():
        blob, _, name = line.partition("\t")
        if not name.startswith("mpi/synthetic/"):
            assert hashed(program / name) == blob.split()[2], name


def hashed(path: Path) -> str:
    """As Git names a file's content."""
    words = ["git", "hash-object", "--no-filters", str(path)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
