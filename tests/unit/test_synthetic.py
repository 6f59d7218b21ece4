"""The synthetic region is reproducible and hard: every case that linkage must survive occurs."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mpi.domain.identifiers import is_valid_nhs_number
from mpi.errors import InvalidInput, StorageUnavailable
from mpi.limits import SYNTHETIC_PEOPLE_MAX
from mpi.synthetic.numbers import draw_numbers, usable_numbers
from mpi.synthetic.people import NOBODY
from mpi.synthetic.region import Region, generate, write_region
from mpi.synthetic.sources import SOURCE_NAMES, get_source, list_source_names

PEOPLE = 5_000


@pytest.fixture(scope="module")
def region() -> Region:
    return generate(people=PEOPLE, seed=11)


@pytest.fixture(scope="module")
def folder(region: Region, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("region")
    write_region(region, out)
    return out


@pytest.fixture(scope="module")
def truth(folder: Path) -> list[dict[str, str]]:
    with (folder / "truth.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_one_seed_gives_the_same_bytes_twice(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_region(generate(people=150, seed=3), tmp_path / name)
    files = sorted(path for path in (tmp_path / "first").rglob("*") if path.is_file())
    assert len(files) == len(list_source_names()) + 3
    for path in files:
        other = tmp_path / "second" / path.relative_to(tmp_path / "first")
        assert path.read_bytes() == other.read_bytes()


def test_another_source_changes_none_of_the_others() -> None:
    all_sources = generate(people=300, seed=3)
    only_gp = generate(people=300, seed=3, sources=["gp"])
    left, right = all_sources.records("gp"), only_gp.records("gp")
    assert left.local_id.tolist() == right.local_id.tolist()
    assert left.columns["family"].tolist() == right.columns["family"].tolist()


def test_the_ninth_source_is_a_file_and_nothing_else() -> None:
    assert list_source_names()[: len(SOURCE_NAMES)] == SOURCE_NAMES
    assert set(list_source_names()) - set(SOURCE_NAMES) == {"ambulance"}


def test_every_number_of_a_person_is_valid_unique_and_nobody_s(region: Region) -> None:
    numbers = region.population.nhs_number
    before = region.population.nhs_number_before
    assert all(is_valid_nhs_number(str(number)) for number in numbers.tolist())
    assert numbers.min() >= 9_990_000_000
    sharing = int(region.population.is_sharing_number.sum())
    assert len(np.unique(numbers)) == PEOPLE - sharing // 2
    assert not set(before[before > 0].tolist()) & set(numbers.tolist())


def test_there_are_as_many_numbers_as_people_may_be_asked_for() -> None:
    assert len(usable_numbers()) == SYNTHETIC_PEOPLE_MAX
    random = np.random.Generator(np.random.PCG64(1))
    assert len(np.unique(draw_numbers(SYNTHETIC_PEOPLE_MAX, random))) == SYNTHETIC_PEOPLE_MAX


@pytest.mark.parametrize(
    ("people", "seed", "profile", "names"),
    [
        (SYNTHETIC_PEOPLE_MAX + 1, 1, "normal", "people: at most 909,090"),
        (0, 1, "normal", "people: must be at least 1"),
        (10, -1, "normal", "seed"),
        (10, 1, "wild", "profile"),
    ],
)
def test_an_impossible_region_is_refused(people: int, seed: int, profile: str, names: str) -> None:
    with pytest.raises(InvalidInput, match=names):
        generate(people=people, seed=seed, profile=profile)  # type: ignore[arg-type]


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    with pytest.raises(StorageUnavailable, match="cannot write to"):
        write_region(generate(people=5, seed=1), file)


@pytest.mark.parametrize("people", [1, 2, 7, 60])
def test_even_a_hamlet_can_be_made(people: int, tmp_path: Path) -> None:
    region = generate(people=people, seed=people)
    assert region.population.people_count == people
    assert write_region(region, tmp_path)["people"] == people


def test_the_truth_names_every_record_once(folder: Path, truth: list[dict[str, str]]) -> None:
    keys = [(row["source"], row["local_id"]) for row in truth]
    assert len(keys) == len(set(keys))
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert Counter(row["source"] for row in truth) == {
        source: counts["records"] for source, counts in manifest["sources"].items()
    }


def test_the_region_has_about_four_and_a_quarter_records_a_person(
    truth: list[dict[str, str]],
) -> None:
    records = sum(row["source"] in SOURCE_NAMES for row in truth)
    assert 4.0 < records / PEOPLE < 4.5


def test_every_hard_case_occurs(truth: list[dict[str, str]]) -> None:
    found = Counter(word for row in truth for word in row["hard_case"].split(";") if word)
    assert set(found) == {
        "twin", "namesake", "baby", "name_change", "no_nhs_number", "wrong_nhs_number",
        "superseded_nhs_number", "duplicate", "institution", "no_fixed_abode", "recycled",
    }  # fmt: skip
    assert len({row["name_origin"] for row in truth}) >= 10


def test_twins_share_birth_date_and_home_and_mostly_family_name(region: Region) -> None:
    people = region.population
    firsts = np.flatnonzero((people.twin == 1) & (people.mother != NOBODY))
    assert len(firsts) > 5
    named_alike = 0
    for first in firsts.tolist():
        same_home = people.household == people.household[first]
        twin = np.flatnonzero(same_home & (people.twin == 2))
        assert people.birth[first] in people.birth[twin]
        named_alike += people.family[first] in people.family[twin]
    assert named_alike > 0.7 * len(firsts)


def test_parents_are_older_than_their_children(region: Region) -> None:
    people = region.population
    child = np.flatnonzero(people.mother != NOBODY)
    assert len(child) > PEOPLE / 10
    years = (people.birth[child] - people.birth[people.mother[child]]) / 365.25
    assert np.quantile(years, 0.01) > 14


def test_institutions_crowd_one_postcode(region: Region) -> None:
    people = region.population
    resident = np.flatnonzero(people.institution > 0)
    homes = Counter(people.home[resident].tolist())
    assert homes.most_common(1)[0][1] > 20


def test_placeholders_and_unnamed_babies_are_written(region: Region) -> None:
    columns = [region.records(source).columns for source in list_source_names()]
    given = {text for each in columns for text in each["given"].tolist()}
    numbers = {text for each in columns for text in each["nhs_number"].tolist() if text}
    births = {text for each in columns for text in each["birth"].tolist()}
    postcodes = {text for each in columns for text in each["postcode"].tolist() if text}
    assert any("BABY" in text or "INFANT" in text for text in given)
    assert {"0000000000", "9999999999"} & numbers
    assert "1900-01-01" in births
    assert "ZZ99 3VZ" in postcodes


def test_stress_has_more_of_every_error() -> None:
    normal = generate(people=3_000, seed=5).records("poole")
    stress = generate(people=3_000, seed=5, profile="stress").records("poole")
    for case in ("duplicate", "no_nhs_number"):
        share = normal.hard_cases[case].mean()
        assert stress.hard_cases[case].mean() > 2.5 * share


def test_middle_names_and_e_mails_go_wrong_as_other_fields_do(region: Region) -> None:
    people, shares = region.population, {}
    for column, truth in (("middle", people.middle), ("email", people.email)):
        told = [
            (text, truth[owner])
            for source in ("gp", "dorset-county", "dorset-council")
            for records in [region.records(source)]
            for text, owner in zip(
                records.columns[column][records.live], records.owner, strict=True
            )
            if text and truth[owner]
        ]
        shares[column] = sum(one.upper() != other.upper() for one, other in told) / len(told)
    assert 0.02 < shares["middle"] < 0.15
    assert 0.02 < shares["email"] < 0.30


def test_errors_gather_in_a_few_people() -> None:
    """Were errors independent, those of two sources would meet in a person as chance has it."""
    region = generate(people=20_000, seed=11, profile="stress")
    people = region.population
    wrong = []
    for source in ("gp", "dorset-healthcare"):
        records = region.records(source)
        differs = records.columns["given"][records.live] != people.given[records.owner]
        wrong.append(np.isin(np.arange(20_000), records.owner[differs]))
    together = (wrong[0] & wrong[1]).mean()
    assert together > 1.4 * wrong[0].mean() * wrong[1].mean()


def test_a_live_row_is_the_latest_of_its_record_unless_marked_wrong(region: Region) -> None:
    for source in list_source_names():
        records = region.records(source)
        good = ~records.is_error
        latest = np.full(len(records.owner), np.iinfo(np.int64).min)
        np.maximum.at(latest, records.record[good], records.updated[good])
        assert (records.updated[records.live] == latest).all()


def test_the_settings_of_a_source_are_all_known() -> None:
    for source in list_source_names():
        spec = get_source(source)
        assert spec.name == source
        assert 0 < spec.error_level < 5


def test_the_committed_sample_is_what_the_recipe_makes(tmp_path: Path) -> None:
    sample = Path(__file__).parents[2] / "data" / "synthetic" / "sample"
    write_region(generate(people=400, seed=7), tmp_path)
    made = {path.relative_to(tmp_path): path for path in tmp_path.rglob("*") if path.is_file()}
    kept = {path.relative_to(sample) for path in sample.rglob("*") if path.is_file()}
    assert set(made) == kept
    assert all(path.read_bytes() == (sample / name).read_bytes() for name, path in made.items())
