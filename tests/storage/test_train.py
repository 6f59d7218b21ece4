"""Training writes a release that can be read, believed and repeated, and never touches another."""

import shutil

import pytest

from mpi.batch.progress import SilentProgress
from mpi.batch.training import estimate
from mpi.batch.training.train import train
from mpi.domain.records import ComparisonRecord
from mpi.errors import Conflict, InvalidInput, InvalidModel
from mpi.linkage.model import model_from_spec
from mpi.storage.releases import read_release
from mpi.synthetic.region import generate, write_region
from tests.parity.duckdb_records import add_records, connect
from tests.small_region import SPEC

PEOPLE = 1_000
RANDOM_PAIRS = 200_000


@pytest.fixture(scope="module")
def feeds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("feeds")
    write_region(generate(people=PEOPLE, seed=53), folder)
    return folder


def trained(feeds, out, version="9"):
    return train(feeds, spec=SPEC, out=out, version=version, progress=SilentProgress())


@pytest.fixture(scope="module")
def report(feeds, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(estimate, "RANDOM_PAIRS", RANDOM_PAIRS)  # Enough for so few people.
        yield trained(feeds, tmp_path_factory.mktemp("dorset"))


@pytest.fixture(scope="module")
def model(report):
    release = read_release(report.folder)
    return model_from_spec(release.spec, version=release.version, digest=release.digest)


def test_the_release_reads_back_with_the_digest_that_was_told(report):
    release = read_release(report.folder)
    assert (release.version, release.digest) == ("9", report.digest)
    assert f"Digest: `{report.digest}`" in (report.folder / "MODEL_CARD.md").read_text("utf-8")


def test_a_touched_release_is_refused(report, tmp_path):
    folder = shutil.copytree(report.folder, tmp_path / "9")
    (folder / "frequencies.parquet").write_bytes(b"")
    with pytest.raises(InvalidModel, match="digest"):
        read_release(folder)


def test_the_shares_of_a_comparison_sum_to_about_one(model):
    for comparison in model.comparisons:
        for kind in ("m", "u"):
            total = sum(getattr(level, kind) for level in comparison.levels)
            assert total == pytest.approx(1, abs=0.1), (comparison.name, kind)


def test_the_first_level_speaks_for_a_match_and_the_last_against(model):
    for comparison in model.comparisons:
        # What a household shares is set to say nothing.
        weights = [level.weight_bits for level in comparison.levels if level.weight_bits]
        assert weights[0] > 0 > weights[-1], comparison.name
        assert weights[0] >= weights[-2], comparison.name


def test_no_threshold_is_below_the_specs(report, model):
    assert model.thresholds.link_bits == report.thresholds.link_bits >= 9.0
    assert report.thresholds.review_bits >= 4.0


def test_a_release_lists_no_value_that_one_person_alone_may_have():
    """Two records without a number may be one person's, so they prove nothing."""
    rows = [("1", "ANN"), ("2", "ANN"), ("1", "BEA"), ("1", "BEA"), (None, "CLEO"), (None, "CLEO")]
    with connect() as connection:
        records = [ComparisonRecord(trusted_nhs_number=n, given_name=name) for n, name in rows]
        add_records(connection, records)
        listed, unseen, _ = estimate.count_frequencies(connection, ["given_name"])
    assert listed == {"given_name": {"ANN": 2 / 5}}
    assert unseen == {"given_name": 1 / 5}


def test_the_same_feeds_give_the_same_digest(report, feeds, tmp_path):
    assert trained(feeds, tmp_path, version="again").digest == report.digest


def test_an_existing_release_is_left_alone(report, tmp_path):
    with pytest.raises(Conflict, match="never change"):
        trained(tmp_path, report.folder.parent)


@pytest.mark.parametrize(
    ("text", "told"),
    [(None, "cannot be read"), ("name = [", "cannot be read"), ('name = "x"', "is missing")],
    ids=["no file", "no TOML", "no model"],
)
def test_a_wrong_spec_writes_nothing(feeds, tmp_path, text, told):
    spec = tmp_path / "spec.toml"
    if text:
        spec.write_text(text, "utf-8")
    with pytest.raises(InvalidModel, match=told):
        train(feeds, spec=spec, out=tmp_path, version="9", progress=SilentProgress())
    assert not (tmp_path / "9").exists()


def test_records_without_numbers_cannot_teach(tmp_path):
    write_region(generate(people=30, seed=53, sources=("bournemouth-council",)), tmp_path)
    with pytest.raises(InvalidInput, match="too few records are alike"):
        trained(tmp_path, tmp_path / "dorset")
    assert not (tmp_path / "dorset").exists()


@pytest.fixture(scope="module")
def unlabelled(feeds, tmp_path_factory):
    """A release of the same feeds under a spec that trusts no number."""
    folder = tmp_path_factory.mktemp("unlabelled")
    spec = SPEC.read_text("utf-8").replace('trusted_statuses = ["01"]', "trusted_statuses = []")
    (folder / "spec.toml").write_text(spec, "utf-8")
    return train(
        feeds, spec=folder / "spec.toml", out=folder, version="1", progress=SilentProgress()
    )


def test_without_trusted_numbers_the_weights_come_out_alike(unlabelled, model):
    assert not unlabelled.is_labelled
    release = read_release(unlabelled.folder)
    learned = model_from_spec(release.spec, version="1", digest=release.digest)
    for comparison, level in (("name", "same"), ("birth_date", "same"), ("home", "differs")):
        one, other = (
            next(each for each in m.comparison(comparison).levels if each.name == level)
            for m in (learned, model)
        )
        assert abs(one.weight_bits - other.weight_bits) < 1.5, (comparison, level)


def test_the_card_says_that_nothing_was_labelled(unlabelled):
    card = (unlabelled.folder / "MODEL_CARD.md").read_text("utf-8")
    assert "expectation and maximisation" in card
    assert "nothing was calibrated" in card


def test_training_draws_levels_weights_and_calibration(report):
    page = (report.folder / "charts.html").read_text("utf-8")
    assert page.count("<svg") >= 3
    assert "Calibration" in page
    assert "Completeness" not in page
