"""Composes one SQL statement for a whole tree of records, from what is asked.

A record's shape is the list of SQL columns that it is read from and the function that makes the record of
them. What leads to other records becomes one more column: a correlated subquery that returns a ROW, or an
ARRAY of ROWs, in the shape of the other record. So the selection decides the joins, and a tree of any depth
is one statement. Only constants of this package become SQL text; every value of a caller is a parameter.

A statement is composed once and kept with what is asked: it knows no call. What comes of a call, its institution or
its business date, is worked out anew each time that the statement runs.
"""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

from database.together import Question
from resolvers.asking import Asked
from resolvers.call import Call

Record = TypeVar("Record")
#: A row of a result or a ROW inside one: asyncpg types neither.
Row = Any
#: Makes a record, or a tuple of them, of what PostgreSQL answered.
Read = Callable[[Any, Call], Record]
#: Makes the records of many rows, which come as their columns.
ReadColumns = Callable[[Iterable[Sequence[object]], Call], list[Record]]


@dataclass(frozen=True, slots=True)
class Shape(Generic[Record]):
    """The columns of a record, and what makes the record of them."""

    columns: tuple[str, ...]
    read: Read[Record]
    #: Where all columns are plain: a quicker way for many rows than one after the other.
    read_columns: ReadColumns[Record] | None = None

    @property
    def row(self) -> str:
        """Return the columns as one SQL value."""
        return f"ROW({', '.join(self.columns)})"

    def many(self, alias: str, source: str, *, is_long: bool) -> tuple[str, Read[list[Record]]]:
        """Return the SQL of all rows of `source` as one value, and the reader that makes their records of it.

        `source` is what follows the columns of a SELECT, its order included. A long list of plain columns is no array
        of rows but a row of arrays: inside a ROW each value has its type with it, and takes twice as long to read.
        """
        read, read_columns = self.read, self.read_columns
        rows_sql = f"ARRAY(SELECT {self.row} {source})"
        if read_columns is None:
            return rows_sql, lambda rows, call: [read(row, call) for row in rows]
        if not is_long:
            return rows_sql, lambda rows, call: read_columns(zip(*rows, strict=True), call) if rows else []
        names = [f"c{number}" for number in range(len(self.columns))]
        columns = ", ".join(f"{sql} AS {name}" for sql, name in zip(self.columns, names, strict=True))
        arrays = ", ".join(f"array_agg({alias}.{name})" for name in names)

        def read_arrays(row: Row, call: Call) -> list[Record]:
            # Of no rows, array_agg makes NULL.
            return [] if row[0] is None else read_columns(row, call)

        return f"(SELECT ROW({arrays}) FROM (SELECT {columns} {source}) AS {alias})", read_arrays


@dataclass(frozen=True, slots=True)
class Column:
    """An answer under its key: the SQL that finds it and what makes the answer of its value."""

    key: Hashable
    sql: str
    read: Read[Any]


class Reading:
    """One statement being composed: its parameters and its aliases."""

    def __init__(self) -> None:
        #: The parameters, with a gap for each that only a call or its run has.
        self._parameters: list[Any] = []
        self._of_call: list[tuple[int, Callable[[Call], Any]]] = []
        self._placeholders: dict[tuple[Callable[[Call], object], str], str] = {}
        self._given: list[int] = []
        self._aliases = 0

    def of_call(self, value: Callable[[Call], object], sql_type: str) -> str:
        """Return the placeholder of what each call has, such as its institution: the same one for the same value."""
        placeholder = self._placeholders.get((value, sql_type))
        if placeholder is None:
            self._of_call.append((len(self._parameters), value))
            placeholder = self._placeholders[value, sql_type] = self.fixed(None, sql_type)
        return placeholder

    def given(self, sql_type: str) -> str:
        """Return the placeholder of the next value that is given when the statement runs."""
        self._given.append(len(self._parameters))
        return self.fixed(None, sql_type)

    def fixed(self, value: object, sql_type: str) -> str:
        """Return the placeholder of what follows from what is asked alone: every call has the same."""
        self._parameters.append(value)
        return f"${len(self._parameters)}::{sql_type}"

    def alias(self, prefix: str) -> str:
        """Return a table alias that is used nowhere else in the statement."""
        self._aliases += 1
        return f"{prefix}{self._aliases}"

    def statement(self, sql: str, read: Read[Record], *, together: bool = False) -> "Statement[Record]":
        """Return the composed statement, and what makes the answer of its row.

        `together` is for a statement that only reads, has one row or none, and is asked for often.
        """
        of_call, given = tuple(self._of_call), tuple(self._given)
        question = Question(sql, given, [place for place, _ in of_call]) if together else None
        return Statement(sql, read, tuple(self._parameters), of_call, given, question)


@dataclass(frozen=True, slots=True)
class Statement(Generic[Record]):
    """A composed statement: serves any call, with as many values given as it was composed for."""

    sql: str
    read: Read[Record]
    fixed: tuple[Any, ...]
    #: By their places among the parameters.
    of_call: tuple[tuple[int, Callable[[Call], Any]], ...]
    given: tuple[int, ...]
    #: Of what may be asked together with others of the institution.
    question: Question | None = None

    def parameters(self, call: Call, given: Sequence[object]) -> list[Any]:
        """Return the parameters for one call. Raises what working them out raises: BadInput for a foreign cursor."""
        parameters = list(self.fixed)
        for place, of_call in self.of_call:
            parameters[place] = of_call(call)
        for place, value in zip(self.given, given, strict=True):
            parameters[place] = value
        return parameters

    def row(self, call: Call, *given: object) -> Awaitable[Row | None]:
        """Run it, and return what will be its first row as it is, None without one."""
        parameters = self.parameters(call, given)
        if self.question is None:
            return call.pool.fetchrow(self.sql, *parameters)
        return call.pool.ask(self.question, parameters)

    async def fetch(self, call: Call, *given: object) -> list[Row]:
        """Run it, and return its rows as they are."""
        return await call.pool.fetch(self.sql, *self.parameters(call, given))

    async def find(self, call: Call, *given: object) -> Record | None:
        """Run it, and return what its first row is read as, None without one."""
        row = await self.row(call, *given)
        return None if row is None else self.read(row, call)

    async def get(self, call: Call, *given: object) -> Record:
        """Run a statement that always has a row, and return what it is read as."""
        row = await self.row(call, *given)
        assert row is not None, "a statement that always has a row"
        return self.read(row, call)


def composed(compose: Callable[..., Statement[Record]]) -> Callable[..., Statement[Record]]:
    """Let a function of what is asked, and of options, be called once for each: its statements are kept.

    They are kept with what is asked; options are hashable and few, such as whether there is a cursor.
    """

    def kept(asked: Asked, *options: Hashable) -> Statement[Record]:
        key = (compose, *options)
        statement: Statement[Record] | None = asked.composed.get(key)
        if statement is None:
            statement = asked.composed[key] = compose(asked, *options)
        return statement

    return kept


#: Composes statements for which nothing is asked, each once.
composed_once = lru_cache(maxsize=64)  # options are an insurance or a mode: there are fewer

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


#: Of a record of which nothing was asked that is no plain value.
NO_ANSWERS: Final[dict[Hashable, Any]] = {}


def with_answers(
    columns: Sequence[str], answers: Sequence[Column], make: Callable[[Row, dict[Hashable, Any], Call], Record]
) -> Shape[Record]:
    """Return a shape of plain columns followed by the answers that were asked for."""
    answers_of = answers_reader(len(columns), answers)

    def read(row: Row, call: Call) -> Record:
        return make(row, answers_of(row, call), call)

    return Shape((*columns, *(answer.sql for answer in answers)), read)


def answers_reader(width: int, answers: Sequence[Column]) -> Read[dict[Hashable, Any]]:
    """Return what makes a record's answers of a row, in which they come behind so many plain columns."""
    readers = tuple((answer.key, answer.read, width + place) for place, answer in enumerate(answers))
    if not readers:
        return lambda _row, _call: NO_ANSWERS
    return lambda row, call: {key: read(row[place], call) for key, read, place in readers}


def optional(read: Read[Record]) -> Read[Record | None]:
    """Return a reader that lets NULL be None."""
    return lambda value, call: None if value is None else read(value, call)


def institution_id(call: Call) -> int:
    """Return the caller's institution: a parameter of most statements."""
    return call.caller.institution_id


def client_id(call: Call) -> str:
    """Return the calling client."""
    return call.caller.client_id


def business_date(call: Call) -> object:
    """Return the business date of a call."""
    return call.business_date
