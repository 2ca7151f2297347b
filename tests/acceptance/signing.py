"""A bank that signs what it sends and checks what comes back, with the code of docs/signatures.md."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from tests.acceptance.gateway import Client, Server, gateway
from tests.acceptance.operations import COLLECTED_AT, PAYMENT_OF, REVERSE_PAYMENT, SUBMIT_PAYMENT, Answer, quote
from tests.acceptance.people import Office, Person
from tests.docs.pages import ROOT, fenced

KEY = ECKey.generate_key("P-256")
OTHER_KEY = ECKey.generate_key("P-256")
KEYID = "icbc-2020"


def shown() -> dict[str, Any]:
    """Run the page's Python, and return what it defines."""
    (code,) = fenced(ROOT / "docs" / "signatures.md", "python")
    names: dict[str, Any] = {}
    exec(compile(code, "docs/signatures.md", "exec"), names)  # noqa: S102 -- the page's own code is what is tested
    return names


PAGE = shown()


def register(office: Office, client_id: str, *keys: dict[str, Any]) -> None:
    file = office.directory / f"{client_id}.json"
    file.write_text(json.dumps({"keys": keys}))
    done = gateway("clients", "signing-keys", client_id, str(file), **office.settings)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def icbc(server: Server, office: Office) -> Client:
    """A client that signs if it likes."""
    register(office, "icbc-mobile", KEY.as_dict(private=False, kid=KEYID))
    return server.client("icbc-mobile")


@pytest.fixture(scope="module")
def abc(server: Server, office: Office) -> Client:
    """A client whose institution must sign."""
    register(office, "abc-counter", OTHER_KEY.as_dict(private=False, kid="abc"))
    done = gateway("institutions", "require-signatures", "ABC", **office.settings)
    assert done.stdout == "ABC must sign what moves money\n"
    return server.client("abc-counter")


class Request:
    """One POST of a body, signed or not, with what a test changes about it afterwards."""

    def __init__(self, client: Client, query: str, **variables: Any) -> None:
        self.client = client
        self.url = f"{client.base_url}/graphql"
        self.body = json.dumps({"query": query, "variables": variables}).encode()
        self.headers: dict[str, Any] = {"authorization": f"Bearer {client.token}", "content-type": "application/json"}

    def signed(self, key: ECKey = KEY, keyid: str = KEYID) -> "Request":
        self.headers |= PAGE["sign"](key.private_key, keyid, self.url, self.headers, self.body)
        return self

    def send(self) -> httpx.Response:
        return self.client.http.post("/graphql", content=self.body, headers=self.headers)

    def check(self, response: httpx.Response) -> None:
        jwks = self.client.http.get("/.well-known/jwks.json").json()
        PAGE["check"](jwks, self.url, self.headers, response.status_code, response.headers, response.content)


def payment_of(client: Client, payable: Answer, reference: str) -> Request:
    payment = {"payableId": payable["id"], "amount": payable["amount"], "bankReference": reference}
    return Request(client, SUBMIT_PAYMENT, input={**payment, "collectedAt": COLLECTED_AT})


def reversal_of(client: Client, reference: str) -> Request:
    return Request(client, REVERSE_PAYMENT, input={"bankReference": reference, "reason": "付错了"})


def a_payment(client: Client, people: Iterator[Person], reference: str) -> Request:
    return payment_of(client, quote(client, next(people), "2020-01", "2020-12"), reference)


def is_refused(response: httpx.Response, status: int, code: str) -> None:
    assert response.status_code == status, response.text
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == code
    assert "data" not in response.json()
    assert '"@method"' in response.headers["accept-signature"]


def is_recorded(client: Client, reference: str) -> bool:
    return client.run(PAYMENT_OF, bankReference=reference)["payment"] is not None
