"""An answer that does not come leaves no riddle: the payment is whole or not at all, and asking again tells which."""

import json
import signal
import socket
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.admission import QUEUE_FACTOR
from tests.acceptance.gateway import Client, Server, serving
from tests.acceptance.held import ask, held_payers, wait_for_waiters
from tests.acceptance.operations import SUBMIT_PAYMENT, payment_of, quote, submission, submit
from tests.acceptance.people import CHEN, LIU, ZHAO

WAIT_SECONDS = 20.0
COUNT = "SELECT count(*) FROM payments WHERE bank_reference = $1"
SLOWLY = """CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(60);
    RETURN new;
END
$$"""


def post(client: Client, payable: dict[str, Any], reference: str) -> httpx.Response:
    """Submit a payment over a connection of its own."""
    return httpx.post(
        f"{client.base_url}/graphql",
        json={"query": SUBMIT_PAYMENT, "variables": {"input": submission(payable, reference)}},
        headers={"Authorization": f"Bearer {client.token}"},
        timeout=60,
        trust_env=False,
    )


def send_and_hang_up(client: Client, payable: dict[str, Any], reference: str, hang_up: threading.Event) -> None:
    """Submit a payment, and close the connection when told to, with no answer read."""
    body = json.dumps({"query": SUBMIT_PAYMENT, "variables": {"input": submission(payable, reference)}}).encode()
    url = httpx.URL(client.base_url)
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: {url.host}\r\nAuthorization: Bearer {client.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((url.host, url.port or 80)) as line:
        line.sendall(head.encode() + body)
        assert hang_up.wait(WAIT_SECONDS)


def wait_for(url: str, sql: str, value: object, *arguments: Any) -> None:
    give_up_at = time.monotonic() + WAIT_SECONDS
    while (found := ask(url, sql, *arguments)) != value:
        assert time.monotonic() < give_up_at, (sql, found)
        time.sleep(0.05)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_at_sigterm_no_request_is_taken_and_those_under_way_are_finished(
    sandbox_copy: str, master_key: str, tmp_path: Path, workers: str
) -> None:
    settings = {
        "GATEWAY_DATABASE_URL": sandbox_copy,
        "GATEWAY_MASTER_KEY": master_key,
        # The payment waits for its lock for half as long at the most.
        "GATEWAY_STATEMENT_TIMEOUT": "40s",
    }
    with serving(tmp_path / "log", "--workers", workers, **settings) as server, ThreadPoolExecutor() as pool:
        bank = server.client("icbc-mobile")
        payable = quote(bank, CHEN, "2020-04", "2020-04")
        with held_payers(sandbox_copy) as release:
            under_way: Future[httpx.Response] = pool.submit(post, bank, payable, "UNDER-WAY")
            wait_for_waiters(sandbox_copy, 1)
            server.process.send_signal(signal.SIGTERM)
            give_up_at = time.monotonic() + WAIT_SECONDS
            while True:
                try:
                    httpx.get(f"{server.base_url}/healthz", trust_env=False)
                except httpx.TransportError:
                    break
                assert time.monotonic() < give_up_at, "it still takes requests"
            assert not under_way.done()
            assert server.process.poll() is None
            release.set()
            answer = under_way.result(WAIT_SECONDS).json()["data"]["submitPayment"]
        assert server.process.wait(WAIT_SECONDS) == 0
    assert answer["__typename"] == "PaymentAccepted"
    assert ask(sandbox_copy, "SELECT number FROM receipts") == answer["payment"]["receipt"]["number"]


def test_an_operation_whose_client_has_gone_is_finished_whole(server: Server, sandbox_database: str) -> None:
    bank = server.client("icbc-mobile")
    payable = quote(bank, CHEN, "2020-05", "2020-05")
    hang_up = threading.Event()
    with held_payers(sandbox_database) as release, ThreadPoolExecutor() as pool:
        sent = pool.submit(send_and_hang_up, bank, payable, "GONE", hang_up)
        wait_for_waiters(sandbox_database, 1)
        hang_up.set()
        sent.result(WAIT_SECONDS)
        assert payment_of(bank, "GONE") is None
        release.set()
        wait_for(sandbox_database, COUNT, 1, "GONE")
    found = payment_of(bank, "GONE")
    repeated = submit(bank, payable, "GONE")
    assert found is not None
    assert repeated["replayed"] is True
    assert repeated["payment"] == found
    assert found["receipt"]["status"] == "VALID"


def test_an_operation_whose_client_has_gone_is_rolled_back_whole(server: Server, sandbox_database: str) -> None:
    bank = server.client("icbc-mobile")
    payable = quote(bank, CHEN, "2020-06", "2020-06")
    hang_up = threading.Event()
    with held_payers(sandbox_database), ThreadPoolExecutor() as pool:
        sent = pool.submit(send_and_hang_up, bank, payable, "GONE-BACK", hang_up)
        wait_for_waiters(sandbox_database, 1)
        hang_up.set()
        sent.result(WAIT_SECONDS)
        # Its lock is never given.
        wait_for_waiters(sandbox_database, 0)
    assert ask(sandbox_database, COUNT, "GONE-BACK") == 0
    assert payment_of(bank, "GONE-BACK") is None
    assert submit(bank, payable, "GONE-BACK")["replayed"] is False


def test_a_statement_that_takes_too_long_is_rolled_back_whole(
    sandbox_copy: str, master_key: str, tmp_path: Path
) -> None:
    # The payment and its receipt have been written when this sleeps.
    ask(sandbox_copy, SLOWLY)
    ask(sandbox_copy, "CREATE TRIGGER slow BEFORE INSERT ON contributions FOR EACH ROW EXECUTE FUNCTION slowly()")
    settings = {"GATEWAY_DATABASE_URL": sandbox_copy, "GATEWAY_MASTER_KEY": master_key}
    with serving(tmp_path / "log", GATEWAY_STATEMENT_TIMEOUT="1s", **settings) as server:
        bank = server.client("icbc-mobile")
        payable = quote(bank, LIU, "2020-01", "2020-02")
        answer = post(bank, payable, "TOO-SLOW").json()
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["TRY_AGAIN"]
        for table in ("payments", "receipts"):
            assert ask(sandbox_copy, f"SELECT count(*) FROM {table}") == 0
        assert payment_of(bank, "TOO-SLOW") is None
        ask(sandbox_copy, "DROP TRIGGER slow ON contributions")
        again = submit(bank, payable, "TOO-SLOW")
        assert (again["__typename"], again["replayed"]) == ("PaymentAccepted", False)


def test_beyond_a_short_queue_a_request_is_sent_away_before_any_of_it_has_run(
    sandbox_copy: str, master_key: str, tmp_path: Path
) -> None:
    settings = {"GATEWAY_DATABASE_URL": sandbox_copy, "GATEWAY_MASTER_KEY": master_key}
    references = [f"LOAD-{number}" for number in range(2 + 2 * QUEUE_FACTOR + 4)]
    with (
        serving(tmp_path / "log", GATEWAY_MAX_OPERATIONS="2", GATEWAY_STATEMENT_TIMEOUT="60s", **settings) as server,
        ThreadPoolExecutor(len(references)) as pool,
    ):
        bank = server.client("icbc-mobile")
        payable = quote(bank, ZHAO, "2020-07", "2020-07")
        with held_payers(sandbox_copy) as release:
            sent = {reference: pool.submit(post, bank, payable, reference) for reference in references}
            wait_for_waiters(sandbox_copy, 2)
            give_up_at = time.monotonic() + WAIT_SECONDS
            # The queue's own time ends too: all but the two under way have their answer.
            while sum(not answer.done() for answer in sent.values()) > 2:
                assert time.monotonic() < give_up_at
                time.sleep(0.05)
            # Who may not ask at all is told so, however busy it is.
            assert server.http.post("/graphql", json={"query": "{ __typename }"}).status_code == 401
            release.set()
            answers = {reference: answer.result(WAIT_SECONDS) for reference, answer in sent.items()}
        away = [reference for reference, answer in answers.items() if answer.status_code == 503]
        assert len(away) == len(references) - 2
        assert all(int(answers[reference].headers["retry-after"]) > 0 for reference in away)
        assert all(payment_of(bank, reference) is None for reference in away)
        under_way = [answer.json()["data"]["submitPayment"] for answer in answers.values() if answer.status_code == 200]
        assert {answer["__typename"] for answer in under_way} == {"PaymentAccepted", "MonthsAlreadyPaid"}
