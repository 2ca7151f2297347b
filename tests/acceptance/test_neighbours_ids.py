"""Another institution's ids in every argument that takes an id: as if there were no such thing, and nothing changes."""

from collections.abc import Iterator

from tests.acceptance.arguments import filled, places
from tests.acceptance.gateway import Client, Server
from tests.acceptance.operations import (
    COLLECTED_AT,
    DECIDE_REFUND,
    REQUEST_ASSESSMENT,
    REQUEST_QUOTE,
    SUBMIT_PAYMENT,
    assess,
    pay,
    payer_id,
    quote,
)
from tests.acceptance.people import Person
from tests.acceptance.snapshot import snapshot

#: Another bank's, but for a refund's: agencies decide those, and read no other ids.
BANK, AGENCY = "tax-window", "social-insurance-refunds"
NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"


def requests(identity: str) -> list[tuple[str, str, dict[str, object]]]:
    """Return a request for each argument that takes an id: client, document, variables."""
    run = {"payerId": identity, "firstMonth": "2020-06", "lastMonth": "2020-06", "tier": "60"}
    arrears = {"payerId": identity, "firstMonth": "2019-06", "lastMonth": "2019-06"}
    payment = {"payableId": identity, "amount": "605.00", "bankReference": "STOLEN", "collectedAt": COLLECTED_AT}
    decision = {"refundId": identity, "approve": True, "reason": "x"}
    return [
        (BANK, NODE, {"id": identity}),
        (BANK, NODES, {"ids": [identity]}),
        (BANK, REQUEST_QUOTE, {"input": run}),
        (BANK, REQUEST_ASSESSMENT, {"input": arrears}),
        (BANK, SUBMIT_PAYMENT, {"input": payment}),
        (AGENCY, DECIDE_REFUND, {"input": decision}),
    ]


NOTHING = [
    {"node": None},
    {"nodes": [None]},
    {"requestQuote": "PayerNotFound"},
    {"requestAssessment": "PayerNotFound"},
    {"submitPayment": "PayableNotFound"},
    {"decideRefund": "RefundNotFound"},
]


def ids_of(bank: Client, people: Iterator[Person]) -> dict[str, str]:
    """Return one id of each kind that a bank holds, whose person the neighbour has never named."""
    person = next(people)
    payment = pay(bank, quote(bank, person, "2020-01", "2020-03"), "NEIGHBOURS")
    return {
        "Payer": payer_id(bank, person),
        "Quote": quote(bank, person, "2020-06", "2020-06")["id"],
        "AssessedBill": assess(bank, person, "2019-06", "2019-06")["id"],
        "Payment": payment["id"],
        "Receipt": payment["receipt"]["id"],
    }


def test_every_argument_that_takes_an_id_is_tried() -> None:
    tried = {place for _, document, given in requests("!") for place in filled(document, given, "!")}
    assert tried == places("ID")


def test_a_neighbours_id_is_nothing_in_any_argument(
    server: Server, people: Iterator[Person], sandbox_database: str
) -> None:
    ids = ids_of(server.client("icbc-mobile"), people)
    before = snapshot(sandbox_database)
    for kind, identity in ids.items():
        for (client, document, variables), nothing in zip(requests(identity), NOTHING, strict=True):
            found = server.client(client).run(document, **variables)
            told = {name: value["__typename"] if isinstance(value, dict) else value for name, value in found.items()}
            assert told == nothing, kind
    assert snapshot(sandbox_database) == before
