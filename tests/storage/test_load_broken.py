"""A load that fails, is killed or is given nonsense leaves the store as it was and says why."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from mpi.batch.engines import SPILL_PREFIX
from mpi.batch.feeds.work_folder import work_folder
from mpi.batch.progress import SilentProgress
from mpi.cli import main
from mpi.errors import Conflict
from mpi.synthetic.region import generate, write_region
from tests.small_load import (
    ADA,
    JOHN,
    RELEASE,
    Installation,
    content,
    said,
    write_feed,
    write_mappings,
)

ROOT = Path(__file__).resolve().parents[2]
ENDING_S = 20.0
NOBODY = 65534
KILLED_LOAD = """
import os, signal, sys
from contextlib import contextmanager
from pathlib import Path
from mpi.batch.index.load import load_folder
from mpi.config import Settings

class KillingProgress:
    def __init__(self, phase, steps):
        self.wanted, self.steps, self.has_come = phase, steps, False

    @contextmanager
    def phase(self, name, total=None):
        self.has_come = self.has_come or name == self.wanted
        yield self

    def advance(self, count=1):
        if self.has_come:
            self.steps -= 1
            if not self.steps:
                os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    folder, url, release, workers, phase, steps = sys.argv[1:]
    settings = Settings(
        database_url=url, release_folder=Path(release), workers_count=int(workers)
    )
    load_folder(Path(folder), settings=settings, progress=KillingProgress(phase, int(steps)))
"""


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    folder = tmp_path_factory.mktemp("region")
    write_region(generate(people=60, seed=47), folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(region, new_database):
    """What a load that nobody kills leaves."""
    installation = Installation(new_database("sqlite"))
    installation.load(region)
    return content(installation)


@pytest.fixture
def feeds(region, tmp_path):
    return Path(shutil.copytree(region, tmp_path / "feeds"))


@pytest.fixture
def small(new_database, tmp_path):
    """A store for the two invented sources, with one person in it."""
    installation = Installation(
        new_database("sqlite"), sources_folder=write_mappings(tmp_path / "mappings")
    )
    installation.load(write_feed(tmp_path / "before", "clinic", [said("1", "2020-01-01", ADA)]))
    return installation


def kill_load(installation, feeds, tmp_path, *, phase, steps, workers=1):
    """Run a load that kills itself, and wait until its workers are gone too."""
    script = tmp_path / "killed_load.py"
    script.write_text(KILLED_LOAD, "utf-8")
    url = installation.settings.database_url
    words = [script, feeds, url, RELEASE, workers, phase, steps]
    process = subprocess.Popen(
        [sys.executable, *map(str, words)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    assert process.wait() == -signal.SIGKILL
    deadline = time.monotonic() + ENDING_S
    while is_any_left(process.pid):
        assert time.monotonic() < deadline, "its workers live on"
        time.sleep(0.05)


def is_any_left(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


class PartsSeen(SilentProgress):
    """When the parts of a load were finished, as they lie there once everything is read."""

    def __init__(self, feeds):
        self.feeds, self.parts = feeds, {}

    def phase(self, name, total=None):
        if name == "find candidates":
            self.parts = finished_parts(self.feeds)
        return super().phase(name, total)


def finished_parts(feeds):
    return {part.name: part.stat().st_mtime_ns for part in feeds.glob(".loading-*/*.outcome")}


def hidden_files(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("phase", "steps", "workers"),
    [("read feeds", 4, 2), ("write persons", 2, 1)],
    ids=["while reading", "while writing"],
)
def test_a_killed_load_changes_nothing_and_the_next_goes_on_from_there(
    new_database, feeds, undisturbed, tmp_path, phase, steps, workers
):
    installation = Installation(new_database("sqlite"))
    before = installation.dump()
    kill_load(installation, feeds, tmp_path, phase=phase, steps=steps, workers=workers)
    assert installation.dump() == before
    finished, progress = finished_parts(feeds), PartsSeen(feeds)
    assert len(finished) >= steps
    installation.load(feeds, progress=progress)
    assert finished.items() <= progress.parts.items()
    assert hidden_files(feeds) == []
    assert content(installation) == undisturbed


def test_a_load_killed_while_writing_to_postgresql_changes_nothing(new_database, feeds, tmp_path):
    installation = Installation(new_database("postgresql"))
    installation.load(one_source(feeds, tmp_path))
    before = installation.dump()
    kill_load(installation, feeds, tmp_path, phase="write persons", steps=2)
    assert installation.dump() == before
    assert installation.load(feeds).written.new_records


def one_source(feeds, tmp_path):
    folder = tmp_path / "one"
    folder.mkdir()
    shutil.copy(feeds / "gp.csv", folder)
    return folder


def test_what_a_load_of_other_input_left_behind_is_removed(new_database, feeds):
    stale = feeds / ".loading-0123456789abcdef"
    stale.mkdir()
    (stale / "gp-00000.parquet").write_bytes(b"of last week")
    Installation(new_database("sqlite")).load(feeds)
    assert hidden_files(feeds) == []


def test_two_loads_of_one_folder_do_not_run_at_once(tmp_path):
    with work_folder(tmp_path, [], model_digest="0") as work:
        with (
            pytest.raises(Conflict, match="another load"),
            work_folder(tmp_path, [], model_digest="0"),
        ):
            pass
        with work_folder(tmp_path, [], model_digest="1"):
            assert work.is_dir()


def test_what_a_killed_load_could_not_hold_in_memory_does_not_stay(tmp_path):
    with work_folder(tmp_path, [], model_digest="0") as work:
        spilt = work / f"{SPILL_PREFIX}left"
    spilt.mkdir(parents=True)
    with work_folder(tmp_path, [], model_digest="0"):
        assert work.is_dir()
        assert not spilt.exists()


def run_load(installation, folder, monkeypatch, capsys):
    """Exit status of `mpi load` and the last line, after the phases, on standard error."""
    settings = installation.settings
    monkeypatch.setenv("MPI_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("MPI_RELEASE_FOLDER", str(settings.release_folder))
    monkeypatch.setenv("MPI_SOURCES_FOLDER", str(settings.sources_folder))
    monkeypatch.setenv("MPI_WORKERS_COUNT", "1")
    monkeypatch.chdir(folder.parent)
    status = main.exit_status(["load", str(folder)])
    return status, capsys.readouterr().err.splitlines()[-1]


def unknown_file(folder):
    (folder / "clinik.csv").write_text("id\n", "utf-8")


def wrong_column(folder):
    text = (folder / "clinic.csv").read_text("utf-8")
    (folder / "clinic.csv").write_text(text.replace("family_name", "surname", 1), "utf-8")


def broken_off(folder):
    data = (folder / "clinic.csv").read_bytes()
    (folder / "clinic.csv").write_bytes(data[: len(data) - 40])


def other_encoding(folder):
    text = (folder / "clinic.csv").read_text("utf-8").replace("Adaeze", "Adaézé")
    (folder / "clinic.csv").write_bytes(text.encode("utf-16"))


def no_readable_row(folder):
    text = (folder / "clinic.csv").read_text("utf-8").replace("2021-", "21/")
    (folder / "clinic.csv").write_text(text, "utf-8")


def empty_file(folder):
    (folder / "clinic.csv").write_bytes(b"")


def no_feed(folder):
    (folder / "clinic.csv").unlink()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (unknown_file, "no source system is named clinik"),
        (wrong_column, "clinic.csv: column family_name is missing"),
        (broken_off, "clinic.csv: the last line is incomplete"),
        (other_encoding, "clinic.csv: "),
        (no_readable_row, "clinic.csv: no row could be read; line 2: event_at"),
        (empty_file, "clinic.csv: the file is empty"),
        (no_feed, "holds no feed"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_wrong_feed_is_told_in_one_sentence(small, tmp_path, monkeypatch, capsys, spoil, told):
    rows = [said("1", "2021-01-01", ADA), said("2", "2021-01-01", JOHN)]
    folder = write_feed(tmp_path / "feeds", "clinic", rows)
    spoil(folder)
    before = small.dump()
    status, sentence = run_load(small, folder, monkeypatch, capsys)
    assert status == 2
    assert sentence.startswith("mpi: ")
    assert told in sentence
    assert small.dump() == before
    assert hidden_files(folder) == []


@pytest.fixture
def good_feeds(tmp_path):
    return write_feed(tmp_path / "feeds", "clinic", [said("2", "2021-01-01", JOHN)])


def test_a_release_that_was_touched_is_not_used(small, tmp_path, good_feeds, monkeypatch, capsys):
    release = shutil.copytree(RELEASE, tmp_path / "1")
    (release / "parameters.json").write_bytes((RELEASE / "parameters.json").read_bytes() + b" ")
    small.settings = replace(small.settings, release_folder=release)
    before = small.dump()
    status, sentence = run_load(small, good_feeds, monkeypatch, capsys)
    assert status == 2
    assert "digest does not match" in sentence
    assert small.dump() == before


def test_a_store_of_another_schema_is_left_alone(small, good_feeds, monkeypatch, capsys):
    path = small.settings.database_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    status, sentence = run_load(small, good_feeds, monkeypatch, capsys)
    assert status == 4
    assert "schema has version 9999" in sentence
    assert hidden_files(good_feeds) == []


def test_a_bad_row_is_set_aside_and_the_others_are_loaded(small, tmp_path, monkeypatch, capsys):
    rows = [said("2", "2021-01-01", JOHN), said("3", "1 May", ADA)]
    folder = write_feed(tmp_path / "feeds", "clinic", rows)
    assert run_load(small, folder, monkeypatch, capsys)[0] == 0
    kept = folder / "quarantine" / "clinic.csv"
    assert "event_at" in kept.read_text("utf-8")
    assert (kept.stat().st_mode & 0o077, kept.parent.stat().st_mode & 0o077) == (0, 0)
    (load,) = [row for row in small.rows("feed_load") if row["rows_count"] == 2]
    assert (load["versions_count"], load["quarantined_count"]) == (1, 1)


@contextmanager
def folder_of_nobody():
    """A folder that this user may only read, with one feed; and a store that it may write."""
    base = Path(tempfile.mkdtemp(prefix="mpi-test-"))
    try:
        base.chmod(0o777)
        folder = write_feed(
            base / "feeds", "clinic", [said("2", "1 May", JOHN), said("3", "2021-01-01", ADA)]
        )
        write_mappings(base / "mappings")
        shutil.copytree(RELEASE, base / "1")
        folder.chmod(0o555)
        for name in ("mpi.batch.index.load", "mpi.cli.progress"):
            import_module(name)  # While we may still read everything.
        if os.geteuid() == 0:
            os.seteuid(NOBODY)
        yield base
    finally:
        os.seteuid(os.getuid())
        (base / "feeds").chmod(0o755)
        shutil.rmtree(base)


def test_a_folder_that_cannot_be_written_is_told_in_one_sentence(monkeypatch, capsys):
    with folder_of_nobody() as base:
        installation = Installation(
            f"sqlite:///{base / 'store.sqlite3'}", sources_folder=base / "mappings"
        )
        installation.settings = replace(installation.settings, release_folder=base / "1")
        status, sentence = run_load(installation, base / "feeds", monkeypatch, capsys)
        monkeypatch.undo()
        assert status == 2
        assert "feeds" in sentence
        assert "permission denied" in sentence
        assert not installation.rows("source_record")


def test_feeds_are_loaded_from_a_folder_whose_name_holds_a_quotation_mark(new_database, tmp_path):
    installation = Installation(
        new_database("sqlite"), sources_folder=write_mappings(tmp_path / "sources")
    )
    folder = write_feed(tmp_path / "o'brien", "clinic", [said("1", "2021-01-01", ADA)])
    assert installation.load(folder).written.records == 1
