"""The contract's scalars. Each reads a string and nothing else; no error repeats what it was given."""

import datetime
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NewType, TypeVar
from zoneinfo import ZoneInfo

import strawberry
from graphql import GraphQLError, StringValueNode, ValueNode
from strawberry.types.scalar import ScalarDefinition

from contributions import money, months, resident_id

SHANGHAI = ZoneInfo("Asia/Shanghai")

YearMonth = NewType("YearMonth", int)
Yuan = NewType("Yuan", Decimal)
ResidentId = NewType("ResidentId", str)

Value = TypeVar("Value")

#: RFC 3339 with an offset, at most microseconds.
_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
#: Days whose texts are kept: those of eleven years, in some 500 KiB.
MAX_DATE_TEXTS = 4096


class InvalidScalar(GraphQLError):
    """A value that its scalar can't read. The message is safe to show: it never repeats the value."""


def parse_date(text: str) -> datetime.date:
    """Read an ISO 8601 calendar date, "2020-11-16". Raises ValueError."""
    if _DATE.fullmatch(text) is None:
        raise ValueError("a date is written YYYY-MM-DD")
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise ValueError("there is no such day") from error


def parse_date_time(text: str) -> datetime.datetime:
    """Read an RFC 3339 date and time with its offset. Raises ValueError."""
    if _DATE_TIME.fullmatch(text) is None:
        raise ValueError("a time is written as in RFC 3339, with its offset: 2020-11-16T09:30:00+08:00")
    try:
        return datetime.datetime.fromisoformat(text.upper()).astimezone(SHANGHAI)
    except (ValueError, OverflowError) as error:
        raise ValueError("there is no such time") from error


def date_time_text(value: datetime.datetime) -> str:
    """Write a time in +08:00, with fractions of a second only where there are any."""
    return value.astimezone(SHANGHAI).isoformat()


class _DateTexts(dict[datetime.date, str]):
    """The texts of days. Answers are full of few days: to find one takes a tenth of the time that writing it takes."""

    def __missing__(self, day: datetime.date) -> str:
        text = datetime.date.isoformat(day)
        # A time equals other times, whose days are written otherwise.
        if day.__class__ is datetime.date and len(self) < MAX_DATE_TEXTS:
            self[day] = text
        return text


def _scalar(
    name: str, description: str, parse: Callable[[str], Value], serialize: Callable[[Any], str]
) -> ScalarDefinition:
    def read(value: object, node: ValueNode | None = None) -> Value:
        if not isinstance(value, str):
            raise InvalidScalar(f"{name} is a string.", node)
        try:
            return parse(value)
        except ValueError as error:
            raise InvalidScalar(f"{name}: {error}.", node) from None

    def read_literal(node: ValueNode, _variables: object = None) -> Value:
        return read(node.value if isinstance(node, StringValueNode) else None, node)

    return strawberry.scalar(
        name=name,
        description=description,
        serialize=serialize,
        parse_value=read,
        parse_literal=read_literal,
    )


def _input_only(_value: object) -> str:
    raise GraphQLError("ResidentId is for input only.")


#: What Strawberry is told of the Python types that stand for scalars.
SCALARS: dict[object, ScalarDefinition] = {
    YearMonth: _scalar("YearMonth", "A calendar month, ISO 8601: 2020-07.", months.parse, months.text),
    Yuan: _scalar(
        "Yuan",
        'An exact amount of renminbi, a string with two decimals: "12096.00".',
        money.parse,
        money.text,
    ),
    ResidentId: _scalar(
        "ResidentId",
        "An 18-character resident identity number (GB 11643-1999), check character verified. Input only.",
        resident_id.parse,
        _input_only,
    ),
    datetime.date: _scalar("Date", "A calendar date, ISO 8601: 2020-11-16.", parse_date, _DateTexts().__getitem__),
    datetime.datetime: _scalar(
        "DateTime",
        "A time as in RFC 3339, always with an offset; answers are in +08:00.",
        parse_date_time,
        date_time_text,
    ),
}
