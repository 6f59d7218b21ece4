"""The spec's own values as an index, and two releases on disk that take turns."""

from pathlib import Path

import pytest

from mpi.services.linkage_index import LinkageIndex, compile_linkage_index
from mpi.storage.releases import write_release
from tests.live_index import SOURCES, live_release
from tests.small_region import spec_release


@pytest.fixture(scope="session")
def index() -> LinkageIndex:
    """Compiled once for every simulated store."""
    return compile_linkage_index(live_release(), SOURCES)


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The spec's own values, and others under which less links."""
    folder, spec = tmp_path_factory.mktemp("releases"), dict(spec_release().spec)
    careful = spec | {"thresholds": {**spec["thresholds"], "link_bits": 30.0}}
    for version, values in (("1", spec), ("2", careful)):
        write_release(folder / version, spec=values, frequencies={}, card="Simulated.")
    return [folder / "1", folder / "2"]
