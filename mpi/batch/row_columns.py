"""Which columns a source's mapping knows: one that it does not know is never read past.

A new column may be the one that matters, or one that must not be here at all; somebody has to map
it or to list it as ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mpi.errors import InvalidInput
from mpi.source_layout import PartLayout, SourceSystem, ValueLayout


@dataclass(slots=True)
class KeyTree:
    """Known keys of a JSON object; a key with a branch holds objects whose keys are known too."""

    keys: set[str] = field(default_factory=set)
    branches: dict[str, KeyTree] = field(default_factory=dict)

    def add(self, path: str) -> None:
        """Makes a dotted path known, and with it each key on the way."""
        first, dot, rest = path.partition(".")
        self.keys.add(first)
        if dot:
            self.branches.setdefault(first, KeyTree()).add(rest)


def mapped_columns(source: SourceSystem) -> frozenset[str]:
    """Every column (or dotted path) that the mapping reads, without those that it ignores."""
    return frozenset(path for path in _paths(source))


def key_tree(source: SourceSystem) -> KeyTree:
    """The keys that a JSON object of this source may have, ignored ones included."""
    tree = KeyTree()
    for path in (*_paths(source), *source.file.ignored):
        tree.add(path)
    return tree


def find_unknown_key(value: Any, tree: KeyTree, path: str = "") -> str | None:
    """The dotted path of a key that the tree lacks, in an object or any of a list; else None."""
    for element in value if type(value) is list else (value,):
        if type(element) is not dict:
            continue
        if not element.keys() <= tree.keys:
            return path + str(min(element.keys() - tree.keys))
        for key, branch in tree.branches.items():
            inner = element.get(key)
            if inner and (found := find_unknown_key(inner, branch, f"{path}{key}.")) is not None:
                return found
    return None


def check_header(header: Sequence[str], source: SourceSystem, path: object) -> None:
    """Raise `InvalidInput` unless the header has every column that it must and none unknown.

    The sentence names unknown columns only if most of the line is a header: a file without one
    begins with somebody's name.
    """
    mapped, layout = mapped_columns(source), source.file
    required = mapped - layout.optional
    known = mapped | layout.ignored
    if len(known & set(header)) * 2 < len(required):
        raise InvalidInput(f"{path}: the first line is not the header of source {source.name}")
    if len(set(header)) < len(header):
        repeated = next(name for name in header if header.count(name) > 1)
        raise InvalidInput(f"{path}: column {repeated} occurs more than once")
    missing, unknown = required - set(header), set(header) - known
    if missing:
        raise InvalidInput(f"{path}: column {_named(missing)} is missing")
    if unknown:
        raise InvalidInput(
            f"{path}: column {_named(unknown)} is unknown: map it or list it as ignored in the "
            f"mapping of source {source.name}"
        )


def _named(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _paths(source: SourceSystem) -> Iterator[str]:
    row = source.row
    for layout in (row.local_id, row.event_at, row.sequence, row.entered_in_error):
        if layout is not None:
            yield from _value_paths(layout)
    for layouts in source.fields.values():
        for layout in layouts:
            yield from _value_paths(layout)
    for parts in source.parts.values():
        for part in parts:
            yield from _part_paths(part)


def _value_paths(layout: ValueLayout, prefix: str = "") -> Iterator[str]:
    for column in layout.columns:
        yield prefix + column
        yield from (f"{prefix}{column}.{key}" for key in (*layout.where, *layout.item))


def _part_paths(part: PartLayout) -> Iterator[str]:
    prefix = f"{part.each}." if part.each else ""
    if part.each:
        yield part.each
        yield from _prefixed(part.where, prefix)
    for layout in part.fields.values():
        yield from _value_paths(layout, prefix)


def _prefixed(keys: Mapping[str, str], prefix: str) -> Iterator[str]:
    return (prefix + key for key in keys)
