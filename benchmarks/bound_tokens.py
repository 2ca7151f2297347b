"""What a DPoP proof costs: requests a second of one small query with bearer tokens and with bound ones, in one run.

Proofs are made before the clock runs, since it is the bank that makes them. Each has its row in PostgreSQL.
"""

import asyncio
import base64
import json
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from joserfc.jwk import ECKey

from database.embedded import EmbeddedPostgres
from tests.acceptance.gateway import Server, serving
from tests.auth.proving import proof
from tests.databases import fresh_database

CONNECTIONS = 8
ROUNDS = 3
#: Fewer than a minute's work for making and sending them: a proof lives that long.
REQUESTS = 4000
BODY = json.dumps({"query": "{viewer{clientId}}"}).encode()


def request(authorization: str, made: str | None = None) -> bytes:
    """Return a whole request, with a proof or without."""
    lines = [
        "POST /graphql HTTP/1.1",
        "host: 127.0.0.1",
        "content-type: application/json",
        f"content-length: {len(BODY)}",
        f"authorization: {authorization}",
        *([f"dpop: {made}"] if made else []),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + BODY


async def send(base_url: str, requests: list[bytes]) -> float:
    """Send all over CONNECTIONS connections, one at a time on each, and return how many were answered a second."""
    waiting = iter(requests)
    parts = urlsplit(base_url)

    async def one() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for whole in waiting:
            writer.write(whole)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return len(requests) / (time.perf_counter() - started)


def measure(server: Server) -> None:
    """Print a line for each round: both kinds one after the other, and their ratio."""
    bearer = server.token("abc-counter").json()["access_token"]
    key = ECKey.generate_key("P-256")
    form = {"grant_type": "client_credentials"}
    nonce = None
    for _ in range(2):
        made = proof(key, f"{server.base_url}/oauth/token", nonce=nonce)
        answer = server.http.post("/oauth/token", data=form, auth=("abc-counter", "sandbox"), headers={"DPoP": made})
        nonce = answer.headers["DPoP-Nonce"]
    bound = answer.json()["access_token"]
    url = f"{server.base_url}/graphql"
    for _ in range(ROUNDS):
        plain = asyncio.run(send(server.base_url, [request(f"Bearer {bearer}")] * REQUESTS))
        nonce = server.http.post(url, headers={"DPoP": "x"}).headers["DPoP-Nonce"]
        proofs = [proof(key, url, token=bound, nonce=nonce) for _ in range(REQUESTS)]
        proved = asyncio.run(send(server.base_url, [request(f"DPoP {bound}", made) for made in proofs]))
        print(f"Bearer {plain:6.0f}/s   DPoP {proved:6.0f}/s   ratio {proved / plain:.2f}")


def main() -> None:
    """Run a server of the sandbox and measure."""
    with (
        tempfile.TemporaryDirectory() as directory,
        EmbeddedPostgres(Path(directory)) as postgres,
        fresh_database(postgres) as url,
    ):
        key = base64.b64encode(bytes(range(32))).decode()
        log = Path(directory) / "server.log"
        with serving(log, GATEWAY_DATABASE_URL=url, GATEWAY_MASTER_KEY=key) as server:
            measure(server)


if __name__ == "__main__":
    main()
