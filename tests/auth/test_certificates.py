"""A client's certificate: believed from a trusted proxy, and from nobody else."""

import base64
import datetime
import time
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from starlette.datastructures import Headers

from auth.certificates import ClientCertificates, parse_network
from tests.auth.certificate_files import SUBJECT, escaped_pem, make_certificate, structured
from tests.auth.conftest import Clock

PROXIES = (parse_network("10.1.2.0/24"), parse_network("fd00::7"))
HEADER = "x-client-certificate"


@pytest.fixture(scope="module")
def certificate() -> x509.Certificate:
    return make_certificate(dns="api.icbc.example", uri="urn:bank:icbc")


@pytest.mark.parametrize("form", [escaped_pem, structured])
@pytest.mark.parametrize("peer", ["10.1.2.3", "::ffff:10.1.2.3", "fd00::7"])
def test_a_trusted_proxy_names_the_certificate_in_either_form(
    certificate: x509.Certificate, form: Callable[[x509.Certificate], str], peer: str
) -> None:
    read = ClientCertificates(trusted_proxies=PROXIES).certificate_of({HEADER: form(certificate)}, peer)
    assert read is not None
    digest = base64.urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).decode()
    assert read.thumbprint_s256 == digest.rstrip("=")
    assert read.subject == x509.Name.from_rfc4514_string(SUBJECT)
    assert (read.dns_names, read.uris) == (("api.icbc.example",), ("urn:bank:icbc",))
    assert "ICBC" not in repr(read)


@pytest.mark.parametrize("peer", ["10.1.3.3", "127.0.0.1", "fd00::8", "::ffff:10.1.3.3", "10.1.2.3:443", "", None])
def test_nobody_else_is_believed(certificate: x509.Certificate, peer: str | None) -> None:
    reader = ClientCertificates(trusted_proxies=PROXIES)
    assert reader.certificate_of({HEADER: structured(certificate)}, peer) is None


def test_without_a_trusted_proxy_there_are_no_certificates(certificate: x509.Certificate) -> None:
    reader = ClientCertificates()
    assert not reader.configured
    assert reader.certificate_of({HEADER: structured(certificate)}, "127.0.0.1") is None


def test_another_header_is_not_read(certificate: x509.Certificate) -> None:
    reader = ClientCertificates(trusted_proxies=PROXIES, header="Client-Cert")
    assert reader.certificate_of({HEADER: structured(certificate)}, "10.1.2.3") is None
    assert reader.certificate_of({"client-cert": structured(certificate)}, "10.1.2.3") is not None


def test_of_two_certificates_none_is_believed(certificate: x509.Certificate) -> None:
    line = (HEADER.encode(), structured(certificate).encode())
    reader = ClientCertificates(trusted_proxies=PROXIES)
    assert reader.certificate_of(Headers(raw=[line]), "10.1.2.3") is not None
    assert reader.certificate_of(Headers(raw=[line, line]), "10.1.2.3") is None


def test_a_certificate_counts_while_it_is_valid(certificate: x509.Certificate) -> None:
    clock = Clock(time.time())
    reader = ClientCertificates(trusted_proxies=PROXIES, clock=clock)
    for later, valid in ((0, True), (2 * 86400, False), (-2 * 86400, False)):
        clock.now = time.time() + later
        assert (reader.certificate_of({HEADER: structured(certificate)}, "10.1.2.3") is not None) is valid
    outdated = make_certificate(ends=datetime.timedelta(hours=-1))
    clock.now = time.time()
    assert reader.certificate_of({HEADER: structured(outdated)}, "10.1.2.3") is None


def test_what_is_no_certificate_is_none(certificate: x509.Certificate) -> None:
    pem, der = escaped_pem(certificate), structured(certificate)
    wrong = [
        "",
        "nonsense",
        "::",
        ":AAAA:",
        der[:-1],
        der[:-9] + ":",
        pem[:200],
        pem + pem,
        "x" * 100_000,
        "%",
        "\ud800",
    ]
    reader = ClientCertificates(trusted_proxies=PROXIES)
    for value in wrong:
        assert reader.certificate_of({HEADER: value}, "10.1.2.3") is None


@pytest.mark.parametrize("text", ["0.0.0.0/0", "::/0", "10.1.2.3/24", "proxy", ""])
def test_a_network_that_is_none_or_everything_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_network(text)
