"""Hears what other processes change: a token, client or signature key taken back is refused everywhere at once.

The triggers of 0008_client_authentication.sql and 0015_signature_changes.sql notify at commit. Each process listens on
a connection of its own, and remembers nothing while it has none.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import asyncpg
import structlog

from auth.signature_keys import SignatureKeys
from auth.tokens import LOOK_UP_AGAIN_SECONDS, TokenVerifier
from database.pool import DATABASE_AWAY

log = structlog.get_logger()

CHANNEL: Final = "authorization_changed"

# What the triggers of 0015_signature_changes.sql call their changes: no token is doubtful for them.
_OF_SIGNATURES: Final = ("client_signing_key:", "signature_requirement:")

# A connection whose other end went silent looks like one on which nothing happens: it is asked, and has to answer.
_CHECKED_EVERY_SECONDS: Final = 5
_ANSWERED_WITHIN_SECONDS: Final = 5

# A database that is away is asked for by every process: not all the time.
_CONNECT_AGAIN_SECONDS: Final = 1

# Hearing one's own notification takes a millisecond. Whoever revokes is not kept waiting by a lost connection.
_HEARD_WITHIN_SECONDS: Final = 2

_Connect = Callable[[], Awaitable[asyncpg.Connection]]


class Changes:
    """The changes that this process hears, and passes on to what remembers."""

    def __init__(self, connect: _Connect, verifier: TokenVerifier, signature_keys: SignatureKeys) -> None:
        self._connect = connect
        self._verifier = verifier
        self._signature_keys = signature_keys
        self._listening = asyncio.Event()
        self._awaited: defaultdict[str, list[asyncio.Event]] = defaultdict(list)

    @contextlib.asynccontextmanager
    async def heard(self) -> AsyncIterator[None]:
        """Listen until the block ends, connecting again whenever the connection is lost."""
        task = asyncio.create_task(self._listen_for_ever())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def listening(self) -> None:
        """Wait until there is a connection that hears."""
        await self._listening.wait()

    @contextlib.asynccontextmanager
    async def awaited(self, change: str) -> AsyncIterator[asyncio.Event]:
        """Wait after the block, in which `change` is committed, until it has come back: the others have it by then.

        No longer than a moment, and not at all without a connection: then nothing is remembered here. The event is
        set when the change is heard, or by the block, when there is nothing to wait for.
        """
        back = asyncio.Event()
        self._awaited[change].append(back)
        try:
            yield back
            if self._listening.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_HEARD_WITHIN_SECONDS):
                        await back.wait()
        finally:
            self._awaited[change].remove(back)
            if not self._awaited[change]:
                del self._awaited[change]

    async def _listen_for_ever(self) -> None:
        while True:
            try:
                await self._listen()
            except (asyncpg.PostgresError, *DATABASE_AWAY) as error:
                log.warning("changes of clients and tokens are not heard", reason=type(error).__name__)
            await asyncio.sleep(_CONNECT_AGAIN_SECONDS)

    async def _listen(self) -> None:
        """Listen over one connection, until it is lost or is one to a standby."""
        connection = await self._connect()
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _connection: self._deaf(lost))
        try:
            async with asyncio.timeout(_ANSWERED_WITHIN_SECONDS):
                await connection.add_listener(CHANNEL, self._hear)
            self._verifier.remember_for(LOOK_UP_AGAIN_SECONDS)
            self._signature_keys.remember_for(LOOK_UP_AGAIN_SECONDS)
            self._listening.set()
            while not lost.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_CHECKED_EVERY_SECONDS):
                        await lost.wait()
                async with asyncio.timeout(_ANSWERED_WITHIN_SECONDS):
                    if await connection.fetchval("SELECT pg_is_in_recovery()"):
                        return
        finally:
            self._deaf(lost)
            connection.terminate()

    def _deaf(self, lost: asyncio.Event) -> None:
        lost.set()
        self._listening.clear()
        self._verifier.remember_for(0)
        self._signature_keys.remember_for(0)

    def _hear(self, _connection: object, _pid: int, _channel: str, change: str) -> None:
        if change.startswith(_OF_SIGNATURES):
            self._signature_keys.forget()
        else:
            self._verifier.forget(change)
        for back in self._awaited.get(change, ()):
            back.set()
