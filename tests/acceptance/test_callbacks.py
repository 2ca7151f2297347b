"""Where notifications go: a receiver that fails, moves, is gone or removed, and a worker that is killed."""

import asyncio
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.acceptance.bank_receiver import Receiver
from tests.acceptance.callbacks import CALLBACK, REGISTER, REMOVE, Worker, receiver, register, worker
from tests.acceptance.gateway import Client, Server, gateway, serving
from tests.acceptance.operations import agency_bill, payer_id
from tests.acceptance.people import Person
from tests.gateway.processes import until

__all__ = ["receiver", "worker"]


@pytest.fixture(scope="module")
def named(worker: Worker, abc: Client, people: Iterator[Person]) -> Person:
    """A person whose bills ABC is told of, by the worker: it has named the person."""
    person = next(people)
    payer_id(abc, person)
    return person


def test_a_receiver_that_fails_gets_the_same_message_again(
    named: Person, si: Client, receiver: Receiver, server: Server
) -> None:
    client = server.client("abc-mobile")
    receiver.answers["/flaky"] = lambda count: (503 if count < 2 else 200, None)
    secret = register(client, receiver.url("/flaky"))
    agency_bill(si, "S-3", named, "2019-03", "2019-03", "600.00")
    until(lambda: len(receiver.received("/flaky")) == 3, "a third try")
    tries = receiver.received("/flaky")
    assert len({received.id for received in tries}) == 1
    assert tries[0].body == tries[2].body
    assert tries[2].verified(secret)["data"]["billNumber"] == "S-3"
    until(lambda: client.run(CALLBACK)["callback"]["waiting"] == 0, "the delivery is written down")
    client.run(REMOVE)


def test_a_redirect_is_not_followed_and_what_waits_goes_to_the_address_that_replaces_it(
    named: Person, si: Client, receiver: Receiver, server: Server
) -> None:
    client = server.client("abc-mobile")
    receiver.answers["/moved"] = lambda _count: (307, receiver.url("/target"))
    old = register(client, receiver.url("/moved"))
    agency_bill(si, "S-4", named, "2019-04", "2019-04", "600.00")
    until(lambda: len(receiver.received("/moved")) > 0, "a try")
    secret = register(client, receiver.url("/new"))
    assert secret != old
    until(lambda: len(receiver.received("/new")) > 0, "the same message at the new address")
    assert receiver.received("/new")[0].id == receiver.received("/moved")[0].id
    assert receiver.received("/new")[0].verified(secret)["data"]["billNumber"] == "S-4"
    assert receiver.received("/target") == []
    client.run(REMOVE)


def test_a_receiver_that_is_gone_is_forgotten(named: Person, si: Client, receiver: Receiver, server: Server) -> None:
    client = server.client("abc-mobile")
    receiver.answers["/gone"] = lambda _count: (410, None)
    register(client, receiver.url("/gone"))
    agency_bill(si, "S-5", named, "2019-05", "2019-05", "600.00")
    until(lambda: client.run(CALLBACK)["callback"] is None, "the callback is removed")
    assert len(receiver.received("/gone")) == 1


def test_nothing_is_sent_to_a_callback_that_was_removed(
    named: Person, si: Client, receiver: Receiver, server: Server
) -> None:
    client, other = server.client("abc-mobile"), server.client("abc-counter")
    secret = register(other, receiver.url("/kept"))
    registered = client.run(REGISTER, url=receiver.url("/removed"))["registerCallback"]
    assert client.run(CALLBACK)["callback"] == registered["callback"]
    assert client.run(REMOVE)["removeCallback"] == {"removed": True}
    assert client.run(REMOVE)["removeCallback"] == {"removed": False}
    assert client.run(CALLBACK)["callback"] is None
    agency_bill(si, "S-6", named, "2019-06", "2019-06", "600.00")
    until(lambda: len(receiver.received("/kept")) > 0, "the other client's")
    assert receiver.received("/kept")[0].verified(secret)["data"]["billNumber"] == "S-6"
    assert receiver.received("/removed") == []


def test_a_worker_that_is_killed_while_it_sends_loses_nothing(
    named: Person, si: Client, receiver: Receiver, server: Server, worker: Worker
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
    agency_bill(si, "S-7", named, "2019-07", "2019-07", "600.00")
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
    named: Person, si: Client, receiver: Receiver, server: Server, sandbox_database: str, master_key: str
) -> None:
    client = server.client("ganfutong")
    settings = {"GATEWAY_DATABASE_URL": sandbox_database, "GATEWAY_MASTER_KEY": master_key}
    receiver.answers["/revoked"] = lambda _count: (500, None)
    register(client, receiver.url("/revoked"))
    payer_id(client, named)
    agency_bill(si, "S-8", named, "2019-08", "2019-08", "600.00")
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


def test_what_fails_is_logged_without_a_secret_or_an_address(
    named: Person, server: Server, worker: Worker, receiver: Receiver
) -> None:
    logs = server.log.read_text() + worker.log.read_text()
    assert "working" in logs
    assert "whsec_" not in logs
    assert receiver.base_url not in logs
    assert named.name not in logs


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
