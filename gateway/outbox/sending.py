"""Sends one signed message over HTTP: the headers of Standard Webhooks, an answer of 2xx, and nothing else."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
from standardwebhooks import Webhook

#: To be reached: another host's refusal or silence is known by then.
CONNECT_TIMEOUT_SECONDS: Final = 5.0
#: Between two pieces of what is sent or answered.
SILENCE_TIMEOUT_SECONDS: Final = 10.0
#: The whole of it, so that an answer that drips holds nobody up. Also what a worker's ending may wait for.
TOTAL_TIMEOUT_SECONDS: Final = 20.0
#: The status is the answer. What comes with it is read so far, for the receiver to see it taken, and no further.
MAX_ANSWER_BYTES: Final = 16 * 1024
#: A message is a page of facts at the most; one of ours that is larger is a fault of ours.
MAX_BODY_BYTES: Final = 64 * 1024

#: Of the pause before a second try, at the most.
FIRST_DELAY: Final = timedelta(seconds=1)
#: Of any pause. What has failed so often mends within minutes or needs a hand.
LONGEST_DELAY: Final = timedelta(minutes=15)

_USER_AGENT: Final = "contribution-gateway"


class NotAcknowledged(Exception):
    """The message may have arrived or not; nobody said so. `status` is the answer's, None without one.

    The reason is short and of our own words: nothing that was sent or answered is in it.
    """

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


def open_client(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """Return the client that messages are sent with: no redirect is followed, no proxy taken from the environment.

    A `transport` of one's own decides about addresses.
    """
    return httpx.AsyncClient(
        transport=transport,
        follow_redirects=False,
        trust_env=False,
        timeout=httpx.Timeout(SILENCE_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS),
        # The worker bounds how many are sent at once.
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
    )


async def send_signed(client: httpx.AsyncClient, url: str, message_id: str, secret: str, body: bytes) -> int:
    """POST JSON to `url`, signed with `secret` (whsec_ and base64); return the status, which is 2xx.

    The headers are Standard Webhooks' webhook-id, webhook-timestamp and webhook-signature (v1, HMAC-SHA256).
    Raises NotAcknowledged for any other status and for none.
    """
    assert len(body) <= MAX_BODY_BYTES
    # The library's sign() takes any time for UTC.
    now = datetime.now(UTC)
    headers = {
        "content-type": "application/json",
        "user-agent": _USER_AGENT,
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, now, body.decode()),
        # A connection serves one message: the second of two answers is never taken for the next message's.
        "connection": "close",
    }
    try:
        async with (
            asyncio.timeout(TOTAL_TIMEOUT_SECONDS),
            client.stream("POST", url, content=body, headers=headers, follow_redirects=False) as response,
        ):
            if not response.is_success:
                raise NotAcknowledged(f"answered {response.status_code}", response.status_code)
            await _read_at_most(response, MAX_ANSWER_BYTES)
            return response.status_code
    except (TimeoutError, httpx.TimeoutException):
        raise NotAcknowledged("no answer in time") from None
    except httpx.ConnectError:
        raise NotAcknowledged("can't be reached") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotAcknowledged(f"broken off ({type(error).__name__})") from None


async def _read_at_most(response: httpx.Response, limit: int) -> None:
    """Read an answer as it comes, not unpacked, and leave the rest of one that is too long."""
    read = 0
    async for piece in response.aiter_raw():
        read += len(piece)
        if read >= limit:
            return


def retry_delay(attempt: int, *, first: timedelta = FIRST_DELAY, longest: timedelta = LONGEST_DELAY) -> timedelta:
    """Return the pause after the `attempt`-th try, from 1: random, up to a limit that doubles each time.

    Full jitter: what failed together does not come back together.
    """
    doubled = first * 2 ** min(attempt - 1, 40) if attempt > 0 else first
    return min(doubled, longest) * random.random()  # noqa: S311 -- a pause, not a secret
