"""The address of a request's client: the connection's own, or what a trusted proxy says of it."""

import pytest
from starlette.datastructures import Headers

from auth.certificates import parse_network
from gateway.peers import client_of, url_of

TRUSTED = [parse_network("10.0.0.0/8"), parse_network("2001:db8::/32")]


def found(peer: str | None, *forwarded: str) -> str:
    raw = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return client_of(peer, Headers(raw=raw), TRUSTED)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.1", (), "203.0.113.1"),
        # Anybody can write a header.
        ("203.0.113.1", ("198.51.100.1",), "203.0.113.1"),
        ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        # What stands before the address that our proxy saw is the client's own invention.
        ("10.0.0.1", ("192.0.2.1, 198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("192.0.2.1, 198.51.100.1, 10.0.0.2",), "198.51.100.1"),
        ("10.0.0.1", ("192.0.2.1", "198.51.100.1"), "198.51.100.1"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("nonsense",), "10.0.0.1"),
        ("::ffff:10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("2001:db8::1", ("2a00:1:2:3:4:5:6:7",), "2a00:1:2:3::/64"),
        (None, ("198.51.100.1",), "unknown"),
    ],
)
def test_the_client_is_the_first_that_no_trusted_proxy_vouches_for(
    peer: str | None, forwarded: tuple[str, ...], client: str
) -> None:
    assert found(peer, *forwarded) == client


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("::1", "http://[::1]:8000"),
        ("localhost", "http://localhost:8000"),
    ],
)
def test_an_ipv6_address_stands_in_brackets(host: str, url: str) -> None:
    assert url_of(host, 8000) == url
