"""How a client proves who it is (RFC 7591, `token_endpoint_auth_method`), and what is registered for it."""

import re
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509

from auth import client_keys
from auth.institutions import FieldError
from contributions import addresses

CLIENT_SECRET_BASIC: Final = "client_secret_basic"  # noqa: S105 - a method's name
CLIENT_SECRET_POST: Final = "client_secret_post"  # noqa: S105 - a method's name
PRIVATE_KEY_JWT: Final = "private_key_jwt"
TLS_CLIENT_AUTH: Final = "tls_client_auth"

STRONG: Final = (PRIVATE_KEY_JWT, TLS_CLIENT_AUTH)
"Those of FAPI 2.0: what is sent is worth nothing to whoever reads it."

SUBJECT_DN: Final = "SUBJECT_DN"
SAN_DNS: Final = "SAN_DNS"
SAN_URI: Final = "SAN_URI"

# A subject has some ten parts at the most; the column's own check (0008_client_authentication.sql).
_CERTIFICATE_NAME_LENGTH_MAX: Final = 1024

# Without wildcards: a client is one name.
_DNS_NAME: Final = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{1,63}")


@dataclass(frozen=True, slots=True)
class Method:
    """A method, with what it is checked against: the hash of a secret, keys, their address, or a certificate's name."""

    auth_method: str
    secret_hash: str | None = field(default=None, repr=False)
    jwks: str | None = None
    "A JWK set of public keys (RFC 7517), as JSON."
    jwks_uri: str | None = None
    certificate_name_type: str | None = None
    certificate_name: str | None = None


def by_keys(document: bytes) -> Method:
    """Return private_key_jwt with the keys of a JWK set. Raises FieldError for one that holds a private or odd key."""
    return Method(PRIVATE_KEY_JWT, jwks=client_keys.read_key_set(document))


def by_keys_at(uri: str, *, sandbox: bool) -> Method:
    """Return private_key_jwt with the keys that the client publishes at a URL.

    It is https and public outside the sandbox; what its name resolves to is checked at each connection. Raises
    FieldError.
    """
    try:
        return Method(PRIVATE_KEY_JWT, jwks_uri=addresses.check(uri, sandbox=sandbox))
    except ValueError as error:
        raise FieldError("jwks-uri", str(error)) from error


def by_certificate(name_type: str, name: str) -> Method:
    """Return tls_client_auth for certificates of that name: an RFC 4514 string, a DNS name, or a URI.

    Raises FieldError.
    """
    field = name_type.lower().replace("_", "-")
    if not 1 <= len(name) <= _CERTIFICATE_NAME_LENGTH_MAX:
        raise FieldError(field, f"must be 1 to {_CERTIFICATE_NAME_LENGTH_MAX} characters")
    if name_type == SUBJECT_DN:
        # Kept as it is written by the same library that will compare it, whatever the spaces or cases were.
        name = subject_of(name).rfc4514_string()
    elif name_type == SAN_DNS:
        if len(name) > 253 or not _DNS_NAME.fullmatch(name):
            raise FieldError(field, "must be a DNS name without wildcards")
    elif not name.isascii() or ":" not in name or not name.isprintable() or " " in name:
        raise FieldError(field, "must be a URI")
    return Method(TLS_CLIENT_AUTH, certificate_name_type=name_type, certificate_name=name)


def subject_of(text: str) -> x509.Name:
    """Read a distinguished name (RFC 4514). Raises FieldError."""
    try:
        name = x509.Name.from_rfc4514_string(text)
    except ValueError as error:
        raise FieldError("subject-dn", "must be a distinguished name like CN=api.bank.example,O=Bank,C=CN") from error
    if not list(name):
        raise FieldError("subject-dn", "must name something")
    return name
