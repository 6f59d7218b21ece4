"""The spec's own values as an index, compiled once for every simulated store."""

import pytest

from mpi.services.linkage_index import LinkageIndex, compile_linkage_index
from tests.live_index import SOURCES, live_release


@pytest.fixture(scope="session")
def index() -> LinkageIndex:
    return compile_linkage_index(live_release(), SOURCES)
