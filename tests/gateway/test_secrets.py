"""Whatever a caller puts into an argument, no answer and no log line repeats it.

Identity numbers, names and card numbers are put where they belong and where they do not: into every argument of
the schema, as what it takes and as what it does not, written into the document and sent as a variable.
"""

import datetime
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
    is_list_type,
    is_required_argument,
    is_required_input_field,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contributions.resident_id import check_character
from schema.contract import schema
from tests.acceptance.gateway import Client, Server

SCHEMA = schema._schema

#: A value of each scalar that can be read.
READABLE = {
    "YearMonth": "2020-07",
    "Yuan": "1.00",
    "ResidentId": "369999198811240073",
    "Date": "2020-11-16",
    "DateTime": "2020-11-16T09:30:00+08:00",
    "ID": "abc",
    "String": "abc",
    "Int": 1,
    "Boolean": False,
}
#: How the types that have fields with arguments are reached.
ZHAO = 'payer(residentId: "369999198811240073", name: "赵强")'
REACHED = {"Query": "query %s { %s }", "Mutation": "mutation %s { %s }", "Payer": "query %s { " + ZHAO + " { %s } }"}
REACHED["SettlementDay"] = 'query %s { settlementDay(date: "2020-11-16") { %s } }'
CLIENTS = {
    "assessBills": "social-insurance-agency",
    "withdrawBill": "social-insurance-agency",
    "decideRefund": "social-insurance-refunds",
}

Path = tuple[str | int, ...]


class Name(str):
    """A word of a document that stands without quotes: an enum's value."""

    __slots__ = ()


@dataclass(frozen=True)
class Position:
    """One place for a value: an argument of a field, or a field of an input object in it."""

    parent: str
    field: str
    argument: str
    path: Path

    def __str__(self) -> str:
        return f"{self.parent}.{self.field}({self.argument}): {'.'.join(map(str, self.path))}"

    @property
    def last_name(self) -> str:
        return next((str(step) for step in reversed(self.path) if isinstance(step, str)), self.argument)


def readable(kind: Any) -> Any:
    """Return a value of an input type that can be read."""
    kind = get_nullable_type(kind)
    if is_list_type(kind):
        return [readable(kind.of_type)]
    if isinstance(kind, GraphQLEnumType):
        return Name(next(iter(kind.values)))
    if isinstance(kind, GraphQLInputObjectType):
        return {name: readable(field.type) for name, field in kind.fields.items() if is_required_input_field(field)}
    return READABLE[kind.name]


def places(kind: Any) -> Iterator[Path]:
    """Return the paths of every value that a value of this type may hold, itself included."""
    kind = get_nullable_type(kind)
    yield ()
    if is_list_type(kind):
        yield from ((0, *path) for path in places(kind.of_type))
    elif isinstance(kind, GraphQLInputObjectType):
        for name, field in kind.fields.items():
            yield from ((name, *path) for path in places(field.type))


def with_value(whole: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    step, *rest = path
    if isinstance(step, int):
        return [with_value(whole[0] if whole else None, tuple(rest), value)]
    whole = dict(whole or {})
    whole[step] = with_value(whole.get(step), tuple(rest), value)
    return whole


def all_positions() -> list[Position]:
    found = []
    for parent in REACHED:
        kind = SCHEMA.type_map[parent]
        assert isinstance(kind, GraphQLObjectType)
        for name, field in kind.fields.items():
            for argument, definition in field.args.items():
                found += [Position(parent, name, argument, path) for path in places(definition.type)]
    return found


POSITIONS = all_positions()


def literal(value: Any) -> str:
    """Write a value as a document does."""
    if isinstance(value, Name):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def selection(kind: GraphQLNamedType) -> str:
    if isinstance(kind, GraphQLUnionType):
        return " { __typename ... on Problem { code message nextAction } }"
    return " { __typename }" if hasattr(kind, "fields") else ""


def request(position: Position, value: Any, *, as_variable: bool) -> dict[str, Any]:
    """Return a request with the value at the position, and readable ones at all others that are needed."""
    parent = SCHEMA.type_map[position.parent]
    assert isinstance(parent, GraphQLObjectType)
    field = parent.fields[position.field]

    def whole(name: str, argument: GraphQLArgument) -> Any:
        base = readable(argument.type)
        return with_value(base, position.path, value) if name == position.argument else base

    given = {
        name: whole(name, argument)
        for name, argument in field.args.items()
        if name == position.argument or is_required_argument(argument)
    }
    chosen = selection(get_named_type(field.type))
    if as_variable:
        declared = "(" + ", ".join(f"${name}: {field.args[name].type}" for name in given) + ")"
        used = ", ".join(f"{name}: ${name}" for name in given)
        query = REACHED[position.parent] % (declared, f"{position.field}({used}){chosen}")
        return {"query": query, "variables": given}
    written = ", ".join(f"{name}: {literal(item)}" for name, item in given.items())
    return {"query": REACHED[position.parent] % ("", f"{position.field}({written}){chosen}")}


#: Characters of names that no message of ours has.
NAMES = st.text("欧阳晓兰夔鬯龘爨彧翀颿璟犇骉", min_size=2, max_size=4)
DIGITS = st.text("0123456789", min_size=17, max_size=17)
NUMBERS = st.builds(
    lambda day, sequence: (first := f"369999{day:%Y%m%d}{sequence:03d}") + check_character(first),
    st.dates(datetime.date(1900, 1, 1), datetime.date(2020, 1, 1)),
    st.integers(0, 999),
)
MALFORMED = st.one_of(
    DIGITS.map(lambda digits: digits + "x"),
    NUMBERS.map(lambda number: f"{number[:6]} {number[6:14]} {number[14:]}"),
    NUMBERS.map(lambda number: f"{number[:6]}-{number[6:14]}-{number[14:]}"),
    NUMBERS.map(lambda number: f" {number}"),
    NUMBERS.map(lambda number: f"{number}\u0000"),
    st.text("0123456789", min_size=16, max_size=30),
)
SECRETS = st.one_of(NUMBERS, NAMES, MALFORMED)


def forms(secret: str, *, as_variable: bool) -> list[Any]:
    """Return the secret as a value of several types, most of them wrong wherever it is put."""
    shapes: list[Any] = [secret, [secret], [[secret]], {"value": secret}]
    if secret.isascii() and secret.isdigit():
        shapes += [int(secret), [int(secret)], Name(int(secret)), Name(f"{int(secret)}.5"), Name(f"_{secret}")]
    if as_variable:
        return [*(shape for shape in shapes if not isinstance(shape, Name)), {secret: 1}, {secret: secret}]
    return shapes


def squeezed(text: str) -> str:
    """Return a text without what does not tell two spellings of a number apart."""
    return re.sub(r"[\s\x00-]|\\u0000", "", text).upper()


def repeats(told: str, secret: str) -> bool:
    return squeezed(secret) in squeezed(told)


def client_for(server: Server, position: Position) -> Client:
    return server.client(CLIENTS.get(position.field, "abc-counter"))


def send(client: Client, body: dict[str, Any]) -> httpx.Response:
    return client.http.post("/graphql", json=body, headers={"Authorization": f"Bearer {client.token}"})


def is_told_well(response: httpx.Response, position: Position, secret: str) -> None:
    assert not repeats(response.text, secret), response.text
    assert response.status_code == 200, response.text
    for error in response.json().get("errors", ()):
        code = error["extensions"]["code"]
        assert code not in ("INTERNAL_SERVER_ERROR", "TRY_AGAIN"), error
        if code != "GRAPHQL_PARSE_FAILED":
            told = error["message"] + error["extensions"].get("field", "")
            assert position.argument in told or position.last_name in told, error


def test_the_whole_schema_is_covered() -> None:
    """A field with arguments on a type that is not reached would go untested."""
    with_arguments = {
        kind.name
        for kind in SCHEMA.type_map.values()
        if isinstance(kind, GraphQLObjectType)
        and not kind.name.startswith("__")
        and any(field.args for field in kind.fields.values())
    }
    assert with_arguments == set(REACHED)
    assert len(POSITIONS) > 60


@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_answer_repeats_a_secret(server: Server, data: st.DataObject) -> None:
    position = data.draw(st.sampled_from(POSITIONS), label="position")
    as_variable = data.draw(st.booleans(), label="as variable")
    secret = data.draw(SECRETS, label="secret")
    value = data.draw(st.sampled_from(forms(secret, as_variable=as_variable)), label="value")
    response = send(client_for(server, position), request(position, value, as_variable=as_variable))
    is_told_well(response, position, secret)
    assert not repeats(server.log.read_text(), secret)


@pytest.mark.parametrize("position", POSITIONS, ids=str)
def test_every_argument_keeps_each_kind_of_secret(server: Server, position: Position) -> None:
    for secret in ("369999197001010029", "夔鬯龘", "369999 19700101 002x", "6222021234567890123"):
        for as_variable in (False, True):
            for value in forms(secret, as_variable=as_variable):
                response = send(client_for(server, position), request(position, value, as_variable=as_variable))
                is_told_well(response, position, secret)


@pytest.mark.parametrize("secret", ["369999197001010029", "夔鬯龘", "369999 19700101 002x"])
def test_what_is_no_argument_is_not_repeated_either(server: Server, secret: str) -> None:
    client = server.client("abc-counter")
    query = "{ viewer { clientId } }"
    authorization = {"Authorization": f"Bearer {client.token}"}

    def with_header(name: bytes, value: bytes) -> httpx.Response:
        headers = [(b"Authorization", authorization["Authorization"].encode())] if name != b"Authorization" else []
        return client.http.post("/graphql", json={"query": query}, headers=[*headers, (name, value)])

    answers = [
        client.http.post("/graphql", json={"query": query, **more}, headers=authorization)
        for more in (
            {"operationName": secret},
            {"variables": {secret: secret}},
            {"variables": [secret]},
            {"extensions": {"persistedQuery": secret}},
            {"extensions": secret},
            {secret: secret},
            {"query": f'{{ payer(name: "{secret}"'},
            {"query": f'"{secret}" {{ viewer {{ clientId }} }}'},
            {"query": f'{{ viewer @{{"{secret}"}} }}'},
        )
    ]
    answers += [
        client.http.post("/graphql", content=f'{{"query": "{secret}', headers={**authorization, "Content-Type": kind})
        for kind in ("application/json", "text/plain")
    ]
    answers += [
        client.http.get("/graphql", params={"query": secret}),
        client.http.get(f"/{secret}"),
        client.http.post("/graphql", params={"name": secret}, json={"query": query}, headers=authorization),
        with_header(b"Authorization", b"Bearer " + secret.encode()),
        with_header(b"Accept", secret.encode()),
        with_header(b"Accept-Language", secret.encode()),
        with_header(b"Content-Type", secret.encode()),
    ]
    for answer in answers:
        assert answer.status_code < 500
        assert not repeats(answer.text + str(answer.headers), secret)
    assert not repeats(server.log.read_text(), secret)
    assert not repeats(server.http.get("/metrics").text, secret)
