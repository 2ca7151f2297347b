"""The checks of graphql-cop, the auditor of GraphQL servers, each with what it would call a finding.

Most of them look without a token, and find 401. Here they hold one: a client of a bank that has turned against it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.gateway import Client, Server, gateway, serving
from tests.databases import fresh_database


@pytest.fixture(scope="module")
def production(postgres_url: str, master_key: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client with every read scope, of a server outside the sandbox, with its own settings as they come."""
    with fresh_database(postgres_url) as url:
        settings = {"GATEWAY_DATABASE_URL": url, "GATEWAY_MASTER_KEY": master_key}

        def command(*arguments: str) -> str:
            done = gateway(*arguments, **settings)
            assert done.returncode == 0, done.stderr
            return done.stdout

        command("migrate")
        command("institutions", "add", "BANK", "A bank")
        registered = json.loads(command("clients", "register", "--institution", "BANK", "--scope", "payer:read"))
        log: Path = tmp_path_factory.mktemp("production") / "server.log"
        with serving(log, sandbox=False, **settings) as server:
            token = server.token(registered["client_id"], registered["client_secret"]).json()["access_token"]
            yield Client(server.base_url, registered["client_id"], token, server.http)


@pytest.fixture(params=["production", "sandbox"])
def client(request: pytest.FixtureRequest) -> Client:
    """A client of either kind of server."""
    if request.param == "production":
        found: Client = request.getfixturevalue("production")
        return found
    server: Server = request.getfixturevalue("server")
    return server.client("abc-counter")


def post(client: Client, content: Any, **headers: str) -> httpx.Response:
    given = {"Authorization": f"Bearer {client.token}"} | {name.replace("_", "-"): v for name, v in headers.items()}
    return client.http.post("/graphql", json=content, headers=given)


def refused(response: httpx.Response) -> dict[str, Any]:
    """Return the only error of an answer without data."""
    body = response.json()
    assert "data" not in body, body
    (error,) = body["errors"]
    return dict(error)


def test_alias_overloading(client: Client) -> None:
    query = "query cop { " + " ".join(f"alias{n}: __typename" for n in range(101)) + " }"
    assert refused(post(client, {"query": query}))["extensions"]["code"] == "OPERATION_TOO_LARGE"


def test_array_based_query_batching(client: Client) -> None:
    response = post(client, [{"query": "query cop { __typename }"}] * 10)
    assert response.status_code == 400
    assert "one operation a request" in refused(response)["message"]


def test_directive_overloading(client: Client) -> None:
    response = post(client, {"query": "query cop { __typename " + "@aa" * 10 + " }"})
    assert refused(response)["extensions"]["code"] == "OPERATION_TOO_LARGE"


def test_field_duplication(client: Client) -> None:
    response = post(client, {"query": "query cop { " + "__typename " * 500 + "}"})
    assert refused(response)["extensions"]["code"] == "OPERATION_TOO_LARGE"


def test_circular_introspection(client: Client) -> None:
    query = "query cop { __schema { types " + "{ fields { type " * 4 + "{ name }" + " } }" * 4 + " } }"
    body = post(client, {"query": query}).json()
    assert "data" not in body
    assert {error["extensions"]["code"] for error in body["errors"]} == {"GRAPHQL_VALIDATION_FAILED"}


@pytest.mark.parametrize("operation", ["query cop { __typename }", "mutation cop { __typename }"])
def test_get_runs_nothing(client: Client, operation: str) -> None:
    response = client.http.get(
        "/graphql", params={"query": operation}, headers={"Authorization": f"Bearer {client.token}"}
    )
    assert response.status_code == 405
    assert "data" not in response.json()


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=b", ""]
)
def test_a_body_that_a_page_sends_without_asking_runs_nothing(client: Client, kind: str) -> None:
    bodies = {"text/plain": b'{"query": "{ __typename }"}', "": b'{"query": "{ __typename }"}'}
    multipart = b'--b\r\nContent-Disposition: form-data; name="query"\r\n\r\n{ __typename }\r\n--b--\r\n'
    content = bodies.get(kind, multipart if kind.startswith("multipart") else b"query=query+cop+%7B__typename%7D")
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": kind}
    response = client.http.post("/graphql", content=content, headers=headers)
    assert response.status_code == 415
    assert "data" not in response.json()


def test_no_page_of_elsewhere_may_read_an_answer(client: Client) -> None:
    origin = "https://evil.example"
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    preflight = client.http.options("/graphql", headers=asked)
    assert preflight.status_code == 405
    answered = post(client, {"query": "{ viewer { clientId } }"}, Origin=origin)
    for response in (preflight, answered):
        assert not [name for name in response.headers if name.startswith("access-control-")]
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_trace_mode(client: Client) -> None:
    response = post(client, {"query": "query cop { __typename }"}, apollo_tracing="1", X_Apollo_Tracing="1")
    assert set(response.json().get("extensions", {})) <= {"cost"}


def test_field_suggestions(production: Client) -> None:
    for query in ("query cop { __schema { directive } }", "{ viewr { clientId } }", "{ viewer { clientI } }"):
        response = post(production, {"query": query})
        assert "Did you mean" not in response.text
        assert "data" not in response.json()


def test_introspection(production: Client) -> None:
    for query in ("query cop { __schema { types { name } } }", '{ __type(name: "Query") { name } }'):
        body = post(production, {"query": query}).json()
        assert "data" not in body
        assert {error["extensions"]["code"] for error in body["errors"]} == {"GRAPHQL_VALIDATION_FAILED"}


def test_the_workbench_is_the_sandboxs_alone(production: Client, server: Server) -> None:
    assert production.http.get("/graphiql", headers={"Accept": "text/html"}).status_code == 404
    assert server.http.get("/graphiql", headers={"Accept": "text/html"}).status_code == 200
    first = production.http.get("/", headers={"Accept": "text/html"})
    for word in ("graphiql", "playground"):
        assert word not in first.text.lower()


@pytest.mark.parametrize("path", ["/playground", "/console", "/graphql", "/graphql/console", "/altair"])
def test_no_other_workbench_is_served(client: Client, path: str) -> None:
    response = client.http.get(path, headers={"Accept": "text/html"})
    assert response.status_code in (404, 405)
    for word in ("graphiql", "playground", "<html"):
        assert word not in response.text.lower()


def test_unhandled_errors(client: Client) -> None:
    for body in ({"query": "qwerty cop { abc }"}, {"query": 1}, {"query": "{ viewer(a: 1e999) { clientId } }"}):
        text = post(client, body).text.lower()
        for word in ("exception", "traceback", "stack", ".py"):
            assert word not in text
