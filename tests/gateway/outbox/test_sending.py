"""A message is signed as Standard Webhooks says, and acknowledged by a status of 2xx and by nothing else."""

import time
from datetime import timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.outbox import sending
from gateway.outbox.sending import NotAcknowledged, open_client, retry_delay, send_signed
from tests.gateway.outbox.receiver import OK, SECRET, Receiver, answer, receiving

pytestmark = pytest.mark.anyio

BODY = '{"amount":"605.00","name":"陈晓兰"}'.encode()


async def send(receiver: Receiver) -> int:
    async with open_client() as client:
        return await send_signed(client, receiver.url, "msg-1", SECRET, BODY)


async def test_a_message_verifies_with_the_secret_and_with_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        async with receiving() as receiver:
            assert await send(receiver) == 200
    finally:
        monkeypatch.undo()
        time.tzset()
    (taken,) = receiver.taken
    assert (taken.line, taken.body, taken.headers["webhook-id"]) == ("POST /posted HTTP/1.1", BODY, "msg-1")
    assert taken.headers["content-type"] == "application/json"
    Webhook(SECRET).verify(taken.body, taken.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 44).verify(taken.body, taken.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(taken.body.replace(b"605", b"606"), taken.headers)


@pytest.mark.parametrize("status", ["200 OK", "202 Accepted", "204 No Content"])
async def test_any_success_acknowledges(status: str) -> None:
    async with receiving(answer(status)) as receiver:
        assert await send(receiver) == int(status[:3])


@pytest.mark.parametrize("status", ["301 Moved", "304 Not Modified", "400 Bad", "410 Gone", "500 Fault", "503 Busy"])
async def test_no_other_status_does(status: str) -> None:
    async with receiving(answer(status, body="陈晓兰".encode())) as receiver:
        with pytest.raises(NotAcknowledged) as refused:
            await send(receiver)
    assert (refused.value.status, refused.value.reason) == (int(status[:3]), f"answered {status[:3]}")


async def test_a_redirect_is_not_followed() -> None:
    async with (
        receiving() as elsewhere,
        receiving(answer("307 Temporary Redirect", f"location: {elsewhere.url}")) as receiver,
    ):
        with pytest.raises(NotAcknowledged):
            await send(receiver)
    assert not elsewhere.taken


@pytest.mark.parametrize("broken", [b"", b"HTTP/1.1 200 OK\r\n", b"nonsense\r\n\r\n"])
async def test_a_connection_that_breaks_off_is_no_answer(broken: bytes) -> None:
    async with receiving(broken) as receiver:
        with pytest.raises(NotAcknowledged) as refused:
            await send(receiver)
    assert refused.value.status is None


async def test_nobody_there_is_no_answer() -> None:
    async with receiving() as receiver:
        pass
    with pytest.raises(NotAcknowledged, match="can't be reached"):
        await send(receiver)


async def test_an_answer_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "TOTAL_TIMEOUT_SECONDS", 0.2)
    async with receiving(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", stays=True) as receiver:
        with pytest.raises(NotAcknowledged, match="no answer in time"):
            await send(receiver)


async def test_an_answer_is_read_so_far_and_no_further() -> None:
    size = 64 * 1024 * 1024
    async with receiving(answer("200 OK", body=b"x" * size)) as receiver:
        assert await send(receiver) == 200
    assert receiver.sent < size / 2


async def test_the_second_of_two_answers_is_not_the_next_message_s() -> None:
    async with receiving(OK + OK, answer("500 Fault"), stays=True) as receiver, open_client() as client:
        assert await send_signed(client, receiver.url, "msg-1", SECRET, BODY) == 200
        with pytest.raises(NotAcknowledged):
            await send_signed(client, receiver.url, "msg-2", SECRET, BODY)
    # However late the second answer comes: nobody reads that connection any more.
    assert receiver.connections == 2


def test_pauses_grow_to_a_limit_and_differ() -> None:
    for attempt in range(1, 40):
        limit = min(timedelta(seconds=2 ** (attempt - 1)), timedelta(minutes=15))
        delays = [retry_delay(attempt) for _ in range(200)]
        assert timedelta(0) <= min(delays) < limit / 4
        assert limit * 3 / 4 < max(delays) <= limit
