"""Nine layouts say the same things in nine ways, and all of them become the same fields."""

import json
from datetime import UTC, datetime

import pytest

from mpi.batch.feeds.reader import read_feed
from mpi.domain.records import RecordVersion, demographics_to_dict
from tests.small_feeds import SOURCES, delimited, everything, example_in_mapping, written


def only_version(folder, source_name, cells):
    source = SOURCES[source_name]
    is_object = source.file.format == "ndjson"
    data = json.dumps(cells).encode() + b"\n" if is_object else delimited(source, cells)
    path = written(folder, data, f"{source_name}.{source.file.format}")
    (version,) = read_feed(path, source)
    assert isinstance(version, RecordVersion), version
    return version


def content(version):
    return demographics_to_dict(version.demographics)


def test_a_gp_row_is_read_with_its_practice(tmp_path):
    version = only_version(
        tmp_path,
        "gp",
        {
            "PracticeODS": "J81002", "PatientID": "17", "NHSNumber": "999 000 0018",
            "NHSStatus": "01", "Forenames": "Tess Emma Jane", "Surname": "Hardy",
            "DateOfBirth": "02/06/1970", "Sex": "F", "HouseAndRoad": "1 High Street",
            "Locality": "Fordington", "Town": "Dorchester", "Postcode": "DT1 1UW",
            "MobilePhone": "07700 900000", "KnownAs": "Tessa", "PreviousSurname": "Durbeyfield",
            "PreviousSurnameUntil": "01/05/1999", "LastAmended": "02/07/2017 14:05",
            "NextOfKin": "Joan Hardy", "NextOfKinRelation": "mother",
        },
    )  # fmt: skip
    assert str(version.key) == "gp:J81002-17"
    assert version.event_at == datetime(2017, 7, 2, 13, 5, tzinfo=UTC)
    assert content(version) == {
        "nhs_number": "999 000 0018", "nhs_number_status": "01", "given_name": "Tess",
        "middle_name": "Emma Jane", "family_name": "Hardy", "date_of_birth": "1970-06-02",
        "sex": "F", "address": "1 High Street, Fordington", "town": "Dorchester",
        "postcode": "DT1 1UW", "other_phones": ["07700 900000"], "gp_practice": "J81002",
        "previous_names": [
            {"family_name": "Durbeyfield", "kind": "previous", "until": "1999-05-01"},
            {"given_name": "Tessa", "kind": "preferred"},
        ],
        "related_people": [{"name": "Joan Hardy", "relationship": "mother"}],
    }  # fmt: skip


@pytest.mark.parametrize("missing", ["PracticeODS", "PatientID"])
def test_half_an_id_is_nobodys(tmp_path, missing):
    cells = {"PracticeODS": "J81002", "PatientID": "17", "LastAmended": "02/07/2017 14:05"}
    data = delimited(SOURCES["gp"], cells | {"Surname": "Hardy", missing: " "})
    _, _, (row,) = everything(written(tmp_path, data, "gp.csv"), SOURCES["gp"])
    assert row.reason == "local_id: must be 1-64 printable characters"


def test_a_hospital_row_has_name_and_address_in_one(tmp_path):
    version = only_version(
        tmp_path,
        "dorset-county",
        {
            "HOSPNO": "D1", "NHS_STS": "NSTS01", "PATNAME": "HARDY, Tess Emma", "DOB": "19700602",
            "SEX": "2", "ADDR1": "1 HIGH STREET", "ADDR2": "FORDINGTON", "ADDR3": "DORCHESTER",
            "ADDR4": "DT1 1UW", "UPD_DTTM": "20170102140500", "UPD_SEQ": "3", "REC_STATUS": "E",
            "PREV_ADDR": "2 MILL LANE, WOOL, BH20 6AA", "PREV_ADDR_TO": "20090131",
        },
    )  # fmt: skip
    assert (version.sequence, version.is_entered_in_error) == (3, True)
    assert content(version) == {
        "nhs_number_status": "01", "given_name": "Tess", "middle_name": "Emma",
        "family_name": "HARDY", "date_of_birth": "1970-06-02", "sex": "F",
        "address": "1 HIGH STREET, FORDINGTON", "town": "DORCHESTER", "postcode": "DT1 1UW",
        "previous_addresses": [
            {"address": "2 MILL LANE", "town": "WOOL", "postcode": "BH20 6AA",
             "until": "2009-01-31"},
        ],
    }  # fmt: skip


def test_poole_writes_windows_text_and_several_telephones_in_one_column(tmp_path):
    version = only_version(
        tmp_path,
        "poole",
        {
            "UnitNumber": "P1", "Tracing": "Verified", "FamilyName": "Müller", "Gender": "Female",
            "Born": "02-Jun-1970", "Address": "1 Quay Road, Poole", "PostCode": "BH15 1AA",
            "Telephones": "01202 000000 / 07700 900000 / 07700 900001", "MaidenName": "Ångström",
            "Modified": "02-Mar-2017 14:05",
        },
    )  # fmt: skip
    assert content(version) == {
        "nhs_number_status": "01", "family_name": "Müller", "sex": "F",
        "date_of_birth": "1970-06-02", "address": "1 Quay Road", "town": "Poole",
        "postcode": "BH15 1AA", "phone": "01202 000000",
        "other_phones": ["07700 900000", "07700 900001"],
        "previous_names": [{"family_name": "Ångström", "kind": "maiden"}],
    }  # fmt: skip


def test_bournemouth_nests_objects_and_lists(tmp_path):
    version = only_version(tmp_path, "bournemouth", example_in_mapping("bournemouth"))
    assert version.event_at == datetime(2017, 3, 2, 14, 5, tzinfo=UTC)
    assert content(version) == {
        "nhs_number": "999 000 0018", "nhs_number_status": "01", "given_name": "Tess",
        "middle_name": "Emma", "family_name": "Hardy", "date_of_birth": "1970-06-02", "sex": "F",
        "address": "1 High West Street, Fordington", "town": "Dorchester", "postcode": "DT1 1UW",
        "phone": "01305 000000", "email": "t@example.org", "birth_order": "1", "title": "Ms",
        "gp_practice": "J81002", "ethnic_category": "A", "language": "en",
        "previous_names": [{"given_name": "Tess", "family_name": "Durbeyfield", "kind": "maiden",
                            "until": "1999-05-01"}],
        "previous_addresses": [{"address": "2 Mill Lane", "town": "Wool", "postcode": "BH20 6AA",
                                "until": "2009-01-31"}],
        "related_people": [{"name": "Joan Hardy", "relationship": "mother",
                            "phone": "01305 000001"}],
    }  # fmt: skip


def test_dorset_healthcare_keeps_all_addresses_in_one_list(tmp_path):
    version = only_version(tmp_path, "dorset-healthcare", example_in_mapping("dorset-healthcare"))
    found = content(version)
    assert (version.key.local_id, version.sequence) == ("100017", 3)
    assert (found["address"], found["postcode"]) == ("1 High West Street", "DT1 1UW")
    assert (found["date_of_birth"], found["sex"]) == ("1970-06-02", "F")
    assert found["previous_addresses"] == [
        {"address": "2 Mill Lane", "town": "Wool", "postcode": "BH20 6AA", "until": "2009-01-31"}
    ]
    assert found["other_phones"] == ["07700900000"]


@pytest.mark.parametrize(
    ("source", "cells", "field", "expected"),
    [
        ("bournemouth-council", {"Date of Birth": "06/1970"}, "date_of_birth", "1970-06"),
        ("bournemouth-council", {"Date of Birth": "31/02/1970"}, "date_of_birth", "31/02/1970"),
        ("bournemouth-council", {"Date of Birth": "c. 1970"}, "date_of_birth", "c. 1970"),
        ("bournemouth-council", {"Gender": "Z"}, "sex", "Z"),
        ("bournemouth-council", {"Full Address": "The Hut"}, "address", "The Hut"),
        ("bournemouth-council", {"Full Address": "1 A St, Wool BH20 6AA"}, "postcode", "BH20 6AA"),
        ("bournemouth-council", {"Full Address": "1 A St, Wool, BHI 1AA"}, "postcode", "BHI 1AA"),
        ("bournemouth-council", {"Full Address": "1 A St\nWool\nBH20 6AA"}, "town", "Wool"),
        ("poole-council", {"BIRTH_DT": "2/6/1970"}, "date_of_birth", "1970-06-02"),
        ("poole-council", {"FLAT": "Flat 2", "HOUSE": "1", "STREET": "A St"}, "address",
         "Flat 2, 1 A St"),
        ("poole-council", {"HOUSE": "1", "STREET": "A St"}, "address", "1 A St"),
        ("poole-council", {"SURNAME": "\\N", "FORENAME_1": "Tess"}, "family_name", None),
        ("dorset-council", {"nhs_no_checked": "Y"}, "nhs_number_status", "01"),
        ("ambulance", {"date_of_birth": "02061970"}, "date_of_birth", "1970-06-02"),
        ("ambulance", {"nhs": "NHS 9990000018"}, "nhs_number", "9990000018"),
        ("dorset-county", {"PATNAME": "HARDY"}, "family_name", "HARDY"),
    ],
)  # fmt: skip
def test_a_value_is_made_canonical_or_left_as_written(tmp_path, source, cells, field, expected):
    keys = {
        "bournemouth-council": {"Client ID": "BBC/1", "Date Amended": "01/01/2017"},
        "poole-council": {"PERSON_REF": "1", "UPDATED_ON": "2017-01-01 00:00:00"},
        "dorset-council": {"person_id": "1", "amended": "2017/01/01 00:00"},
        "ambulance": {"incident": "1", "casualty": "2", "call_time": "01/01/2017 00:00:00"},
        "dorset-county": {"HOSPNO": "1", "UPD_DTTM": "20170101000000"},
    }
    version = only_version(tmp_path, source, keys[source] | cells)
    assert getattr(version.demographics, field) == expected


def test_local_ids_lose_their_prefix_and_join_their_columns(tmp_path):
    cells = {"incident": "77", "casualty": "2", "call_time": "01/01/2017 00:00:00"}
    assert only_version(tmp_path, "ambulance", cells).key.local_id == "77/2"
    cells = {"Client ID": "BBC/9", "Date Amended": "01/01/2017"}
    assert only_version(tmp_path, "bournemouth-council", cells).key.local_id == "9"
