"""`make bench`: its contenders do the same work, and what is measured without a part is without it."""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count, repeat
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks import peers, servers
from benchmarks.bench import Bench
from benchmarks.cores import cpu_seconds
from benchmarks.ledger import Ledger, fill
from benchmarks.load import BadAnswer, Load, Measured, UsedUp, drive
from benchmarks.report import Rounds, write
from benchmarks.servers import Contender, Running, running
from benchmarks.without import PARTS
from tests.databases import fresh_database

OPTIONS = argparse.Namespace(seconds=0.5, warm_seconds=0.05, rounds=1, connections=4)


@pytest.fixture(scope="module")
def database(postgres_url: str) -> Iterator[str]:
    with fresh_database(postgres_url) as url:
        yield url


@pytest.fixture(scope="module")
def ledger(database: str) -> Ledger:
    return asyncio.run(fill(database, payers=20, bills_to_pay=2000))


@pytest.fixture
def bench(ledger: Ledger, tmp_path: Path) -> Bench:
    return Bench(OPTIONS, ledger, tmp_path, core=None)


@pytest.fixture
def nothing(ledger: Ledger, tmp_path: Path) -> Iterator[Running]:
    with running(servers.nothing(), ledger, tmp_path / "log", None) as server:
        yield server


def test_every_contender_gives_the_same_answers_can_be_measured_and_ends(database: str, bench: Bench) -> None:
    servers.install_mercurius()
    with ExitStack() as stack:
        contenders = bench.start(stack, *peers.all_contenders(database, bench.ledger))
        peers.compare(bench, contenders)
        measured = bench.plain(contenders[0], "mix")()
        assert measured.rate > 0
        assert measured.p50 <= measured.p99
    for server in contenders:
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{server.port}/", trust_env=False)


def test_what_differs_is_not_measured(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Running, "answer", lambda self, request: self.contender.name.encode())
    with httpx.Client() as http:
        contenders = [
            Running(Contender(name, (), {}, "/", None, opaque=True), 0, 0, bench.ledger, http)
            for name in ("gateway", "other")
        ]
        with pytest.raises(SystemExit, match="answers differ"):
            peers.compare(bench, contenders)


def test_the_gateway_without_a_part_is_without_it(database: str, bench: Bench) -> None:
    parts = {part: servers.gateway(part, database, without=part) for part in PARTS}
    with ExitStack() as stack:
        running_ = bench.start(stack, servers.gateway("gateway", database), *parts.values())
        answers = {}
        for server in running_:
            dialect = server.dialect()
            payment = next(bench.workloads.requests("payment", dialect)).partition(b"\r\n\r\n")[2]
            headers = {"content-type": "application/json", **dialect.headers}
            answers[server.contender.name] = server.http.post("/graphql", content=payment, headers=headers)
    assert all(answer.json()["data"] == answers["gateway"].json()["data"] for answer in answers.values())
    signed = {name: "signature" in answer.headers for name, answer in answers.items()}
    assert signed == {"gateway": True, "limits": True, "signatures": False}
    costs: dict[str, Any] = {name: answer.json()["extensions"]["cost"] for name, answer in answers.items()}
    assert costs["gateway"]["budget"] is not None
    assert costs["limits"] == {"operation": 0, "budget": None}


def test_the_load_counts_no_other_answer_than_the_expected_one(nothing: Running) -> None:
    request = b"POST / HTTP/1.1\r\n\r\n"
    with pytest.raises(BadAnswer, match="200 OK"):
        drive(nothing.port, Load(repeat(request), b"PaymentAccepted", 2, 0.1, 0.05))
    with pytest.raises(UsedUp):
        drive(nothing.port, Load(iter([request] * 3), b"payer", 2, 0.1, 0.05))


def test_the_load_keeps_a_pace(nothing: Running) -> None:
    """However fast the answers come: no more are asked for."""
    sent = count()
    requests = (b"POST / HTTP/1.1\r\n\r\n" for _ in sent)
    began = time.monotonic()
    drive(nothing.port, Load(requests, b"payer", 2, 0.2, 0.05, rate=50.0))
    assert next(sent) <= 50 * (time.monotonic() - began) + 1


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="only Linux tells")
def test_processor_time_is_that_of_children_too_and_of_those_that_have_ended() -> None:
    busy = "import time; begun = time.process_time()\nwhile time.process_time() < begun + 0.2: pass"
    before = cpu_seconds(os.getpid())
    subprocess.run([sys.executable, "-c", busy], check=True)
    after = cpu_seconds(os.getpid())
    assert before is not None
    assert after is not None
    assert after >= before + 0.2 - 2 / os.sysconf("SC_CLK_TCK")


def test_ratios_are_those_inside_a_round() -> None:
    """A machine that is busy in one round is so for everybody in it."""
    quick = Rounds([Measured(rate, 1, 1, 1) for rate in (100, 1000, 100)])
    slow = Rounds([Measured(rate, 1, 1, 2) for rate in (50, 500, 40)])
    assert quick.ratio(slow) == 2
    assert slow.cpu_ratio(quick) == "2.00 ×"


def test_tables_go_between_the_marks_and_nowhere_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("above\n<!-- make bench -->old<!-- /make bench -->\nbelow\n", encoding="utf-8")
    write(page, "| new |")
    text = page.read_text(encoding="utf-8")
    assert text.startswith("above\n")
    assert text.endswith("\nbelow\n")
    assert "| new |" in text
    assert "old" not in text
    page.write_text("no marks", encoding="utf-8")
    with pytest.raises(ValueError, match="no place"):
        write(page, "| new |")


def test_a_contender_that_does_not_start_says_why(ledger: Ledger, tmp_path: Path) -> None:
    broken = Contender("broken", ("false",), {}, "/", "/", opaque=False)
    with pytest.raises(SystemExit, match="broken does not start"), running(broken, ledger, tmp_path / "log", None):
        pass
