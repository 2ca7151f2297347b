"""Notifications to the bank and the events behind them: over the real server and a real worker, each verified."""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from standardwebhooks import WebhookVerificationError

from tests.acceptance.bank_receiver import Received, Receiver
from tests.acceptance.callbacks import CALLBACK, REMOVE, Worker, receiver, register, worker
from tests.acceptance.gateway import Client, Server
from tests.acceptance.operations import agency_bill, pay, payer_id, quote, reverse, withdraw
from tests.acceptance.people import Person
from tests.gateway.processes import until

__all__ = ["receiver", "worker"]

EVENTS = """query ($first: Int, $after: String) { events(first: $first, after: $after) {
  edges { cursor node {
    __typename id sequence kind occurredAt
    ... on PaymentEvent { payment { id bankReference amount receipt { number } payable { id monthCount } } }
    ... on BillEvent { bill { id billNumber status payment { bankReference } } }
  } }
  pageInfo { hasNextPage endCursor }
} }"""


def events(client: Client, after: str | None = None, first: int = 100) -> list[dict[str, Any]]:
    found = client.run(EVENTS, first=first, after=after)["events"]
    return [edge["node"] for edge in found["edges"]]


def last_number(client: Client) -> str:
    return str(max((event["sequence"] for event in events(client)), default=0))


@dataclass(frozen=True)
class Bank:
    """A client with its callback, the secret of it, and the references that it has paid under."""

    client: Client
    path: str
    secret: str
    references: tuple[str, ...]


@dataclass(frozen=True)
class Day:
    """What the tests below look at: three institutions, twenty payments at once, and bills that come and go."""

    banks: tuple[Bank, ...]
    agency: Client
    named: Person
    nobodys: Person


@pytest.fixture(scope="module")
def day(server: Server, worker: Worker, receiver: Receiver, people: Iterator[Person], sandbox_database: str) -> Day:
    payers = [next(people) for _ in range(20)]
    banks = []
    for index, client_id in enumerate(("abc-counter", "icbc-mobile", "tax-window")):
        client, path = server.client(client_id), f"/{client_id}"
        references = tuple(f"{client_id}-{number}" for number in range(index, 20, 3))
        banks.append(Bank(client, path, register(client, receiver.url(path)), references))
    quotes = [
        (bank, reference, quote(bank.client, payers[int(reference.rpartition("-")[2])], "2020-01", "2020-03"))
        for bank in banks
        for reference in bank.references
    ]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda paid: pay(paid[0].client, paid[2], paid[1]), quotes))

    abc = banks[0]
    agency = server.client("social-insurance-agency")
    named, nobodys = next(people), next(people)
    payer_id(abc.client, named)
    agency_bill(agency, "S-1", named, "2019-01", "2019-02", "1200.00")
    withdraw(agency, "S-1")
    agency_bill(agency, "S-2", nobodys, "2019-01", "2019-02", "1200.00")
    for bank in banks:
        until(
            lambda bank=bank: kinds(receiver, bank).count("payment.posted") == len(bank.references),  # type: ignore[misc]
            f"the postings of {bank.path}",
        )
    assert reverse(abc.client, abc.references[0])["__typename"] == "PaymentReversed"
    refund(sandbox_database, abc.references[1])
    until(lambda: {"payment.reversed", "payment.refunded", "bill.withdrawn"} <= set(kinds(receiver, abc)), "the rest")
    return Day(tuple(banks), agency, named, nobodys)


def refund(database_url: str, reference: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(database_url)
        try:
            await connection.execute("UPDATE payments SET refunded_at = now() WHERE bank_reference = $1", reference)
        finally:
            await connection.close()

    asyncio.run(run())


def messages(receiver: Receiver, bank: Bank) -> list[dict[str, Any]]:
    """Return what came to a bank, by sequence number; all of it must be signed with its secret."""
    found = [received.verified(bank.secret) for received in receiver.received(bank.path)]
    return sorted(found, key=lambda message: message["data"]["sequence"])


def kinds(receiver: Receiver, bank: Bank) -> list[str]:
    return [message["type"] for message in messages(receiver, bank)]


def test_every_event_arrives_once_numbered_from_1_without_a_gap(day: Day, receiver: Receiver) -> None:
    for bank in day.banks:
        told = messages(receiver, bank)
        assert [message["data"]["sequence"] for message in told] == list(range(1, len(told) + 1))
        assert len({received.id for received in receiver.received(bank.path)}) == len(told)


def test_each_kind_of_event_is_told_to_the_institution_that_it_concerns_and_to_no_other(
    day: Day, receiver: Receiver
) -> None:
    abc, icbc, tax = day.banks
    expected = ["payment.posted"] * 7 + ["bill.assessed", "bill.withdrawn", "payment.refunded", "payment.reversed"]
    assert sorted(kinds(receiver, abc)) == sorted(expected)
    assert kinds(receiver, icbc) == ["payment.posted"] * 7
    assert kinds(receiver, tax) == ["payment.posted"] * 6
    for bank in day.banks:
        paid = [m["data"]["bankReference"] for m in messages(receiver, bank) if m["type"] == "payment.posted"]
        assert sorted(paid) == sorted(bank.references)


def test_a_message_has_the_facts_and_names_nobody(day: Day, receiver: Receiver) -> None:
    abc = day.banks[0]
    told = messages(receiver, abc)
    posted = next(m for m in told if m["type"] == "payment.posted")["data"]
    (event,) = [e for e in events(abc.client) if e["sequence"] == posted["sequence"]]
    assert posted["paymentId"] == event["payment"]["id"]
    assert posted["payableId"] == event["payment"]["payable"]["id"]
    assert posted["receiptNumber"] == event["payment"]["receipt"]["number"]
    assert (posted["amount"], posted["status"]) == (event["payment"]["amount"], "POSTED")
    assert (posted["insurance"], posted["firstMonth"], posted["lastMonth"]) == ("PENSION", "2020-01", "2020-03")
    assert posted["businessDate"] == "2020-11-16"
    bill = next(m for m in told if m["type"] == "bill.assessed")["data"]
    assert (bill["billNumber"], bill["amount"], bill["payBy"]) == ("S-1", "1200.00", None)
    assert bill["payerId"] == payer_id(abc.client, day.named)
    for received in receiver.received(abc.path):
        body = received.body.decode()
        assert "*" not in body
        assert not re.search(
            r"[0-9]{17}[0-9X]\b", body.replace(str(posted["receiptNumber"]), "").replace("20201116", "")
        )
        assert day.named.name not in body


def test_a_message_is_worth_nothing_under_another_secret_or_with_another_body(day: Day, receiver: Receiver) -> None:
    abc, icbc, _ = day.banks
    received = receiver.received(abc.path)[0]
    with pytest.raises(WebhookVerificationError):
        received.verified(icbc.secret)
    with pytest.raises(WebhookVerificationError):
        Received(received.headers, received.body.replace(b"sequence", b"sequenc3")).verified(abc.secret)


def test_events_are_read_again_from_any_number_on(day: Day, receiver: Receiver) -> None:
    abc = day.banks[0]
    every = events(abc.client)
    assert [event["sequence"] for event in every] == list(range(1, 12))
    sent = {received.verified(abc.secret)["data"]["sequence"]: received.id for received in receiver.received(abc.path)}
    assert {event["sequence"]: event["id"] for event in every} == sent
    page = abc.client.run(EVENTS, first=3, after="4")["events"]
    assert [edge["cursor"] for edge in page["edges"]] == ["5", "6", "7"]
    assert [edge["node"] for edge in page["edges"]] == every[4:7]
    assert page["pageInfo"] == {"hasNextPage": True, "endCursor": "7"}
    assert events(abc.client, after="0") == every
    assert events(abc.client, after="11") == events(abc.client, after="999999999999999999") == []


@pytest.mark.parametrize("after", ["", "-1", "1.0", "１", "0x1", "9" * 19, "abc"])
def test_a_cursor_is_a_number_and_nothing_else(day: Day, after: str) -> None:
    answer = day.banks[0].client.post(EVENTS, {"after": after}).json()
    assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT", "field": "after"}


def test_clients_of_one_institution_read_the_same_events_and_another_institution_others(
    day: Day, server: Server
) -> None:
    abc, icbc, _ = day.banks
    assert events(server.client("abc-mobile")) == events(abc.client)
    theirs = {event["id"] for event in events(abc.client)}
    assert theirs.isdisjoint(event["id"] for event in events(icbc.client))


def test_an_agency_without_both_scopes_reads_no_events(server: Server) -> None:
    for operation in ("{ events { pageInfo { endCursor } } }", CALLBACK, REMOVE):
        response = server.client("social-insurance-agency").post(operation)
        assert response.status_code == 403
        assert 'scope="bill:read payment:read"' in response.headers["www-authenticate"]


def test_no_secret_and_no_address_is_logged(day: Day, server: Server, worker: Worker, receiver: Receiver) -> None:
    logs = server.log.read_text() + worker.log.read_text()
    assert "working" in logs
    assert "whsec_" not in logs
    assert not any(bank.secret.removeprefix("whsec_") in logs for bank in day.banks)
    assert receiver.base_url not in logs
