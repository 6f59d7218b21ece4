"""A mistake in a setting or a mapping is told in one sentence that names the file and the key."""

import pickle
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from mpi import config
from mpi.config import Settings, read_settings, read_source_systems
from mpi.domain.demographics import (
    TEXT_FIELDS,
    Demographics,
    PreviousAddress,
    PreviousName,
    RelatedPerson,
)
from mpi.errors import InvalidSettings
from mpi.source_layout import date_pattern

NINE_SOURCES = {
    "gp", "dorset-county", "poole", "bournemouth", "dorset-healthcare", "bournemouth-council",
    "poole-council", "dorset-council", "ambulance",
}  # fmt: skip
SMALL_MAPPING = """
name = "small"
display = "A small source"
ods_code = "X1"
identifier_domain = { uri = "https://example.org/Id/small", kind = "number" }
file = { format = "csv" }
row = { local_id = "id", event_at = { column = "at", format = "YYYY-MM-DD" } }
fields = { family_name = "name" }
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "small.toml").write_text(SMALL_MAPPING, "utf-8")
    return tmp_path


def change(folder, old, new):
    path = folder / "small.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_settings_have_defaults_without_file_and_environment(tmp_path):
    settings = read_settings(tmp_path, {})
    assert settings == Settings()
    assert settings.database_url == "sqlite:///mpi.sqlite3"


def test_the_environment_overrides_the_file(tmp_path):
    (tmp_path / "mpi.toml").write_text('database_url = "sqlite:///a"\nworkers_count = 3\n')
    settings = read_settings(tmp_path, {"MPI_DATABASE_URL": "sqlite:///b", "MPI_EXAMPLES": "9"})
    assert (settings.database_url, settings.workers_count) == ("sqlite:///b", 3)


def test_settings_print_no_password(tmp_path):
    settings = read_settings(tmp_path, {"MPI_DATABASE_URL": "postgresql://u:CANARY@h/d"})
    assert "CANARY" not in repr(settings)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("sorces_folder = 'x'", "mpi.toml: sorces_folder: there is no such setting"),
        ("workers_count = 'two'", "mpi.toml: workers_count: must be a whole number, 0 or more"),
        ("workers_count = true", "mpi.toml: workers_count: must be a whole number, 0 or more"),
        ("database_url = 3", "mpi.toml: database_url: must be a text that is not empty"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, content, sentence):
    (tmp_path / "mpi.toml").write_text(content)
    with pytest.raises(InvalidSettings) as error:
        read_settings(tmp_path, {})
    assert str(error.value) == sentence


def test_a_settings_file_that_is_no_toml_is_named(tmp_path):
    (tmp_path / "mpi.toml").write_text("workers_count = ")
    with pytest.raises(InvalidSettings, match=r"^mpi\.toml: is not TOML"):
        read_settings(tmp_path, {})


def test_nine_source_systems_come_with_the_product():
    sources = read_source_systems()
    assert sources.keys() == NINE_SOURCES
    assert len({source.ods_code for source in sources.values()}) == len(NINE_SOURCES)
    assert len({source.digest for source in sources.values()}) == len(NINE_SOURCES)


def test_every_source_says_how_far_each_field_is_trusted():
    canonical = {field.name for field in fields(Demographics)}
    for source in read_source_systems().values():
        assert source.trust.keys() == canonical
        assert all(0 <= trust <= 100 for trust in source.trust.values())


def test_fields_of_mappings_are_those_of_demographics():
    assert set(TEXT_FIELDS) == config.TEXT_FIELDS
    parts = {
        "previous_names": PreviousName,
        "previous_addresses": PreviousAddress,
        "related_people": RelatedPerson,
    }
    assert {
        name: {field.name for field in fields(part)} for name, part in parts.items()
    } == config.PART_FIELDS


def test_source_systems_travel_to_worker_processes():
    sources = read_source_systems()
    assert pickle.loads(pickle.dumps(sources)) == sources


def test_an_installation_may_name_its_own_folder(folder):
    source = read_source_systems(folder)["small"]
    assert source.identifier_domain.uri == "https://example.org/Id/small"
    assert source.trust["address"] == config.TRUST_DEFAULT


def test_comments_do_not_change_a_digest_and_content_does(folder):
    before = read_source_systems(folder)["small"].digest
    change(folder, 'ods_code = "X1"', 'ods_code = "X1" # as of 2017')
    assert read_source_systems(folder)["small"].digest == before
    change(folder, 'ods_code = "X1"', 'ods_code = "X2"')
    assert read_source_systems(folder)["small"].digest != before


MISTAKES = {
    "other name": ('name = "small"', 'name = "large"', "name: must be the file's name"),
    "capitals in name": ('name = "small"', 'name = "Small"', "name: must be 1-40"),
    "no name": ('name = "small"', "", "name: must be a text"),
    "unknown key": ('ods_code = "X1"', 'ods_code = "X1"\nodd = 1', "odd: there is no such key"),
    "unknown field": ("family_name =", "surname =", "fields.surname: there is no such key"),
    "number as column": ('family_name = "name"', "family_name = 3", "fields.family_name: must be"),
    "two columns": (
        'family_name = "name"',
        'family_name = { column = "name", value = "x" }',
        "fields.family_name.column: name one of",
    ),
    "format": ('format = "csv"', 'format = "xlsx"', "file.format: must be one of"),
    "encoding": (
        'format = "csv"',
        'format = "csv", encoding = "utf-16"',
        "file.encoding: must be one of",
    ),
    "delimiter": (
        'format = "csv"',
        'format = "csv", delimiter = "||"',
        "file.delimiter: must be one ASCII character",
    ),
    "no local id": ('local_id = "id", ', "", "row.local_id: is missing"),
    "time zone": (
        'format = "YYYY-MM-DD"',
        'format = "YYYY-MM-DD", zone = "Dorset/Wool"',
        "row.event_at.zone: there is no such time zone",
    ),
    "event without day": ('"YYYY-MM-DD"', '"YYYY-MM"', "row.event_at.format: an event time needs"),
    "two-digit year": ('"YYYY-MM-DD"', '"YY-MM-DD"', "row.event_at.format: use YYYY"),
    "day twice": ('"YYYY-MM-DD"', '"YYYY-MM-DD DD"', "row.event_at.format: each part of a date"),
    "part": (
        'family_name = "name"',
        'family_name = { column = "name", part = "surname" }',
        "fields.family_name.part: must be one of",
    ),
    "list in csv": (
        'family_name = "name"',
        'family_name = { column = "name", where = { a = "b" } }',
        "fields.family_name.where: csv has no lists",
    ),
    "joins": (
        'family_name = "name"',
        'family_name = { columns = ["a", "b", "c"], join = ["x", "y", "z"] }',
        "fields.family_name.join: must be one text, or one fewer",
    ),
    "trust": (
        'ods_code = "X1"',
        'ods_code = "X1"\ntrust = { address = 101 }',
        "trust.address: must be a whole number from 0 to 100",
    ),
    "constant part": (
        'ods_code = "X1"',
        'ods_code = "X1"\nprevious_names = [{ kind = { value = "alias" } }]',
        "previous_names[1].fields: at least one must come from a column",
    ),
}


@pytest.mark.parametrize(("old", "new", "complaint"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_in_a_mapping_is_named_with_file_and_key(folder, old, new, complaint):
    change(folder, old, new)
    with pytest.raises(InvalidSettings) as error:
        read_source_systems(folder)
    assert str(error.value).startswith(f"small.toml: {complaint}")
    assert "\n" not in str(error.value)


def test_a_folder_without_mappings_is_named(tmp_path):
    with pytest.raises(InvalidSettings, match="holds no source mapping"):
        read_source_systems(tmp_path / "missing")


@pytest.mark.parametrize("date_format", ["", "YY", "DD/MM", "YYYY-MM-DD YYYY", "YYYY_MM", "yyyy"])
def test_a_date_format_that_cannot_be_read_is_refused(date_format):
    with pytest.raises(ValueError):
        date_pattern(date_format)


def test_every_mapping_says_what_it_ignores_and_why():
    for path in Path(config.SOURCES_FOLDER).glob("*.toml"):
        text = path.read_text("utf-8")
        assert text.startswith("# ")
        assert tomllib.loads(text)["file"]["ignored"]
