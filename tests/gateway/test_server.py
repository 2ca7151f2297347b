"""The server ends, fails and heals as an operator expects."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from gateway.demo.client import document
from tests.acceptance.gateway import Server, environment, free_port, gateway, serving
from tests.gateway.processes import is_alive, kill, until, workers_of

ZHAO = {"residentId": "369999198811240073", "name": "赵强"}


@pytest.fixture
def settings(sandbox_database: str, master_key: str) -> dict[str, Any]:
    return {"GATEWAY_DATABASE_URL": sandbox_database, "GATEWAY_MASTER_KEY": master_key}


class PayersLocked:
    """Holds the lock of every payer over a connection of its own, so that payments wait."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()

    def __enter__(self) -> "PayersLocked":
        self._connection: asyncpg.Connection = self._run(asyncpg.connect(self._url))
        self._run(self._connection.execute("SELECT pg_advisory_lock(id) FROM payers"))
        return self

    def __exit__(self, *_error: object) -> None:
        if not self._connection.is_closed():
            self.release()
        self._loop.close()

    def release(self) -> None:
        self._run(self._connection.close())

    def is_waited_for(self) -> bool:
        return bool(self._run(self._connection.fetchval("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")))

    def _run(self, work: Any) -> Any:
        return self._loop.run_until_complete(work)


@contextmanager
def submitting(server: Server, month: str, reference: str) -> Iterator[list[httpx.Response]]:
    """Submit a payment in the background; its answer is in the list at the end of the block."""
    client = server.client("abc-counter")
    payer = client.run(document("find_payer"), **ZHAO)["payer"]
    run = {"payerId": payer["id"], "firstMonth": month, "lastMonth": month, "tier": "60"}
    quote = client.run(document("request_quote"), input=run)["requestQuote"]
    payment = {
        "payableId": quote["id"],
        "amount": quote["amount"],
        "bankReference": reference,
        "collectedAt": "2020-11-16T09:30:00+08:00",
    }
    answers: list[httpx.Response] = []

    def submit() -> None:
        request = {"query": document("submit_payment"), "variables": {"input": payment}}
        headers = {"Authorization": f"Bearer {client.token}"}
        url = f"{server.base_url}/graphql"
        answers.append(httpx.post(url, json=request, headers=headers, timeout=60, trust_env=False))

    thread = threading.Thread(target=submit)
    thread.start()
    try:
        yield answers
    finally:
        thread.join()


@pytest.mark.parametrize(("workers", "month"), [(1, "2020-07"), (2, "2020-08")])
def test_sigterm_lets_a_payment_under_way_be_answered(
    settings: dict[str, Any], tmp_path: Path, workers: int, month: str
) -> None:
    with serving(tmp_path / "log", "--workers", str(workers), **settings) as server:
        with PayersLocked(settings["GATEWAY_DATABASE_URL"]) as lock:
            with submitting(server, month, f"SIGTERM-{workers}") as answers:
                until(lock.is_waited_for, "the payment waits")
                server.process.send_signal(signal.SIGTERM)
                until(lambda: "Shutting down" in server.log.read_text(), "the server is shutting down")
                assert server.process.poll() is None
                assert not answers
                lock.release()
            (answer,) = answers
        assert answer.json()["data"]["submitPayment"]["replayed"] is False
        assert server.process.wait(30) == 0


def test_sigterm_ends_a_server_with_idle_connections(settings: dict[str, Any], tmp_path: Path) -> None:
    with serving(tmp_path / "log", **settings) as server:
        assert server.http.get("/healthz").status_code == 200
        assert server.stop() == 0


def test_a_payment_that_waits_too_long_may_be_tried_again(settings: dict[str, Any], tmp_path: Path) -> None:
    with (
        serving(tmp_path / "log", GATEWAY_STATEMENT_TIMEOUT="1s", **settings) as server,
        PayersLocked(settings["GATEWAY_DATABASE_URL"]) as lock,
    ):
        with submitting(server, "2020-09", "TOO-LONG") as answers:
            until(lock.is_waited_for, "the payment waits")
        (error,) = answers[0].json()["errors"]
        assert error["extensions"]["code"] == "TRY_AGAIN"
        lock.release()
        with submitting(server, "2020-09", "TOO-LONG") as answers:
            pass
        assert answers[0].json()["data"]["submitPayment"]["replayed"] is False


def test_workers_end_with_a_parent_that_was_killed(settings: dict[str, Any], tmp_path: Path) -> None:
    with serving(tmp_path / "log", "--workers", "2", **settings) as server:
        workers = workers_of(server.process.pid)
        assert len(workers) == 2
        kill(server.process.pid)
        server.process.wait()
        until(lambda: not any(map(is_alive, workers)), "the workers end")
        port = int(server.base_url.rpartition(":")[2])
        with socket.socket() as freed:
            freed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            freed.bind(("127.0.0.1", port))


def test_a_worker_that_was_killed_is_replaced(settings: dict[str, Any], tmp_path: Path) -> None:
    with serving(tmp_path / "log", "--workers", "2", **settings) as server:
        before = set(workers_of(server.process.pid))
        kill(min(before))
        until(lambda: len(set(workers_of(server.process.pid)) - before) == 1, "there is a new worker")
        # The one that was left is stopped, so that only the new one can answer.
        left = max(before)
        os.kill(left, signal.SIGSTOP)
        try:
            assert httpx.get(f"{server.base_url}/readyz", timeout=30, trust_env=False).status_code == 200
        finally:
            os.kill(left, signal.SIGCONT)
        assert server.stop() == 0


def test_the_metrics_of_all_workers_are_added_up(settings: dict[str, Any], tmp_path: Path) -> None:
    with serving(tmp_path / "log", "--workers", "2", **settings) as server:
        for stopped in workers_of(server.process.pid):
            # With one of the two stopped, the other answers.
            os.kill(stopped, signal.SIGSTOP)
            try:
                for _ in range(3):
                    assert httpx.get(f"{server.base_url}/healthz", trust_env=False, timeout=30).status_code == 200
            finally:
                os.kill(stopped, signal.SIGCONT)
        counted = server.http.get("/metrics").text
        assert 'gateway_http_requests_total{path="/healthz",status="200"} 6.0' in counted


def test_a_taken_port_is_told_in_one_line(settings: dict[str, Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        completed = gateway("serve", "--sandbox", "--port", str(port), **settings)
    assert completed.returncode == 1
    assert completed.stderr == f"Can't listen on 127.0.0.1 port {port}: Address already in use\n"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_can_not_start_ends_the_server_with_an_error(
    empty_database: str, master_key: str, workers: int
) -> None:
    """The command looks at the database first; here what it found is gone by the time a worker starts."""
    port = free_port()
    program = (
        "from gateway.server import run_server; from gateway.settings import Settings; "
        f"run_server(Settings(public_url='http://127.0.0.1:{port}'), '127.0.0.1', {port}, {workers})"
    )
    completed = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(GATEWAY_DATABASE_URL=empty_database, GATEWAY_MASTER_KEY=master_key),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert completed.returncode == 3, completed.stderr
    assert "Run: gateway migrate" in completed.stderr
