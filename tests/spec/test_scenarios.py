"""Every scenario comes out as its table says, in every executor and in any order of records.

All scenarios run together, as one small region: people of different tables must not meet either.
"""

from functools import cache

import pytest

from tests.spec.executors import EXECUTORS
from tests.spec.scenarios import parse_topic, read_topics

SCENARIOS = [scenario for topic in read_topics() for scenario in topic.scenarios]
ORDERS = {"as written": 1, "reversed": -1}


def in_words(result):
    """Groups and tasks as sorted lines, so that a difference can be read."""
    groups, tasks = result
    lines = sorted(" = ".join(sorted(map(str, group))) for group in groups)
    return lines + sorted(f"{type_}: {sorted(map(str, keys))}" for type_, keys in tasks)


@cache
def outcomes(executor, order):
    """Title -> what the executor makes of that scenario's records, in a run of all of them."""
    owners = [(each, record) for each in SCENARIOS for record in each.records.values()][::order]
    groups, questions = EXECUTORS[executor]([record for _, record in owners])
    found = {each.title: (set(), set()) for each in SCENARIOS}
    for group in groups:
        found[title_of(owners, group)][0].add(keys_of(owners, group))
    for question in questions:
        records = question.left | question.right
        found[title_of(owners, records)][1].add((question.type, keys_of(owners, records)))
    return found


def title_of(owners, records):
    titles = {owners[record][0].title for record in records}
    assert len(titles) == 1, f"records of different tables meet: {titles}"
    return titles.pop()


def keys_of(owners, records):
    return frozenset(owners[record][1].key for record in records)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_scenario(scenario, executor, order):
    found = outcomes(executor, ORDERS[order])[scenario.title]
    assert in_words(found) == in_words(scenario.expected)


def test_titles_are_unique():
    titles = [scenario.title for scenario in SCENARIOS]
    assert len(set(titles)) == len(titles) >= 20


@pytest.mark.parametrize(
    "table",
    [
        pytest.param("source | id | colour | expect\ngp | 1 | red | P1", id="unknown column"),
        pytest.param("source | id | given | expect\ngp | 1 | P1", id="short row"),
        pytest.param(
            "source | id | given | expect\ngp | 1 | ADA | P1, task: guess with P1",
            id="unknown task",
        ),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(table):
    text = f'title = "T"\nwhy = "W."\n\ntitle = "One"\nwhy = "W."\n{table}'
    with pytest.raises(ValueError):
        assert parse_topic(text).scenarios[0].expected
