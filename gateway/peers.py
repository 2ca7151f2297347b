"""Who is at the other end: the address of a request's client, also behind proxies that are trusted; and our own."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

from starlette.datastructures import Headers

from auth.certificates import Network

#: More proxies than any way to us has; what stands before is not read.
MAX_FORWARDED: Final = 16
#: What a household or a mobile phone gets of IPv6, at the least: one client for a throttle.
_IPV6_PREFIX: Final = 64


def url_of(host: str, port: int) -> str:
    """Return the URL of a host and port: an IPv6 address stands in brackets (RFC 3986, 3.2.2)."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def client_of(peer: str | None, headers: Headers, trusted_proxies: Sequence[Network]) -> str:
    """Return the client's address as the key of a throttle; IPv6 by its network of 64 bits, "unknown" for none.

    `X-Forwarded-For` is read from its end, where the nearest proxy has written, and only as far as each who wrote is
    a trusted proxy: what stands before may be the client's own invention.
    """
    forwarded = ",".join(headers.getlist("x-forwarded-for")).split(",")[-MAX_FORWARDED:]
    address = _address(peer)
    while address is not None and forwarded and any(address in network for network in trusted_proxies):
        nearer = _address(forwarded.pop())
        if nearer is None:
            break
        address = nearer
    if address is None:
        return "unknown"
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _IPV6_PREFIX), strict=False))
    return str(address)


def _address(text: str | None) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address((text or "").strip())
    except ValueError:
        return None
    # How a socket that listens on both kinds names an IPv4 peer.
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
