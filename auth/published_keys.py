"""The keys that clients publish at their `jwks_uri`: fetched when they are needed, and kept for a while.

The URL is an operator's and yet the client's to answer. Which addresses may be connected to is the business of the
HTTP client that is handed in; size, time and how often are limited here.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import httpx
import structlog

from auth.client_keys import KEY_SET_BYTES_MAX, PublicKey, candidates, usable_keys
from contributions import addresses

log = structlog.get_logger()

# A key that its owner has taken back is trusted no longer than this.
KEPT_SECONDS: Final = 300

# A bank whose own server is down goes on paying for so long with the keys that were fetched last.
KEPT_WHEN_AWAY_SECONDS: Final = 3600

# Assertions with made-up key ids cost their sender nothing: they make us ask no oftener than this, for each client.
ASKED_AGAIN_SECONDS: Final = 30

# A token request waits for this: a server that is slower than a second is ill, and ten would hold us with it.
_FETCH_SECONDS_MAX: Final = 5

# There are a few hundred clients; whoever has more of them pays with another fetch.
_CLIENTS_MAX: Final = 1000


@dataclass(slots=True)
class _Published:
    keys: list[PublicKey] = field(default_factory=list)
    fetched_at: float = float("-inf")
    asked_at: float = float("-inf")
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


class PublishedKeys:
    """Fetches JWK sets with `http`, which outside the sandbox must refuse to connect to addresses of our own networks.

    `clock` tells seconds of a clock that only goes forward.
    """

    def __init__(self, http: httpx.AsyncClient, *, sandbox: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._http = http
        self._sandbox = sandbox
        self._clock = clock
        self._published: OrderedDict[tuple[str, str], _Published] = OrderedDict()

    async def keys(self, client_id: str, uri: str, algorithm: str, key_id: str | None) -> list[PublicKey]:
        """Return the client's keys, fetched again if they are old or none of them can be meant; perhaps none."""
        known = self._published.setdefault((client_id, uri), _Published())
        self._published.move_to_end((client_id, uri))
        if len(self._published) > _CLIENTS_MAX:
            self._published.popitem(last=False)
        # Whoever comes while one is asking waits for that answer.
        async with known.asking:
            now = self._clock()
            unknown = not candidates(known.keys, {"alg": algorithm, "kid": key_id})
            if (unknown or now - known.fetched_at > KEPT_SECONDS) and now - known.asked_at > ASKED_AGAIN_SECONDS:
                known.asked_at = now
                try:
                    known.keys = await self._fetch(uri)
                    known.fetched_at = now
                except (httpx.HTTPError, httpx.InvalidURL, ValueError, TimeoutError) as error:
                    # Only the kind: a message could hold what the other server sent.
                    log.warning("keys not fetched", client_id=client_id, reason=type(error).__name__)
            if now - known.fetched_at > KEPT_WHEN_AWAY_SECONDS:
                known.keys = []
            return known.keys

    async def _fetch(self, uri: str) -> list[PublicKey]:
        """Raises httpx.HTTPError, TimeoutError, and ValueError for anything but a JWK set with status 200."""
        addresses.check(uri, sandbox=self._sandbox)
        # Uncompressed: what is limited is what has to be read.
        headers = {"Accept": "application/jwk-set+json, application/json", "Accept-Encoding": "identity"}
        body = bytearray()
        async with (
            asyncio.timeout(_FETCH_SECONDS_MAX),
            self._http.stream("GET", uri, headers=headers, follow_redirects=False) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise ValueError("not answered with 200")
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > KEY_SET_BYTES_MAX:
                    raise ValueError("too long")
        return usable_keys(bytes(body))
