"""Addresses of callbacks: what a bank may have its notifications sent to, as a name and as what it resolves to.

Outside the sandbox a notification never reaches into the gateway's own network, whatever a URL or a name server
says (OWASP: server-side request forgery). The URL is checked here when it is registered; what its name resolves to
is checked by `is_public` at each connection.
"""

import re
from ipaddress import IPv4Address, IPv6Address, IPv4Network, IPv6Network, ip_address

#: As long as the longest that browsers and proxies pass on.
MAX_LENGTH = 2048
#: Outside the sandbox: that of https, and those that need no privilege. Below are other protocols.
HTTPS_PORT = 443
FIRST_UNPRIVILEGED_PORT = 1024
LAST_PORT = 65535

# RFC 3986, and of that what every parser reads alike: an authority without user information, percent signs or a
# trailing dot, no fragment, and ASCII only (a name in Chinese is written in its xn-- form).
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253})"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?"
    r"(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?"
)
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
# A host whose last label is a number is an IPv4 address to most resolvers, however it is written: 127.1, 0x7f000001.
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")

# What is_global of Python 3.11 lets pass, or lets pass in some of its releases.
_NOT_PUBLIC_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network, RFC 791
            "100.64.0.0/10",  # carriers' NAT, RFC 6598
            "192.0.0.0/24",  # protocol assignments, RFC 6890
            "192.88.99.0/24",  # relays of 6to4, RFC 7526
            "198.18.0.0/15",  # benchmarks, RFC 2544
            "224.0.0.0/4",  # multicast, RFC 5771
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
_GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments, Teredo among them, RFC 2928
            "2001:db8::/32",  # documentation, RFC 3849
            "3fff::/20",  # documentation, RFC 9637
        ),
    )
)
# An IPv6 address that stands for an IPv4 one is what that one is.
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052


def check(url: str, *, sandbox: bool) -> str:
    """Return the URL of a callback. Raises ValueError, which does not repeat it, for one that is not allowed.

    http or https in the sandbox, to any host and port. Outside it https alone, to a public host, at port 443 or
    1024 to 65535.
    """
    if len(url) > MAX_LENGTH:
        raise ValueError(f"must be at most {MAX_LENGTH} characters")
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError("must be a URL with http or https, a host and no user, no fragment, in ASCII")
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 1 <= port <= LAST_PORT:
        raise ValueError(f"must have a port of 1 to {LAST_PORT}")
    address = _literal(match["host"])
    if sandbox:
        return url
    if match["scheme"] != "https":
        raise ValueError("must begin with https://")
    if port is not None and port != HTTPS_PORT and port < FIRST_UNPRIVILEGED_PORT:
        raise ValueError(f"must have port {HTTPS_PORT}, or one of {FIRST_UNPRIVILEGED_PORT} to {LAST_PORT}")
    if not is_public(address) if address is not None else "." not in match["host"]:
        raise ValueError("must have a host that is public")
    return url


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a host is written as, None for a name. Raises ValueError for neither."""
    if host.startswith("["):
        try:
            return IPv6Address(host[1:-1])
        except ValueError:
            raise ValueError("must have a host that is a name or an address") from None
    labels = host.split(".")
    if not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("must have a host that is a name or an address")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return IPv4Address(host)
        except ValueError:
            raise ValueError("must have an address of four numbers, or a name") from None
    return None


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Return whether an address is of the public internet, and of no private, local, shared or special network.

    After the special-purpose registries of IANA (RFC 6890). An IPv6 address that embeds an IPv4 one, mapped or
    translated, is judged by the one inside.
    """
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in _NOT_PUBLIC_V4)
    inside = address.ipv4_mapped or address.sixtofour
    if inside is None and address in _NAT64:
        inside = IPv4Address(int(address) & 0xFFFFFFFF)
    if inside is not None:
        return is_public(inside)
    return (
        address in _GLOBAL_UNICAST_V6
        and address.is_global
        and not any(address in network for network in _NOT_PUBLIC_V6)
    )


def is_public_text(address: str) -> bool:
    """Return whether an address as a resolver writes it is public. One with a zone (fe80::1%eth0) is not."""
    return "%" not in address and is_public(ip_address(address))
