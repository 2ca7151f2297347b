"""Notifications to the bank: over the real server, a real worker and a receiver that verifies what comes."""

import asyncio
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from standardwebhooks import WebhookVerificationError

from tests.acceptance.bank_receiver import Received, Receiver, receiving
from tests.acceptance.gateway import Client, Server, environment, gateway, serving
from tests.acceptance.operations import agency_bill, pay, payer_id, quote, reverse, withdraw
from tests.acceptance.people import Person
from tests.gateway.processes import until

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

REGISTER = """mutation ($url: String!) { registerCallback(input: {url: $url}) {
  secret callback { url registeredAt waiting failed }
} }"""
REMOVE = "mutation { removeCallback { removed } }"
CALLBACK = "{ callback { url registeredAt waiting failed } }"
EVENTS = """query ($first: Int, $after: String) { events(first: $first, after: $after) {
  edges { cursor node {
    __typename id sequence kind occurredAt
    ... on PaymentEvent { payment { id bankReference amount receipt { number } payable { id monthCount } } }
    ... on BillEvent { bill { id billNumber status payment { bankReference } } }
  } }
  pageInfo { hasNextPage endCursor }
} }"""


class Worker:
    """The process `gateway work`, which can be killed and started again."""

    def __init__(self, log: Path, **settings: str) -> None:
        self.log = log
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "gateway", "work"]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env=environment(**self._settings),
                stdout=subprocess.DEVNULL,
                stderr=output,
                start_new_session=True,
            )

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(30) == 0, self.log.read_text()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture(scope="module")
def worker(
    receiver: Receiver, sandbox_database: str, master_key: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Worker]:
    """A worker whose tax ledger is the receiver too: it acknowledges everything."""
    running = Worker(
        tmp_path_factory.mktemp("worker") / "worker.log",
        GATEWAY_DATABASE_URL=sandbox_database,
        GATEWAY_MASTER_KEY=master_key,
        GATEWAY_SANDBOX="true",
        GATEWAY_POSTING_URL=receiver.url("/tax-ledger"),
        GATEWAY_POSTING_SECRET=SECRET,
    )
    running.start()
    yield running
    running.stop()


def register(client: Client, url: str) -> str:
    secret: str = client.run(REGISTER, url=url)["registerCallback"]["secret"]
    return secret


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


def test_a_receiver_that_fails_gets_the_same_message_again(day: Day, receiver: Receiver, server: Server) -> None:
    client = server.client("abc-mobile")
    receiver.answers["/flaky"] = lambda count: (503 if count < 2 else 200, None)
    secret = register(client, receiver.url("/flaky"))
    agency_bill(day.agency, "S-3", day.named, "2019-03", "2019-03", "600.00")
    until(lambda: len(receiver.received("/flaky")) == 3, "a third try")
    tries = receiver.received("/flaky")
    assert len({received.id for received in tries}) == 1
    assert tries[0].body == tries[2].body
    assert tries[2].verified(secret)["data"]["billNumber"] == "S-3"
    until(lambda: client.run(CALLBACK)["callback"]["waiting"] == 0, "the delivery is written down")
    client.run(REMOVE)


def test_a_redirect_is_not_followed_and_what_waits_goes_to_the_address_that_replaces_it(
    day: Day, receiver: Receiver, server: Server
) -> None:
    client = server.client("abc-mobile")
    receiver.answers["/moved"] = lambda _count: (307, receiver.url("/target"))
    old = register(client, receiver.url("/moved"))
    agency_bill(day.agency, "S-4", day.named, "2019-04", "2019-04", "600.00")
    until(lambda: len(receiver.received("/moved")) > 0, "a try")
    secret = register(client, receiver.url("/new"))
    assert secret != old
    until(lambda: len(receiver.received("/new")) > 0, "the same message at the new address")
    assert receiver.received("/new")[0].id == receiver.received("/moved")[0].id
    assert receiver.received("/new")[0].verified(secret)["data"]["billNumber"] == "S-4"
    assert receiver.received("/target") == []
    client.run(REMOVE)


def test_a_receiver_that_is_gone_is_forgotten(day: Day, receiver: Receiver, server: Server) -> None:
    client = server.client("abc-mobile")
    receiver.answers["/gone"] = lambda _count: (410, None)
    register(client, receiver.url("/gone"))
    agency_bill(day.agency, "S-5", day.named, "2019-05", "2019-05", "600.00")
    until(lambda: client.run(CALLBACK)["callback"] is None, "the callback is removed")
    assert len(receiver.received("/gone")) == 1


def test_nothing_is_sent_to_a_callback_that_was_removed(day: Day, receiver: Receiver, server: Server) -> None:
    client, abc = server.client("abc-mobile"), day.banks[0]
    registered = client.run(REGISTER, url=receiver.url("/removed"))["registerCallback"]
    assert client.run(CALLBACK)["callback"] == registered["callback"]
    assert client.run(REMOVE)["removeCallback"] == {"removed": True}
    assert client.run(REMOVE)["removeCallback"] == {"removed": False}
    assert client.run(CALLBACK)["callback"] is None
    agency_bill(day.agency, "S-6", day.named, "2019-06", "2019-06", "600.00")
    until(lambda: any(m["data"].get("billNumber") == "S-6" for m in messages(receiver, abc)), "the other client's")
    assert receiver.received("/removed") == []


def test_a_worker_that_is_killed_while_it_sends_loses_nothing(
    day: Day, receiver: Receiver, server: Server, worker: Worker
) -> None:
    client = server.client("abc-mobile")
    under_way, answer = threading.Event(), threading.Event()

    def hold(count: int) -> tuple[int, str | None]:
        if count == 0:
            under_way.set()
            answer.wait(30)
        return 200, None

    receiver.answers["/held"] = hold
    secret = register(client, receiver.url("/held"))
    agency_bill(day.agency, "S-7", day.named, "2019-07", "2019-07", "600.00")
    try:
        assert under_way.wait(30)
        worker.kill()
        worker.start()
        until(lambda: len(receiver.received("/held")) == 2, "the message again")
    finally:
        answer.set()
    first, second = receiver.received("/held")
    assert first.id == second.id
    assert second.verified(secret)["data"]["billNumber"] == "S-7"
    until(lambda: client.run(CALLBACK)["callback"]["waiting"] == 0, "the delivery is written down")
    client.run(REMOVE)


def test_what_waits_for_a_client_that_is_revoked_ends(
    day: Day, receiver: Receiver, server: Server, sandbox_database: str, master_key: str
) -> None:
    client = server.client("ganfutong")
    settings = {"GATEWAY_DATABASE_URL": sandbox_database, "GATEWAY_MASTER_KEY": master_key}
    receiver.answers["/revoked"] = lambda _count: (500, None)
    register(client, receiver.url("/revoked"))
    payer_id(client, day.named)
    agency_bill(day.agency, "S-8", day.named, "2019-08", "2019-08", "600.00")
    until(lambda: len(receiver.received("/revoked")) > 0, "a try")
    assert gateway("clients", "revoke", "ganfutong", **settings).returncode == 0

    async def ended() -> bool:
        connection = await asyncpg.connect(sandbox_database)
        try:
            found = "SELECT last_error FROM deliveries WHERE client_id = 'ganfutong' AND failed_at IS NOT NULL"
            return bool(await connection.fetchval(found) == "the client is revoked")
        finally:
            await connection.close()

    until(lambda: asyncio.run(ended()), "the delivery ends")


def test_no_secret_and_no_address_is_logged(day: Day, server: Server, worker: Worker, receiver: Receiver) -> None:
    logs = server.log.read_text() + worker.log.read_text()
    assert "working" in logs
    assert "whsec_" not in logs
    assert not any(bank.secret.removeprefix("whsec_") in logs for bank in day.banks)
    assert receiver.base_url not in logs


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://me@127.0.0.1/", "http://127.0.0.1/#x", "/x", ""])
def test_an_address_that_is_no_url_of_ours_is_refused_in_the_sandbox_too(server: Server, url: str) -> None:
    answer = server.client("abc-mobile").post(REGISTER, {"url": url}).json()
    assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT", "field": "input.url"}


def test_outside_the_sandbox_only_public_https_addresses_are_taken(
    empty_database: str, master_key: str, tmp_path: Path
) -> None:
    settings = {"GATEWAY_DATABASE_URL": empty_database, "GATEWAY_MASTER_KEY": master_key}
    assert gateway("migrate", **settings).returncode == 0
    assert gateway("institutions", "add", "ABC", "农业银行", **settings).returncode == 0
    registered = gateway("clients", "register", "--institution", "ABC", "--scope", "payment:read bill:read", **settings)
    words = dict(re.findall(r'"(client_\w+)": "([^"]+)"', registered.stdout))
    with serving(tmp_path / "log", sandbox=False, **settings) as server:
        token = server.token(words["client_id"], words["client_secret"]).json()["access_token"]
        client = Client(server.base_url, words["client_id"], token, server.http)
        hosts = ("127.0.0.1", "[::1]", "10.0.0.1", "localhost", "[::ffff:169.254.169.254]")
        for url in ("http://bank.example/", *(f"https://{host}/" for host in hosts)):
            answer = client.post(REGISTER, {"url": url}).json()
            assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT", "field": "input.url"}, url
        assert client.run(CALLBACK)["callback"] is None
        register(client, "https://bank.example/")
        assert client.run(CALLBACK)["callback"]["url"] == "https://bank.example/"
