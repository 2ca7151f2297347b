"""The demo: the main job, played over HTTP against a real server with a sandbox database of its own."""

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
from rich.console import Console

from database.pool import connect
from gateway.demo.client import CallFailed
from gateway.demo.story import NotAsTheRulesSay, tell
from gateway.settings import SANDBOX_BUSINESS_DATE, Settings

#: From the start of the process to its first answer, migrations and the sandbox's data included.
START_TIMEOUT_SECONDS = 60.0
#: Longer than the server drains.
STOP_TIMEOUT_SECONDS = 45.0


def play(settings: Settings) -> int:
    """Play the story and print it. Returns the exit status: 0 when everything was as the rules have it."""
    console = Console(highlight=False, soft_wrap=True)
    assert settings.database_url is not None
    with _fresh_database(settings.database_url.get_secret_value()) as url, _server(url) as base_url:
        try:
            tell(base_url, console)
        except (NotAsTheRulesSay, CallFailed, httpx.HTTPError) as failure:
            console.print(f"\n[bold red]Not as the rules have it:[/] {failure}")
            return 1
    return 0


@contextmanager
def _fresh_database(server_url: str) -> Iterator[str]:
    """Make a database for this one run: the story pays months, and a month is paid once."""
    name = f"gateway_demo_{secrets.token_hex(4)}"
    parts = urlsplit(server_url)
    asyncio.run(_execute(server_url, f"CREATE DATABASE {name}"))
    try:
        yield urlunsplit(parts._replace(path=f"/{name}"))
    finally:
        asyncio.run(_execute(server_url, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(url: str, statement: str) -> None:
    connection: asyncpg.Connection = await connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@contextmanager
def _server(database_url: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base_url = f"http://127.0.0.1:{port}"
    environment = os.environ | {
        "GATEWAY_DATABASE_URL": database_url,
        "GATEWAY_PUBLIC_URL": base_url,
        "GATEWAY_BUSINESS_DATE": SANDBOX_BUSINESS_DATE.isoformat(),
        "GATEWAY_LOG_LEVEL": "WARNING",
        # Whether the tax ledger has a payment already would be told in one run and not in another.
        "GATEWAY_WORK": "false",
    }
    command = [sys.executable, "-m", "gateway", "serve", "--sandbox", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        _wait_until_ready(process, base_url)
        yield base_url
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], base_url: str) -> None:
    give_up_at = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < give_up_at:
        if process.poll() is not None:
            raise CallFailed(f"the server ended with status {process.returncode}")
        try:
            if httpx.get(f"{base_url}/readyz", trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass  # It does not listen yet.
        time.sleep(0.1)
    raise CallFailed("the server did not get ready in time")
