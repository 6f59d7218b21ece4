"""The linkage model as plain data, read from `spec.toml` and a release's `parameters.json`.

A model says which comparisons are made, what each agreement weighs, which values make records
candidates, and where the thresholds lie. It holds no code: a condition is text in a small grammar
whose words are the comparators of `mpi.linkage.comparators`.

    condition   = test { " and " test }
    test        = ["not "] comparator "(" field { ", " field } ")" [ (">=" | "<=") number ]

A level's `when` is a list of conditions, of which one must hold; levels are tried in order, and
the last one is `else`.

Source of the model: Fellegi & Sunter 1969, DOI 10.1080/01621459.1969.10501049.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mpi.domain.identifiers import NumberTrust
from mpi.domain.records import COMPARISON_FIELDS, SCALAR_FIELDS
from mpi.errors import InvalidModel

PROBABILITY_MIN: Final = 1e-300
ELSE: Final = "else"
_TEST = re.compile(r"(not )?([a-z_]+)\(([a-z_]+(?:, [a-z_]+)*)\)(?: (>=|<=) (-?[0-9.]+))?")


@dataclass(frozen=True, slots=True)
class Test:
    """One comparator applied to one or two fields of both records.

    A bound is a similarity of 0 to 1, or a count of slips or of equal parts: see `COMPARATORS`.
    """

    comparator: str
    fields: tuple[str, ...]
    at_least: float | None = None
    at_most: float | None = None
    is_negated: bool = False


Condition = tuple[Test, ...]
"""All tests must hold."""
Alternatives = tuple[Condition, ...]
"""One condition must hold; empty for the else level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One category that a pair can fall in."""

    name: str
    words: str
    """For people: `same family name, given name close`."""
    when: Alternatives
    m: float
    """Share of true matches that fall here, 0..1, among those informed."""
    u: float
    """Share of random non-matches that fall here, 0..1, among those informed."""
    u_min: float = 0.0
    """Training never puts u below this: a cap on evidence that people of one home share."""
    frequency: str | None = None
    """Live scalar field, equal on both sides where the level holds: `u` is multiplied by the
    frequency of the value over the field's chance agreement (a rare value weighs more)."""
    frequency_min: float = 0.0
    """Frequencies below this count as this, which caps the weight."""
    is_fixed: bool = False
    """Training leaves m and u as the spec has them."""

    @property
    def weight_bits(self) -> float:
        """log2(m/u), the same expression as Splink's, so that it is the same number.

        A probability below `PROBABILITY_MIN` counts as that.
        """
        return math.log2(max(self.m, PROBABILITY_MIN) / max(self.u, PROBABILITY_MIN))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One aspect compared. A pair for which a `missing` condition holds says nothing: 0 bits."""

    name: str
    missing: Alternatives
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockingRule:
    """Two records that share a value of every field become a pair; histories count."""

    name: str
    fields: tuple[str, ...]
    tighten: tuple[str, ...] = ()
    """Further fields that the keys of stop-listed values carry."""
    adjacent_by: tuple[str, ...] = ()
    """The first of `fields`: keys that have their values in common are neighbours as numbers,
    those of other rules that begin with the same fields too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """In bits of match weight, except the last, which counts records of a component."""

    link_bits: float
    review_bits: float
    ambiguity_bits: float
    component_records_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Spec and parameters, without the frequencies (see `mpi.linkage.frequencies`)."""

    name: str
    version: str
    digest: str
    prior: float
    """Probability that two random records of the region are one person."""
    comparisons: tuple[Comparison, ...]
    blocking: tuple[BlockingRule, ...]
    block_records_max: int
    """A blocking value shared by more records than this is stop-listed by training."""
    thresholds: Thresholds
    number_trust: NumberTrust
    given_names_agree: Alternatives
    """Two informed given names that meet none of these conflict (vetoes)."""
    unseen_frequency: Mapping[str, float]
    """Field -> frequency of a value that training did not see."""
    chance_agreement: Mapping[str, float]
    """Field -> probability that two random records agree on it: the sum of squared frequencies."""

    @property
    def prior_bits(self) -> float:
        """log2 odds of the prior; the same expression as Splink's."""
        return math.log2(self.prior / (1 - self.prior))

    @property
    def frequency_fields(self) -> tuple[str, ...]:
        """Fields whose values have frequencies, in order of first use."""
        levels = (level for comparison in self.comparisons for level in comparison.levels)
        return tuple(dict.fromkeys(level.frequency for level in levels if level.frequency))

    def comparison(self, name: str) -> Comparison:
        """The comparison of this name. Raises KeyError if there is none."""
        return next(c for c in self.comparisons if c.name == name)


def parse_condition(text: str) -> Condition:
    """The tests of a condition such as `shared(given_names) and similarity(family_names) >= 0.92`.

    Raises:
        InvalidModel: If the text does not follow the grammar or names an unknown field.
    """
    return tuple(_parse_test(part) for part in text.split(" and "))


def parse_level(table: Mapping[str, Any], comparison: str) -> Level:
    """The level that a table of a spec describes.

    Args:
        table: `name`, `words`, `when`, `m` and `u`; perhaps `u_min`, `frequency`, `frequency_min`
            and `fixed`. Other keys are left alone.
        comparison: Whose level it is, for what is said of errors.

    Raises:
        InvalidModel: If a condition or a probability is wrong.
        KeyError: If a key is missing.
    """
    where = f"{comparison}.{table['name']}"
    return Level(
        name=table["name"],
        words=table["words"],
        when=() if table["when"] == [ELSE] else _alternatives(table["when"]),
        m=_probability(table["m"], f"{where}.m"),
        u=_probability(table["u"], f"{where}.u"),
        u_min=float(table.get("u_min", 0.0)),
        frequency=table.get("frequency"),
        frequency_min=float(table.get("frequency_min", 0.0)),
        is_fixed=bool(table.get("fixed", False)),
    )


def model_from_spec(spec: Mapping[str, Any], *, version: str, digest: str) -> Model:
    """The model that a parsed `spec.toml` (or the same mapping inside a release) describes.

    Raises:
        InvalidModel: Naming the table and key that is missing or wrong.
    """
    try:
        return _model(spec, version, digest)
    except KeyError as error:
        raise InvalidModel(f"model spec: {error.args[0]} is missing") from error
    except (TypeError, ValueError) as error:
        raise InvalidModel("model spec: a value has the wrong type") from error


def _model(spec: Mapping[str, Any], version: str, digest: str) -> Model:
    trust = spec["nhs_number"]
    frequencies = spec["frequencies"]
    model = Model(
        name=spec["name"],
        version=version,
        digest=digest,
        prior=_probability(spec["prior"], "prior"),
        comparisons=tuple(_comparison(table) for table in spec["comparisons"]),
        blocking=tuple(_blocking_rule(table) for table in spec["blocking"]["rules"]),
        block_records_max=int(spec["blocking"]["records_max"]),
        thresholds=Thresholds(
            link_bits=float(spec["thresholds"]["link_bits"]),
            review_bits=float(spec["thresholds"]["review_bits"]),
            ambiguity_bits=float(spec["thresholds"]["ambiguity_bits"]),
            component_records_max=int(spec["thresholds"]["component_records_max"]),
        ),
        number_trust=NumberTrust(
            statuses=frozenset(trust["trusted_statuses"]),
            sources=frozenset(trust["trusted_sources"]),
        ),
        given_names_agree=_alternatives(spec["vetoes"]["given_names_agree"]),
        unseen_frequency={name: table["unseen"] for name, table in frequencies.items()},
        chance_agreement={name: table["chance"] for name, table in frequencies.items()},
    )
    for field in model.frequency_fields:
        if field not in SCALAR_FIELDS or field not in frequencies:
            raise InvalidModel(f"model spec: frequencies.{field} is missing or not a scalar field")
    if model.thresholds.review_bits > model.thresholds.link_bits:
        raise InvalidModel("model spec: thresholds.review_bits must not exceed link_bits")
    return model


def _comparison(table: Mapping[str, Any]) -> Comparison:
    name = table["name"]
    levels = tuple(parse_level(level, name) for level in table["levels"])
    if not levels or levels[-1].when or any(not level.when for level in levels[:-1]):
        raise InvalidModel(f"model spec: comparison {name} must end with its only else level")
    if len({level.name for level in levels}) != len(levels):
        raise InvalidModel(f"model spec: comparison {name} has two levels of one name")
    return Comparison(name=name, missing=_alternatives(table["missing"]), levels=levels)


def _blocking_rule(table: Mapping[str, Any]) -> BlockingRule:
    rule = BlockingRule(
        name=table["name"],
        fields=tuple(table["fields"]),
        tighten=tuple(table.get("tighten", ())),
        adjacent_by=tuple(table.get("adjacent_by", ())),
    )
    for field in rule.fields + rule.tighten:
        _check_field(field)
    if rule.adjacent_by != rule.fields[: len(rule.adjacent_by)]:
        raise InvalidModel(f"model spec: blocking rule {rule.name} must begin with its adjacent_by")
    return rule


def _alternatives(texts: list[str]) -> Alternatives:
    return tuple(parse_condition(text) for text in texts)


def _parse_test(text: str) -> Test:
    found = _TEST.fullmatch(text.strip())
    if not found:
        raise InvalidModel(f"model spec: condition {text!r} does not follow the grammar")
    negation, comparator, names, operator, number = found.groups()
    fields = tuple(names.split(", "))
    for field in fields:
        _check_field(field)
    bound = float(number) if number else None
    return Test(
        comparator=comparator,
        fields=fields,
        at_least=bound if operator == ">=" else None,
        at_most=bound if operator == "<=" else None,
        is_negated=bool(negation),
    )


def _check_field(field: str) -> None:
    if field not in COMPARISON_FIELDS:
        raise InvalidModel(f"model spec: {field} is not a field of a comparison record")


def _probability(value: Any, where: str) -> float:
    number = float(value)
    if not 0 < number < 1:
        raise InvalidModel(f"model spec: {where} must lie between 0 and 1")
    return number
