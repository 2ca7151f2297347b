"""A signature that does not hold, whatever was changed about the request, is refused and nothing has run."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.gateway import Client
from tests.acceptance.operations import Answer, quote
from tests.acceptance.people import Person
from tests.acceptance.signing import OTHER_KEY, PAGE, Request, abc, icbc, is_recorded, is_refused, payment_of

__all__ = ["abc", "icbc"]


def _another_body(request: Request) -> None:
    request.body = request.body.replace(b"09:30", b"09:31")


def _another_digest(request: Request) -> None:
    _another_body(request)
    request.headers["content-digest"] = PAGE["digest"](request.body)


def _no_digest(request: Request) -> None:
    del request.headers["content-digest"]


def _another_content_type(request: Request) -> None:
    request.headers["content-type"] = "application/json; charset=utf-8"


def _another_token(request: Request) -> None:
    form = {"grant_type": "client_credentials"}
    answer = request.client.http.post("/oauth/token", auth=("icbc-mobile", "sandbox"), data=form)
    request.headers["authorization"] = f"Bearer {answer.json()['access_token']}"


def _another_url(request: Request) -> None:
    request.url += "?a=b"
    request.signed()


def _by_the_host_header(request: Request) -> None:
    """Sign for another host and say that this is it."""
    request.url = "http://gateway.example/graphql"
    request.signed()
    request.headers["host"] = "gateway.example"


def _unknown_key(request: Request) -> None:
    request.signed(keyid="another")


def _another_clients_key(request: Request) -> None:
    request.signed(OTHER_KEY, "abc")


def _another_key_under_this_name(request: Request) -> None:
    request.signed(OTHER_KEY)


def _old(request: Request) -> None:
    _at(request, -331)


def _of_the_future(request: Request) -> None:
    _at(request, 60)


def _at(request: Request, seconds: float) -> None:
    now = PAGE["time"].time

    class Clock:
        @staticmethod
        def time() -> float:
            return float(now() + seconds)

    whole, PAGE["time"] = PAGE["time"], Clock
    try:
        request.signed()
    finally:
        PAGE["time"] = whole


def _without_created(request: Request) -> None:
    _input_without(request, request.headers["signature-input"].split(";")[1] + ";")


def _without_authorization(request: Request) -> None:
    _input_without(request, ' "authorization"')


def _without_target(request: Request) -> None:
    _input_without(request, ' "@target-uri"')


def _input_without(request: Request, part: str) -> None:
    assert part in request.headers["signature-input"]
    request.headers["signature-input"] = request.headers["signature-input"].replace(part, "")


def _another_algorithm(request: Request) -> None:
    request.headers["signature-input"] += ';alg="hmac-sha256"'


def _input_alone(request: Request) -> None:
    del request.headers["signature"]


def _signature_alone(request: Request) -> None:
    del request.headers["signature-input"]


def _two(request: Request) -> None:
    for name in ("signature-input", "signature"):
        one = request.headers[name]
        request.headers[name] = f"{one}, {one.replace('bank', 'again')}"


def _nonsense(request: Request) -> None:
    request.headers["signature"] = "bank=:é:".encode("latin-1")


CHANGES = [
    _another_body,
    _another_digest,
    _no_digest,
    _another_content_type,
    _another_token,
    _another_url,
    _by_the_host_header,
    _unknown_key,
    _another_clients_key,
    _another_key_under_this_name,
    _old,
    _of_the_future,
    _without_created,
    _without_authorization,
    _without_target,
    _another_algorithm,
    _input_alone,
    _signature_alone,
    _two,
    _nonsense,
]


@pytest.fixture(scope="module")
def payable(icbc: Client, people: Iterator[Person]) -> Answer:
    return quote(icbc, next(people), "2020-01", "2020-12")


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
def test_a_signature_that_does_not_hold_is_refused_and_nothing_has_run(
    icbc: Client, abc: Client, payable: Answer, change: Any
) -> None:
    request = payment_of(icbc, payable, "CHANGED").signed()
    change(request)
    response = request.send()
    is_refused(response, 401, "SIGNATURE_INVALID")
    assert "invalid_token" not in response.headers["www-authenticate"]
    assert icbc.token not in response.text
    assert not is_recorded(icbc, "CHANGED")


def test_a_wrong_signature_is_refused_for_any_operation(icbc: Client) -> None:
    request = Request(icbc, "{ viewer { clientId } }").signed()
    assert request.send().status_code == 200
    request.body += b" "
    is_refused(request.send(), 401, "SIGNATURE_INVALID")


def test_a_digest_alone_is_compared(icbc: Client) -> None:
    request = Request(icbc, "{ viewer { clientId } }")
    request.headers["content-digest"] = PAGE["digest"](request.body)
    assert request.send().status_code == 200
    request.headers["content-digest"] = PAGE["digest"](b"another")
    is_refused(request.send(), 400, "CONTENT_DIGEST_INVALID")


def test_what_is_kept_has_a_limit(icbc: Client) -> None:
    request = Request(icbc, "{ viewer { clientId } }", padding="x" * 65_536).signed()
    is_refused(request.send(), 413, "SIGNATURE_INVALID")
