"""Small worlds for `partition`: households whose records nearly agree, joined by edges that tie.

Unlike records and scattered weights would never meet a veto or an ambiguity, so values, weights and
decisions are drawn from few.
"""

import tomllib
from pathlib import Path
from typing import NamedTuple

from mpi.domain.links import Decision, DecisionKind, Edge
from mpi.domain.records import ComparisonRecord
from mpi.linkage.model import model_from_spec
from mpi.linkage.partition import PartitionRules
from mpi.linkage.vetoes import compile_name_rule

SPEC = Path(__file__).parents[1] / "linkage_models" / "dorset" / "spec.toml"
NAME_RULE = compile_name_rule(
    model_from_spec(tomllib.loads(SPEC.read_text()), version="0", digest="0").given_names_agree
)
RULES = PartitionRules(
    link_bits=9.0, ambiguity_bits=3.0, component_records_max=500, name_rule=NAME_RULE
)
SMALL_RULES = PartitionRules(
    link_bits=9.0, ambiguity_bits=3.0, component_records_max=4, name_rule=NAME_RULE
)
_WEIGHTS = (6.0, 9.0, 9.0000004, 10.0, 11.5, 12.0, 13.0, 20.0)
_BIRTH_DATES = (None, "1980", "1980-02-03", "1980-03-02", "1980-02-04", "1951-07-30", "1980-01-01")


class World(NamedTuple):
    """What `partition` takes."""

    records: dict[int, ComparisonRecord]
    edges: list[Edge]
    decisions: list[Decision]
    rules: PartitionRules


def known(given_name=None, birth_date=None, number=None, *, forms=(), **fields):
    """A comparison record of what vetoes read; 1 January hides the month and the day."""
    parts = [*(birth_date or "").split("-"), None, None][:3]
    year, month, day = (part or None for part in parts)
    if (month, day) == ("01", "01"):
        month = day = None
    names = () if given_name is None else (given_name, *forms)
    return ComparisonRecord(
        given_name=given_name,
        given_forms=names,
        birth_date=birth_date,
        birth_year=year,
        birth_month=month,
        birth_day=day,
        nhs_number=number,
        trusted_nhs_number=number,
        **fields,
    )


def some_record(random):
    return known(
        random.choice((None, "ADA", "AMARA", "ADAH", "A", "ZOE")),
        random.choice(_BIRTH_DATES),
        random.choice((None, None, "9990000018", "9990000026")),
        family_names=random.choice(((), ("OKAFOR",), ("OKAFOR", "BELL"), ("DAY",))),
        family_parts=random.choice(((), ("BELL",))),
        addresses=random.choice(((), ("1 HIGH ST",), ("2 LOW RD",))),
        birth_order=random.choice((None, None, "1", "2")),
    )


def some_world(random, *, records_max=9, decisions_max=4):
    """Records with edges of every band between them, and decisions that may contradict."""
    count = random.randint(1, records_max)
    pool = [some_record(random) for _ in range(random.randint(1, 4))]
    records = {
        number: random.choice((random.choice(pool), some_record(random))) for number in range(count)
    }
    density = random.choice((0.3, 0.6, 1.0))
    edges = [
        Edge(left, right, random.choice(_WEIGHTS))
        for left in records
        for right in records
        if left < right and random.random() < density
    ]
    decisions = [
        some_decision(random, number, count) for number in range(random.randint(0, decisions_max))
    ]
    return World(records, edges, decisions, random.choice((RULES, RULES, SMALL_RULES)))


def some_decision(random, number, count):
    """About one or two records on each side; now and then about one that is no longer there."""
    sides = [frozenset(random.choices(range(count + 1), k=random.randint(1, 2))) for _ in range(2)]
    disowned = sides[0] if random.random() < 0.3 else frozenset()
    return Decision(
        number=number,
        kind=random.choice(list(DecisionKind)),
        left=sides[0],
        right=sides[1] - sides[0],
        disowned_numbers=disowned,
    )
