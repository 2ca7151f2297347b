"""POST /graphql: what is refused before any operation is found, and in which media type the rest is answered."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any, cast

import asyncpg
import httpx
import pytest
from structlog.testing import capture_logs

from auth.certificates import ClientCertificates
from auth.dpop import ProofVerifier
from auth.tokens import Caller, Confirmation, TokenVerifier
from gateway.admission import Admission
from gateway.app import word_exception
from gateway.budgets import Budgets
from gateway.endpoints.bearer import Gate
from gateway.endpoints.graphql import (
    JSON_TYPE,
    MAX_BODY_BYTES,
    MAX_DISCARDED_BYTES,
    RESPONSE_TYPE,
    GraphQLEndpoint,
)
from gateway.endpoints.signing import MessageSigning
from gateway.execution.runner import Runner
from gateway.execution.trusted import ClientDocuments
from tests.acceptance.gateway import Server
from tests.gateway.execution.small_schema import SCHEMA, document_store

QUERY = {"query": "{ viewer { clientId } }"}
INVALID = {"query": "{ nonsense }"}
CALLER = Caller("bank-app", 1, "BANK", "A bank", "BANK", None, frozenset())


def post(server: Server, content: object = None, **headers: str) -> httpx.Response:
    """Send a body, QUERY when none is given, with a good token and these headers beside or in place of the usual."""
    client = server.client("abc-counter")
    body = content if isinstance(content, bytes) else json.dumps(QUERY if content is None else content).encode()
    given = {"Authorization": f"Bearer {client.token}", "Content-Type": JSON_TYPE}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return client.http.post("/graphql", content=body, headers=given)


def is_refused(response: httpx.Response, status: int, start: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == f"{JSON_TYPE}; charset=utf-8"
    (error,) = response.json()["errors"]
    assert error["message"].startswith(start)
    assert "data" not in response.json()


# Methods.


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"])
def test_every_method_but_post_is_refused(server: Server, method: str) -> None:
    response = server.http.request(method, "/graphql", params={"query": "{ __typename }"})
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    assert method == "HEAD" or response.json() == {"errors": [{"message": "Use POST."}]}


# Tokens.


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Basic YTpi",
        "Bearer x",
        "Bearer a.b.c",
        "Token x",
        "Bearer " + "x" * 20_000,
        "Bearer \xff",
    ],
)
def test_a_bad_token_is_told_and_nothing_more(server: Server, authorization: str) -> None:
    response = server.http.post("/graphql", json=QUERY, headers=[(b"Authorization", authorization.encode("latin-1"))])
    is_refused(response, 401, "A valid access token is needed.")
    assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_no_token(server: Server) -> None:
    is_refused(server.http.post("/graphql", json=QUERY), 401, "A valid access token is needed.")


def test_the_scheme_is_written_in_any_case(server: Server) -> None:
    assert post(server, Authorization=f"bEARER {server.client('abc-counter').token}").status_code == 200


@pytest.mark.parametrize("second", ["Bearer x", None])
def test_two_authorization_headers_are_refused_even_when_they_agree(server: Server, second: str | None) -> None:
    good = f"Bearer {server.client('abc-counter').token}"
    headers = [("Authorization", good), ("Authorization", second or good)]
    response = server.http.post("/graphql", json=QUERY, headers=headers)
    is_refused(response, 400, "Authorization: must be given once.")
    assert 'error="invalid_request"' in response.headers["WWW-Authenticate"]


def test_the_token_is_looked_at_before_the_body(server: Server) -> None:
    is_refused(post(server, b"no JSON", Authorization="Bearer x"), 401, "A valid")


# Media types.


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json;charset=utf-8",
        'application/json; charset="UTF-8"',
        "application/json; Charset=utf8",
        "application/json ; profile=x; charset=utf-8",
    ],
)
def test_json_in_utf8_is_read(server: Server, content_type: str) -> None:
    assert post(server, Content_Type=content_type).status_code == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/graphql",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json, text/plain",
        "application/json; charset=gbk",
        "application/json; charset=",
        "application/json; profile=x; charset=utf-16",
    ],
)
def test_no_other_body_is(server: Server, content_type: str) -> None:
    is_refused(post(server, Content_Type=content_type), 415, "Content-Type: must be")


ACCEPTED = [
    ("", JSON_TYPE),
    ("*/*", JSON_TYPE),
    ("application/*", JSON_TYPE),
    (JSON_TYPE, JSON_TYPE),
    (RESPONSE_TYPE, RESPONSE_TYPE),
    ("Application/GraphQL-Response+JSON", RESPONSE_TYPE),
    (f"{RESPONSE_TYPE}; charset=utf-8", RESPONSE_TYPE),
    (f"{RESPONSE_TYPE}, {JSON_TYPE}", RESPONSE_TYPE),
    (f"{JSON_TYPE}, {RESPONSE_TYPE}", JSON_TYPE),
    (f"{RESPONSE_TYPE}, {JSON_TYPE};q=0.9", RESPONSE_TYPE),
    (f"{JSON_TYPE};q=0.9, {RESPONSE_TYPE}", RESPONSE_TYPE),
    (f"{RESPONSE_TYPE};q=0.5, {JSON_TYPE};q=0.8", JSON_TYPE),
    (f"{RESPONSE_TYPE}; Q=0.5, {JSON_TYPE}", JSON_TYPE),
    (f"{RESPONSE_TYPE}, */*", RESPONSE_TYPE),
    (f"*/*, {RESPONSE_TYPE}", RESPONSE_TYPE),
    (f"{JSON_TYPE};q=0, */*", RESPONSE_TYPE),
    (f"{RESPONSE_TYPE};q=0.000, */*;q=0.1", JSON_TYPE),
    (f"text/html, {RESPONSE_TYPE};q=0.2, application/*;q=0.1", RESPONSE_TYPE),
    (f"{RESPONSE_TYPE};q=2, {JSON_TYPE};q=0.1", JSON_TYPE),
    ("text/html, */*;q=0.1", JSON_TYPE),
]


@pytest.mark.parametrize(("accept", "answered"), ACCEPTED)
def test_the_most_welcome_media_type_is_answered(server: Server, accept: str, answered: str) -> None:
    response = post(server, Accept=accept)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == f"{answered}; charset=utf-8"


def test_several_accept_headers_are_one(server: Server) -> None:
    token = server.client("abc-counter").token
    headers = [("Authorization", f"Bearer {token}"), ("Accept", "text/html"), ("Accept", RESPONSE_TYPE)]
    response = server.http.post("/graphql", json=QUERY, headers=headers)
    assert response.headers["Content-Type"].startswith(RESPONSE_TYPE)


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "text/*",
        f"{JSON_TYPE};q=0",
        "*/*;q=0",
        f"{JSON_TYPE};q=0, {RESPONSE_TYPE};q=0, */*",
        "json",
        ";q=1",
    ],
)
def test_where_neither_is_welcome_nothing_is_run(server: Server, accept: str) -> None:
    is_refused(post(server, Accept=accept), 406, "Accept: must allow")


@pytest.mark.parametrize(("accept", "status"), [(JSON_TYPE, 200), (RESPONSE_TYPE, 400)])
@pytest.mark.parametrize(
    "request_",
    [
        {"query": "{"},
        INVALID,
        {"query": "query A { viewer { clientId } }", "operationName": "B"},
        {"query": "query ($d: Date!) { settlementDay(date: $d) { status } }", "variables": {"d": 1}},
    ],
)
def test_what_did_not_run_is_400_in_the_newer_media_type_only(
    server: Server, request_: dict[str, Any], accept: str, status: int
) -> None:
    response = post(server, request_, Accept=accept)
    assert response.status_code == status
    assert "data" not in response.json()
    assert response.json()["errors"][0]["extensions"]["code"]


# Bodies.


def test_a_body_up_to_the_limit_is_read(server: Server) -> None:
    body = json.dumps(QUERY).encode()
    assert post(server, body.ljust(MAX_BODY_BYTES)).status_code == 200
    is_refused(post(server, body.ljust(MAX_BODY_BYTES + 1)), 413, "The body is larger than")


def test_a_body_without_a_length_is_limited_too(server: Server) -> None:
    token = server.client("abc-counter").token

    def pieces(total: int) -> Iterator[bytes]:
        yield json.dumps(QUERY).encode()
        for _ in range(total // 65_536):
            yield b" " * 65_536

    def send(total: int) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": JSON_TYPE}
        response = server.http.post("/graphql", content=pieces(total), headers=headers)
        assert "content-length" not in response.request.headers
        return response

    assert send(MAX_BODY_BYTES // 2).status_code == 200
    refused = send(MAX_BODY_BYTES + 65_536)
    is_refused(refused, 413, "The body is larger than")
    assert refused.headers["Connection"] == "close"


@pytest.mark.parametrize(
    ("body", "start"),
    [
        (b"", "The body is not JSON."),
        (b"{", "The body is not JSON."),
        (b'{"query": "\xff"}', "The body is not JSON."),
        ('{"query": "陈晓兰"}'.encode("gbk"), "The body is not JSON."),
        (b'{"query": "\\ud800"}', "The body is not JSON."),
        (b'{"query": "{ a }", "variables": {"a": NaN}}', "The body is not JSON."),
        (b"[" * 100_000, "The body is not JSON."),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "The body is not JSON."),
        (b"null", "The body must be a JSON object"),
        (b"1", "The body must be a JSON object"),
        (b'"{ viewer { clientId } }"', "The body must be a JSON object"),
        (b'[{"query": "{ viewer { clientId } }"}]', "The body must be a JSON object: one operation a request."),
        (b"{}", "query: must be a string."),
        (b'{"query": null}', "query: must be a string."),
        (b'{"query": ["{ a }"]}', "query: must be a string."),
        (b'{"query": "{ a }", "variables": "{}"}', "variables: must be an object."),
        (b'{"query": "{ a }", "variables": []}', "variables: must be an object."),
        (b'{"query": "{ a }", "operationName": 1}', "operationName: must be a string."),
        (b'{"query": "{ a }", "extensions": []}', "extensions: must be an object."),
    ],
)
def test_a_body_that_is_no_request_is_refused(server: Server, body: bytes, start: str) -> None:
    is_refused(post(server, body), 400, start)


def test_variables_nested_beyond_any_type_are_bad_input(server: Server) -> None:
    variables = {"entries": json.loads("[" * 500 + "]" * 500)}
    query = 'query ($entries: [[ID!]!]) { nodes(ids: ["a"]) { id } }'
    response = post(server, {"query": query, "variables": variables})
    assert response.status_code == 200
    assert {error["extensions"]["code"] for error in response.json()["errors"]} == {"GRAPHQL_VALIDATION_FAILED"}
    response = post(
        server,
        {
            "query": "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }",
            "variables": {"ids": variables["entries"]},
        },
    )
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


def test_null_and_missing_members_are_the_same(server: Server) -> None:
    more = {"variables": None, "operationName": None, "extensions": None}
    assert post(server, QUERY | more).json()["data"] == post(server).json()["data"]


def test_a_missing_scope_is_named_and_nothing_has_run(server: Server) -> None:
    client = server.client("icbc-mobile")
    response = client.post('{ viewer { clientId } settlementDay(date: "2020-11-16") { status } }')
    is_refused(response, 403, "The token lacks the scope settlement:read.")
    challenge = 'Bearer error="insufficient_scope", scope="settlement:read"'
    assert response.headers["WWW-Authenticate"] == challenge


# In this process, where a test holds both ends.


class Verifier:
    """Takes every token, or fails as it is told."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure

    def remembered(self, _token: str, _held: Confirmation) -> Caller | None:
        return None if self._failure is not None else CALLER

    async def verify(self, _token: str, _held: Confirmation) -> Caller:
        assert self._failure is not None
        raise self._failure


def http_of(verifier: Verifier, body_timeout_seconds: float = 30.0) -> httpx.AsyncClient:
    runner = Runner(SCHEMA, word_exception, hide_suggestions=False)
    endpoint = GraphQLEndpoint(
        ClientDocuments(document_store(), cast(asyncpg.Pool, None)),
        Budgets(cast(asyncpg.Pool, None)),
        runner,
        Gate(cast(TokenVerifier, verifier), cast(ProofVerifier, None), ClientCertificates()),
        lambda _caller, _language, _signature: None,
        Admission(max_operations=1),
        cast(MessageSigning, None),
        budget=0,
        body_timeout_seconds=body_timeout_seconds,
    )
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=endpoint),
        base_url="http://gateway.example",
        headers={"Authorization": "Bearer x", "Content-Type": JSON_TYPE},
    )


@pytest.mark.anyio
async def test_a_body_that_does_not_end_is_given_up() -> None:
    async def without_end() -> Any:
        yield b'{"query": '
        await asyncio.Event().wait()

    async with http_of(Verifier(), body_timeout_seconds=0.01) as http:
        response = await http.post("/graphql", content=without_end())
    is_refused(response, 408, "The body did not arrive in time.")
    assert response.headers["Connection"] == "close"


@pytest.mark.anyio
async def test_a_body_without_end_is_not_read_for_ever() -> None:
    sent = 0

    async def without_end() -> Any:
        nonlocal sent
        while True:
            sent += 65_536
            yield b" " * 65_536

    async with http_of(Verifier()) as http:
        response = await http.post("/graphql", content=without_end())
    is_refused(response, 413, "The body is larger than")
    assert sent <= MAX_BODY_BYTES + MAX_DISCARDED_BYTES + 2 * 65_536


@pytest.mark.anyio
async def test_a_body_that_says_it_is_huge_is_not_read_at_all() -> None:
    async def untouched() -> Any:
        raise AssertionError("read")
        yield b""

    async with http_of(Verifier()) as http:
        response = await http.post("/graphql", content=untouched(), headers={"Content-Length": "9" * 11})
    is_refused(response, 413, "The body is larger than")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "failure",
    [ConnectionRefusedError(), TimeoutError(), asyncpg.InterfaceError("closing"), asyncpg.CannotConnectNowError("no")],
)
async def test_a_database_that_is_away_is_no_bad_token(failure: Exception) -> None:
    with capture_logs() as logs:
        async with http_of(Verifier(failure)) as http:
            response = await http.post("/graphql", json=QUERY)
    is_refused(response, 503, "The token can't be verified now.")
    assert response.headers["Retry-After"]
    assert [line["event"] for line in logs] == ["token not verified"]
