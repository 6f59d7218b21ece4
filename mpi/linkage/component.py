"""The groups of one connected component while they grow, heaviest evidence first.

A merged group gets a new name, so what was found out about two groups stays true for as long as
both names live: vetoes and rivals are looked up again, not judged again, and a component of some
hundred records in which everything conflicts stays a matter of a second.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations, groupby
from math import inf

from mpi.domain.links import Edge, VetoReason, rounded_bits
from mpi.linkage.questions import AMBIGUOUS, Group, Refusal, graver, vetoed
from mpi.linkage.vetoes import ComponentFacts, find_veto, merged_facts

Sides = tuple[frozenset[int], frozenset[int]]
"""The live records of the two persons that a decision names."""


@dataclass(slots=True)
class Connected:
    """Records that link edges and *same* decisions connect, and what connects them."""

    members: list[int]
    links: list[Edge]
    same: list[Sides]


def connected_components(
    records: Iterable[int], links: Iterable[Edge], same: Iterable[Sides]
) -> Iterator[Connected]:
    """Splits records, the link edges between them and *same* decisions (in order) into components.

    Cost: near linear. Source: union-find with path halving, Tarjan & van Leeuwen 1984,
    DOI 10.1145/62.2160.
    """
    parent = {record: record for record in records}

    def root(record: int) -> int:
        while parent[record] != record:
            parent[record] = record = parent[parent[record]]
        return record

    for left, right, _ in links:
        parent[root(left)] = root(right)
    for left_side, right_side in same:
        together = [root(record) for record in left_side | right_side]
        for record in together:
            parent[root(record)] = root(together[0])
    components: dict[int, Connected] = {}
    for record in parent:
        top = root(record)
        if top in components:
            components[top].members.append(record)
        else:
            components[top] = Connected([record], [], [])
    for edge in links:
        components[root(edge.left)].links.append(edge)
    for sides in same:
        for record in sides[0] | sides[1]:
            components[root(record)].same.append(sides)
            break
    return iter(components.values())


class GrowingGroups:
    """Starts with every record alone; `apply_same`, then `apply_links`, then `result`."""

    def __init__(
        self,
        component: Connected,
        facts: ComponentFacts,
        *,
        opposed: Mapping[int, frozenset[int]],
        disowned: frozenset[int],
        ambiguity_bits: float,
    ) -> None:
        """Every record alone.

        Args:
            component: Its links are all that may join its records.
            facts: Of its members, in their order.
            opposed: Record -> records that a *different* decision keeps from it.
            disowned: Records whose NHS number a decision calls wrong.
            ambiguity_bits: Of the model.
        """
        self.refused: list[tuple[Edge, Refusal]] = []
        """Link edges that were not applied."""
        self._ambiguity_bits = ambiguity_bits
        self._members = component.members
        self._place = {record: position for position, record in enumerate(component.members)}
        self._name = list(range(len(component.members)))
        """Position of a record -> its group."""
        self._next_name = len(component.members)
        self._facts = {
            position: facts.group_of_one(
                position,
                opposed=self._bits(opposed.get(record, ())),
                is_disowned=record in disowned,
            )
            for position, record in enumerate(component.members)
        }
        self._near: dict[int, dict[int, float]] = {position: {} for position in self._facts}
        """Group -> groups that a link edge joins it to -> the heaviest such edge's weight."""
        for left, right, weight in component.links:
            self._note_near(self._place[left], self._place[right], weight)
        self._vetoes: dict[tuple[int, int], VetoReason | None] = {}
        self._rivals: dict[tuple[int, int], int] = {}

    def apply_same(self, same: Iterable[Sides]) -> list[Sides]:
        """Unites what stewards united, decision by decision, whatever vetoes (b) to (e) say.

        Args:
            same: The two sides of each decision, as record numbers, in the order of decisions.

        Returns:
            The decisions that were skipped, because a *different* one forbids what they unite.
        """
        skipped = []
        for left, right in same:
            names = {self._name[self._place[record]] for record in left | right}
            if any(
                self._facts[one].opposed & self._facts[other].members
                for one, other in combinations(names, 2)
            ):
                skipped.append((left, right))
            elif len(names) > 1:
                self._merge(names)
        return skipped

    def apply_links(self, links: Iterable[Edge]) -> None:
        """Judges each link edge once, the heaviest first, edges of one weight together.

        An edge is skipped where a veto or an ambiguity stands between the groups that it joins.
        """
        for _, same_weight in groupby(sorted(links, key=_descending), key=_descending):
            step = list(same_weight)
            if len(step) == 1:
                self._apply_edge(step[0])
            else:
                self._apply_step(step)

    def result(self) -> list[Group]:
        """The groups so far: every record of the component in one, in no promised order."""
        members = self._members
        return [
            frozenset([members[position] for position in facts.positions])
            for facts in self._facts.values()
        ]

    def _apply_edge(self, edge: Edge) -> None:
        pair = self._joined_by(edge)
        if pair is None:
            return
        refusal = self._refusal(*pair, edge.match_weight_bits)
        if refusal is None:
            self._merge(pair)
        else:
            self.refused.append((edge, refusal))

    def _apply_step(self, step: Sequence[Edge]) -> None:
        """Judges edges of one weight against the groups as they are before any of them applies."""
        allowed: dict[tuple[int, int], list[Edge]] = {}
        for edge in step:
            pair = self._joined_by(edge)
            if pair is None:
                continue
            if pair not in allowed:
                refusal = self._refusal(*pair, edge.match_weight_bits)
                if refusal is not None:
                    self.refused.append((edge, refusal))
                    continue
                allowed[pair] = []
            allowed[pair].append(edge)
        if allowed:
            self._merge_connected(allowed)

    def _joined_by(self, edge: Edge) -> tuple[int, int] | None:
        """The two groups that an edge joins, in order; None if they are one by now."""
        left, right = self._name[self._place[edge.left]], self._name[self._place[edge.right]]
        if left == right:
            return None
        return (left, right) if left < right else (right, left)

    def _refusal(self, left: int, right: int, weight: float) -> Refusal | None:
        veto = self._veto(left, right)
        if veto is not None:
            return vetoed(veto)
        return AMBIGUOUS if self._is_ambiguous(left, right, weight) else None

    def _merge_connected(self, allowed: Mapping[tuple[int, int], Sequence[Edge]]) -> None:
        """Merges each connected set of groups in which no two have a veto."""
        if len(allowed) == 1:
            self._merge(*allowed)
            return
        names = dict.fromkeys(name for pair in allowed for name in pair)
        pairs = [Edge(left, right, 0.0) for left, right in allowed]
        for together in connected_components(names, pairs, ()):
            vetoes = [self._veto(*pair) for pair in combinations(together.members, 2)]
            refusals = [vetoed(veto) for veto in vetoes if veto is not None]
            if refusals:
                gravest = reduce(graver, refusals)
                for left, right, _ in together.links:
                    self.refused += [(edge, gravest) for edge in allowed[left, right]]
            else:
                self._merge(together.members)

    def _veto(self, left: int, right: int) -> VetoReason | None:
        pair = (left, right) if left < right else (right, left)
        if pair not in self._vetoes:
            self._vetoes[pair] = find_veto(self._facts[left], self._facts[right])
        return self._vetoes[pair]

    def _is_ambiguous(self, left: int, right: int, weight: float) -> bool:
        """Whether a third group claims one of the two about as strongly and excludes the other."""
        if self._facts[left].shares_stated_number(self._facts[right]):
            return False
        # Edges come in descending weight, so a rival once found stays one while it lives.
        if self._rivals.get((left, right)) in self._facts:
            return True
        bar = rounded_bits(weight - self._ambiguity_bits)
        rival = self._find_rival(left, right, bar)
        if rival is None:
            rival = self._find_rival(right, left, bar)
        if rival is not None:
            self._rivals[left, right] = rival
        return rival is not None

    def _find_rival(self, claimed: int, other: int, bar: float) -> int | None:
        """A third group that may have the one, by an edge of at least `bar`, but not the other."""
        for third, weight in self._near[claimed].items():
            if (
                weight >= bar
                and third != other
                and self._veto(third, other) is not None
                and self._veto(third, claimed) is None
            ):
                return third
        return None

    def _merge(self, names: Collection[int]) -> None:
        merged = self._next_name
        self._next_name += 1
        near: dict[int, float] = {}
        for name in names:
            for other, weight in self._near.pop(name).items():
                if weight > near.get(other, -inf):
                    near[other] = weight
        for name in names:
            near.pop(name, None)
        for other, weight in near.items():
            back = self._near[other]
            for name in names:
                back.pop(name, None)
            back[merged] = weight
        self._near[merged] = near
        facts = merged_facts([self._facts.pop(name) for name in names])
        self._facts[merged] = facts
        for position in facts.positions:
            self._name[position] = merged

    def _note_near(self, left: int, right: int, weight: float) -> None:
        heaviest = max(weight, self._near[left].get(right, weight))
        self._near[left][right] = self._near[right][left] = heaviest

    def _bits(self, records: Iterable[int]) -> int:
        bits = 0
        for record in records:
            if record in self._place:
                bits |= 1 << self._place[record]
        return bits


def _descending(edge: Edge) -> float:
    return -edge.match_weight_bits
