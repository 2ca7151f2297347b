"""Composes one SQL statement for a whole tree of records, from what is asked.

A record's shape is the list of SQL columns that it is read from and the function that makes the record of
them. What leads to other records becomes one more column: a correlated subquery that returns a ROW, or an
ARRAY of ROWs, in the shape of the other record. So the selection decides the joins, and a tree of any depth
is one statement. Only constants of this package become SQL text; every value of a caller is a parameter.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from resolvers.asking import Asked
from resolvers.call import Call

Record = TypeVar("Record")
#: A row of a result or a ROW inside one: asyncpg types neither.
Row = Any


@dataclass(frozen=True, slots=True)
class Shape(Generic[Record]):
    """The columns of a record, and what makes the record of them."""

    columns: tuple[str, ...]
    read: Callable[[Row], Record]

    @property
    def row(self) -> str:
        """Return the columns as one SQL value."""
        return f"ROW({', '.join(self.columns)})"


@dataclass(frozen=True, slots=True)
class Column:
    """An answer under its key: the SQL that finds it and what makes the answer of its value."""

    key: Hashable
    sql: str
    read: Callable[[Any], Any]


class Reading:
    """One statement being composed for one call: its parameters and its aliases."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.parameters: list[Any] = []
        self._aliases = 0

    def bind(self, value: object, sql_type: str) -> str:
        """Return the placeholder of a parameter of this SQL type."""
        self.parameters.append(value)
        return f"${len(self.parameters)}::{sql_type}"

    def alias(self, prefix: str) -> str:
        """Return a table alias that is used nowhere else in the statement."""
        self._aliases += 1
        return f"{prefix}{self._aliases}"

    async def fetch_row(self, sql: str) -> Row | None:
        """Run the statement with what was bound."""
        row: Row | None = await self.call.pool.fetchrow(sql, *self.parameters)
        return row


ShapeOf = Callable[[Reading, str, Asked], Shape[Any]]
Shaping = TypeVar("Shaping", bound=ShapeOf)
_shapes: dict[str, ShapeOf] = {}


def shape_of(kind: str) -> Callable[[Shaping], Shaping]:
    """Register the function that shapes one kind of record: payments lead to quotes and quotes to payments.

    The function takes the statement, the alias of the record's own table and what is asked of the record.
    """

    def register(function: Shaping) -> Shaping:
        _shapes[kind] = function
        return function

    return register


def shape(kind: str, reading: Reading, alias: str, asked: Asked) -> Shape[Any]:
    """Return the shape of one kind of record."""
    return _shapes[kind](reading, alias, asked)


def with_answers(
    columns: Sequence[str], answers: Sequence[Column], make: Callable[[Row, dict[Hashable, Any]], Record]
) -> Shape[Record]:
    """Return a shape of plain columns followed by the answers that were asked for."""
    width = len(columns)

    def read(row: Row) -> Record:
        return make(
            row[:width], {answer.key: answer.read(value) for answer, value in zip(answers, row[width:], strict=True)}
        )

    return Shape((*columns, *(answer.sql for answer in answers)), read)


def optional(read: Callable[[Row], Record]) -> Callable[[Row | None], Record | None]:
    """Return a reader that lets NULL be None."""
    return lambda value: None if value is None else read(value)
