"""A million-row day reconciled over HTTP, with a thousand differences of each kind planted: all found, none invented.

Run by `make bench-settlement`; it takes some minutes, most of them to write the ledger. Prints the seconds of the
upload and of the comparison, and the peak memory of the server's process and of PostgreSQL's backend for the list
(Linux: VmHWM of /proc, which for the backend includes the shared buffers that it touched). Exits 1 on a difference
that is missing or invented.
"""

import argparse
import asyncio
import base64
import datetime
import sys
import tempfile
import threading
import time
from pathlib import Path

import asyncpg
import httpx

from database.embedded import EmbeddedPostgres
from database.pool import connect
from gateway.sandbox import prepare
from tests.acceptance.gateway import Client, serving
from tests.databases import fresh_database
from tests.settlement_lists import KINDS, bank_list, fill_day, planted

DATE = datetime.date(2020, 11, 10)
MASTER_KEY = bytes(range(32))
TIMEOUT_SECONDS = 600.0
SAMPLES_SECONDS = 0.2
DIFFERENCES = """query ($date: Date!, $after: String) { settlementDay(date: $date) {
  differences(first: 100, after: $after) { edges { node { kind bankReference } } pageInfo { hasNextPage endCursor } }
} }"""
# Who holds the day alone: what payments of the day wait for. The lists' lock has keys below zero, beyond 2^31 here.
DAY_HELD = """
    SELECT count(*) FROM pg_locks
    WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted AND classid::bigint BETWEEN 1 AND 2147483647
"""
BACKEND = "SELECT pid FROM pg_stat_activity WHERE application_name = 'gateway settlement'"


class Watch(threading.Thread):
    """Samples the peak memory of the server, and of the backend for as long as there is one."""

    def __init__(self, database_url: str, server_pid: int) -> None:
        super().__init__(daemon=True)
        self._database_url = database_url
        self._server_pid = server_pid
        self._ended = threading.Event()
        self.peaks_kib: dict[str, int] = {}
        self.day_held_samples = 0

    def run(self) -> None:
        """Sample until `end`."""
        asyncio.run(self._sample())

    def end(self) -> dict[str, int]:
        """Stop, and return the peaks by name, in KiB."""
        self._ended.set()
        self.join()
        return self.peaks_kib

    async def _sample(self) -> None:
        connection = await asyncpg.connect(self._database_url)
        try:
            while not self._ended.wait(SAMPLES_SECONDS):
                self._keep("server", "VmHWM", self._server_pid)
                self.day_held_samples += await connection.fetchval(DAY_HELD)
                for (pid,) in await connection.fetch(BACKEND):
                    self._keep("backend", "VmHWM", pid)
                    self._keep("backend, its own", "RssAnon", pid)
        finally:
            await connection.close()

    def _keep(self, name: str, field: str, pid: int) -> None:
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return  # It has ended between our question and our look.
        found = next((int(line.split()[1]) for line in status.splitlines() if line.startswith(field)), 0)
        self.peaks_kib[name] = max(self.peaks_kib.get(name, 0), found)


def main() -> int:
    """Run it and tell; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--each", type=int, default=1000, help="differences of each kind")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-settlement-") as directory:
        # Where root runs it, PostgreSQL's own user is to reach its cluster.
        Path(directory).chmod(0o711)
        with EmbeddedPostgres(Path(directory)) as url, fresh_database(url) as database:
            return run(database, Path(directory) / "server.log", options.rows, options.each)


def run(database: str, log: Path, rows: int, each: int) -> int:
    """Fill the ledger, send the list twice and compare what was found with what was planted."""
    asyncio.run(_prepare(database))
    master_key = base64.b64encode(MASTER_KEY).decode()
    with serving(log, GATEWAY_DATABASE_URL=database, GATEWAY_MASTER_KEY=master_key) as server:
        bank = server.client("abc-counter")
        begun = time.monotonic()
        asyncio.run(fill_day(database, bank.client_id, DATE, rows))
        print(f"ledger of {rows:,} payments written in {time.monotonic() - begun:.1f} s")
        watch = Watch(database, server.process.pid)
        watch.start()
        size = 0
        for what in ("first list", "same list again"):
            # Rendered before, so that the time is the gateway's and not the list's making.
            pieces = list(bank_list(DATE, rows, each))
            size = sum(map(len, pieces))
            begun = time.monotonic()
            answer = _put(bank, pieces)
            print(f"{what}: {size / 1e6:.1f} MB, answered in {time.monotonic() - begun:.1f} s: {answer['differences']}")
        peaks = watch.end()
        found = _differences(bank)
    print(f"both comparisons held the day against payments for about {watch.day_held_samples * SAMPLES_SECONDS:.1f} s")
    print("peak memory: " + ", ".join(f"{name} {kib / 1024:.0f} MiB" for name, kib in peaks.items()))
    wanted = planted(DATE, rows, each)
    missed = sum(len(wanted[kind] - found[kind]) for kind in KINDS)
    invented = sum(len(found[kind] - wanted[kind]) for kind in KINDS)
    print(f"planted {4 * each:,}, missed {missed:,}, invented {invented:,}")
    return 1 if missed or invented or answer["differences"] != dict.fromkeys(KINDS, each) else 0


async def _prepare(database: str) -> None:
    connection = await connect(database)
    try:
        await prepare(connection, MASTER_KEY)
    finally:
        await connection.close()


def _put(bank: Client, pieces: list[bytes]) -> dict[str, object]:
    headers = {"Authorization": f"Bearer {bank.token}", "Content-Type": "text/csv"}
    response = bank.http.put(
        f"/settlements/{DATE}", content=iter(pieces), headers=headers, timeout=httpx.Timeout(TIMEOUT_SECONDS)
    )
    if response.status_code != 200:
        raise SystemExit(f"{response.status_code}: {response.text}")
    answer: dict[str, object] = response.json()
    return answer


def _differences(bank: Client) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    after = None
    while True:
        page = bank.run(DIFFERENCES, date=DATE.isoformat(), after=after)["settlementDay"]["differences"]
        for edge in page["edges"]:
            found[edge["node"]["kind"]].add(edge["node"]["bankReference"])
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


if __name__ == "__main__":
    sys.exit(main())
