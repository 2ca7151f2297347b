"""Refunds as a bank asks for them the day after, and as an agency decides them."""

import pytest

from tests.acceptance.gateway import Client, Server
from tests.acceptance.operations import (
    DECIDE_REFUND,
    PAYMENT_OF,
    REFUND,
    REFUNDS,
    REQUEST_REFUND,
    Answer,
)

REFUND_OF = f"""query ($bankReference: String!) {{ payment(bankReference: $bankReference) {{
  status refund {{ {REFUND} }}
}} }}"""
WHOLE_YEAR = [("CURRENT_YEAR", "2020-01", "2020-12")]


@pytest.fixture(scope="module")
def si(tomorrow: Server) -> Client:
    return tomorrow.client("social-insurance-refunds")


@pytest.fixture(scope="module")
def mi(tomorrow: Server) -> Client:
    return tomorrow.client("medical-insurance-refunds")


def request(client: Client, reference: str, reason: str = "重复缴费") -> Answer:
    answer: Answer = client.run(REQUEST_REFUND, input={"bankReference": reference, "reason": reason})["requestRefund"]
    return answer


def decide(client: Client, identity: str, *, approve: bool, reason: str = "情况属实") -> Answer:
    sent = {"refundId": identity, "approve": approve, "reason": reason}
    answer: Answer = client.run(DECIDE_REFUND, input=sent)["decideRefund"]
    return answer


def listed(client: Client, status: str | None = None) -> list[Answer]:
    """Return all refunds that a client sees, page by page."""
    found: list[Answer] = []
    after = None
    while True:
        page = client.run(REFUNDS, status=status, first=100, after=after)["refunds"]
        found += [edge["node"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found


def waiting(agency: Client, reference: str) -> Answer:
    """Return the request that waits for the agency's decision, as the agency sees it."""
    (found,) = [refund for refund in listed(agency, "REQUESTED") if refund["bankReference"] == reference]
    return found


def requested(later: Client, agency: Client, reference: str) -> Answer:
    """Ask for a refund that must be taken, and return it as the agency sees it."""
    answer = request(later, reference)
    assert (answer["__typename"], answer["replayed"]) == ("RefundRequested", False), answer
    return waiting(agency, reference)


def status(client: Client, reference: str) -> tuple[str, str]:
    payment = client.run(PAYMENT_OF, bankReference=reference)["payment"]
    return payment["status"], payment["receipt"]["status"]
