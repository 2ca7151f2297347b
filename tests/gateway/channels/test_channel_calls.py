"""A channel as a client: its token is kept, renewed when it is refused, and what can't be answered is told as that."""

import json
from collections.abc import Callable

import httpx
import pytest

from gateway.channels import calls
from gateway.channels.calls import Session, Tokens, Told, Unanswered
from gateway.channels.ways import CHANNELS

pytestmark = pytest.mark.anyio

Answer = Callable[[httpx.Request], httpx.Response]


class Line:
    """A gateway that gives tokens and answers anything else as it is told to."""

    def __init__(self, answer: Answer, expires_in: int = 600) -> None:
        self.requests: list[httpx.Request] = []
        self.tokens_given = 0
        self._answer = answer
        self._expires_in = expires_in

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.path == "/oauth/token":
            self.tokens_given += 1
            return httpx.Response(
                200, json={"access_token": f"token-{self.tokens_given}", "expires_in": self._expires_in}
            )
        return self._answer(request)

    def session(self) -> Session:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.handle))
        return Session(Tokens(http), CHANNELS["mobile"], "http://127.0.0.1:8000", "en")


def viewer(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"data": {"viewer": {"businessDate": "2020-11-16"}}})


async def test_a_token_is_asked_for_once_and_sent_with_every_operation() -> None:
    line = Line(viewer)
    session = line.session()
    for _ in range(3):
        assert (await session.run("viewer"))["viewer"] == {"businessDate": "2020-11-16"}
    assert line.tokens_given == 1
    assert {r.headers["authorization"] for r in line.requests[1:]} == {"Bearer token-1"}
    assert {r.headers["accept-language"] for r in line.requests[1:]} == {"en"}
    assert [exchange.status for exchange in session.exchanges] == [200, 200, 200]


async def test_a_token_that_is_about_to_expire_is_not_used() -> None:
    line = Line(viewer, expires_in=int(calls.EXPIRY_MARGIN_SECONDS) - 1)
    session = line.session()
    await session.run("viewer")
    await session.run("viewer")
    assert line.tokens_given == 2


async def test_a_refused_token_is_replaced_once() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(401) if request.headers["authorization"].endswith("-1") else viewer(request)

    line = Line(answer)
    await line.session().run("viewer")
    assert line.tokens_given == 2
    with pytest.raises(Unanswered):
        await Line(lambda _: httpx.Response(401)).session().run("viewer")


async def test_an_error_is_told_with_its_code() -> None:
    content = {"errors": [{"message": "name: too long", "extensions": {"code": "BAD_USER_INPUT"}}]}
    with pytest.raises(Told) as told:
        await Line(lambda _: httpx.Response(400, json=content)).session().run("viewer")
    assert (told.value.code, told.value.message) == ("BAD_USER_INPUT", "name: too long")
    assert "too long" not in str(told.value)


def lost(_request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


@pytest.mark.parametrize(
    "answer",
    [
        lost,
        lambda _: httpx.Response(503, json={"errors": [{"message": "busy"}]}),
        lambda _: httpx.Response(200, content=b"<html>"),
        lambda _: httpx.Response(200, json=[]),
        lambda _: httpx.Response(200, json={"data": None}),
        lambda _: httpx.Response(200, content=b" " * (calls.MAX_ANSWER_BYTES + 1)),
    ],
    ids=["no connection", "busy", "no JSON", "no object", "no data", "too large"],
)
async def test_what_is_no_answer_is_told_as_that(answer: Answer) -> None:
    with pytest.raises(Unanswered):
        await Line(answer).session().run("viewer")


async def test_a_client_that_gets_no_token_sends_no_operation() -> None:
    asked: list[str] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(401, json={"error": "invalid_client"})

    http = httpx.AsyncClient(transport=httpx.MockTransport(refuse))
    with pytest.raises(Unanswered):
        await Session(Tokens(http), CHANNELS["mobile"], "http://127.0.0.1:8000", "en").run("viewer")
    assert asked == ["/oauth/token"]


async def test_a_voucher_is_fetched_by_a_number_alone() -> None:
    line = Line(lambda _: httpx.Response(200, content=b"%PDF-"))
    assert await line.session().voucher("202011160000000001") == b"%PDF-"
    assert await line.session().voucher("../oauth/token") is None
    assert [r.url.path for r in line.requests] == ["/oauth/token", "/receipts/202011160000000001.pdf"]
    assert await Line(lambda _: httpx.Response(404)).session().voucher("1") is None


async def test_a_question_for_a_vouchers_head_is_passed_on_as_one() -> None:
    line = Line(lambda _: httpx.Response(200))
    await line.session().voucher("202011160000000001", "HEAD")
    assert line.requests[-1].method == "HEAD"


async def test_no_repr_holds_what_was_sent() -> None:
    session = Line(viewer).session()
    await session.run("find_payer", residentId="369999198503120010", name="陈晓兰")
    (exchange,) = session.exchanges
    assert json.loads(exchange.variables)["name"] == "陈晓兰"
    assert "369999198503120010" not in repr(exchange)
    assert "陈晓兰" not in repr(exchange)
