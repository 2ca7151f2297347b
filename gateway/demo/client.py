"""A bank's client of the gateway, as a bank would write it: a token, and GraphQL over HTTP."""

from functools import cache
from importlib.resources import files
from typing import Any

import httpx

#: Every statement of the gateway's ends within ten seconds.
TIMEOUT_SECONDS = 20.0


class CallFailed(Exception):
    """The gateway did not answer as a client of these scopes may expect."""


@cache
def document(name: str) -> str:
    """Return one of the documents that `docs/` shows, by the name of its file."""
    return files("gateway.demo").joinpath("operations", f"{name}.graphql").read_text(encoding="utf-8")


class BankClient:
    """One OAuth client: gets its token when it is made, and calls with it."""

    def __init__(self, base_url: str, client_id: str, secret: str) -> None:
        self.client_id = client_id
        self._http = httpx.Client(base_url=base_url, timeout=TIMEOUT_SECONDS, trust_env=False)
        response = self._http.post("/oauth/token", auth=(client_id, secret), data={"grant_type": "client_credentials"})
        if response.status_code != httpx.codes.OK:
            raise CallFailed(f"no token for {client_id}: {response.status_code}")
        self._http.headers["Authorization"] = f"Bearer {response.json()['access_token']}"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call(self, operation: str, **variables: Any) -> Any:
        """Run one of the documents of `docs/` and return the value of its one root field.

        Raises CallFailed for any other answer.
        """
        response = self._http.post("/graphql", json={"query": document(operation), "variables": variables})
        answer = response.json()
        if response.status_code != httpx.codes.OK or "errors" in answer:
            raise CallFailed(f"{operation}: {response.status_code} {answer.get('errors')}")
        (value,) = answer["data"].values()
        return value
