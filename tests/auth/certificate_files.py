"""Certificates of banks, as tests make them, and the headers in which proxies pass them on."""

import base64
import datetime
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

SUBJECT = "CN=api.icbc.example,O=ICBC\\, Nanchang,C=CN"


def make_certificate(
    subject: str = SUBJECT,
    *,
    dns: str | None = None,
    uri: str | None = None,
    begins: datetime.timedelta = datetime.timedelta(days=-1),
    ends: datetime.timedelta = datetime.timedelta(days=1),
) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string(subject)
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
    )
    names: list[x509.GeneralName] = []
    if dns:
        names.append(x509.DNSName(dns))
    if uri:
        names.append(x509.UniformResourceIdentifier(uri))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256())


def escaped_pem(certificate: x509.Certificate) -> str:
    """The form of nginx's `$ssl_client_escaped_cert`."""
    return quote(certificate.public_bytes(Encoding.PEM).decode(), safe="")


def structured(certificate: x509.Certificate) -> str:
    """The form of RFC 9440's `Client-Cert`."""
    return ":" + base64.b64encode(certificate.public_bytes(Encoding.DER)).decode() + ":"
