"""Records that hold the columns of their row as they are, which is what lists are mostly made of."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from resolvers.asking import Asked
from resolvers.call import Call
from resolvers.reading import NO_ANSWERS, Column, Row, Shape, answers_reader

Record = TypeVar("Record")


def identified(
    kind: Callable[..., Record], columns: Sequence[str], answers: Sequence[Column], constants: Sequence[object] = ()
) -> Shape[Record]:
    """Return the shape of a record that holds its plain columns as they are, in the order of its fields.

    Before them it has the call's `opaque_id`; after them `constants`, which are the same in all rows, and its answers.
    """
    width = len(columns)
    answers_of = answers_reader(width, answers)
    rest = (*constants, NO_ANSWERS)

    def read(row: Row, call: Call) -> Record:
        return kind(call.opaque_id, *row[:width], *constants, answers_of(row, call))

    def read_many(rows: Iterable[Row], call: Call) -> list[Record]:
        opaque_id = call.opaque_id
        return [kind(opaque_id, *row, *rest) for row in rows]

    return Shape((*columns, *(answer.sql for answer in answers)), read, None if answers else read_many)


def where_asked(asked: Asked, name: str, sql: str) -> str:
    """Return the SQL of a column that costs much in a list: NULL unless the plain attribute `name` is asked for."""
    return sql if asked.has_plain(name) else "NULL"
