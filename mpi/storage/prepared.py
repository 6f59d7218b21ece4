"""Statements on the path of every request, compiled once and then handed straight to the driver.

SQLAlchemy takes 0.1 to 0.2 ms to run a statement that SQLite answers in 0.02 ms. A prepared one is
written with SQLAlchemy like any other, so that it stays one statement for both databases, but at
run time only its text is used.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg

from mpi.storage.columns import UtcTime, from_microseconds, microseconds
from mpi.storage.unit_of_work import UnitOfWork

LIST_STEP: Final = 8
"""SQLite: lists are filled up by repeating a value, short ones to a power of two and longer ones to
a multiple of this, so that texts are few."""
_SQLITE: Final = sqlite.dialect(paramstyle="named")
_POSTGRESQL: Final = psycopg.dialect()  # type: ignore[no-untyped-call]
_PLACEHOLDER: Final = re.compile(r":([A-Za-z_]\w*)")

LIST_VALUES_MAX: Final = 1_000
"""Values of one list in one statement; longer lists are asked for in parts."""

Row = tuple[Any, ...]
"""One row of a result: its values in the order of the columns asked for."""


def list_parts(values: Collection[Any]) -> Iterator[Sequence[Any]]:
    """The values in ascending order, as many at a time as one statement takes."""
    listed = sorted(values)
    for start in range(0, len(listed), LIST_VALUES_MAX):
        yield listed[start : start + LIST_VALUES_MAX]


class _OnSqlite(NamedTuple):
    """A text with numbered placeholders: the driver binds a tuple far faster than it looks up
    names."""

    text: str
    names: tuple[str, ...]
    """The parameters, in the order of the placeholders; those of a list come before them."""
    constants: Row
    """The values of the placeholders after them."""


def _numbered(text: str, names: Sequence[str], constants: Mapping[str, Any]) -> str:
    """The text with `?1` for the first of these names and so on, then the constants."""
    places = {name: place for place, name in enumerate((*names, *constants), start=1)}
    return _PLACEHOLDER.sub(lambda found: f"?{places[found[1]]}", text)


class PreparedQuery:
    """A SELECT whose values are named `bindparam`s of plain types, one of them perhaps a list."""

    def __init__(
        self, statement: sa.Select[Any] | sa.CompoundSelect[Any], *, list_name: str | None = None
    ) -> None:
        """
        Args:
            statement: What to compile.
            list_name: Its one parameter with `expanding=True`, if it has one.
        """
        self._statement = statement
        self._list_name = list_name
        self._on_sqlite: dict[int, _OnSqlite] = {}
        self._on_postgresql: tuple[str, dict[str, Any]] | None = None
        self._instants = tuple(
            place
            for place, column in enumerate(statement.selected_columns)
            if isinstance(column.type, UtcTime)
        )

    def rows(self, unit: UnitOfWork, values: Sequence[Any] = (), /, **parameters: Any) -> list[Row]:
        """Every row of the result, which must be bounded; values in the order of the columns.

        Args:
            unit: Where to run.
            values: The list, if the query has one; without any there are no rows.
            parameters: The other parameters, by name.
        """
        if self._list_name and not values:
            return []
        if not unit.is_sqlite:
            text, given = self._with_array(parameters)
            if self._list_name:
                given[self._list_name] = list(values)
            return unit.driver_rows(text, given)
        length = _padded_length(len(values))
        known = self._on_sqlite.get(length) or self._with_list(length, values, parameters)
        listed = (*values, *[values[-1]] * (length - len(values))) if values else ()
        rows = unit.driver_rows(
            known.text,
            (*listed, *[parameters[name] for name in known.names], *known.constants),
        )
        return [self._with_instants(row) for row in rows] if self._instants else rows

    def first(self, unit: UnitOfWork, **parameters: Any) -> Row | None:
        """The first row, or None; for queries without a list."""
        rows = self.rows(unit, **parameters)
        return rows[0] if rows else None

    def _with_instants(self, row: Row) -> Row:
        values = list(row)
        for place in self._instants:
            at = values[place]
            values[place] = None if at is None else from_microseconds(at)
        return tuple(values)

    def _with_array(self, parameters: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """For PostgreSQL, where a list is one value: the text and all values but that."""
        if self._on_postgresql is None:
            compiled = self._statement.compile(dialect=_POSTGRESQL)
            name = self._list_name
            text = compiled.string.replace(f"IN (__[POSTCOMPILE_{name}])", f"= ANY(%({name})s)")
            assert "POSTCOMPILE" not in text, "a prepared query has one list"
            constants = {n: v for n, v in compiled.params.items() if n not in parameters}
            self._on_postgresql = (text, constants)
        text, constants = self._on_postgresql
        return text, constants | parameters

    def _with_list(
        self, length: int, values: Sequence[Any], parameters: dict[str, Any]
    ) -> _OnSqlite:
        """For SQLite: the text for a list of this length."""
        listed: Any = {self._list_name: [values[0]] * length} if self._list_name else {}
        given = parameters | listed
        compiled = self._statement.compile(dialect=_SQLITE)
        state = compiled.construct_expanded_state(given)
        of_list = [f"{self._list_name}_{place}" for place in range(1, length + 1)]
        known = {*given, *of_list}
        constants = {n: v for n, v in state.parameters.items() if n not in known}
        names = tuple(parameters)
        text = _numbered(state.statement, (*of_list, *names), constants)
        self._on_sqlite[length] = _OnSqlite(text, names, tuple(constants.values()))
        return self._on_sqlite[length]


def _padded_length(length: int) -> int:
    if length <= LIST_STEP:
        return 1 << (length - 1).bit_length() if length else 0
    return length + -length % LIST_STEP


class PreparedWrite:
    """An INSERT, UPDATE or DELETE whose values are named `bindparam`s of plain types."""

    def __init__(
        self,
        statement: sa.Insert | sa.Update | sa.Delete,
        *names: str,
        many: str | None = None,
    ) -> None:
        """
        Args:
            statement: What to compile.
            names: Its parameters in the order in which rows give their values; needed for
                `run_many` only.
            many: The same for arrays of values, as PostgreSQL's driver takes it: one statement
                instead of one a row.
        """
        self._statement = statement
        self._many = many
        binds = statement.compile(dialect=_SQLITE).binds
        self._constants = {n: bind.value for n, bind in binds.items() if not bind.required}
        self._names = names or tuple(n for n in binds if n not in self._constants)
        self._instants = tuple(
            place for place, name in enumerate(self._names) if isinstance(binds[name].type, UtcTime)
        )
        self._texts: dict[bool, str] = {}

    def run(self, unit: UnitOfWork, **parameters: Any) -> None:
        """Run it once, with these parameters by name."""
        unit.driver_run(self._text(unit), self._given(unit, self._row(parameters)))

    def run_many(self, unit: UnitOfWork, rows: Iterable[Sequence[Any]]) -> None:
        """Run it for each row of values, in the order of the names; nothing happens without any."""
        listed = list(rows)
        if not listed:
            return
        if len(listed) > 1 and self._many and not unit.is_sqlite:
            columns = zip(self._names, map(list, zip(*listed, strict=True)), strict=True)
            unit.driver_run(self._many, dict(columns))
        elif len(listed) > 1:
            unit.driver_run_many(self._text(unit), [self._given(unit, row) for row in listed])
        else:
            unit.driver_run(self._text(unit), self._given(unit, listed[0]))

    def run_late(self, unit: UnitOfWork, rows: Iterable[Sequence[Any]]) -> None:
        """`run_many` of what nobody reads in this unit; a connection of SQLAlchemy's own sees it.

        Where the database refuses a row, that is raised where the unit, or its savepoint, ends.
        """
        if unit.is_sqlite:
            unit.driver_run_late(self._text(unit), [self._given(unit, row) for row in rows])
        else:
            self.run_many(unit, rows)

    def returned(self, unit: UnitOfWork, **parameters: Any) -> Any:
        """The one value that its RETURNING gives; there must be exactly one row."""
        ((value,),) = unit.driver_rows(self._text(unit), self._given(unit, self._row(parameters)))
        return value

    def changes(self, unit: UnitOfWork, **parameters: Any) -> bool:
        """Run it once; gives whether its RETURNING tells of any row."""
        given = self._given(unit, self._row(parameters))
        return bool(unit.driver_rows(self._text(unit), given))

    def _row(self, parameters: Mapping[str, Any]) -> list[Any]:
        return [parameters[name] for name in self._names]

    def _given(self, unit: UnitOfWork, row: Sequence[Any]) -> Any:
        """The values of one row as the driver takes them."""
        if not unit.is_sqlite:
            return dict(zip(self._names, row, strict=True)) | self._constants
        given = [*row, *self._constants.values()] if self._constants else row
        if self._instants:
            given = list(given)
            for place in self._instants:
                at = given[place]
                given[place] = None if at is None else microseconds(at)
        return given

    def _text(self, unit: UnitOfWork) -> str:
        known = self._texts.get(unit.is_sqlite)
        if known is None:
            known = str(self._statement.compile(dialect=_SQLITE if unit.is_sqlite else _POSTGRESQL))
            if unit.is_sqlite:
                known = _numbered(known, self._names, self._constants)
            self._texts[unit.is_sqlite] = known
        return known


def insert_into(table: sa.Table, *columns: str) -> PreparedWrite:
    """Insert rows with these columns, named alike in the parameters."""
    rows = rows_of_arrays(table, columns)
    many = f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT * FROM {rows}"
    return PreparedWrite(sa.insert(table).values(_bound(table, columns)), *columns, many=many)


def insert_numbered(table: sa.Table, *columns: str) -> PreparedWrite:
    """Insert a row of a table whose rows the database numbers; `returned` gives the number."""
    added = sa.insert(table).values(_bound(table, columns))
    return PreparedWrite(added.returning(table.c.number), *columns)


def update_of(table: sa.Table, *columns: str, by: str = "number") -> PreparedWrite:
    """Set these columns of the rows whose column `by` is the parameter `its_<by>`, their last."""
    key = sa.bindparam(f"its_{by}", type_=table.c[by].type)
    changed = sa.update(table).values(_bound(table, columns)).where(table.c[by] == key)
    return PreparedWrite(changed, *columns, key.key)


def delete_from(table: sa.Table, *columns: str) -> PreparedWrite:
    """Delete the rows in which these columns have the values of the parameters."""
    keys = [table.c[name] == value for name, value in _bound(table, columns).items()]
    same = " AND ".join(f"{table.name}.{name} = gone.{name}" for name in columns)
    listed = f"{rows_of_arrays(table, columns)} AS gone ({', '.join(columns)})"
    many = f"DELETE FROM {table.name} USING {listed} WHERE {same}"
    return PreparedWrite(sa.delete(table).where(*keys), *columns, many=many)


def rows_of_arrays(table: sa.Table, columns: Sequence[str]) -> str:
    """Rows made of one array of values for each column."""
    types = [table.c[name].type.compile(_POSTGRESQL).split(" COLLATE")[0] for name in columns]
    listed = ", ".join(f"%({n})s::{t}[]" for n, t in zip(columns, types, strict=True))
    return f"unnest({listed})"


def _bound(table: sa.Table, columns: Sequence[str]) -> dict[str, sa.BindParameter[Any]]:
    return {name: sa.bindparam(name, type_=table.c[name].type) for name in columns}
