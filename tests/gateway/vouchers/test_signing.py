"""The signature of a voucher: the same bytes each time, valid to pyHanko, and broken by any change."""

import io
from pathlib import Path

import pytest
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import BasicConstraints, CertificateBuilder, KeyUsage
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from gateway.vouchers.certificates import SigningCertificate, _self_signed, read_certificate
from gateway.vouchers.checking import MAX_FILE_BYTES, check_file
from gateway.vouchers.drawing import draw
from gateway.vouchers.faults import Fault, NotGenuine, SignedVoucher
from gateway.vouchers.signing import PageSigner
from tests.gateway.vouchers.sample import ISSUED_AT, PUBLIC_URL, a_voucher

REASON = "Voucher 202011160000000001 code 0123456789AB"


def by_rsa() -> SigningCertificate:
    """A certificate of RSA 2048, issued by another one."""
    issuer, key = _self_signed(), rsa.generate_private_key(65537, 2048)
    certificate = (
        CertificateBuilder()
        .subject_name(issuer.certificate.subject)
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(issuer.certificate.not_valid_before_utc)
        .not_valid_after(issuer.certificate.not_valid_after_utc)
        .add_extension(BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(issuer.certificate.extensions.get_extension_for_class(KeyUsage).value, critical=True)
        .sign(issuer.key, SHA256())
    )
    return SigningCertificate(certificate, (issuer.certificate,), key)


@pytest.fixture(scope="module", params=[_self_signed, by_rsa])
def signing(request: pytest.FixtureRequest) -> SigningCertificate:
    made: SigningCertificate = request.param()
    return made


@pytest.fixture(scope="module")
def signed(signing: SigningCertificate) -> bytes:
    return PageSigner(signing).sign(draw(a_voucher(), PUBLIC_URL), REASON, ISSUED_AT)


def test_the_same_page_is_signed_with_the_same_bytes(signing: SigningCertificate, signed: bytes) -> None:
    assert PageSigner(signing).sign(draw(a_voucher(), PUBLIC_URL), REASON, ISSUED_AT) == signed


def test_pyhanko_validates_it(signing: SigningCertificate, signed: bytes) -> None:
    (signature,) = PdfFileReader(io.BytesIO(signed), strict=True).embedded_signatures
    root = asn1_x509.Certificate.load(signing.certificate.public_bytes(Encoding.DER))
    status = validate_pdf_signature(signature, ValidationContext(trust_roots=[root], allow_fetching=False))
    assert status.bottom_line
    assert status.summary() == "INTACT:TRUSTED,UNTOUCHED"
    assert status.signer_reported_dt == ISSUED_AT


def test_a_genuine_file_says_what_it_is(signing: SigningCertificate, signed: bytes) -> None:
    assert check_file(signed, [_self_signed().certificate, signing.certificate]) == SignedVoucher(
        "202011160000000001", "0123456789AB"
    )


def test_one_changed_byte_is_detected_wherever_it_is(signing: SigningCertificate, signed: bytes) -> None:
    container = range(signed.index(b"/Contents <308") + 11, signed.index(b">\n/ByteRange"))
    for place in range(0, len(signed), len(signed) // 150):
        if signing.chain and place in container:
            # The certificates above the signer's are carried along for readers, and are not what is signed.
            continue
        changed = bytearray(signed)
        changed[place] ^= 1
        with pytest.raises(NotGenuine):
            check_file(bytes(changed), [signing.certificate])


def test_what_is_not_the_gateways_is_refused(signing: SigningCertificate, signed: bytes) -> None:
    page = draw(a_voucher(), PUBLIC_URL)
    certificates = [signing.certificate]
    for content, reason, fault in (
        (b"", "no PDF", Fault.NO_PDF),
        (page, "no signature", Fault.FOREIGN),
        (signed + b"\n", "does not cover", Fault.CHANGED),
        (signed + page, "does not cover", Fault.CHANGED),
        (signed + signed, "more than one", Fault.CHANGED),
        (signed.replace(b"ReportLab", b"ReportLib"), "was changed", Fault.CHANGED),
        (b"%PDF-" + b"0" * MAX_FILE_BYTES, "larger", Fault.FOREIGN),
        (PageSigner(_self_signed()).sign(page, REASON, ISSUED_AT), "not the gateway's", Fault.FOREIGN),
        (PageSigner(signing).sign(page, "else", ISSUED_AT), "no voucher", Fault.FOREIGN),
    ):
        with pytest.raises(NotGenuine, match=reason) as refusal:
            check_file(content, certificates)
        assert refusal.value.fault is fault


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # A digest that nobody knows, where the signature's own stands; a length without end; depth without end.
        (b"0609608648016503040201", b"0609608648016503040248"),
        (b"3082", b"3080"),
        (b"", b"3080" * 1000),
    ],
)
def test_a_malformed_signature_is_no_signature(
    signing: SigningCertificate, signed: bytes, old: bytes, new: bytes
) -> None:
    start, end = signed.index(b"/Contents <308") + 11, signed.index(b">\n/ByteRange")
    container = (signed[start:end].replace(old, new) if old else new).ljust(end - start, b"0")[: end - start]
    with pytest.raises(NotGenuine, match="malformed"):
        check_file(signed[:start] + container + signed[end:], [signing.certificate])


def pem(directory: Path, signing: SigningCertificate) -> tuple[Path, Path]:
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    chain = (signing.certificate, *signing.chain)
    certificate.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in chain))
    key.write_bytes(signing.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, key


def test_a_certificate_is_read_from_files(signing: SigningCertificate, tmp_path: Path) -> None:
    read = read_certificate(*pem(tmp_path, signing))
    assert (read.certificate, read.chain) == (signing.certificate, signing.chain)
    assert "key" not in repr(read)


def test_a_certificate_and_a_key_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    certificate, _ = pem(tmp_path, _self_signed())
    other = tmp_path / "other"
    other.mkdir()
    _, key = pem(other, _self_signed())
    for files, said in (
        ((certificate, key), "is not the key of"),
        ((key, key), "has no certificates"),
        ((certificate, certificate), "no private key"),
        ((tmp_path / "none", key), "can't be read"),
    ):
        with pytest.raises(ValueError, match=said):
            read_certificate(*files)
