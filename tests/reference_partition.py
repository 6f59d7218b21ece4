"""Section 1 of the architecture once more, as plainly as it can be said, to hold the product to.

Written from the rules and not from the product: lists and sets, every fact counted anew whenever
it is asked for, no caches. It shares with the product only the domain types and the test of two
given names, which belongs to the model.
"""

from itertools import combinations

from mpi.domain.links import Edge, rounded_bits


def reference_groups(records, edges, decisions, rules):
    """The set of groups, each a frozenset of record numbers."""
    links = [Edge(e.left, e.right, rounded_bits(e.match_weight_bits)) for e in edges]
    links = [edge for edge in links if edge.match_weight_bits >= rules.link_bits]
    world = World(records, links, decisions, rules)
    return frozenset(group for part in world.components() for group in world.settle(part))


class World:
    def __init__(self, records, links, decisions, rules):
        self.records, self.links, self.rules = records, links, rules
        sides = [
            (d.kind, d.left & records.keys(), d.right & records.keys())
            for d in sorted(decisions, key=lambda decision: decision.number)
        ]
        self.same = [left | right for kind, left, right in sides if kind == "same"]
        self.different = [(left, right) for kind, left, right in sides if kind == "different"]
        self.disowned = set().union(
            *[d.disowned_numbers & (d.left | d.right) & records.keys() for d in decisions]
        )

    def components(self):
        parts = [{record} for record in self.records]
        for together in [{e.left, e.right} for e in self.links] + self.same:
            met = [part for part in parts if part & together]
            parts = [part for part in parts if not part & together]
            parts += [set().union(*met)] if met else []
        return parts

    def settle(self, part):
        groups = [frozenset([record]) for record in part]
        for together in self.same:
            met = [group for group in groups if group & together]
            if met and not any(self.are_different(x, y) for x, y in combinations(met, 2)):
                groups = united(groups, met)
        links = [edge for edge in self.links if edge.left in part]
        usable = links
        if len(part) > self.rules.component_records_max:
            usable = [e for e in links if self.stated({e.left}) & self.stated({e.right})]
        for weight in sorted({e.match_weight_bits for e in usable}, reverse=True):
            step = [edge for edge in usable if edge.match_weight_bits == weight]
            groups = self.take_step(groups, step, links)
        return groups

    def take_step(self, groups, step, links):
        of = {record: group for group in groups for record in group}
        allowed = set()
        for edge in step:
            x, y = of[edge.left], of[edge.right]
            if x != y and not self.veto(x, y) and not self.ambiguous(x, y, edge, groups, links):
                allowed.add(frozenset([x, y]))
        sets = [set(pair) for pair in allowed]
        while any(one & other for one, other in combinations(sets, 2)):
            one, other = next(pair for pair in combinations(sets, 2) if pair[0] & pair[1])
            sets = [s for s in sets if s is not one and s is not other] + [one | other]
        for together in sets:
            if not any(self.veto(x, y) for x, y in combinations(together, 2)):
                groups = united(groups, together)
        return groups

    def ambiguous(self, x, y, edge, groups, links):
        if self.stated(x) & self.stated(y):
            return False
        bar = rounded_bits(edge.match_weight_bits - self.rules.ambiguity_bits)
        for claimed, other in ((x, y), (y, x)):
            for third in groups:
                is_near = third not in (x, y) and any(
                    e.match_weight_bits >= bar
                    and ({e.left, e.right} & claimed and {e.left, e.right} & third)
                    for e in links
                )
                if is_near and not self.veto(third, claimed) and self.veto(third, other):
                    return True
        return False

    def veto(self, x, y):
        if self.are_different(x, y):
            return "a"
        numbers_x, numbers_y = self.trusted(x), self.trusted(y)
        births, births_ok = self.tally(x, y, birth_dates_differ)
        names, names_ok = self.tally(x, y, self.given_names_differ)
        orders, _ = self.tally(x, y, birth_orders_differ)
        if numbers_x & numbers_y:
            if (births and not names_ok) or (names and not births_ok):
                return "c"
        elif numbers_x and numbers_y:
            return "b"
        elif births:
            return "d"
        shares_birth = self.values(x, "birth_date") & self.values(y, "birth_date")
        shares_family = self.many(x, "family_names", "family_parts") & self.many(
            y, "family_names", "family_parts"
        )
        shares_home = self.many(x, "addresses") & self.many(y, "addresses")
        return (
            "e" if shares_birth and (shares_family or shares_home) and (names or orders) else None
        )

    def tally(self, x, y, differ):
        """Whether more than half of the informed cross pairs conflict; whether some does not."""
        verdicts = [differ(self.records[i], self.records[j]) for i in x for j in y]
        informed = [verdict for verdict in verdicts if verdict is not None]
        return sum(informed) > len(informed) / 2, not all(informed)

    def given_names_differ(self, left, right):
        if left.given_name is None or right.given_name is None:
            return None
        for short, full in ((left, right), (right, left)):
            forms = (f for f in full.given_forms if not f.startswith("~"))
            names = [full.given_name, *full.middle_names, *forms]
            if len(short.given_name) == 1 and any(n[0] == short.given_name for n in names):
                return None
        if left.given_name == right.given_name:
            return False
        return not self.rules.name_rule.agree(left, right)

    def are_different(self, x, y):
        return any(
            (x & left and y & right) or (x & right and y & left) for left, right in self.different
        )

    def values(self, group, field):
        return {getattr(self.records[record], field) for record in group} - {None}

    def many(self, group, *fields):
        return {v for record in group for f in fields for v in getattr(self.records[record], f)}

    def stated(self, group):
        return self.values(group, "trusted_nhs_number")

    def trusted(self, group):
        return self.values(group - self.disowned, "trusted_nhs_number")


def united(groups, together):
    return [g for g in groups if g not in together] + [frozenset().union(*together)]


def birth_orders_differ(left, right):
    if left.birth_order is None or right.birth_order is None:
        return None
    return left.birth_order != right.birth_order


def birth_dates_differ(left, right):
    if left.birth_date is None or right.birth_date is None:
        return None
    parts = ("birth_year", "birth_month", "birth_day")
    known = [(getattr(left, part), getattr(right, part)) for part in parts]
    both = [(one, other) for one, other in known if one is not None and other is not None]
    if len(both) < 2:
        is_unread = left.birth_year is None and left.birth_date == right.birth_date
        return False if is_unread else None
    if sum(one != other for one, other in both) < 2:
        return False
    (years, months, days) = known
    is_swapped = months[0] == days[1] and months[1] == days[0]
    return not (is_swapped and (years[0] == years[1] or None in years))
