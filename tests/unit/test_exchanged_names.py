"""Names in each other's column are put back only where the rest of the file is plain about it."""

import pyarrow as pa

from mpi.batch.files.exchanged_names import with_names_in_order


def ordered(*names):
    given, family = zip(*names, strict=True)
    rows, count = with_names_in_order(pa.table({"given_name": given, "family_name": family}))
    pairs = zip(rows["given_name"].to_pylist(), rows["family_name"].to_pylist(), strict=True)
    return list(pairs), count


def test_an_exchange_is_undone():
    people = [("Peter", "Smith"), ("peter", "Brown"), ("Anna", "Smith"), ("Peter", "Smith")] * 3
    rows, count = ordered(*people, ("SMITH", "Peter"))
    assert rows[-1] == ("Peter", "SMITH")
    assert rows[:-1] == people
    assert count == 1


def test_names_that_are_both_stay_as_they_are():
    people = [("James", "Thomas"), ("Thomas", "James"), ("James", "Brown"), ("Anna", "Thomas")] * 3
    assert ordered(*people) == (people, 0)


def test_missing_names_and_names_nobody_else_has_stay():
    people = [(None, "Smith"), ("Zbigniew", None), ("Wachowiak", "Kazimierz"), ("Ann", "Ann")]
    assert ordered(*people) == (people, 0)
