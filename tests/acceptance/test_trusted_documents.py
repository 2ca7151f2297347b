"""Trusted documents, persisted queries, cost and budget, as a bank and its operator see them."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.gateway import Client, Server, gateway, serving

VIEWER = "query Viewer { viewer { clientId } }\n"
PERSONS_NUMBER = "369999198503120010"


@pytest.fixture(scope="module")
def second(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Another process on the same database, started before anything was registered."""
    log: Path = tmp_path_factory.mktemp("second") / "server.log"
    with serving(log, **settings) as running:
        yield running


@pytest.fixture
def operate(settings: dict[str, str]) -> Any:
    def run(*arguments: str, status: int = 0) -> str:
        done = gateway(*arguments, **settings)
        assert done.returncode == status, done.stderr
        return done.stdout if status == 0 else done.stderr

    return run


def id_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def send(client: Client, **body: Any) -> httpx.Response:
    return client.http.post("/graphql", json=body, headers={"Authorization": f"Bearer {client.token}"})


def code(response: httpx.Response) -> str:
    assert "data" not in response.json()
    return str(response.json()["errors"][0]["extensions"]["code"])


def persisted(text: str) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": id_of(text)}}


def test_every_answer_tells_cost_and_budget(server: Server) -> None:
    answer = server.client("abc-mobile").post("{ viewer { institution { code } } }").json()
    assert answer["extensions"]["cost"]["operation"] == 2
    budget = answer["extensions"]["cost"]["budget"]
    assert budget["limit"] == 60_000_000
    assert budget["refillsPerSecond"] == 1_000_000
    assert 0 < budget["remaining"] <= budget["limit"]


def test_an_operation_that_costs_too_much_is_refused_in_either_media_type(server: Server) -> None:
    deep = """query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Payer {
        receipts(first: 100) { edges { node { poolingArea { code } } } } } } }"""
    client = server.client("abc-mobile")
    for accept in ("application/json", "application/graphql-response+json"):
        response = client.post(deep, {"ids": ["x"] * 100}, Accept=accept)
        assert response.status_code == 400
        assert code(response) == "OPERATION_TOO_COSTLY"
        assert response.json()["extensions"]["cost"]["operation"] == 20_200
    assert client.post(deep, {"ids": ["x"]}).status_code == 200


def test_a_persisted_query_is_asked_for_once_and_is_the_clients_own(server: Server) -> None:
    one, other = server.client("abc-mobile"), server.client("icbc-mobile")
    text = "query Own { viewer { clientId } }"
    assert code(send(one, extensions=persisted(text))) == "PERSISTED_QUERY_NOT_FOUND"
    wrong = send(one, query=text + " ", extensions=persisted(text))
    assert wrong.status_code == 400
    assert code(send(one, extensions=persisted(text))) == "PERSISTED_QUERY_NOT_FOUND"
    assert send(one, query=text, extensions=persisted(text)).json()["data"]
    assert send(one, extensions=persisted(text)).json()["data"] == {"viewer": {"clientId": "abc-mobile"}}
    assert code(send(other, extensions=persisted(text))) == "PERSISTED_QUERY_NOT_FOUND"


@pytest.mark.parametrize(
    "body",
    [
        {"documentId": 1},
        {"documentId": "sha256:"},
        {"documentId": "sha256:" + "A" * 64},
        {"documentId": "sha256:" + "a" * 64, "query": "{ viewer { clientId } }"},
        {"extensions": {"persistedQuery": 1}},
        {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": "a" * 64}}},
        {"extensions": {"persistedQuery": {"version": 1}}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": PERSONS_NUMBER}}},
    ],
)
def test_a_name_that_is_none_is_refused_without_being_repeated(server: Server, body: dict[str, Any]) -> None:
    response = send(server.client("abc-mobile"), **body)
    assert response.status_code == 400
    assert PERSONS_NUMBER not in response.text


def test_a_document_is_registered_and_seen_by_every_process(
    server: Server, second: Server, operate: Any, tmp_path: Path
) -> None:
    file = tmp_path / "viewer.graphql"
    file.write_text(VIEWER, encoding="utf-8")
    client = second.client("tax-wechat")
    assert code(send(client, documentId=f"sha256:{id_of(VIEWER)}")) == "PERSISTED_QUERY_NOT_FOUND"
    assert operate("documents", "register", "tax-wechat", str(file)).split()[0] == id_of(VIEWER)
    expected = {"viewer": {"clientId": "tax-wechat"}}
    for running in (server, second):
        mine = running.client("tax-wechat")
        assert send(mine, documentId=f"sha256:{id_of(VIEWER)}").json()["data"] == expected
        assert send(mine, extensions=persisted(VIEWER)).json()["data"] == expected
    assert code(send(server.client("abc-counter"), documentId=f"sha256:{id_of(VIEWER)}"))
    assert "Viewer" in operate("documents", "list", "tax-wechat")


def test_a_limited_client_sends_its_trusted_documents_only(server: Server, operate: Any, tmp_path: Path) -> None:
    file = tmp_path / "viewer.graphql"
    file.write_text(VIEWER, encoding="utf-8")
    operate("documents", "register", "ganfutong", str(file))
    operate("documents", "limit", "ganfutong")
    client = server.client("ganfutong")
    assert send(client, query=VIEWER).json()["data"]
    assert send(client, documentId=id_of(VIEWER)).json()["data"]
    # Not even parsed: this is no GraphQL.
    for body in ({"query": "no GraphQL"}, {"query": VIEWER + " "}, {"documentId": "sha256:" + "a" * 64}):
        response = send(client, **body)
        assert response.status_code == 403
        assert code(response) == "DOCUMENT_NOT_TRUSTED"
    assert send(server.client("abc-counter"), query=VIEWER + " ").status_code == 200


@pytest.mark.parametrize("text", ["{ nonsense }", "{", "{ viewer { " + "clientId " * 2_000 + "} }", "x" * 20_000])
def test_what_can_not_be_run_is_not_registered(operate: Any, tmp_path: Path, text: str) -> None:
    good, bad = tmp_path / "good.graphql", tmp_path / "bad.graphql"
    good.write_text("query Good { viewer { clientId } }", encoding="utf-8")
    bad.write_text(text, encoding="utf-8")
    told = operate("documents", "register", "tax-window", str(good), str(bad), status=1)
    assert "bad.graphql" in told
    assert "Good" not in operate("documents", "list", "tax-window")


def test_a_budget_that_is_used_up_is_told_and_nothing_runs(server: Server, operate: Any) -> None:
    operate("clients", "budget", "social-insurance-agency", "60")
    client = server.client("social-insurance-agency")
    first = client.post("{ viewer { clientId } }").json()["extensions"]["cost"]
    assert first["budget"]["limit"] == 60
    # A document that can't be run costs as well.
    statuses = [client.post("{ nonsense }").status_code for _ in range(8)]
    assert statuses[:5] == [200] * 5
    assert statuses[-1] == 429
    refused = client.post('mutation { withdrawBill(input: {billNumber: "a", reason: "b"}) { __typename } }')
    assert refused.status_code == 429
    assert code(refused) == "BUDGET_EXCEEDED"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.json()["extensions"]["cost"]["budget"]["limit"] == 60
    assert server.client("medical-insurance-agency").post("{ viewer { clientId } }").status_code == 200


def test_an_operation_larger_than_the_whole_budget_is_too_costly(server: Server, operate: Any) -> None:
    operate("clients", "budget", "tax-window", "5")
    refused = server.client("tax-window").post('{ payments(on: "2020-11-16") { edges { node { id } } } }')
    assert (refused.status_code, code(refused)) == (400, "OPERATION_TOO_COSTLY")


def test_a_budget_is_a_number_of_a_client(operate: Any) -> None:
    assert "no client" in operate("clients", "budget", "nobody", "5", status=1)
    operate("clients", "budget", "icbc-mobile", "-1", status=2)
    operate("clients", "budget", "icbc-mobile", "much", status=2)
    operate("clients", "budget", "icbc-mobile", "default")
