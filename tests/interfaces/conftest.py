"""An installation as an operator has it: a store, a release, and the settings that name them."""

from __future__ import annotations

import io
import tomllib
from collections.abc import Iterator

import pytest

from mpi import logs
from mpi.services.linkage_index import compile_linkage_index
from mpi.storage.engine import open_store
from mpi.storage.releases import read_release, write_release
from tests.small_region import SPEC, fill


@pytest.fixture(scope="module")
def installation(tmp_path_factory, new_database):
    """A store of five records, linked with a release of the spec, as settings name them."""
    release = tmp_path_factory.mktemp("dorset") / "spec"
    spec = tomllib.loads(SPEC.read_text("utf-8"))
    write_release(release, spec=spec, frequencies={}, card="A card.")
    url = new_database("sqlite")
    store = open_store(url)
    fill(store, compile_linkage_index(read_release(release)))
    yield {"MPI_DATABASE_URL": url, "MPI_RELEASE_FOLDER": str(release)}
    store.close()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that is logged meanwhile, by us or by a library."""
    stream = io.StringIO()
    kept = logs._LOGGER.handlers[:]
    logs.configure_logs(stream=stream, level="debug")
    yield stream
    logs._LOGGER.handlers[:], logs._LOGGER.propagate = kept, True
