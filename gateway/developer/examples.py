"""The documents of docs/ as examples to run, with variables that can be sent and the client that may send them.

They are the files of gateway/demo/operations, which the pages show word for word (a test holds it).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

import orjson
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    OperationDefinitionNode,
    is_required_input_field,
    parse,
    type_from_ast,
)

from schema.contract import schema

#: The order of a developer's first hour; what is not named here comes after, by name.
_FIRST: Final = ("viewer", "find_payer", "contribution_schedule", "request_quote", "submit_payment")
#: A person of the sandbox, and days and months of its pinned year.
_BY_NAME: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "residentId": "369999198503120010",
        "name": "陈晓兰",
        "insurance": "PENSION",
        "firstMonth": "2020-04",
        "lastMonth": "2020-06",
        "tier": "60",
        "year": 2020,
        "poolingArea": "360000",
        "date": "2020-11-16",
        "businessDate": "2020-11-16",
        "amount": "1815.00",
        "bankReference": "GRAPHIQL-1",
        "batch": "GRAPHIQL-1",
        "billNumber": "GRAPHIQL-1",
        "payerId": "(payer.id)",
        "payableId": "(requestQuote.quote.id)",
        "refundId": "(refunds.edges.node.id)",
    }
)
_BY_TYPE: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "Boolean": False,
        "Date": "2020-11-16",
        "DateTime": "2020-11-16T09:30:00+08:00",
        "Int": 20,
        "YearMonth": "2020-04",
        "Yuan": "605.00",
    }
)
#: Who may run what retail clients may not.
_CLIENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "assess_bills": "social-insurance-agency",
        "withdraw_bill": "social-insurance-agency",
        "decide_refund": "social-insurance-refunds",
        "refunds": "abc-counter",
        "request_refund": "abc-counter",
        "reverse_payment": "abc-counter",
        "reconcile_day": "abc-counter",
    }
)
DEFAULT_CLIENT: Final = "icbc-mobile"


@dataclass(frozen=True, slots=True)
class Example:
    """One document. `name` is its file's, `title` its operation's; `variables` is JSON to begin from."""

    name: str
    title: str
    client: str
    query: str
    variables: str


@cache
def examples() -> tuple[Example, ...]:
    """Return them all."""
    paths = [path for path in files("gateway.demo").joinpath("operations").iterdir() if path.name.endswith(".graphql")]
    told = [_example(path.name.removesuffix(".graphql"), path.read_text(encoding="utf-8")) for path in paths]
    return tuple(
        sorted(told, key=lambda one: (_FIRST.index(one.name) if one.name in _FIRST else len(_FIRST), one.name))
    )


def _example(name: str, query: str) -> Example:
    (operation,) = parse(query).definitions
    assert isinstance(operation, OperationDefinitionNode)
    assert operation.name is not None
    variables = {}
    for variable in operation.variable_definitions or ():
        kind = type_from_ast(schema._schema, variable.type)
        if isinstance(kind, GraphQLNonNull) and variable.default_value is None:
            variables[variable.variable.name.value] = _value(variable.variable.name.value, kind)
    return Example(
        name,
        operation.name.value,
        _CLIENTS.get(name, DEFAULT_CLIENT),
        query,
        orjson.dumps(variables, option=orjson.OPT_INDENT_2).decode() if variables else "",
    )


def _value(name: str, kind: GraphQLInputType) -> Any:
    """Return a value to begin from: of an input object what must be given."""
    match kind:
        case GraphQLNonNull():
            return _value(name, kind.of_type)
        case GraphQLList():
            return [_value(name, kind.of_type)]
        case GraphQLInputObjectType():
            return {
                field: _value(field, member.type)
                for field, member in kind.fields.items()
                if is_required_input_field(member)
            }
        case GraphQLEnumType():
            return _BY_NAME.get(name, next(iter(kind.values)))
        case GraphQLScalarType():
            return _BY_NAME.get(name, _BY_TYPE.get(kind.name, name))
    raise LookupError(name)
