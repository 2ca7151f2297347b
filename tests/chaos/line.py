"""A bank's line to the gateway, which may go dead at any moment: an answer is clear, or it is a doubt."""

import json
import random
import socket
import struct
import threading
import time
from typing import Any

import httpx

from tests.chaos.records import Records

#: A token lives ten minutes.
TOKEN_RENEWAL_SECONDS = 300
#: What banks wait for an answer; some are less patient than a statement's timeout.
PATIENCE_SECONDS = (0.3, 2.0, 8.0)
#: A line that was cut hears nothing for less than a statement takes, or more.
CUT_AFTER_SECONDS = 0.03


class Doubt(Exception):
    """No clear answer: what was asked may have been done."""


class Line:
    """One client of the gateway with its token. `cut_next` has the next mutation's connection cut."""

    def __init__(self, base_url: str, client: tuple[str, str], rng: random.Random, records: Records) -> None:
        self._base_url = base_url
        self._client = client
        self._rng = rng
        self._records = records
        self._http = httpx.Client(base_url=base_url, trust_env=False)
        self._token = ""
        self._token_until = 0.0
        self.cut_next = threading.Event()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call(self, document: str, variables: dict[str, Any], *, may_be_cut: bool = False) -> dict[str, Any]:
        """Return the data of an answer. Raises Doubt for whatever is none."""
        self._renew_token()
        body = {"query": document, "variables": variables}
        if may_be_cut and self.cut_next.is_set():
            self.cut_next.clear()
            self._cut(json.dumps(body).encode())
        headers = {"Authorization": f"Bearer {self._token}"}
        patience = self._rng.choice(PATIENCE_SECONDS)
        try:
            response = self._http.post("/graphql", json=body, headers=headers, timeout=patience)
        except httpx.TransportError as error:
            raise self._doubt("timeout" if isinstance(error, httpx.TimeoutException) else "connection") from error
        if response.status_code == 503:
            if "retry-after" not in response.headers:
                self._records.complain("503 without Retry-After")
            raise self._doubt("503")
        if response.status_code != 200:
            self._records.complain("no clear answer:", response.status_code, response.text[:300])
            raise self._doubt(str(response.status_code))
        answer = response.json()
        if "errors" in answer:
            codes = {error.get("extensions", {}).get("code") for error in answer["errors"]}
            if codes != {"TRY_AGAIN"}:
                self._records.complain("no clear error:", answer["errors"])
            raise self._doubt("TRY_AGAIN")
        data: dict[str, Any] = answer["data"]
        return data

    def _doubt(self, how: str) -> Doubt:
        self._records.count(f"doubts: {how}")
        return Doubt(how)

    def _renew_token(self) -> None:
        if time.monotonic() < self._token_until:
            return
        form = {"grant_type": "client_credentials"}
        try:
            response = self._http.post("/oauth/token", auth=self._client, data=form, timeout=10)
        except httpx.TransportError as error:
            raise self._doubt("no token") from error
        if response.status_code == 503:
            raise self._doubt("no token")
        if response.status_code != 200:
            self._records.complain("no token and no clear answer:", response.status_code, response.text[:300])
            raise self._doubt("no token")
        self._token = response.json()["access_token"]
        self._token_until = time.monotonic() + TOKEN_RENEWAL_SECONDS

    def _cut(self, body: bytes) -> None:
        """Send a request whole, and cut the connection before its answer is read. Always raises Doubt."""
        url = httpx.URL(self._base_url)
        head = (
            f"POST /graphql HTTP/1.1\r\nHost: {url.host}\r\nAuthorization: Bearer {self._token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            with socket.create_connection((url.host, url.port or 80), timeout=2) as line:
                line.sendall(head.encode() + body)
                time.sleep(self._rng.uniform(0, CUT_AFTER_SECONDS))
                if self._rng.random() < 0.5:
                    # A reset, as from a host that is gone, and not an orderly end.
                    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError as error:
            raise self._doubt("connection") from error
        self._records.count("kills: connection")
        raise self._doubt("cut")
