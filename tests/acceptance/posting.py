"""The worker and the tax ledger's stand-in as processes, and a look into both ledgers."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from tests.acceptance.gateway import environment, free_port

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
WAIT_SECONDS = 60.0


def until(true: Callable[[], bool], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Wait until something holds; fail when it never does."""
    give_up_at = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up_at, f"never: {what}"
        time.sleep(0.1)


@dataclass
class Process:
    """One running command."""

    process: subprocess.Popen[bytes]
    log: Path

    def end(self) -> int:
        """Send SIGTERM and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT_SECONDS)

    def kill(self) -> None:
        """End it as a fault does."""
        self.process.kill()
        self.process.wait()


@contextmanager
def running(log: Path, *arguments: str, **settings: str) -> Iterator[Process]:
    """Run a command of the gateway until the block ends."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", *arguments],
            env=environment(**settings),
            stdout=subprocess.DEVNULL,
            stderr=output,
        )
    started = Process(process, log)
    try:
        yield started
    finally:
        if process.poll() is None:
            started.kill()


@dataclass
class TaxOffice:
    """Where payments are posted to, and from: a sandbox's database, an address, and the stand-in's own ledger."""

    database_url: str
    master_key: str
    directory: Path
    port: int = field(default_factory=free_port)

    @property
    def settings(self) -> dict[str, str]:
        return {
            "GATEWAY_SANDBOX": "true",
            "GATEWAY_DATABASE_URL": self.database_url,
            "GATEWAY_MASTER_KEY": self.master_key,
            "GATEWAY_POSTING_URL": f"http://127.0.0.1:{self.port}/",
            "GATEWAY_POSTING_SECRET": SECRET,
        }

    @property
    def ledger(self) -> Path:
        return self.directory / "tax-ledger.sqlite3"

    @contextmanager
    def open(self, *faults: str, secret: str = SECRET) -> Iterator[Process]:
        """Run the stand-in with these faults until the block ends."""
        options = ("--port", str(self.port), "--ledger", str(self.ledger), *faults)
        with running(self.directory / "tax-ledger.log", "tax-ledger", *options, GATEWAY_POSTING_SECRET=secret) as it:
            until(self._answers, "the stand-in answers")
            yield it

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    @contextmanager
    def worker(self, **settings: str) -> Iterator[Process]:
        """Run a worker until the block ends."""
        with running(self.directory / "worker.log", "work", **self.settings | settings) as it:
            yield it

    def counts(self) -> dict[str, int]:
        """What the stand-in tells of its calls."""
        answer: dict[str, int] = httpx.get(f"http://127.0.0.1:{self.port}/", trust_env=False).json()
        return answer

    def posted(self) -> list[tuple[str, str, str, str]]:
        """The stand-in's ledger: receipt number, kind, amount and key, in the order in which they were posted."""
        with closing(sqlite3.connect(self.ledger)) as connection:
            return connection.execute(
                "SELECT receipt_number, kind, amount, idempotency_key FROM postings ORDER BY rowid"
            ).fetchall()

    def rows(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """Ask the gateway's database."""

        async def ask() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.database_url)
            try:
                return await connection.fetch(query, *arguments)
            finally:
                await connection.close()

        return asyncio.run(ask())

    def value(self, query: str, *arguments: Any) -> Any:
        return self.rows(query, *arguments)[0][0]

    def waiting(self) -> int:
        count: int = self.value("SELECT count(*) FROM postings WHERE acknowledged_at IS NULL AND failed_at IS NULL")
        return count
