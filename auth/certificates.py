"""The client's certificate, as the proxy that ended its TLS passes it on in a header (RFC 8705).

The proxy has verified the chain and that the client holds the key. Anybody can write a header: it is believed
only where the connection itself comes from a trusted proxy.
"""

import base64
import binascii
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

Network = IPv4Network | IPv6Network

# A certificate with an RSA key of 4096 bits and a few names has 2 KiB; URL-encoded PEM makes half as much again.
_HEADER_LENGTH_MAX: Final = 12 * 1024

# Some 4 MB at the most. Clients have a certificate each, for months; a parsed one is a look-up.
_PARSED_MAX: Final = 256

_PEM_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class Certificate:
    """One client certificate: whom it names, and its thumbprint for `cnf` (RFC 8705, 3.1)."""

    thumbprint_s256: str
    "SHA-256 of the DER form, base64url without padding: the value of `x5t#S256`."
    subject: x509.Name = field(repr=False)
    dns_names: tuple[str, ...] = field(repr=False)
    uris: tuple[str, ...] = field(repr=False)
    valid_from: float
    valid_until: float
    "Seconds since 1970 (UTC), both included."


class ClientCertificates:
    """Reads the header `header` of requests from `trusted_proxies`. Without one, nobody has a certificate.

    `clock` tells the seconds since 1970 (UTC).
    """

    def __init__(
        self,
        *,
        trusted_proxies: Sequence[Network] = (),
        header: str = "x-client-certificate",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._trusted_proxies = tuple(trusted_proxies)
        self._header = header.lower()
        self._clock = clock

    @property
    def configured(self) -> bool:
        """Whether any proxy is trusted to pass certificates on."""
        return bool(self._trusted_proxies)

    def certificate_of(self, headers: Mapping[str, str], peer: str | None) -> Certificate | None:
        """Return the certificate of the request, or None: for none, a malformed or outdated one, and two of them.

        `peer` is the address at the other end of the connection, never one that a header tells. `headers` may
        have a name twice (Starlette's do), and then `items()` gives both.
        """
        if not self._trusts(peer):
            return None
        given = [value for name, value in headers.items() if name.lower() == self._header and value]
        # Two: the proxy has added its own to what the client sent, instead of putting it in its place.
        if len(given) != 1 or len(given[0]) > _HEADER_LENGTH_MAX:
            return None
        certificate = _parsed(given[0])
        if certificate and certificate.valid_from <= self._clock() <= certificate.valid_until:
            return certificate
        return None

    def _trusts(self, peer: str | None) -> bool:
        if not self._trusted_proxies or peer is None:
            return False
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            # How a socket that listens on both kinds names an IPv4 peer.
            address = address.ipv4_mapped
        return any(address in network for network in self._trusted_proxies)


def parse_network(text: str) -> Network:
    """Read a network in CIDR notation, or one address. Raises ValueError, also for the network of all addresses."""
    network = IPv6Network(text) if ":" in text else IPv4Network(text)
    if network.prefixlen == 0:
        raise ValueError("a network of all addresses would let anybody name a certificate")
    return network


@lru_cache(maxsize=_PARSED_MAX)
def _parsed(value: str) -> Certificate | None:
    """Read one of the two forms in use: RFC 9440's `:base64 of DER:`, or a PEM that is URL-encoded (nginx)."""
    try:
        if value.startswith(":") and value.endswith(":"):
            read = x509.load_der_x509_certificate(base64.b64decode(value[1:-1], validate=True))
        else:
            pem = unquote_to_bytes(value).strip()
            if not pem.startswith(_PEM_BEGIN) or pem.count(_PEM_BEGIN) != 1:
                return None
            read = x509.load_pem_x509_certificate(pem)
        dns_names, uris = _alternative_names(read)
        subject = read.subject
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, binascii.Error):
        return None
    return Certificate(
        thumbprint_s256=thumbprint_s256(read),
        subject=subject,
        dns_names=dns_names,
        uris=uris,
        valid_from=read.not_valid_before_utc.timestamp(),
        valid_until=read.not_valid_after_utc.timestamp(),
    )


def thumbprint_s256(certificate: x509.Certificate) -> str:
    """Return the SHA-256 thumbprint as RFC 8705, 3.1 writes it: base64url without padding."""
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _alternative_names(certificate: x509.Certificate) -> tuple[tuple[str, ...], tuple[str, ...]]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return (), ()
    dns_names = tuple(names.get_values_for_type(x509.DNSName))
    return dns_names, tuple(names.get_values_for_type(x509.UniformResourceIdentifier))
