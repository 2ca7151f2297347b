"""`node` and `nodes`: what the caller's institution may see, under the same scopes; anything else is null."""

from collections.abc import Iterator

import pytest

from tests.acceptance.gateway import Client, Server
from tests.acceptance.operations import agency_bill, bills, pay, payer_id, quote
from tests.acceptance.people import CHEN, WANG, Person

KIND = "query ($id: ID!) { node(id: $id) { __typename id } }"
KINDS = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
NODES_AT_MOST = 100
SCOPE_OF = {
    "Payer": "payer:read",
    "Quote": "quote:write",
    "AssessedBill": "bill:read",
    "Payment": "payment:read",
    "Receipt": "receipt:read",
}


@pytest.fixture(scope="module")
def own(icbc: Client, people: Iterator[Person]) -> dict[str, str]:
    """One id of each kind, all ICBC's."""
    person = next(people)
    payable = quote(icbc, person, "2020-01", "2020-03")
    payment = pay(icbc, payable, "NODES")
    return {
        "Payer": payer_id(icbc, person),
        "Quote": payable["id"],
        "AssessedBill": bills(icbc, WANG)[0]["id"],
        "Payment": payment["id"],
        "Receipt": payment["receipt"]["id"],
    }


def kinds(client: Client, *ids: str) -> list[str | None]:
    found = client.run(KINDS, ids=list(ids))["nodes"]
    return [node and node["__typename"] for node in found]


def test_each_kind_is_found_by_its_id(icbc: Client, own: dict[str, str]) -> None:
    for kind, identity in own.items():
        assert icbc.run(KIND, id=identity)["node"] == {"__typename": kind, "id": identity}
    assert kinds(icbc, *own.values()) == list(own)


def test_the_facts_are_those_of_the_other_ways(icbc: Client, own: dict[str, str]) -> None:
    document = """query ($payer: ID!, $receipt: ID!, $payment: ID!) {
      payer: node(id: $payer) { ... on Payer {
        maskedName payablePeriods { firstMonth } receipts { edges { node { id } } }
      } }
      receipt: node(id: $receipt) { ... on Receipt { bankReference status } }
      payment: node(id: $payment) { ... on Payment {
        bankReference receipt { id } payable { ... on Quote { id lines { month } } }
      } }
    }"""
    found = icbc.run(document, payer=own["Payer"], receipt=own["Receipt"], payment=own["Payment"])
    assert found["payer"]["payablePeriods"] == [{"firstMonth": "2018-01"}, {"firstMonth": "2020-04"}]
    assert found["payer"]["receipts"]["edges"] == [{"node": {"id": own["Receipt"]}}]
    assert found["receipt"] == {"bankReference": "NODES", "status": "VALID"}
    assert found["payment"]["receipt"] == {"id": own["Receipt"]}
    assert found["payment"]["payable"]["id"] == own["Quote"]
    assert [line["month"] for line in found["payment"]["payable"]["lines"]] == ["2020-01", "2020-02", "2020-03"]


def test_nodes_keep_their_order_their_gaps_and_their_doubles(icbc: Client, own: dict[str, str]) -> None:
    asked = [own["Receipt"], "nothing", own["Payer"], own["Receipt"], "", own["Quote"], own["Payer"]]
    assert kinds(icbc, *asked) == ["Receipt", None, "Payer", "Receipt", None, "Quote", "Payer"]
    assert kinds(icbc) == []


@pytest.mark.parametrize("client_id", ["abc-counter", "abc-mobile", "tax-wechat", "tax-window"])
def test_anothers_nodes_are_null(server: Server, own: dict[str, str], client_id: str) -> None:
    stranger = server.client(client_id)
    for kind in ("Payer", "Quote", "Payment", "Receipt"):
        assert stranger.run(KIND, id=own[kind])["node"] is None, kind
    assert kinds(stranger, own["Payer"], own["Quote"], own["Payment"], own["Receipt"]) == [None] * 4


def test_a_bill_is_null_to_who_has_not_named_the_person(server: Server, icbc: Client, people: Iterator[Person]) -> None:
    person = next(people)
    sent = agency_bill(server.client("social-insurance-agency"), "SI-NODES", person, "2020-01", "2020-01", "605.00")
    assert kinds(server.client("social-insurance-agency"), sent["id"]) == ["AssessedBill"]
    identity = bills(icbc, person)[0]["id"]
    assert kinds(icbc, identity) == ["AssessedBill"]
    assert kinds(server.client("tax-wechat"), identity, sent["id"]) == [None, None]


def test_colleagues_see_the_same_node(server: Server) -> None:
    for one, another in (("abc-counter", "abc-mobile"), ("tax-wechat", "ganfutong")):
        identity = payer_id(server.client(one), CHEN)
        assert kinds(server.client(another), identity) == ["Payer"]


def test_forged_ids_are_null(icbc: Client, own: dict[str, str]) -> None:
    for kind, identity in own.items():
        forged = [
            identity[:at] + ("A" if identity[at] != "A" else "B") + identity[at + 1 :] for at in range(len(identity))
        ]
        # The last character of base64 may carry bits that say nothing; the others may not.
        for start in range(0, len(forged) - 1, NODES_AT_MOST):
            found = kinds(icbc, *forged[: len(forged) - 1][start : start + NODES_AT_MOST])
            assert set(found) == {None}, kind
        for broken in (identity[:-1], identity[1:], identity + "A", identity + "=", " " + identity, identity[::-1]):
            assert kinds(icbc, broken) == [None], (kind, broken)


@pytest.mark.parametrize(
    "identity",
    [
        "",
        " ",
        "x",
        "0",
        "-1",
        "null",
        "UGF5ZXI6MQ==",
        "Payer:1",
        "../../etc/passwd",
        "' OR '1'='1",
        "1; DROP TABLE payers",
        "369999198503120010",
        "陈晓兰",
        "=" * 64,
        "A" * 10_000,
        "\u0000",
        "é",
        "\U0001f600",
    ],
    ids=ascii,
)
def test_malformed_ids_are_null(icbc: Client, identity: str) -> None:
    response = icbc.post(KIND, {"id": identity})
    assert response.status_code == 200, response.text
    assert response.json()["data"] == {"node": None}
    assert icbc.run(KINDS, ids=[identity, identity]) == {"nodes": [None, None]}


def test_an_id_may_be_written_as_a_number(icbc: Client) -> None:
    assert icbc.run("{ node(id: 1) { id } }") == {"node": None}
    assert icbc.run(KIND, id=12345) == {"node": None}


@pytest.mark.parametrize("kind", SCOPE_OF)
def test_without_the_scope_of_its_kind_a_node_is_null(server: Server, own: dict[str, str], kind: str) -> None:
    scopes = set(SCOPE_OF.values()) - {SCOPE_OF[kind]}
    if kind == "Quote":
        scopes.remove("payment:read")  # Another way to a quote that was paid: its payment's payable.
    others = " ".join(sorted(scopes))
    without = server.narrowed("icbc-mobile", others)
    assert without.run(KIND, id=own[kind])["node"] is None
    seen = kinds(without, *own.values())
    assert seen[list(own).index(kind)] is None
    with_it = server.narrowed("icbc-mobile", SCOPE_OF[kind])
    assert with_it.run(KIND, id=own[kind])["node"] == {"__typename": kind, "id": own[kind]}


def test_at_most_a_hundred_nodes_at_once(icbc: Client, own: dict[str, str]) -> None:
    assert kinds(icbc, *[own["Payer"]] * NODES_AT_MOST) == ["Payer"] * NODES_AT_MOST
    response = icbc.post(KINDS, {"ids": [own["Payer"]] * (NODES_AT_MOST + 1)})
    assert "ids" in response.json()["errors"][0]["message"]
    assert not (response.json().get("data") or {}).get("nodes")
