"""Signs vouchers: PAdES B-B (ETSI EN 319 142-1), as a certification that allows no change (ISO 32000-1, 12.8.2.2).

The same page and the same time give the same bytes: RSA with PKCS #1 v1.5, and ECDSA with the nonce of RFC 6979.
Importing this takes a quarter of a second: whoever signs nothing does not.
"""

import asyncio
import io
from datetime import datetime
from typing import Any, Final

from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.generic import ArrayObject, ByteStringObject, pdf_name, pdf_string
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.signers import Signer
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigMDPSetup, SigObjSetup
from pyhanko.sign.signers.pdf_byterange import PdfSignedData
from pyhanko_certvalidator.registry import SimpleCertificateStore

from gateway.vouchers.certificates import SigningCertificate

_DIGEST: Final = "sha256"
#: Of the container, beside the certificates: two signatures of RSA 4096 would be less.
_CONTAINER_BYTES: Final = 2048


class _KeySigner(Signer):
    """pyHanko's signer over a key that is read once: its own reads and checks the key for each signature."""

    def __init__(self, signing: SigningCertificate) -> None:
        chain = SimpleCertificateStore()  # type: ignore[no-untyped-call]
        chain.register_multiple([_asn1(certificate) for certificate in signing.chain])
        super().__init__(signing_cert=_asn1(signing.certificate), cert_registry=chain)
        self._key = signing.key

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
        assert digest_algorithm == _DIGEST
        if isinstance(self._key, EllipticCurvePrivateKey):
            return self._key.sign(data, ECDSA(SHA256(), deterministic_signing=True))
        return self._key.sign(data, PKCS1v15(), SHA256())


class _SteadyWriter(IncrementalPdfFileWriter):
    """pyHanko's writer without the clock and the random number that it puts in: dates are the page's own."""

    @classmethod
    def _handle_id(cls, prev: Any) -> ArrayObject:
        first, _second = prev.trailer["/ID"]
        # Another than the page's (ISO 32000-1, 14.4), made of it.
        return ArrayObject([first, ByteStringObject(bytes(byte ^ 0xFF for byte in first.original_bytes))])

    def _update_meta(self) -> None:
        pass


def _asn1(certificate: Any) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))


class PageSigner:
    """Signs pages by one certificate. Takes some milliseconds for each: never on the event loop."""

    def __init__(self, signing: SigningCertificate) -> None:
        self._signer = _KeySigner(signing)
        certificates = (signing.certificate, *signing.chain)
        size = _CONTAINER_BYTES + sum(len(one.public_bytes(Encoding.DER)) for one in certificates)
        #: In hexadecimal.
        self._bytes_reserved = 2 * size

    def sign(self, page: bytes, reason: str, moment: datetime) -> bytes:
        """Return the page with its signature, of this time and with this reason."""
        placeholder = PdfSignedData(
            obj_type=pdf_name("/Sig"),
            subfilter=SigSeedSubFilter.PADES,
            timestamp=moment,
            bytes_reserved=self._bytes_reserved,
        )
        placeholder[pdf_name("/Reason")] = pdf_string(reason)
        writer = _SteadyWriter(io.BytesIO(page))
        steps = PdfCMSEmbedder().write_cms(field_name="Signature", writer=writer)
        next(steps)
        steps.send(
            SigObjSetup(
                sig_placeholder=placeholder,
                mdp_setup=SigMDPSetup(md_algorithm=_DIGEST, certify=True, docmdp_perms=MDPPerm.NO_CHANGES),
            )
        )
        digest, output = steps.send(SigIOSetup(md_algorithm=_DIGEST))
        container = asyncio.run(self._signer.async_sign(digest.document_digest, _DIGEST, use_pades=True))
        steps.send(container)
        signed: bytes = output.getvalue()
        return signed
