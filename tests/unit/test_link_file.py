"""`mpi link` on small files: who becomes one person, and what a wrong file is told."""

import csv
import itertools
import random
import stat

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest

from mpi.batch.files.input import FILE_COLUMNS, day_first, read_input
from mpi.batch.files.link import link_file
from mpi.batch.progress import SilentProgress
from mpi.errors import InvalidInput

GIVEN = ("ANNA", "PETER", "SUSAN", "OMAR", "GRACE", "VICTOR", "HELEN", "MARTIN", "CAROL", "FELIX")
FAMILY = ("SMITH", "KOWALSKI", "NGUYEN", "OKAFOR", "BROWN", "GARCIA", "PATEL", "MURPHY", "LARSEN")


def people(count, seed=1):
    """Rows of `count` people, one to each home, two rows each, one in four with a slip."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        given, family = chance.choice(GIVEN), chance.choice(FAMILY)
        row = {
            "given_name": given,
            "family_name": family,
            "date_of_birth": f"{chance.randint(1930, 2015)}-{chance.randint(1, 12):02}-"
            f"{chance.randint(2, 28):02}",
            "postcode": f"{chance.randint(10000, 99999)}",
            "address": f"{chance.randint(1, 250)} {chance.choice(('OAK', 'ELM', 'MILL'))} STREET",
            "phone": f"(212) 555-{number:04}",
        }
        slipped = row | {"given_name": given[:2] + given[3:]} if number % 4 == 0 else row
        rows += [(f"p{number}", row), (f"p{number}", slipped)]
    return rows


def write(path, rows):
    """The rows as CSV; `record_id` is `<person>-<row>`."""
    listed = [{"record_id": f"{person}-{at}", **values} for at, (person, values) in enumerate(rows)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(
            file, [name for name in FILE_COLUMNS if name in set().union(*listed)]
        )
        writer.writeheader()
        writer.writerows(listed)
    return path


def link(path, **options):
    out = path.with_name("persons.csv")
    report = link_file(path, out=out, progress=SilentProgress(), **options)
    with out.open(encoding="utf-8") as file:
        return {row["record_id"]: row["person_id"] for row in csv.DictReader(file)}, report


def linked_pairs(persons):
    """Pairs of record ids with one person, and whether they should have: their prefixes agree."""
    by_person = {}
    for record, person in persons.items():
        by_person.setdefault(person, []).append(record)
    pairs = [p for group in by_person.values() for p in itertools.combinations(sorted(group), 2)]
    return pairs, [one.split("-")[0] == other.split("-")[0] for one, other in pairs]


def test_two_rows_of_each_person_are_linked_and_no_others(tmp_path):
    persons, report = link(write(tmp_path / "people.csv", people(150)))
    pairs, right = linked_pairs(persons)
    assert len(persons) == report.records == 300
    assert all(right)
    assert len(pairs) >= 0.97 * 150
    assert report.persons == len(set(persons.values()))


@pytest.mark.parametrize("missing", ["date_of_birth", "postcode", "phone", "given_name"])
def test_a_missing_column_costs_recall_not_precision(tmp_path, missing):
    rows = [(person, {**row, missing: ""}) for person, row in people(150)]
    persons, _ = link(write(tmp_path / "people.csv", rows))
    pairs, right = linked_pairs(persons)
    assert sum(right) >= 0.97 * len(pairs)
    assert sum(right) >= 0.5 * 150


TWINS = [("ELLA", "BELLA"), ("TIM", "TOM"), ("JAYDEN", "KAYDEN"), ("SARA", "TARA")]


def test_twins_with_names_alike_stay_two_people(tmp_path):
    rows = people(150)
    for number, (names, (_, home)) in enumerate(zip(TWINS * 5, people(20, seed=2), strict=False)):
        rows += [(f"t{number}{name}", {**home, "given_name": name}) for name in names * 2]
    persons, _ = link(write(tmp_path / "people.csv", rows))
    pairs, right = linked_pairs(persons)
    assert all(right)
    assert sum(one.startswith("t") for one, _ in pairs) >= 0.9 * 40


def test_the_order_of_rows_changes_no_group(tmp_path):
    rows = people(60)
    groups = []
    for name, ordered in (("one.csv", rows), ("other.csv", rows)):
        path = write(tmp_path / name, ordered)
        if name == "other.csv":
            header, *lines = path.read_text().splitlines()
            path.write_text("\n".join([header, *reversed(lines)]) + "\n")
        groups.append({frozenset(pair) for pair in linked_pairs(link(path)[0])[0]})
    assert groups[0] == groups[1]


def test_the_same_file_gives_the_same_ids_in_csv_and_parquet(tmp_path):
    path = write(tmp_path / "people.csv", people(40))
    first, _ = link(path)
    table = pcsv.read_csv(path)
    pq.write_table(table, tmp_path / "people.parquet")
    out = tmp_path / "persons.parquet"
    link_file(tmp_path / "people.parquet", out=out, progress=SilentProgress())
    assert dict(zip(*pq.read_table(out).to_pydict().values(), strict=True)) == first


def test_edges_and_questions_name_records_of_the_file(tmp_path):
    path = write(tmp_path / "people.csv", people(80))
    edges, questions = tmp_path / "edges.parquet", tmp_path / "questions.csv"
    persons, report = link(path, edges_out=edges, questions_out=questions)
    found = pq.read_table(edges).to_pydict()
    assert {*found["left_record_id"], *found["right_record_id"]} <= persons.keys()
    assert np.all(np.diff(found["match_weight_bits"]) <= 0)
    assert all(0 < probability <= 1 for probability in found["match_probability"])
    assert pcsv.read_csv(questions).num_rows == report.questions


def test_numbers_of_another_scheme_keep_apart_only_when_asked(tmp_path):
    rows = [(person, {**row, "nhs_number": f"{123450000 + at}"})
            for at, (person, row) in enumerate(people(60))]  # fmt: skip
    path = write(tmp_path / "people.csv", rows)
    vetoed, report = link(path, is_scheme_trusted=True)
    assert len(set(vetoed.values())) == report.records
    assert any("another scheme" in note for note in report.notes)
    same = [(person, {**row, "nhs_number": f"{123450000 + at // 2}"})
            for at, (person, row) in enumerate(people(60))]  # fmt: skip
    persons, _ = link(write(tmp_path / "same.csv", same), is_scheme_trusted=True)
    # A few given names have slipped so far that they may be a twin's: those stay questions.
    assert len(set(persons.values())) <= 60 + 6


def test_american_dates_are_recognised_by_source(tmp_path):
    rows = []
    for person, row in people(60):
        year, month, day = row["date_of_birth"].split("-")
        american = {**row, "source": "us", "date_of_birth": f"{month}/{day}/{year}"}
        rows.append((person, american if len(rows) % 2 else {**row, "source": "uk"}))
    path = write(tmp_path / "people.csv", rows)
    assert read_input(path).month_first_sources == {"us"}
    persons, _ = link(path)
    assert sum(linked_pairs(persons)[1]) >= 0.9 * 60
    assert day_first("12/31/1980 00:00") == "31/12/1980 00:00"


def test_one_row_is_one_person_and_names_are_read_loosely(tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("Record ID;Given Name;shoe_size\n;Zoë;41\n", encoding="utf-8")
    persons, report = link(path)
    assert list(persons) == ["row-1"]
    assert report.persons == 1
    assert any("shoe_size" in note for note in report.notes)


def test_ids_that_repeat_between_sources_are_told_apart_by_source(tmp_path):
    path = tmp_path / "two.csv"
    path.write_text("record_id,source,given_name\n1,a,ANNA\n1,b,OMAR\n")
    link(path)
    text = (tmp_path / "persons.csv").read_text().splitlines()
    assert text[0] == "record_id,source,person_id"
    assert len(text) == 3


def test_rows_of_another_length_are_counted(tmp_path):
    path = tmp_path / "ragged.csv"
    path.write_text("record_id,given_name,family_name\n1,ANNA,SMITH\n2,OMAR\n3,GRACE,BROWN\n")
    persons, report = link(path)
    assert list(persons) == ["1", "3"]
    assert report.unreadable_rows == 1
    assert "1 rows have another number of columns" in report.summary()
    quarantine = tmp_path / "persons.csv.quarantine.csv"
    assert str(quarantine) in report.summary()
    assert stat.S_IMODE(quarantine.stat().st_mode) == 0o600
    wrong = "row: 2 columns where the header has 3"
    assert quarantine.read_text() == f'line,reason,raw\n3,{wrong},"2,OMAR"\n'
    path.write_text("record_id,given_name,family_name\n1,ANNA,SMITH\n")
    assert link(path)[1].quarantine is None
    assert not quarantine.exists()


HEADER = "record_id,family_name,given_name,date_of_birth"


def hundred(slips):
    rows = {at: f"{at},Smith{at},John,1980-01-01" for at in range(1, 101)}
    return "\n".join([HEADER, *(rows | slips).values()]) + "\n"


STRAY = {
    "one mark": ({40: '40,"Smith40,John,1980-01-01'}, [41]),
    "the last row": ({100: '100,"Smith100,John,1980-01-01'}, [101]),
    "a pair that would make one row": (
        {40: '40,"Smith40,John,1980-01-01', 45: '45,Smith45",John,1980-01-01'}, [41]),
    "a pair far apart": (
        {40: '40,"Smith40,John,1980-01-01', 90: '90,Smith90",John,1980-01-01'}, [41]),
    "a pair within a row": ({40: '40,"Smith40,John",1980-01-01'}, [41]),
    "an even row that runs on": ({40: '40,Smith"40,"John,1980-01-01'}, [41]),
}  # fmt: skip


@pytest.mark.parametrize(("slips", "lines"), STRAY.values(), ids=STRAY.keys())
def test_a_stray_quotation_mark_costs_one_line_that_is_named(tmp_path, slips, lines):
    path = tmp_path / "people.csv"
    path.write_text(hundred(slips))
    file = read_input(path)
    assert [row.line for row in file.aside_rows] == lines
    assert file.rows.num_rows == 100 - len(lines)
    assert file.aside_rows[0].raw == hundred(slips).splitlines()[lines[0] - 1]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_in_quoted_values_are_kept_and_cost_no_row(tmp_path, end):
    path = tmp_path / "people.csv"
    text = f'record_id,given_name,address,town{end}1,ANNA,"1 Mill Lane{end}Lyme, Regis",LYME{end}'
    path.write_bytes((text + f'{end}2,OMAR,"2 ""The"" Row",{end}').encode())
    file = read_input(path)
    assert file.aside_rows == ()
    assert file.rows["record_id"].to_pylist() == ["1", "2"]
    assert file.rows["address"].to_pylist() == [f"1 Mill Lane{end}Lyme, Regis", '2 "The" Row']
    assert file.rows["town"].to_pylist() == ["LYME", None]


def test_lines_may_end_in_carriage_returns_alone(tmp_path):
    path = tmp_path / "people.csv"
    path.write_bytes(b"record_id,given_name\r1,ANNA\r2,OMAR\r")
    assert read_input(path).rows["given_name"].to_pylist() == ["ANNA", "OMAR"]


WRONG = {
    "empty": (b"", "empty"),
    "no known column": (b"a,b\n1,2\n", "none of the columns"),
    "no row": (b"record_id,given_name\n", "no row"),
    "not UTF-8": (b"record_id,given_name\n1,Zo\xeb\n", "line 2 is not UTF-8"),
    "binary": (b"\x89PNG\r\n\x00\x00record_id", "not a text file"),
    "repeated id": (b"record_id,given_name\n1,A\n2,B\n1,C\n", "row 3"),
    "open header": (b'record_id,"given_name\n1,A\n', "line 1, the header"),
    "endless header": (b"sex," + b"x" * 140_000 + b"\nM,1\n", "line 1, the header"),
    "repeated column": (b"record_id,sex,Sex\n1,M,F\n", "sex is there twice"),
    "broken Parquet": (b"PAR1nothing more", "not a Parquet file"),
}


@pytest.mark.parametrize(("content", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_file_is_told_in_one_sentence_and_nothing_is_written(tmp_path, content, words):
    path = tmp_path / "people.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=words) as raised:
        link(path)
    assert str(path) in str(raised.value)
    assert list(tmp_path.iterdir()) == [path]


def test_columns_that_are_not_known_are_told_fit_for_a_terminal(tmp_path):
    path = tmp_path / "people.csv"
    others = ["\x1b[2Jcleared", "x" * 500, *(f"c{number}" for number in range(1_000))]
    path.write_text(f"given_name,{','.join(others)}\nAnn{',' * len(others)}\n")
    told = link(path)[1].summary()
    assert "?[2Jcleared" in told
    assert "and 982 more" in told
    assert f"Known are {', '.join(FILE_COLUMNS)}." in told
    assert "\x1b" not in told
    assert len(told) < 1_000


def test_results_that_cannot_be_written_are_refused_before_any_work(tmp_path):
    path = write(tmp_path / "people.csv", people(5))
    for out in (tmp_path / "persons.xlsx", tmp_path / "missing" / "persons.csv", path):
        with pytest.raises(InvalidInput):
            link_file(path, out=out, progress=SilentProgress())
    with pytest.raises(InvalidInput, match="cannot be read"):
        link(tmp_path / "absent.csv")
    assert list(tmp_path.iterdir()) == [path]


def test_columns_of_any_parquet_type_are_read(tmp_path):
    table = pa.table(
        {"record_id": [1, 2], "nhs_number": [9990000018.0, None], "given_name": ["A", ""]}
    )
    pq.write_table(table, tmp_path / "people.parquet")
    rows = read_input(tmp_path / "people.parquet").rows
    assert rows["record_id"].to_pylist() == ["1", "2"]
    assert rows["given_name"].to_pylist() == ["A", None]
    pq.write_table(pa.table({"given_name": [["A"]]}), tmp_path / "lists.parquet")
    with pytest.raises(InvalidInput, match="given_name holds no text"):
        read_input(tmp_path / "lists.parquet")
