"""The certificates that vouchers are signed by: configured as files, or the sandbox's own, made on its first start."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from database import sealing
from database.vault import Vault

#: A key and a chain of certificates, with RSA keys of 4096 bits, are a tenth of it.
MAX_FILE_BYTES: Final = 65_536
#: The signer's, and of those above it what a reader needs to find the root.
MAX_CHAIN: Final = 4
#: Shorter ones are broken too soon (NIST SP 800-57); longer ones cost each voucher milliseconds.
_RSA_BITS: Final = range(2048, 4096 + 1)
#: The sandbox's own: as long as anybody keeps a sandbox, and from before its first receipt.
_SANDBOX_LIFETIME: Final = timedelta(days=3650)

Key = EllipticCurvePrivateKey | RSAPrivateKey


@dataclass(frozen=True, slots=True)
class SigningCertificate:
    """What vouchers are signed by: the certificate, those above it, and its key."""

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    key: Key = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of the DER form, in hexadecimal."""
        return self.certificate.fingerprint(SHA256()).hex()


def read_certificate(certificate_file: Path, key_file: Path) -> SigningCertificate:
    """Return what two PEM files hold: the certificate first, those above it after it; and its key, not encrypted.

    The key is of P-256, or RSA of 2048 to 4096 bits. Raises ValueError, which repeats nothing of the key.
    """
    certificates = read_certificates(certificate_file, "GATEWAY_VOUCHER_CERTIFICATE")
    if len(certificates) > MAX_CHAIN:
        raise ValueError(f"GATEWAY_VOUCHER_CERTIFICATE has more than {MAX_CHAIN} certificates")
    pem = _read(key_file, "GATEWAY_VOUCHER_KEY")
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        # What cryptography says of a key is not for a log.
        raise ValueError("GATEWAY_VOUCHER_KEY is no private key in PEM without a password") from None
    if not isinstance(key, Key) or not (
        isinstance(key.curve, SECP256R1) if isinstance(key, EllipticCurvePrivateKey) else key.key_size in _RSA_BITS
    ):
        raise ValueError("GATEWAY_VOUCHER_KEY must be of P-256, or RSA of 2048 to 4096 bits")
    if _public_form(certificates[0].public_key()) != _public_form(key.public_key()):
        raise ValueError("GATEWAY_VOUCHER_KEY is not the key of GATEWAY_VOUCHER_CERTIFICATE")
    return SigningCertificate(certificates[0], tuple(certificates[1:]), key)


def read_certificates(file: Path, name: str) -> list[x509.Certificate]:
    """Return the certificates of a PEM file. Raises ValueError, which calls the file by `name`."""
    content = _read(file, name)
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise ValueError(f"{name} has no certificates in PEM") from error


def _read(file: Path, name: str) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{name} can't be read: {error.strerror}") from None
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"{name} is larger than {MAX_FILE_BYTES} bytes")
    return content


def _public_form(key: object) -> bytes:
    form: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return form


async def use(pool: asyncpg.Pool, signing: SigningCertificate) -> None:
    """Publish a configured certificate before it signs."""
    await pool.execute(
        "INSERT INTO voucher_certificates (fingerprint, certificate) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        signing.fingerprint,
        signing.certificate.public_bytes(Encoding.DER),
    )


async def published(pool: asyncpg.Pool) -> list[x509.Certificate]:
    """Return every certificate that vouchers were signed by, the latest first."""
    rows = await pool.fetch(
        "SELECT c.certificate FROM voucher_certificates AS c ORDER BY c.used_since DESC, c.fingerprint"
    )
    return [x509.load_der_x509_certificate(row["certificate"]) for row in rows]


async def sandbox_certificate(pool: asyncpg.Pool, vault: Vault) -> SigningCertificate:
    """Return the sandbox's own certificate, made if there is none; several processes at once get the same one."""
    own = """
        SELECT c.fingerprint, c.certificate, c.sealed_private_key, c.data_key_id
        FROM voucher_certificates AS c WHERE c.sealed_private_key IS NOT NULL
    """
    row = await pool.fetchrow(own)
    if row is None:
        made = _self_signed()
        private = made.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        # Taken together, with no await between: the vault may learn of a new data key.
        sealed, data_key_id = vault.seal(private, sealing.voucher_key(made.fingerprint)), vault.identity_key_id
        await pool.execute(
            """
            INSERT INTO voucher_certificates (fingerprint, certificate, sealed_private_key, data_key_id)
            VALUES ($1, $2, $3, $4)
            ON CONFLICT DO NOTHING
            """,
            made.fingerprint,
            made.certificate.public_bytes(Encoding.DER),
            sealed,
            data_key_id,
        )
        row = await pool.fetchrow(own)
    context = sealing.voucher_key(row["fingerprint"])
    private = await vault.unsealed(pool, row["sealed_private_key"], row["data_key_id"], context)
    key = load_der_private_key(private, password=None)
    assert isinstance(key, Key)
    return SigningCertificate(x509.load_der_x509_certificate(row["certificate"]), (), key)


def _self_signed() -> SigningCertificate:
    key = generate_private_key(SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Contribution gateway, sandbox: vouchers of no payment"),
        ]
    )
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _SANDBOX_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, SHA256())
    )
    return SigningCertificate(certificate, (), key)
