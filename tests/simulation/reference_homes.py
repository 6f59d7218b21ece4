"""Homes and person ids once more, as plainly as the rules of section 1 can be said.

Written from the rules and not from `mpi.linkage.homes`: no queues, everything looked for anew at
every step. Ids that are made here are called `("new", n)`; a test matches them with the product's.
"""

from itertools import count

from mpi.domain.links import rounded_bits


def reference_homes(groups, links, previous):
    """Record -> home, of groups without decisions, after `previous` (record -> home)."""
    kept = {}
    for home in set(previous.values()):
        parts = [sorted(r for r in group if previous.get(r) == home) for group in groups]
        largest = max(parts, key=lambda part: (len(part), -min(part, default=0)), default=[])
        kept |= dict.fromkeys(largest, home)
    numbers = count(1)
    for group in groups:
        settle(group, links, kept, numbers)
    return kept


def settle(group, links, homes, numbers):
    """Passes homes on, the strongest link first; of equal ones the record registered first."""
    while homeless := group - homes.keys():
        offers = [
            (-rounded_bits(edge.match_weight_bits), giver, taker)
            for edge in links
            for giver, taker in ((edge.left, edge.right), (edge.right, edge.left))
            if giver in group and giver in homes and taker in homeless
        ]
        if not offers:
            homes.update(dict.fromkeys(homeless, ("new", next(numbers))))
            return
        _, giver, taker = min(offers)
        homes[taker] = homes[giver]


def owners(groups, homes):
    """Home -> the group that owns it: most of its records, then the one registered first."""
    found = {}
    for home in set(homes.values()):
        held = [(sorted(r for r in group if homes[r] == home), group) for group in groups]
        held = [(records, group) for records, group in held if records]
        found[home] = min(held, key=lambda each: (-len(each[0]), each[0][0]))[1]
    return found


def reference_names(groups, homes, ages, remembered):
    """Group -> its person id, `("made", n)` for one that is new; and what records remember then.

    Args:
        groups: With decisions.
        homes: Of every record.
        ages: Id -> its age, of those that were ever given; the smaller is older.
        remembered: Record -> remembered id.
    """
    owned_by = owners(groups, homes)
    anchors = {}
    for record in sorted(remembered, reverse=True):
        anchors[remembered[record]] = record
    names, memory, made = {}, dict(remembered), count(1)
    for group in groups:
        owned = [home for home, owner in owned_by.items() if owner == group]
        recalled = [name for name, anchor in anchors.items() if anchor in group]
        if owned:
            names[group] = min(owned, key=lambda h: home_age(h, group, homes, ages))
        elif recalled:
            name = min(recalled, key=lambda r: (r not in ages, ages.get(r, 0), anchors[r]))
            names[group] = name
            later = [r for r in group if r > anchors[name] and r not in remembered]
            memory |= dict.fromkeys(later, name)
        else:
            names[group] = ("made", next(made))
            memory |= dict.fromkeys(group, names[group])
    return names, memory


def home_age(home, group, homes, ages):
    first = min(record for record in group if homes[record] == home)
    return (home not in ages, ages.get(home, 0), first)
