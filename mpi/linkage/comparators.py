"""Every way of comparing two values, each once: its Python beside its SQL.

The scorer and Splink must put every pair on the same level, so nothing else in the project may
compare values, and `tests/parity` holds the two columns of `COMPARATORS` together. A test on
missing values is false, except `missing` itself; every comparator is symmetric. Values are ASCII
capitals (see `ComparisonRecord`), because DuckDB compares bytes and Python characters.

Jaro-Winkler depends on the order of its arguments in rare cases, so both executors put each two
strings in order first. Damerau-Levenshtein (true, not optimal string alignment) is a metric.

Sources: Jaro 1989, DOI 10.1080/01621459.1989.10478785, and Winkler 1990, String comparator metrics
(Proceedings of the Section on Survey Research Methods, ASA); Damerau 1964,
DOI 10.1145/363958.363994, and Levenshtein 1966, Soviet Physics Doklady 10(8).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Any, Final

from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

from mpi.domain.records import SCALAR_FIELDS, ComparisonRecord
from mpi.errors import InvalidModel
from mpi.linkage.model import Alternatives, Test

SIMILARITY_SLACK: Final = 1e-9
"""Similarities are compared with a bound this much lower: DuckDB says 0.92, rapidfuzz 0.91999..."""

Prepared = tuple[Any, ...]
"""A record's values in the forms that a compiled model compares, by slot of its `Layout`."""
PairTest = Callable[[Prepared, Prepared], bool]


class Layout:
    """Which field lies in which slot of a prepared record.

    Filled while tests are compiled; `preparer` then makes the function that lays records out.
    Values stay as they are: preparing must be cheap, since most records meet one other.
    """

    def __init__(self) -> None:
        self._slots: dict[str, int] = {}

    def slot(self, field: str) -> int:
        """Slot of the field's value: a text or None, or a tuple."""
        return self._slots.setdefault(field, len(self._slots))

    def values_preparer(self) -> Callable[[Mapping[str, Any]], Prepared]:
        """The same for a record as it is stored: field -> value, empty fields left out."""
        fields = tuple(self._slots)
        empty = {field: None if field in SCALAR_FIELDS else () for field in fields}
        if len(fields) < 2:
            return lambda values: tuple((empty | dict(values))[field] for field in fields)
        lay_out = itemgetter(*fields)
        return lambda values: lay_out({**empty, **values})

    def preparer(self) -> Callable[[ComparisonRecord], Prepared]:
        """The function that lays a record out, for every slot asked for so far."""
        fields = tuple(self._slots)
        if len(fields) < 2:
            return lambda record: tuple(getattr(record, field) for field in fields)
        return attrgetter(*fields)


@dataclass(frozen=True, slots=True)
class Comparator:
    """One word of the model's grammar, in Python and in SQL."""

    compile: Callable[[Layout, Test], PairTest]
    """Makes the Python test; asks the layout for the slots it reads."""
    sql: Callable[[Test], str]
    """The same as a DuckDB condition over `<field>_l` and `<field>_r`; true or false, not NULL."""
    fields_min: int = 1
    fields_max: int = 1
    scalars_only: bool = False
    bound: str | None = None
    """`at_least` or `at_most`, if the comparator needs a bound."""


def check_test(test: Test) -> Comparator:
    """The comparator of a test whose fields and bound it accepts.

    Raises:
        InvalidModel: Naming the comparator and the rule that is broken.
    """
    comparator = COMPARATORS.get(test.comparator)
    if comparator is None:
        raise InvalidModel(f"model spec: {test.comparator} is not a comparator")
    if not comparator.fields_min <= len(test.fields) <= comparator.fields_max:
        raise InvalidModel(f"model spec: {test.comparator} takes another number of fields")
    if comparator.scalars_only and not SCALAR_FIELDS.issuperset(test.fields):
        raise InvalidModel(f"model spec: {test.comparator} takes fields of one value only")
    bounds = {"at_least": test.at_least, "at_most": test.at_most}
    if {name for name, bound in bounds.items() if bound is not None} != (
        {comparator.bound} if comparator.bound else set()
    ):
        raise InvalidModel(f"model spec: {test.comparator} needs {comparator.bound or 'no bound'}")
    return comparator


def compile_test(layout: Layout, test: Test) -> PairTest:
    """The Python function of one test, its negation included.

    It takes two records prepared by the layout, in either order. Raises InvalidModel as
    `check_test`.
    """
    compiled = check_test(test).compile(layout, test)
    if test.is_negated:
        return lambda left, right: not compiled(left, right)
    return compiled


def compile_alternatives(layout: Layout, alternatives: Alternatives) -> PairTest:
    """Whether one of the conditions holds of two prepared records. Raises InvalidModel."""
    conditions = [[compile_test(layout, test) for test in condition] for condition in alternatives]
    return lambda left, right: any(
        all(test(left, right) for test in condition) for condition in conditions
    )


def compile_record_test(
    alternatives: Alternatives,
) -> Callable[[ComparisonRecord, ComparisonRecord], bool]:
    """The same for records as they are, for callers that test few pairs (vetoes).

    Raises InvalidModel if a test is wrong.
    """
    layout = Layout()
    holds = compile_alternatives(layout, alternatives)
    prepare = layout.preparer()
    return lambda left, right: holds(prepare(left), prepare(right))


def sql_of_test(test: Test) -> str:
    """The DuckDB condition of one test, its negation included, over `<field>_l` and `<field>_r`.

    Never NULL. Raises InvalidModel as `check_test`.
    """
    sql = check_test(test).sql(test)
    return f"(not {sql})" if test.is_negated else sql


def alternatives_sql(alternatives: Alternatives) -> str:
    """The DuckDB condition that one of these holds, over `<field>_l`, `<field>_r`.

    Raises InvalidModel.
    """
    conditions = (" and ".join(map(sql_of_test, condition)) for condition in alternatives)
    return " or ".join(f"({condition})" for condition in conditions)


def double_sql(number: float) -> str:
    """The literal that DuckDB reads as this very double; without an exponent it is a decimal."""
    text = repr(float(number))
    return text if "e" in text or "E" in text else text + "e0"


def _missing(layout: Layout, test: Test) -> PairTest:
    slot = layout.slot(test.fields[0])
    if test.fields[0] in SCALAR_FIELDS:
        return lambda left, right: left[slot] is None or right[slot] is None
    return lambda left, right: not left[slot] or not right[slot]


def _missing_sql(test: Test) -> str:
    kind = "value" if test.fields[0] in SCALAR_FIELDS else "values"
    return f"mpi_missing_{kind}({_both(test.fields[0])})"


def _equal(layout: Layout, test: Test) -> PairTest:
    slot = layout.slot(test.fields[0])
    return lambda left, right: left[slot] is not None and left[slot] == right[slot]


def _shared(layout: Layout, test: Test) -> PairTest:
    first, second = layout.slot(test.fields[0]), layout.slot(test.fields[-1])
    if not SCALAR_FIELDS.isdisjoint(test.fields):
        return _shared_scalars(first, second)
    if first == second:
        return _shared_tuples(first)
    return lambda left, right: (
        _meet(left[first], right[second]) or _meet(left[second], right[first])
    )


def _shared_tuples(slot: int) -> PairTest:
    # A loop, and no call: the commonest of all tests costs less than a generator for `any`.
    def holds(left: Prepared, right: Prepared) -> bool:
        others = right[slot]
        for value in left[slot]:  # noqa: SIM110
            if value in others:
                return True
        return False

    return holds


def _shared_scalars(first: int, second: int) -> PairTest:
    return lambda left, right: (
        _meet(_values(left[first]), _values(right[second]))
        or _meet(_values(left[second]), _values(right[first]))
    )


def _meet(values: tuple[str, ...], others: tuple[str, ...]) -> bool:
    for value in values:  # noqa: SIM110
        if value in others:
            return True
    return False


def _shared_sql(test: Test) -> str:
    first, second = test.fields[0], test.fields[-1]
    if first == second:
        return f"mpi_shared({_both_lists(first)})"
    return (
        f"(mpi_shared({_list(first, 'l')}, {_list(second, 'r')})"
        f" or mpi_shared({_list(second, 'l')}, {_list(first, 'r')}))"
    )


def _crossed(layout: Layout, test: Test) -> PairTest:
    first, second = (layout.slot(field) for field in test.fields)
    return lambda left, right: (
        left[first] is not None
        and left[second] is not None
        and left[first] == right[second]
        and left[second] == right[first]
    )


def _crossed_sql(test: Test) -> str:
    first, second = test.fields
    return f"(mpi_equal({first}_l, {second}_r) and mpi_equal({second}_l, {first}_r))"


def _similarity(layout: Layout, test: Test) -> PairTest:
    bound = _similarity_bound(test)
    similarity = JaroWinkler.similarity

    def is_similar(a: str, b: str) -> bool:
        # No score_cutoff: with one, rapidfuzz says 0.0 of scores just above it.
        return (similarity(a, b) if a <= b else similarity(b, a)) >= bound

    return _any_values(layout, test.fields[0], is_similar)


def _similarity_sql(test: Test) -> str:
    bound = double_sql(_similarity_bound(test))
    return f"(mpi_similarity({_both_lists(test.fields[0])}) >= {bound})"


def _similarity_bound(test: Test) -> float:
    assert test.at_least is not None
    if not 0 < test.at_least <= 1:
        raise InvalidModel("model spec: a bound of similarity must lie above 0 and up to 1")
    return test.at_least - SIMILARITY_SLACK


def _edits(layout: Layout, test: Test) -> PairTest:
    most = _count(test, test.at_most)
    distance = DamerauLevenshtein.distance

    def is_near(a: str, b: str) -> bool:
        return (
            -most <= len(a) - len(b) <= most
            and (most > 1 or _share_an_end(a, b))
            and distance(a, b, score_cutoff=most) <= most
        )

    return _any_values(layout, test.fields[0], is_near)


def _share_an_end(a: str, b: str) -> bool:
    """False only if more than one slip lies between: one leaves nearly half of an end alone."""
    half = (min(len(a), len(b)) - 1) // 2
    return half < 1 or a[:half] == b[:half] or a[-half:] == b[-half:]


def _edits_sql(test: Test) -> str:
    return f"mpi_edits({_both_lists(test.fields[0])}, {_count(test, test.at_most)})"


def _initial(layout: Layout, test: Test) -> PairTest:
    def begins(a: str, b: str) -> bool:
        return (len(a) == 1 and b.startswith(a)) or (len(b) == 1 and a.startswith(b))

    return _any_values(layout, test.fields[0], begins)


def _parts(layout: Layout, test: Test) -> PairTest:
    slots = tuple(layout.slot(field) for field in test.fields)
    least = _count(test, test.at_least)

    def holds(left: Prepared, right: Prepared) -> bool:
        equal = 0
        for slot in slots:
            if left[slot] is not None and left[slot] == right[slot]:
                equal += 1
        return equal >= least

    return holds


def _parts_sql(test: Test) -> str:
    parts = " + ".join(f"mpi_equal({_both(field)})::int" for field in test.fields)
    return f"({parts} >= {_count(test, test.at_least)})"


def _either_is_female(layout: Layout, test: Test) -> PairTest:
    slot = layout.slot(test.fields[0])
    return lambda left, right: left[slot] == "F" or right[slot] == "F"


def _count(test: Test, bound: float | None) -> int:
    if bound is None or bound != int(bound) or bound < 0:
        raise InvalidModel(f"model spec: a bound of {test.comparator} must be a whole number")
    return int(bound)


def _any_values(layout: Layout, field: str, agree: Callable[[str, str], bool]) -> PairTest:
    """Whether any value of the one side agrees with any of the other."""
    slot = layout.slot(field)
    if field in SCALAR_FIELDS:
        return lambda left, right: (
            left[slot] is not None and right[slot] is not None and agree(left[slot], right[slot])
        )

    def holds(left: Prepared, right: Prepared) -> bool:
        for a in left[slot]:
            for b in right[slot]:
                if agree(a, b):
                    return True
        return False

    return holds


def _values(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


def _both(field: str) -> str:
    return f"{field}_l, {field}_r"


def _list(field: str, side: str) -> str:
    return f"mpi_values({field}_{side})" if field in SCALAR_FIELDS else f"{field}_{side}"


def _both_lists(field: str) -> str:
    return f"{_list(field, 'l')}, {_list(field, 'r')}"


COMPARATORS: Final[dict[str, Comparator]] = {
    # None or empty on at least one side.
    "missing": Comparator(_missing, _missing_sql),
    # Both informed and equal.
    "equal": Comparator(
        _equal, lambda test: f"mpi_equal({_both(test.fields[0])})", scalars_only=True
    ),
    # A common value; of two fields: a value of the one among those of the other, either way.
    "shared": Comparator(_shared, _shared_sql, fields_max=2),
    # Two values exchanged.
    "crossed": Comparator(_crossed, _crossed_sql, fields_min=2, fields_max=2, scalars_only=True),
    # The best Jaro-Winkler similarity of any value with any of the other side (Winkler 1990).
    "similarity": Comparator(_similarity, _similarity_sql, bound="at_least"),
    # The fewest slips: characters inserted, dropped, replaced, or neighbours exchanged.
    "edits": Comparator(_edits, _edits_sql, bound="at_most"),
    # A value that is one letter, and the other side's begins with it.
    "initial": Comparator(_initial, lambda test: f"mpi_initial({_both_lists(test.fields[0])})"),
    # How many of the fields are informed and equal.
    "parts": Comparator(_parts, _parts_sql, fields_max=9, scalars_only=True, bound="at_least"),
    # At least one side is a woman's: family names change on marriage.
    "either_is_female": Comparator(
        _either_is_female,
        lambda test: f"mpi_either_is_female({_both(test.fields[0])})",
        scalars_only=True,
    ),
}

_MACROS: Final = {
    "mpi_values(x)": "case when x is null then null else [x] end",
    "mpi_missing_value(l, r)": "l is null or r is null",
    "mpi_missing_values(l, r)": "coalesce(len(l), 0) = 0 or coalesce(len(r), 0) = 0",
    "mpi_equal(l, r)": "coalesce(l = r, false)",
    # Most records hold one value, some two, and lambdas over lists cost ten times as much; an
    # element past the end is NULL, which min and max leave out.
    "mpi_single(l, r)": "len(l) = 1 and len(r) = 1",
    "mpi_few(l, r)": "len(l) <= 2 and len(r) <= 2",
    "mpi_shared(l, r)": """coalesce(
        case when mpi_single(l, r) then l[1] = r[1] else list_has_any(l, r) end, false)""",
    "mpi_likeness(a, b)": "jaro_winkler_similarity(least(a, b), greatest(a, b))",
    "mpi_likeness_known(a, b)": "case when b is not null then mpi_likeness(a, b) end",
    "mpi_similarity(l, r)": """coalesce(case
        when mpi_single(l, r) then mpi_likeness(l[1], r[1])
        when len(l) = 0 or len(r) = 0 then null
        when mpi_few(l, r) then greatest(mpi_likeness(l[1], r[1]),
            mpi_likeness_known(l[1], r[2]), mpi_likeness_known(r[1], l[2]),
            case when l[2] is not null then mpi_likeness_known(l[2], r[2]) end)
        else list_max(flatten(list_transform(l, lambda a: list_transform(r, lambda b:
            mpi_likeness(a, b)))))
        end, -1e0)""",
    # DuckDB takes ten times as long for it as for Levenshtein, which is never smaller and at most
    # twice as large; and one exchange makes two differing places, one replacement makes one.
    "mpi_slips(a, b, n)": """case
        when abs(length(a) - length(b)) > n then n + 1
        when n <= 1 and length(a) = length(b) and hamming(a, b) > 2 then n + 1
        when levenshtein(a, b) <= n then n
        when levenshtein(a, b) > 2 * n then n + 1
        else damerau_levenshtein(a, b) end""",
    "mpi_edits(l, r, n)": """coalesce(case
        when mpi_single(l, r) then mpi_slips(l[1], r[1], n)
        when mpi_few(l, r) then least(mpi_slips(l[1], r[1], n), mpi_slips(l[1], r[2], n),
            mpi_slips(l[2], r[1], n), mpi_slips(l[2], r[2], n))
        else list_min(flatten(list_transform(l, lambda a: list_transform(r, lambda b:
            mpi_slips(a, b, n)))))
        end <= n, false)""",
    "mpi_begins(a, b)": """length(a) = 1 and starts_with(b, a)
        or length(b) = 1 and starts_with(a, b)""",
    "mpi_initial(l, r)": """coalesce(case
        when mpi_single(l, r) then mpi_begins(l[1], r[1])
        else list_bool_or(flatten(list_transform(l, lambda a: list_transform(r, lambda b:
            mpi_begins(a, b))))) end, false)""",
    "mpi_either_is_female(l, r)": "coalesce(l = 'F', false) or coalesce(r = 'F', false)",
}


def macros_sql() -> list[str]:
    """The statements that teach a DuckDB connection the comparators (`mpi_...`), in order."""
    return [f"create or replace macro {head} as ({body})" for head, body in _MACROS.items()]


def fields_of(tests: Iterable[Test]) -> tuple[str, ...]:
    """The fields that these tests read, in order of first use."""
    return tuple(dict.fromkeys(field for test in tests for field in test.fields))
