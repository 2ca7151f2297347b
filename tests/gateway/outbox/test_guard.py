"""A notification is sent to addresses of the public internet, whatever a name server says and when."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpcore
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.outbox.guard import MAX_ADDRESSES, AddressRefused, PublicOnly, PublicTransport, resolve, transport_of

pytestmark = pytest.mark.anyio

PUBLIC = "203.119.25.1"


class Names:
    """A name server that gives the next of its answers each time that it is asked."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        return self.answers.pop(0)


class Wire(httpcore.AsyncNetworkBackend):
    """Writes down where a connection would go, and takes it to a server of this machine instead."""

    def __init__(self, port: int = 0, dead: Iterable[str] = ()) -> None:
        self.port = port
        self.dead = frozenset(dead)
        self.reached: list[str] = []

    async def connect_tcp(self, host: str, port: int, *_args: Any) -> httpcore.AsyncNetworkStream:
        self.reached.append(host)
        if host in self.dead:
            raise httpcore.ConnectError("nobody there")
        return await httpcore.AnyIOBackend().connect_tcp("127.0.0.1", self.port)


@asynccontextmanager
async def server(tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Answer 204 to everything on a port of 127.0.0.1."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    running = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    async with running:
        yield running.sockets[0].getsockname()[1]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of bank.example, with its key, that nobody else has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bank.example")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("bank.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "bank.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


@pytest.mark.parametrize(
    "resolved",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:10.0.0.1"],
        ["fe80::1%eth0"],
        [PUBLIC, "10.0.0.1"],
        [],
    ],
)
async def test_a_name_is_refused_when_anything_that_it_resolves_to_is_not_public(resolved: list[str]) -> None:
    wire = Wire()
    with pytest.raises(AddressRefused):
        await PublicOnly(wire, Names(resolved)).connect_tcp("bank.example", 443)
    assert wire.reached == []


async def test_this_machines_own_name_is_refused() -> None:
    wire = Wire()
    with pytest.raises(AddressRefused):
        await PublicOnly(wire).connect_tcp("localhost", 443)
    assert "127.0.0.1" in await resolve("localhost", 443)
    assert wire.reached == []


async def test_the_connection_goes_to_the_address_that_was_checked_and_the_name_is_asked_once() -> None:
    """A name that is public when it is checked and private a moment later gains nothing."""
    async with server() as port:
        names, wire = Names([PUBLIC], ["127.0.0.1"]), Wire(port)
        transport = PublicTransport(PublicOnly(wire, names))
        async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
            assert (await client.get("http://bank.example/")).status_code == 204
            assert names.asked == [("bank.example", 80)]
            assert wire.reached == [PUBLIC]
            # The next connection is checked anew.
            with pytest.raises(httpx.ConnectError):
                await client.get("http://bank.example/")
            assert wire.reached == [PUBLIC]


async def test_one_address_after_the_other_is_tried_and_no_more_than_a_few() -> None:
    addresses = [f"203.119.25.{number}" for number in range(1, 9)]
    async with server() as port:
        wire = Wire(port, dead=addresses[:1])
        stream = await PublicOnly(wire, Names(addresses)).connect_tcp("bank.example", 443)
        await stream.aclose()
        assert wire.reached == addresses[:2]
    wire = Wire(dead=addresses)
    with pytest.raises(httpcore.ConnectError):
        await PublicOnly(wire, Names(addresses)).connect_tcp("bank.example", 443)
    assert wire.reached == addresses[:MAX_ADDRESSES]


async def test_tls_verifies_the_name_and_not_the_address(certificate: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    trusted = ssl.create_default_context(cafile=certificate)
    async with server(tls) as port:
        transport = PublicTransport(PublicOnly(Wire(port), Names([PUBLIC], [PUBLIC])), trusted)
        async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
            assert (await client.get("https://bank.example/")).status_code == 204
            with pytest.raises(httpx.ConnectError, match="bank2.example"):
                await client.get("https://bank2.example/")


async def test_outside_the_sandbox_the_real_transport_reaches_nothing_of_this_machine() -> None:
    async with server() as port:
        async with httpx.AsyncClient(transport=transport_of(sandbox=False), trust_env=False) as client:
            for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1", "0.0.0.0"):
                with pytest.raises(httpx.ConnectError, match="public internet"):
                    await client.post(f"http://{host}:{port}/")
        async with httpx.AsyncClient(transport=transport_of(sandbox=True), trust_env=False) as client:
            assert (await client.post(f"http://127.0.0.1:{port}/")).status_code == 204
