"""Records that hold the columns of their row as they are, which is what lists are mostly made of."""

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat, starmap
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
    rest = [repeat(each) for each in (*constants, NO_ANSWERS)]

    def read(row: Row, call: Call) -> Record:
        return kind(call.opaque_id, *row[:width], *constants, answers_of(row, call))

    def read_columns(columns: Iterable[Sequence[object]], call: Call) -> list[Record]:
        return list(starmap(kind, zip(repeat(call.opaque_id), *columns, *rest, strict=False)))

    return Shape((*columns, *(answer.sql for answer in answers)), read, None if answers else read_columns)


def where_asked(asked: Asked, name: str, sql: str) -> str:
    """Return the SQL of a column that costs much in a list: NULL unless the plain attribute `name` is asked for."""
    return sql if asked.has_plain(name) else "NULL"
