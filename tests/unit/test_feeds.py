"""Every row becomes a version or is set aside; a bad one costs itself and nothing else.

How a file is cut into chunks must not matter, whatever bytes it holds, because two workers cut it
and one reader does not.
"""

import json
import os
import stat

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mpi import limits
from mpi.batch.feeds import files as feed_files
from mpi.batch.feeds.reader import (
    QuarantinedRow,
    list_feeds,
    read_chunks,
    read_feed,
    write_quarantine,
)
from mpi.batch.feeds.row_columns import mapped_columns
from mpi.domain.records import (
    content_digest,
    content_json,
    demographics_from_dict,
    demographics_to_dict,
)
from mpi.errors import InvalidInput
from tests.small_feeds import (
    SOURCES,
    delimited,
    everything,
    example_in_mapping,
    small_source,
    written,
)

EXAMPLES = int(os.environ.get("MPI_EXAMPLES", "50"))
HEADER = b"id,at,name,address\n"
OBJECT = {"id": "1", "at": "2017-01-01", "name": "Hardy", "address": "Wool"}


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A source with four columns."""
    return small_source(tmp_path_factory.mktemp("mapping"), "csv")


@pytest.fixture(scope="session")
def small_objects(tmp_path_factory):
    """The same source, in JSON lines."""
    return small_source(tmp_path_factory.mktemp("mapping"), "ndjson")


BAD_ROWS = {
    "too few columns": (b"1,2017-01-01,Hardy", "row: 3 columns where the header has 4"),
    "too many columns": (b"1,2017-01-01,Hardy,Wool,x", "row: 5 columns where the header has 4"),
    "no local id": (b",2017-01-01,Hardy,Wool", "local_id: must be 1-64 printable characters"),
    "long local id": (b"1" * 65 + b",2017-01-01,Hardy,Wool", "local_id: must be 1-64 printable"),
    "no event time": (b"1,,Hardy,Wool", "event_at: is missing or not a time"),
    "wrong event time": (b"1,01/02/2017,Hardy,Wool", "event_at: is missing or not a time"),
    "NUL": (b"1,2017-01-01,Har\0dy,Wool", "row: holds a NUL byte"),
    "bytes": (b"1,2017-01-01,H\xe4rdy,Wool", "row: the bytes are not text of the declared"),
    "open quote": (b'1,2017-01-01,"Hardy,Wool', "row: quotation marks are not as in CSV"),
    "text after quote": (b'1,2017-01-01,"Har"dy,Wool', "row: quotation marks are not as in CSV"),
    "carriage return": (b"1,2017-01-01,Har\rdy,Wool", "row: quotation marks are not as in CSV"),
    "long field": (b"1,2017-01-01,Hardy," + b"x" * 20_001, "address: longer than 20000 characters"),
}


@pytest.mark.parametrize(("row", "reason"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_a_bad_row_is_set_aside_and_its_neighbours_are_read(tmp_path, small, row, reason):
    good = b"8,2017-01-01,Hardy,Wool\n"
    path = written(tmp_path, HEADER + good + row + b"\r\n" + good.replace(b"8", b"9"))
    versions, _, quarantined = everything(path, small)
    assert [version.key.local_id for version in versions] == ["8", "9"]
    (bad,) = quarantined
    assert (bad.line, bad.raw) == (3, row)
    assert bad.reason.startswith(reason)


BAD_OBJECTS = {
    "broken": ('{"id": "1", ', "row: is not a JSON object"),
    "list": ("[1]", "row: is not a JSON object"),
    "unknown key": (json.dumps(OBJECT | {"CANARY": 1}), "row: has a key that the mapping does not"),
    "object as text": (json.dumps(OBJECT | {"name": {"x": 1}}), "name: a text is expected here"),
    "NUL": (json.dumps(OBJECT | {"name": "a\0b"}), "family_name: holds a NUL character"),
    "surrogate": ('{"id": "1", "name": "\\ud800"}', "row: is not a JSON object"),
    "no id": (json.dumps(OBJECT | {"id": None}), "local_id: must be 1-64 printable characters"),
    "long number": ('{"id": ' + "9" * 400 + "}", ""),
}


@pytest.mark.parametrize(("row", "reason"), BAD_OBJECTS.values(), ids=BAD_OBJECTS.keys())
def test_a_bad_object_is_set_aside(tmp_path, small_objects, row, reason):
    lines = [json.dumps(OBJECT), row, json.dumps(OBJECT | {"id": 2}), ""]
    path = written(tmp_path, "\n".join(lines).encode(), "small.ndjson")
    versions, _, (bad,) = everything(path, small_objects)
    assert [version.key.local_id for version in versions] == ["1", "2"]
    assert bad.line == 2
    assert bad.reason.startswith(reason)
    assert "CANARY" not in bad.reason


def test_a_value_may_spread_over_lines_if_it_is_quoted(tmp_path, small):
    rows = b'1,2017-01-01,Hardy,"1 High St\nWool"\n2,2017-01-01,Clare,"a ""b"" c"\n'
    versions, _, quarantined = everything(written(tmp_path, HEADER + rows), small)
    assert not quarantined
    assert [v.demographics.address for v in versions] == ["1 High St\nWool", 'a "b" c']


def test_an_open_quotation_mark_costs_one_line_only(tmp_path, small):
    rows = b'1,2017-01-01,"Hardy,x\n' + b"".join(b'%d,2017-01-01,"A",x\n' % n for n in range(2, 99))
    versions, _, (bad,) = everything(written(tmp_path, HEADER + rows), small)
    assert bad.line == 2
    assert len(versions) == 97


def test_a_line_without_bounds_is_set_aside_unread(tmp_path, small, monkeypatch):
    monkeypatch.setattr(feed_files, "FEED_LINE_BYTES_MAX", 1000)
    monkeypatch.setattr("mpi.batch.feeds.rows.FEED_LINE_BYTES_MAX", 1000)
    good = b"1,2017-01-01,Hardy,Wool\n"
    path = written(tmp_path, HEADER + good + b"x" * 50_000 + b"\n" + good)
    for chunk_bytes in (10, 100, 1_000_000):
        versions, _, (bad,) = everything(path, small, chunk_bytes=chunk_bytes)
        assert len(versions) == 2
        assert (bad.line, len(bad.raw)) == (3, 1000)


WHOLE_FILES = {
    "empty": (b"", "the file is empty"),
    "no header": (b"1,2017-01-01,CANARY,Wool\n", "the first line is not the header of source"),
    "unknown column": (b"id,at,name,address,shoe\n", "column shoe is unknown: map it or list it"),
    "missing column": (b"id,at,name\n", "column address is missing"),
    "column twice": (b"id,at,name,name,address\n", "column name occurs more than once"),
    "broken off": (HEADER + b"1,2017-01-01,Hardy,Wool\n2,2017", "the last line is incomplete"),
    "broken off in quotes": (HEADER + b'1,2017-01-01,Hardy,"Wo', "the last line is incomplete"),
    "UTF-16": ("id,at\n1,2\n".encode("utf-16"), "the header is not utf-8 text"),
    "Windows text": (
        HEADER + "1,2017-01-01,Müller,Wool\n".encode("cp1252") * 9,
        "the text is not utf-8, as the mapping says",
    ),
}


@pytest.mark.parametrize(("data", "sentence"), WHOLE_FILES.values(), ids=WHOLE_FILES.keys())
def test_a_file_that_is_wrong_as_a_whole_is_refused_at_once(tmp_path, small, data, sentence):
    path = written(tmp_path, data)
    with pytest.raises(InvalidInput) as error:
        read_chunks(path, small)
    assert str(error.value).startswith(f"{path}: {sentence}")
    assert "CANARY" not in str(error.value)


def test_missing_files_and_folders_are_refused(tmp_path, small):
    with pytest.raises(InvalidInput, match="cannot be read: No such file"):
        read_chunks(tmp_path / "small.csv", small)
    with pytest.raises(InvalidInput, match="cannot be read: Is a directory"):
        read_chunks(tmp_path, small)
    with pytest.raises(InvalidInput, match="cannot be read: No such file"):
        list_feeds(tmp_path / "missing", {"small": small})


def test_utf8_sent_as_windows_text_is_refused(tmp_path):
    poole = SOURCES["poole"]
    row = delimited(poole, {"UnitNumber": "1", "FamilyName": "Müller"}).decode("cp1252")
    header, line, _ = row.split("\r\n")
    path = written(tmp_path, "\n".join([header, *[line] * 9, ""]).encode("utf-8"), "poole.csv")
    with pytest.raises(InvalidInput, match="the mapping says cp1252, but the text is utf-8"):
        read_chunks(path, poole)


def test_an_unknown_key_in_the_first_object_is_named(tmp_path, small_objects):
    path = written(tmp_path, json.dumps(OBJECT | {"shoe": 9}).encode() + b"\n", "small.ndjson")
    with pytest.raises(InvalidInput, match="key shoe is unknown"):
        read_chunks(path, small_objects)


def test_a_feed_without_any_good_row_is_refused(tmp_path, small):
    path = written(tmp_path, HEADER + b",,Hardy,Wool\n" * 3)
    with pytest.raises(InvalidInput, match="no row could be read; line 2: local_id"):
        list(read_feed(path, small))


def test_a_header_alone_is_an_empty_extract(tmp_path, small):
    assert list(read_feed(written(tmp_path, HEADER), small)) == []


def test_a_last_line_without_line_end_counts_if_it_is_whole(tmp_path, small):
    for row in (b"1,2017-01-01,Hardy,Wool", b'1,2017-01-01,Hardy,"1 High St\nWool"'):
        versions, _, quarantined = everything(written(tmp_path, HEADER + row), small)
        assert (len(versions), quarantined) == (1, [])


def test_a_folder_lists_its_feeds_by_name(tmp_path):
    for name in ("poole.csv", "gp.csv", "bournemouth.ndjson", "truth.csv", "manifest.json", ".x"):
        (tmp_path / name).touch()
    (tmp_path / "quarantine").mkdir()
    feeds = list_feeds(tmp_path, SOURCES)
    assert [path.name for _, path in feeds] == ["bournemouth.ndjson", "gp.csv", "poole.csv"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("hospice.csv", "no source system is named hospice"),
        ("gp.ndjson", "feeds of gp are csv"),
        (".hidden", "the folder holds no feed"),
    ],
)
def test_a_file_that_is_no_feed_is_named(tmp_path, name, sentence):
    (tmp_path / name).touch()
    with pytest.raises(InvalidInput, match=sentence):
        list_feeds(tmp_path, SOURCES)


def test_quarantined_rows_are_written_as_sent_for_their_owner_only(tmp_path):
    rows = [QuarantinedRow(9, "row: x", b'a,"b\xe4"'), QuarantinedRow(2, "row: y", b"\0")]
    folder = tmp_path / "out" / "quarantine"
    path = write_quarantine(folder, "gp", rows)
    assert path == folder / "gp.csv"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == (
        b'source,line,reason,raw\r\ngp,2,row: y,"\0"\r\ngp,9,row: x,"a,""b\xe4"""\r\n'
    )
    assert write_quarantine(folder, "gp", []) is None
    assert list(folder.iterdir()) == []


def test_parquet_rows_are_read_like_objects(tmp_path):
    source = small_source(tmp_path, "parquet")
    rows = [OBJECT | {"id": str(number)} for number in range(9)]
    path = tmp_path / "small.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=4)
    versions, contents, quarantined = everything(path, source)
    assert [int(version.key.local_id) for version in versions] == list(range(9))
    assert set(contents) == {'{"address":"Wool","family_name":"Hardy"}'}
    assert not quarantined


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"id": ["1"], "at": ["x"], "name": ["x"]}, "column address is missing"),
        ({key: ["1"] for key in [*OBJECT, "shoe"]}, "column shoe is unknown"),
    ],
)
def test_parquet_columns_are_checked(tmp_path, columns, sentence):
    source = small_source(tmp_path, "parquet")
    pq.write_table(pa.table(columns), tmp_path / "small.parquet")
    with pytest.raises(InvalidInput, match=sentence):
        read_chunks(tmp_path / "small.parquet", source)
    written(tmp_path, b"PAR1 broken off", "small.parquet")
    with pytest.raises(InvalidInput, match="is not a Parquet file, or was broken off"):
        read_chunks(tmp_path / "small.parquet", source)


pieces = st.sampled_from(
    [b'"', b'""', b",", b"\n", b"\r\n", b"\r", b"\0", b"1,2017-01-01,Hardy,Wool\n", b" ", b"\xe4",
     b'2,2017-01-01,"a\nb",x\n', "Ü".encode(), b"x", b'3,2017-01-01,"a",x\n', b"{}", b"\\"]
)  # fmt: skip
bodies = st.lists(st.one_of(pieces, pieces, st.binary(max_size=4)), max_size=40).map(b"".join)


@given(body=bodies, chunk_bytes=st.integers(1, 200))
@example(body=b'"\n1,2017-01-01,"Hardy\n",x\n1,"', chunk_bytes=1)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_bytes_are_read_the_same_however_they_are_cut(tmp_path, small, body, chunk_bytes):
    path = written(tmp_path, HEADER + body + b"\n")
    try:
        whole = everything(path, small)
    except InvalidInput:
        return
    assert everything(path, small, chunk_bytes=chunk_bytes) == whole
    assert_nothing_is_lost(body, whole)


def assert_nothing_is_lost(body, whole):
    """Each line that is not blank is a version, part of one, or set aside."""
    versions, _, quarantined = whole
    filled = [line for line in body.split(b"\n") if line.strip(b" \r")]
    inner = sum(version.demographics.address.count("\n") for version in versions
                if version.demographics.address)  # fmt: skip
    inner += sum(row.raw.count(b"\n") for row in quarantined)
    assert len(versions) + len(quarantined) <= len(filled)
    if b'"' not in body:
        assert len(versions) + len(quarantined) + inner == len(filled)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = sorted({path.partition(".")[0] for path in mapped_columns(SOURCES["bournemouth"])})
objects = st.dictionaries(st.sampled_from(KEYS), json_values).map(
    lambda drawn: {"mrn": "B1", "meta": {"updated": "2017-03-02T14:05:00Z"}} | drawn
)


@given(drawn=st.lists(st.one_of(objects, json_values), min_size=1, max_size=5))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_json_is_a_version_or_set_aside(tmp_path, drawn):
    lines = "".join(json.dumps(each) + "\n" for each in drawn)
    path = written(tmp_path, lines.encode(), "bournemouth.ndjson")
    try:
        versions, _, quarantined = everything(path, SOURCES["bournemouth"])
    except InvalidInput:
        return
    assert len(versions) + len(quarantined) == len(drawn)


@given(texts=st.lists(st.text(), min_size=len(KEYS), max_size=len(KEYS)))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_contents_are_canonical_and_versions_come_back_from_them(tmp_path, texts):
    drawn = example_in_mapping("bournemouth")
    drawn |= {key: text for key, text in zip(KEYS, texts, strict=True) if text.strip()
              and type(drawn[key]) is str and key != "mrn"}  # fmt: skip
    drawn["former_names"] += [{"family": text, "given": [text]} for text in texts[:3]]
    path = written(tmp_path, json.dumps(drawn).encode(errors="replace"), "bournemouth.ndjson")
    versions, contents, _ = everything(path, SOURCES["bournemouth"])
    for version, canonical in zip(versions, contents, strict=True):
        assert canonical == content_json(demographics_to_dict(version.demographics))
        assert version.digest == content_digest(canonical)
        assert demographics_from_dict(json.loads(canonical)) == version.demographics


def test_limits_of_a_feed_fit_each_other():
    assert limits.FEED_FIELD_CHARACTERS_MAX < limits.FEED_LINE_BYTES_MAX < feed_files.CHUNK_BYTES
