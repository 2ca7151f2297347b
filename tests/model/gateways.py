"""The real thing beside the model: one database, a server for each business day, clients that keep their connection."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import orjson

from database.loading import load_enrolments
from database.vault import Vault
from tests.acceptance.gateway import Client, serving
from tests.acceptance.people import HEADERS, Person, newcomers

DAYS = ("2020-11-16", "2020-11-17", "2021-01-04")
CLIENTS = (
    *("abc-counter", "abc-mobile", "tax-window", "social-insurance-agency", "medical-insurance-agency"),
    *("social-insurance-refunds", "medical-insurance-refunds"),
)
#: The server closes a connection that was idle for five seconds: one that may be so old is not used again.
IDLE_SECONDS = 2.0
#: The people of every example; each example enrols them anew.
PEOPLE = tuple(person for person, _ in zip(newcomers(), range(2), strict=False))
#: One of PEOPLE by index, an insurance, a first month, and a last month (None: it goes on).
Enrolled = tuple[int, str, str, str | None]

# Whatever else refers to these rows is emptied with them.
# What no role of the service may do, its owner can let itself do.
EMPTY = """
    GRANT TRUNCATE ON payment_signatures TO CURRENT_USER;
    TRUNCATE
        enrolments, contributions, quotes, bills, bill_batches, payments, settlement_days, pgqueuer, pgqueuer_log
    CASCADE;
    REVOKE TRUNCATE ON payment_signatures FROM CURRENT_USER
"""
MONTHS = "int4range(month_number(($3 || '-01')::date), month_number(($4 || '-01')::date), '[]')"
ENROL = f"""
    INSERT INTO enrolments (payer_id, insurance, months, pooling_area)
    VALUES ($1, $2, {MONTHS}, CASE $2 WHEN 'PENSION' THEN '360000' ELSE '360100' END)
"""
CONTRIBUTE = f"""
    INSERT INTO contributions (payer_id, insurance, months, amount, paid_on)
    VALUES ($1, $2, {MONTHS}, 605.00, '2020-02-01')
"""


class KeptAlive(Client):
    """A client for ten thousand small requests, over one connection."""

    def __init__(self, client: Client) -> None:
        super().__init__(client.base_url, client.client_id, client.token, client.http)
        self._connection = HTTPConnection(urlsplit(client.base_url).netloc, timeout=30)
        self._used_at = 0.0
        self._headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}

    def run(self, query: str, **variables: Any) -> Any:
        """Send one operation and return its data; fail on errors."""
        if time.monotonic() - self._used_at > IDLE_SECONDS:
            self._connection.close()
        body = orjson.dumps({"query": query, "variables": variables})
        self._connection.request("POST", "/graphql", body, self._headers)
        response = self._connection.getresponse()
        content = response.read()
        self._used_at = time.monotonic()
        answer = orjson.loads(content)
        assert response.status == 200, content.decode()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def close(self) -> None:
        self._connection.close()


class Gateways:
    """The servers' clients by client and day, and a hand in the database between examples."""

    def __init__(self, clients: dict[tuple[str, str], KeptAlive], database: str, key: bytes, directory: Path) -> None:
        self._clients = clients
        self._directory = directory
        self._loop = asyncio.Runner()
        self._connection: asyncpg.Connection = self._loop.run(asyncpg.connect(database))
        self._vault = self._loop.run(Vault.open(self._connection, key))
        self._payers = self._loop.run(self._enter(PEOPLE))
        #: How many examples have begun, and which of them was the first to show a difference.
        self.examples = 0
        self.first_different: int | None = None
        #: How often each answer was met: its type, and whether it was a replay, or its code.
        self.met: Counter[tuple[str, object]] = Counter()

    def client(self, client_id: str, day: str) -> KeptAlive:
        return self._clients[client_id, day]

    def begin(self, enrolments: list[Enrolled], contributions: list[Enrolled]) -> None:
        """Empty the ledger, and put these enrolments and months paid elsewhere into it."""
        self._loop.run(self._begin(enrolments, contributions))

    async def _begin(self, enrolments: list[Enrolled], contributions: list[Enrolled]) -> None:
        async with self._connection.transaction():
            await self._connection.execute(EMPTY)
            for statement, rows in ((ENROL, enrolments), (CONTRIBUTE, contributions)):
                known = [(self._payers[person], *rest) for person, *rest in rows]
                await self._connection.executemany(statement, known)

    async def _enter(self, people: Iterable[Person]) -> list[int]:
        """Make people known by an agency's file, and return their rows' ids in that order."""
        rows = [(*person.variables.values(), "MEDICAL", "360100", "2020-01", "") for person in people]
        file = self._directory / "enrolments.csv"
        file.write_text("\n".join([HEADERS["enrolments"], *map(",".join, rows)]) + "\n", encoding="utf-8")
        report = await load_enrolments(self._connection, self._vault, file)
        assert report.rejected == 0, report
        return [
            await self._connection.fetchval(
                "SELECT id FROM payers WHERE resident_id_index = $1", self._vault.resident_id_index(person.resident_id)
            )
            for person in people
        ]

    def expire_quote(self, index: int) -> None:
        """Let the quote that was given as this one, from zero, have been given a day earlier."""
        moved = self._loop.run(
            self._connection.execute(
                """
                UPDATE quotes SET quoted_at = quoted_at - interval '1 day', expires_at = expires_at - interval '1 day'
                WHERE id = (SELECT id FROM quotes ORDER BY id OFFSET $1 LIMIT 1)
                """,
                index,
            )
        )
        assert moved == "UPDATE 1"

    def close(self) -> None:
        self._loop.run(self._connection.close())
        self._loop.close()
        for client in self._clients.values():
            client.close()


@contextmanager
def gateways(database: str, master_key: str, vault_key: bytes, directory: Path) -> Iterator[Gateways]:
    """Run a server for each day over one database until the block ends."""
    with ExitStack() as stack:
        asyncio.run(_forget_the_disk(database))
        clients: dict[tuple[str, str], KeptAlive] = {}
        for day in DAYS:
            server = stack.enter_context(
                serving(
                    directory / f"{day}.log",
                    GATEWAY_DATABASE_URL=database,
                    GATEWAY_MASTER_KEY=master_key,
                    GATEWAY_BUSINESS_DATE=day,
                    # One request at a time needs no more, and each connection plans every statement anew.
                    GATEWAY_POOL_SIZE="2",
                )
            )
            clients |= {(name, day): KeptAlive(server.client(name)) for name in CLIENTS}
        running = Gateways(clients, database, vault_key, directory)
        stack.callback(running.close)
        yield running


async def _forget_the_disk(database: str) -> None:
    """Let commits not wait for the disk: whether they survive a crash is asked elsewhere."""
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(f"ALTER DATABASE {urlsplit(database).path[1:]} SET synchronous_commit = off")
    finally:
        await connection.close()
