"""The real server as a process, and clients of it, as tests see them: HTTP and nothing else."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 45.0


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(**settings: str) -> dict[str, str]:
    """Return this process's environment with no setting of the gateway's but these, and no worker unless asked for.

    A worker beside each of the tests' many servers would be two more processes, and payments would be POSTED
    a while after their answer.
    """
    ours = {k: v for k, v in os.environ.items() if not k.startswith("GATEWAY_")}
    return ours | {"GATEWAY_WORK": "false"} | settings


def gateway(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command `gateway` to its end."""
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(
        command, env=environment(**settings), capture_output=True, text=True, timeout=120, check=False
    )


@dataclass
class Client:
    """One OAuth client with a token."""

    base_url: str
    client_id: str
    token: str
    http: httpx.Client = field(repr=False)

    def post(self, query: str, variables: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
        """Send one operation and return the whole response."""
        return self.http.post(
            "/graphql",
            json={"query": query, "variables": variables or {}},
            headers={"Authorization": f"Bearer {self.token}", **headers},
        )

    def run(self, query: str, **variables: Any) -> Any:
        """Send one operation and return its data; fail on errors."""
        response = self.post(query, variables)
        answer = response.json()
        assert response.status_code == 200, response.text
        assert "errors" not in answer, answer["errors"]
        return answer["data"]


@dataclass
class Server:
    """A running server."""

    base_url: str
    process: subprocess.Popen[bytes]
    log: Path
    http: httpx.Client = field(repr=False)
    _clients: dict[str, Client] = field(default_factory=dict)

    def token(self, client_id: str, secret: str = "sandbox", **form: str) -> httpx.Response:
        """Ask for a token."""
        return self.http.post(
            "/oauth/token", auth=(client_id, secret), data={"grant_type": "client_credentials", **form}
        )

    def client(self, client_id: str) -> Client:
        """Return a client with a token, the same one each time."""
        if client_id not in self._clients:
            response = self.token(client_id)
            assert response.status_code == 200, response.text
            token = response.json()["access_token"]
            self._clients[client_id] = Client(self.base_url, client_id, token, self.http)
        return self._clients[client_id]

    def narrowed(self, client_id: str, scope: str) -> Client:
        """Return the client with a token of fewer scopes."""
        response = self.token(client_id, scope=scope)
        assert response.status_code == 200, response.text
        return replace(self.client(client_id), token=response.json()["access_token"])

    def stop(self) -> int:
        """Send SIGTERM and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_TIMEOUT_SECONDS)


@contextmanager
def serving(log: Path, *options: str, sandbox: bool = True, **settings: str) -> Iterator[Server]:
    """Run a server on a free port until the block ends; its standard error goes to `log`."""
    port = free_port()
    base_url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "gateway", "serve", "--port", str(port), *options]
    if sandbox:
        command.append("--sandbox")
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env=environment(**settings), stdout=subprocess.DEVNULL, stderr=output, start_new_session=True
        )
    with httpx.Client(base_url=base_url, timeout=30.0, trust_env=False) as http:
        try:
            _wait_until_ready(process, http, log)
            yield Server(base_url, process, log, http)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(STOP_TIMEOUT_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    raise


def _wait_until_ready(process: subprocess.Popen[bytes], http: httpx.Client, log: Path) -> None:
    give_up_at = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < give_up_at:
        assert process.poll() is None, log.read_text()
        try:
            if http.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass  # It does not listen yet.
        time.sleep(0.05)
    raise AssertionError(f"not ready in time: {log.read_text()}")
