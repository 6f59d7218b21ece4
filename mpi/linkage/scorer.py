"""The model as plain Python, for the live service: no Splink, no DuckDB, microseconds a pair.

Each comparison becomes a decision diagram: a node is a test with the node that follows if it
holds and the one that follows if not, and a leaf is a level. A test is so evaluated at most once
for a pair and only while it can still decide the level. The weights are summed in the order in
which Splink sums them, so that they are the same numbers (`tests/parity`).

Source of the weights: Fellegi & Sunter 1969, DOI 10.1080/01621459.1969.10501049. Source of the
diagrams: Bryant 1986, DOI 10.1109/TC.1986.1676819.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from mpi.domain.records import ComparisonRecord
from mpi.errors import InvalidModel
from mpi.linkage.comparators import Layout, PairTest, Prepared, compile_test
from mpi.linkage.frequencies import (
    Frequencies,
    FrequencyColumn,
    FrequencyReader,
    frequency_column,
    frequency_reader,
)
from mpi.linkage.model import Alternatives, Comparison, Model, Test

NODES_MAX: Final = 50_000
"""Nodes of one comparison's diagram: bounds what a strange model can cost."""
MISSING: Final = -1
"""Level index of a pair for which the comparison says nothing."""

Adjustment = Callable[[Prepared, Prepared], float]
AgreedFrequency = Callable[[Prepared, Prepared], float | None]


class Leaf(NamedTuple):
    """Where a diagram ends; `test` is None, which is how a walk knows."""

    test: None
    weight_bits: float
    adjustment: Adjustment | None
    level: int
    frequency: AgreedFrequency | None
    """The frequency of the agreed value, which `adjustment` is about."""


class LevelWeight(NamedTuple):
    """What one comparison says of one pair."""

    level: int
    """Index in the comparison's levels, or `MISSING`."""
    weight_bits: float
    adjustment_bits: float
    """For the frequency of the agreed value; 0.0 where the level has none."""
    frequency: float | None
    """The share of records that hold the agreed value, if the level uses it."""


class Scorer:
    """A compiled model. Holds no state: one serves any number of threads."""

    def __init__(
        self,
        model: Model,
        layout: Layout,
        diagrams: tuple[Any, ...],
    ) -> None:
        self.model = model
        self.prepare: Callable[[ComparisonRecord], Prepared] = layout.preparer()
        """Lays a record out for comparison, once, however many records it then meets."""
        self.prepare_values: Callable[[Mapping[str, Any]], Prepared] = layout.values_preparer()
        """The same for the fields of a record that are not empty, by name, as they are stored."""
        self._diagrams = diagrams
        self._prior_bits = model.prior_bits

    def weight(self, left: Prepared, right: Prepared) -> float:
        """The match weight in bits, prior included, of two prepared records; symmetric.

        Not rounded: see `mpi.domain.links.rounded_bits`.
        """
        total = self._prior_bits
        for root in self._diagrams:
            node = root
            while (test := node[0]) is not None:
                node = node[1] if test(left, right) else node[2]
            total += node[1]
            if node[2] is not None:
                total += node[2](left, right)
        return total

    def levels(self, left: Prepared, right: Prepared) -> tuple[LevelWeight, ...]:
        """What each comparison says of the pair, in the model's order.

        The prior, then each weight and adjustment in turn, add up to `weight` exactly.
        """
        return tuple(self._level(node, left, right) for node in self._diagrams)

    @staticmethod
    def _level(node: Any, left: Prepared, right: Prepared) -> LevelWeight:
        while (test := node[0]) is not None:
            node = node[1] if test(left, right) else node[2]
        leaf: Leaf = node
        if leaf.adjustment is None or leaf.frequency is None:
            return LevelWeight(leaf.level, leaf.weight_bits, 0.0, None)
        frequency = leaf.frequency(left, right)
        return LevelWeight(leaf.level, leaf.weight_bits, leaf.adjustment(left, right), frequency)


def compile_scorer(model: Model, frequencies: Frequencies) -> Scorer:
    """The scorer of a model with its frozen frequencies.

    Raises:
        InvalidModel: If a condition uses a comparator wrongly or a comparison is too intricate.
    """
    layout = Layout()
    tests: dict[Test, PairTest] = {}
    readers = {f: frequency_reader(model, frequencies, f) for f in model.frequency_fields}
    diagrams = tuple(
        _Diagram(layout, tests, _leaves(model, comparison, layout, readers)).build(comparison)
        for comparison in model.comparisons
    )
    return Scorer(model, layout, diagrams)


def _leaves(
    model: Model, comparison: Comparison, layout: Layout, readers: Mapping[str, FrequencyReader]
) -> tuple[Leaf, ...]:
    leaves = [Leaf(None, 0.0, None, MISSING, None)]
    for index, level in enumerate(comparison.levels):
        column = frequency_column(model, comparison, level)
        if column is None:
            leaves.append(Leaf(None, level.weight_bits, None, index, None))
        else:
            agreed = _agreed_frequency(layout, readers[column.field])
            adjustment = _adjustment(column, agreed)
            leaves.append(Leaf(None, level.weight_bits, adjustment, index, agreed))
    return tuple(leaves)


def _adjustment(column: FrequencyColumn, agreed: AgreedFrequency) -> Adjustment:
    def bits(left: Prepared, right: Prepared) -> float:
        frequency = agreed(left, right)
        return 0.0 if frequency is None else column.adjustment_bits(frequency)

    return bits


def _agreed_frequency(layout: Layout, reader: FrequencyReader) -> AgreedFrequency:
    """That of the more common value, or of the only one, as Splink does.

    Looked up only where a pair has come to a level that asks: few of those compared do.
    """
    slots = [layout.slot(field) for field in reader.fields]
    read = reader.read

    def agreed(left: Prepared, right: Prepared) -> float | None:
        of_left = read(*[left[slot] for slot in slots])
        of_right = read(*[right[slot] for slot in slots])
        if of_left is None or (of_right is not None and of_right > of_left):
            return of_right
        return of_left

    return agreed


_Rules = tuple[tuple[Alternatives, int], ...]
"""What is undecided: conditions and the leaf that they lead to; the first that holds wins."""

_ALWAYS: Final[Alternatives] = ((),)


class _Diagram:
    """Builds one comparison's diagram by assuming one test after another true and false."""

    def __init__(
        self, layout: Layout, tests: dict[Test, PairTest], leaves: tuple[Leaf, ...]
    ) -> None:
        self._layout = layout
        self._tests = tests
        self._leaves = leaves
        self._nodes: dict[_Rules, Any] = {}

    def build(self, comparison: Comparison) -> Any:
        rules: list[tuple[Alternatives, int]] = [(comparison.missing, 0)]
        rules += [(level.when, at) for at, level in enumerate(comparison.levels[:-1], start=1)]
        rules.append((_ALWAYS, len(comparison.levels)))
        return self._node(tuple(rule for rule in rules if rule[0]), comparison.name)

    def _node(self, rules: _Rules, name: str) -> Any:
        alternatives, leaf = rules[0]
        if () in alternatives:
            return self._leaves[leaf]
        if rules in self._nodes:
            return self._nodes[rules]
        if len(self._nodes) >= NODES_MAX:
            raise InvalidModel(f"model spec: comparison {name} has too many conditions")
        test = replace(alternatives[0][0], is_negated=False)
        holds = self._node(_assume(rules, test, is_true=True), name)
        fails = self._node(_assume(rules, test, is_true=False), name)
        node = holds if holds is fails else (self._compiled(test), holds, fails)
        self._nodes[rules] = node
        return node

    def _compiled(self, test: Test) -> PairTest:
        if test not in self._tests:
            self._tests[test] = compile_test(self._layout, test)
        return self._tests[test]


def _assume(rules: _Rules, test: Test, *, is_true: bool) -> _Rules:
    """The rules that remain once the outcome of a (not negated) test is known."""
    negated = replace(test, is_negated=True)
    holds, fails = (test, negated) if is_true else (negated, test)
    remaining: list[tuple[Alternatives, int]] = []
    for alternatives, leaf in rules:
        kept = tuple(
            dict.fromkeys(
                tuple(other for other in condition if other != holds)
                for condition in alternatives
                if fails not in condition
            )
        )
        if () in kept:
            remaining.append((_ALWAYS, leaf))
            break
        if kept:
            remaining.append((kept, leaf))
    return tuple(remaining)
