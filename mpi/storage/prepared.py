"""Statements on the path of every request, compiled once and then handed straight to the driver.

SQLAlchemy takes 0.1 to 0.2 ms to run a statement that SQLite answers in 0.02 ms. A prepared one is
written with SQLAlchemy like any other, so that it stays one statement for both databases, but at
run time only its text is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg

from mpi.storage.columns import UtcTime
from mpi.storage.unit_of_work import UnitOfWork

LIST_STEP: Final = 8
"""SQLite: lists are filled up to a multiple of this by repeating a value, so that texts are few."""
_SQLITE: Final = sqlite.dialect(paramstyle="named")
_POSTGRESQL: Final = psycopg.dialect()  # type: ignore[no-untyped-call]
_TO_UTC_TIME: Final = UtcTime().process_result_value
_FROM_UTC_TIME: Final = UtcTime().process_bind_param

Row = tuple[Any, ...]


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
        self._compiled: dict[int, tuple[str, dict[str, Any]]] = {}
        self._on_postgresql: tuple[str, dict[str, Any]] | None = None
        self._instants = tuple(
            place
            for place, column in enumerate(statement.selected_columns)
            if isinstance(column.type, UtcTime)
        )

    def rows(self, unit: UnitOfWork, values: Sequence[Any] = (), /, **parameters: Any) -> list[Row]:
        """Every row of the result, which must be bounded.

        Args:
            unit: Where to run.
            values: The list, if the query has one.
            parameters: The other parameters.
        """
        if self._list_name and not values:
            return []
        if not unit.is_sqlite:
            text, given = self._with_array(parameters)
            if self._list_name:
                given[self._list_name] = list(values)
            return unit.driver_rows(text, given)
        listed = [*values, *[values[-1]] * (-len(values) % LIST_STEP)] if values else []
        text, constants = self._with_list(listed, parameters)
        given = constants | parameters
        for place, value in enumerate(listed, start=1):
            given[f"{self._list_name}_{place}"] = value
        rows = unit.driver_rows(text, given)
        if self._instants:
            return [self._with_instants(row) for row in rows]
        return rows

    def first(self, unit: UnitOfWork, **parameters: Any) -> Row | None:
        """The first row, or None."""
        rows = self.rows(unit, **parameters)
        return rows[0] if rows else None

    def _with_instants(self, row: Row) -> Row:
        values = list(row)
        for place in self._instants:
            values[place] = _TO_UTC_TIME(values[place], _SQLITE)
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
        self, listed: list[Any], parameters: dict[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        """For SQLite: the text for a list of this length, and the values that are part of it."""
        known = self._compiled.get(len(listed))
        if known is None:
            given: Any = parameters | ({self._list_name: listed} if self._list_name else {})
            compiled = self._statement.compile(dialect=_SQLITE)
            state = compiled.construct_expanded_state(given)
            constants = {n: v for n, v in state.parameters.items() if not self._is_given(n, given)}
            known = (state.statement, constants)
            self._compiled[len(listed)] = known
        return known

    def _is_given(self, name: str, given: dict[str, Any]) -> bool:
        return name in given or name.startswith(f"{self._list_name}_")


class PreparedWrite:
    """An INSERT, UPDATE or DELETE whose values are named `bindparam`s of plain types."""

    def __init__(
        self, statement: sa.Insert | sa.Update | sa.Delete, *, many: str | None = None
    ) -> None:
        """
        Args:
            statement: What to compile.
            many: The same for arrays of values, as PostgreSQL's driver takes it: one statement
                instead of one a row.
        """
        self._statement = statement
        self._many = many
        self._compiled: dict[bool, tuple[str, dict[str, Any], tuple[str, ...]]] = {}

    def run(self, unit: UnitOfWork, **parameters: Any) -> None:
        """Run it once."""
        text, constants, instants = self._text(unit)
        unit.driver_run(text, self._given(unit, constants | parameters, instants))

    def run_many(self, unit: UnitOfWork, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run it for each row; nothing happens without any."""
        text, constants, instants = self._text(unit)
        given = [self._given(unit, constants | dict(row), instants) for row in rows]
        if len(given) > 1 and self._many and not unit.is_sqlite:
            columns = {name: [row[name] for row in given] for name in given[0]}
            unit.driver_run(self._many, columns)
        elif given:
            unit.driver_run_many(text, given)

    def returned(self, unit: UnitOfWork, **parameters: Any) -> Any:
        """The one value that its RETURNING gives."""
        text, constants, instants = self._text(unit)
        ((value,),) = unit.driver_rows(text, self._given(unit, constants | parameters, instants))
        return value

    def changes(self, unit: UnitOfWork, **parameters: Any) -> bool:
        """Run it once; gives whether its RETURNING tells of any row."""
        text, constants, instants = self._text(unit)
        return bool(unit.driver_rows(text, self._given(unit, constants | parameters, instants)))

    @staticmethod
    def _given(
        unit: UnitOfWork, parameters: dict[str, Any], instants: tuple[str, ...]
    ) -> dict[str, Any]:
        if unit.is_sqlite:
            for name in instants:
                parameters[name] = _FROM_UTC_TIME(parameters[name], _SQLITE)
        return parameters

    def _text(self, unit: UnitOfWork) -> tuple[str, dict[str, Any], tuple[str, ...]]:
        """The text, the values that are part of it, and the names of those that are instants."""
        known = self._compiled.get(unit.is_sqlite)
        if known is None:
            compiled = self._statement.compile(dialect=_SQLITE if unit.is_sqlite else _POSTGRESQL)
            constants = {
                name: bind.value
                for name, bind in compiled.binds.items()
                if bind.value is not None and not bind.required
            }
            instants = tuple(
                name for name, bind in compiled.binds.items() if isinstance(bind.type, UtcTime)
            )
            known = (str(compiled), constants, instants)
            self._compiled[unit.is_sqlite] = known
        return known


def insert_into(table: sa.Table, *columns: str) -> PreparedWrite:
    """Insert rows with these columns, named alike in the parameters."""
    rows = rows_of_arrays(table, columns)
    many = f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT * FROM {rows}"
    return PreparedWrite(sa.insert(table).values(_bound(table, columns)), many=many)


def insert_numbered(table: sa.Table, *columns: str) -> PreparedWrite:
    """The same for a table whose rows the database numbers; `returned` gives the number."""
    added = sa.insert(table).values(_bound(table, columns))
    return PreparedWrite(added.returning(table.c.number))


def update_of(table: sa.Table, *columns: str, by: str = "number") -> PreparedWrite:
    """Set these columns of the rows whose column `by` is the parameter `its_<by>`."""
    key = sa.bindparam(f"its_{by}", type_=table.c[by].type)
    return PreparedWrite(sa.update(table).values(_bound(table, columns)).where(table.c[by] == key))


def delete_from(table: sa.Table, *columns: str) -> PreparedWrite:
    """Delete the rows in which these columns have the values of the parameters."""
    keys = [table.c[name] == value for name, value in _bound(table, columns).items()]
    same = " AND ".join(f"{table.name}.{name} = gone.{name}" for name in columns)
    listed = f"{rows_of_arrays(table, columns)} AS gone ({', '.join(columns)})"
    many = f"DELETE FROM {table.name} USING {listed} WHERE {same}"
    return PreparedWrite(sa.delete(table).where(*keys), many=many)


def rows_of_arrays(table: sa.Table, columns: Sequence[str]) -> str:
    """Rows made of one array of values for each column."""
    types = [table.c[name].type.compile(_POSTGRESQL).split(" COLLATE")[0] for name in columns]
    listed = ", ".join(f"%({n})s::{t}[]" for n, t in zip(columns, types, strict=True))
    return f"unnest({listed})"


def _bound(table: sa.Table, columns: Sequence[str]) -> dict[str, sa.BindParameter[Any]]:
    return {name: sa.bindparam(name, type_=table.c[name].type) for name in columns}
