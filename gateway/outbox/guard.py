"""Connects to public addresses only: what a callback's name resolves to is checked where it is used.

A name that was public when it was registered can resolve to an address of our own network later, or to another one
a moment after a check (DNS rebinding). So the name is resolved once for each connection, everything that it
resolves to is checked, and the connection goes to one of those very addresses. TLS still verifies the name.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import httpcore
import httpx

from contributions.addresses import is_public_text

#: A name server that is silent for longer answers nobody.
RESOLVE_TIMEOUT_SECONDS: Final = 5.0
#: Addresses of one name that are tried, one after the other. Banks have two or four.
MAX_ADDRESSES: Final = 4

#: Gives the addresses of a host and port, as text. Raises OSError.
Resolve = Callable[[str, int], Awaitable[list[str]]]


class AddressRefused(httpcore.ConnectError):
    """The host, or one of the addresses that its name resolves to, is not of the public internet."""


async def resolve(host: str, port: int) -> list[str]:
    """Ask the system's resolver for the addresses of a host, each once, in its order."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class PublicOnly(httpcore.AsyncNetworkBackend):
    """Makes TCP connections for httpcore, to public addresses; refuses a name of which one address is not."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend, resolve: Resolve = resolve) -> None:
        self._backend = backend
        self._resolve = resolve

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to one of the host's addresses. Raises AddressRefused, or what httpcore raises."""
        try:
            async with asyncio.timeout(RESOLVE_TIMEOUT_SECONDS):
                addresses = await self._resolve(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout("the name was not resolved in time") from None
        except (OSError, UnicodeError):
            raise httpcore.ConnectError("the name does not resolve") from None
        if not addresses or not all(map(is_public_text, addresses)):
            raise AddressRefused("not an address of the public internet")
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in addresses[:MAX_ADDRESSES]:
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        assert failure is not None
        raise failure

    async def connect_unix_socket(self, *_args: Any, **_options: Any) -> httpcore.AsyncNetworkStream:
        """Refuse: no callback is a file of this machine."""
        raise AddressRefused("not an address of the public internet")

    async def sleep(self, seconds: float) -> None:
        """Wait, for httpcore."""
        await asyncio.sleep(seconds)


class PublicTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport, over a pool that connects to public addresses only."""

    def __init__(
        self, backend: httpcore.AsyncNetworkBackend | None = None, verify: ssl.SSLContext | None = None
    ) -> None:
        tls = verify or httpx.create_ssl_context(trust_env=False)
        super().__init__(verify=tls, trust_env=False)
        # httpx has no argument for the backend. A connection is kept for no second message: it would not be checked.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=None,
            max_keepalive_connections=0,
            network_backend=backend or PublicOnly(httpcore.AnyIOBackend()),
        )


def transport_of(*, sandbox: bool) -> httpx.AsyncBaseTransport | None:
    """Return the transport that notifications are sent through; None, httpx's own, in the sandbox."""
    return None if sandbox else PublicTransport()
