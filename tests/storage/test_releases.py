"""A release is read exactly as it was written, or not at all."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpi.errors import Conflict, InvalidModel, StorageUnavailable
from mpi.linkage.model import model_from_spec
from mpi.storage.releases import list_releases, read_release, write_release
from tests import strategies

FREQUENCIES = {"given_name": {"ANN": 0.01, "ADA": 1e-7}, "family_name": {"LEE": 0.002}}
SPEC = {"name": "small", "prior": 1.0000000000000002e-6, "comparisons": []}


@pytest.fixture
def release(tmp_path):
    folder = tmp_path / "small" / "1"
    write_release(folder, spec=SPEC, frequencies=FREQUENCIES, stop_list={7, 3}, card="# Small")
    return folder


def test_a_release_is_read_as_it_was_written(release):
    read = read_release(release)
    assert (read.version, read.spec, read.frequencies) == ("1", SPEC, FREQUENCIES)
    assert read.stop_list == {3, 7}
    assert read.digest in (release / "MODEL_CARD.md").read_text()


@given(
    spec=strategies.model_specs(),
    frequencies=strategies.frequencies(),
    stop_list=st.frozensets(st.integers(0, 2**63 - 1), max_size=5),
)
@settings(
    max_examples=strategies.EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_a_model_is_the_same_after_writing_and_reading(
    tmp_path_factory, spec, frequencies, stop_list
):
    folder = tmp_path_factory.mktemp("models") / "1"
    digest = write_release(folder, spec=spec, frequencies=frequencies, stop_list=stop_list, card="")
    read = read_release(folder)
    expected = model_from_spec(spec, version="1", digest=digest)
    assert model_from_spec(read.spec, version=read.version, digest=read.digest) == expected
    assert read.frequencies == {field: shares for field, shares in frequencies.items() if shares}
    assert read.stop_list == stop_list


def test_equal_content_has_an_equal_digest_whatever_its_order(tmp_path):
    backwards = {field: dict(reversed(shares.items())) for field, shares in FREQUENCIES.items()}
    digests = {
        write_release(tmp_path / name, spec=SPEC, frequencies=shares, stop_list=stops, card=name)
        for name, shares, stops in (("1", FREQUENCIES, [1, 2]), ("2", backwards, [2, 1]))
    }
    assert len(digests) == 1


@pytest.mark.parametrize("name", ["parameters.json", "frequencies.parquet", "stop_list.parquet"])
def test_a_file_that_was_touched_is_refused(release, name):
    content = (release / name).read_bytes()
    (release / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InvalidModel, match="model release 1: the digest does not match"):
        read_release(release)


@pytest.mark.parametrize("name", ["parameters.json", "frequencies.parquet", "digest"])
def test_a_file_that_is_missing_is_named(release, name):
    (release / name).unlink()
    with pytest.raises(InvalidModel, match=f"model release 1: {name} cannot be read"):
        read_release(release)


def test_a_release_is_never_overwritten(release):
    with pytest.raises(Conflict, match="releases never change"):
        write_release(release, spec=SPEC, frequencies={}, card="")
    assert read_release(release).frequencies == FREQUENCIES


def test_a_release_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "small").write_text("a file where the folder should be")
    with pytest.raises(StorageUnavailable, match="cannot be written"):
        write_release(tmp_path / "small" / "1", spec=SPEC, frequencies={}, card="")


def test_releases_are_listed_by_version(tmp_path):
    for version in ("10", "9", "2025.2", "2025.10"):
        write_release(tmp_path / version, spec=SPEC, frequencies={}, card="")
    (tmp_path / "draft").mkdir()
    assert [path.name for path in list_releases(tmp_path)] == ["9", "10", "2025.2", "2025.10"]
    assert list_releases(tmp_path / "nowhere") == ()
