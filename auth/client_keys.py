"""The public keys of clients, as JWK sets (RFC 7517): which keys and algorithms are taken at all.

The algorithms are those of FAPI 2.0 (5.4): no RSA with PKCS #1 v1.5, and nothing that shares a secret.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from auth.institutions import FieldError

ALGORITHMS: Final = ("ES256", "PS256", "EdDSA")

# A client has one key for each of its programs, and twice as many while they change.
KEYS_MAX: Final = 16

# Sixteen RSA keys of 4096 bits with a certificate chain each would be as long; with keys alone it is 12 KB.
KEY_SET_BYTES_MAX: Final = 64 * 1024

# RFC 7518, 3.5 has at least 2048; more than 4096 makes each check slow and no client safer.
_RSA_BITS: Final = range(2048, 4097)

_KEY_ID_LENGTH_MAX: Final = 256

_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

PublicKey = ECKey | RSAKey | OKPKey

# By kty and crv.
_ALGORITHM_OF: Final[Mapping[tuple[object, object], str]] = {
    ("EC", "P-256"): "ES256",
    ("RSA", None): "PS256",
    ("OKP", "Ed25519"): "EdDSA",
}


class Registry(JWSRegistry):
    """joserfc's registry for our algorithms, without its warning at each use of EdDSA.

    RFC 9864 has new names for what EdDSA may mean; here it means Ed25519 alone, since no other key is taken.
    """

    def get_alg(self, name: str) -> Any:
        """Return the algorithm. Raises as joserfc's does for one that is not ours."""
        return self.algorithms["EdDSA"] if name == "EdDSA" else super().get_alg(name)


REGISTRY: Final = Registry(algorithms=ALGORITHMS)


def read_key_set(document: bytes) -> str:
    """Check a JWK set that an operator registers, and return it as JSON with its public members alone.

    Raises FieldError, which names the key by its place, for anything that could not be used, and above all for a
    private key: whoever sends one has to make another.
    """
    if len(document) > KEY_SET_BYTES_MAX:
        raise FieldError("jwks", f"must be at most {KEY_SET_BYTES_MAX} bytes")
    read: list[PublicKey] = []
    for place, jwk in enumerate(_members(document)):
        try:
            read.append(import_key(jwk))
        except ValueError as error:
            raise FieldError("jwks", f"key {place + 1}: {error}") from error
    if not read:
        raise FieldError("jwks", "must have at least one key")
    key_ids = [key.kid for key in read if key.kid is not None]
    if len(set(key_ids)) < len(key_ids):
        raise FieldError("jwks", "two keys have the same kid")
    return orjson.dumps({"keys": [key.as_dict(private=False) for key in read]}).decode()


def usable_keys(document: bytes | str) -> list[PublicKey]:
    """Return the keys of a JWK set that can be used, without those of other kinds (RFC 7517, 5).

    Raises FieldError for what is no JWK set, or has more than KEYS_MAX keys.
    """
    usable = []
    for jwk in _members(document):
        try:
            usable.append(import_key(jwk))
        except ValueError:
            # A key for encryption, of another curve, or one that its owner has given away by publishing it whole.
            continue
    return usable


def import_key(jwk: object) -> PublicKey:
    """Import one public JWK. Raises ValueError, which does not repeat it."""
    if not isinstance(jwk, dict):
        raise ValueError("must be an object")
    if _PRIVATE_MEMBERS.intersection(jwk):
        raise ValueError("is private, and so is nobody's any more: make another, and send its public half")
    kid = jwk.get("kid")
    if kid is not None and not (isinstance(kid, str) and 1 <= len(kid) <= _KEY_ID_LENGTH_MAX):
        raise ValueError(f"kid must be a string of 1 to {_KEY_ID_LENGTH_MAX} characters")
    algorithm = _ALGORITHM_OF.get(_kind(jwk))
    if algorithm is None:
        raise ValueError("must be of EC P-256, RSA or OKP Ed25519")
    if jwk.get("alg", algorithm) != algorithm or jwk.get("use", "sig") != "sig":
        raise ValueError(f"must be for signatures with {algorithm}")
    if "verify" not in _list_of_text(jwk.get("key_ops", ["verify"])):
        raise ValueError("key_ops must have verify")
    public = {name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e", "kid") if name in jwk}
    try:
        key = JWKRegistry.import_key(public | {"alg": algorithm, "use": "sig"})
        assert isinstance(key, PublicKey)
        raw = key.public_key
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ValueError("is not a key") from error
    if isinstance(raw, RSAPublicKey) and raw.key_size not in _RSA_BITS:
        raise ValueError(f"must have {_RSA_BITS[0]} to {_RSA_BITS[-1]} bits")
    return key


def candidates(keys: Iterable[PublicKey], header: Mapping[str, Any]) -> list[PublicKey]:
    """Return the keys that a JWS header can mean: those of its algorithm, and of its kid if it has one."""
    kid = header.get("kid")
    return [key for key in keys if key.alg == header.get("alg") and (kid is None or key.kid == kid)]


def _members(document: bytes | str) -> list[object]:
    try:
        key_set = orjson.loads(document)
    except ValueError as error:
        raise FieldError("jwks", "must be a JWK set in JSON") from error
    keys = key_set.get("keys") if isinstance(key_set, dict) else None
    if not isinstance(keys, list):
        raise FieldError("jwks", 'must be a JWK set: {"keys": [...]}')
    if len(keys) > KEYS_MAX:
        raise FieldError("jwks", f"must have at most {KEYS_MAX} keys")
    return keys


def _kind(jwk: Mapping[str, Any]) -> tuple[object, object]:
    kty, crv = jwk.get("kty"), jwk.get("crv")
    return (kty, crv) if isinstance(kty, str) and isinstance(crv, str | None) else (None, None)


def _list_of_text(value: object) -> list[str]:
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []
