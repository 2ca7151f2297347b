"""Checks a voucher's file: whether it is, byte for byte, one that the gateway signed.

Nothing of the file is parsed as PDF or decompressed, and nothing of it is believed before the signature is: the
signature covers all but its own place, and only the gateway's own pages are ever signed by its certificates.
"""

import asyncio
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from asn1crypto import cms
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.sign.general import extract_certificate_info
from pyhanko.sign.validation.generic_cms import async_validate_detached_cms
from pyhanko_certvalidator import ValidationContext

from gateway.vouchers.desk import REASON
from gateway.vouchers.faults import Fault, NotGenuine, SignedVoucher

#: A voucher has some 45 kB; with a chain of large certificates a few more.
MAX_FILE_BYTES: Final = 1024 * 1024

_PLACE: Final = re.compile(
    rb"/Contents <([0-9A-Fa-f]{2,65536})>\n/ByteRange \[0 ([0-9]{1,8}) ([0-9]{1,8}) ([0-9]{1,8})\]"
)
_TOLD: Final = REASON.format(number="([0-9]{18})", code="([0-9A-HJKMNP-TV-Z]{12})")
_REASON: Final = re.compile(rb"\n/Reason \(" + _TOLD.encode() + rb"\)\n")


def check_file(content: bytes, certificates: Sequence[x509.Certificate]) -> SignedVoucher:
    """Return what a genuine file says. Raises NotGenuine. `certificates` are those that the gateway published.

    Whether the voucher still stands is not in the file: ask /verify.
    """
    if len(content) > MAX_FILE_BYTES:
        raise NotGenuine(f"it is larger than {MAX_FILE_BYTES} bytes")
    if not content.startswith(b"%PDF-"):
        raise NotGenuine("it is no PDF", Fault.NO_PDF)
    # The first: what a program adds to a file later on stands after it (ISO 32000-1, 7.5.6).
    place = _PLACE.search(content)
    if place is None:
        raise NotGenuine("it has no signature of the gateway's")
    container = _container(bytes.fromhex(place[1].decode()))
    certificate = _signer_of(container, certificates)
    if content.count(b"/ByteRange") != 1:
        raise NotGenuine("it has more than one signature", Fault.CHANGED)
    before, after, rest = (int(place[group]) for group in (2, 3, 4))
    # With the angle brackets, which belong to the signature's place.
    if (before, after, after + rest) != (place.start(1) - 1, place.end(1) + 1, len(content)):
        raise NotGenuine("its signature does not cover the whole file", Fault.CHANGED)
    _verify(container, content[:before] + content[after:], certificate)
    told = _REASON.search(content, place.end())
    if told is None:
        raise NotGenuine("it is signed by the gateway, but is no voucher")
    return SignedVoucher(told[1].decode(), told[2].decode())


def _container(padded: bytes) -> cms.SignedData:
    try:
        info = cms.ContentInfo.load(padded)
        signed_data = info["content_type"].native == "signed_data" and not padded[len(info.dump()) :].strip(b"\0")
        # Parsed whole here, so that what is malformed says so at once.
        info.native  # noqa: B018
    except Exception as error:
        # asn1crypto and pyHanko raise all sorts of things over a stranger's bytes: AttributeError for a digest that
        # nobody knows, RecursionError for what nests without end. Whatever it is, these are none of the gateway's.
        raise NotGenuine("its signature is malformed") from error
    if not signed_data:
        raise NotGenuine("its signature is malformed")
    return info["content"]


def _signer_of(signed_data: cms.SignedData, certificates: Sequence[x509.Certificate]) -> x509.Certificate:
    """Return which of the certificates the signature names."""
    known = {certificate.public_bytes(Encoding.DER): certificate for certificate in certificates}
    try:
        certificate = known.get(extract_certificate_info(signed_data).signer_cert.dump())
    except Exception as error:
        raise NotGenuine("its signature is malformed") from error
    if certificate is None:
        raise NotGenuine("it is signed by a certificate that is not the gateway's")
    return certificate


def _verify(signed_data: cms.SignedData, signed: bytes, certificate: x509.Certificate) -> None:
    # The gateway published it, and that is why it is trusted: whether it has expired since is no matter.
    context = ValidationContext(
        trust_roots=[asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))],
        moment=certificate.not_valid_before_utc + timedelta(seconds=1),
        allow_fetching=False,
    )
    try:
        status = asyncio.run(async_validate_detached_cms(signed, signed_data, signer_validation_context=context))
    except Exception as error:
        raise NotGenuine("its signature is malformed", Fault.CHANGED) from error
    if not (status.intact and status.valid):
        raise NotGenuine("it was changed after it was signed", Fault.CHANGED)
    if not status.trusted:
        raise NotGenuine("its certificate can't sign vouchers")
