"""DPoP proofs (RFC 9449): a JWT for one request, signed by the key that the token is bound to."""

import base64
import hashlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from auth.proofs import EpochEnded, ProofMemory, ProofUsed

ALGORITHMS: Final = ("ES256", "PS256", "EdDSA", "Ed25519")
"What proofs may be signed with (FAPI 2.0, 5.4). Ed25519 is RFC 9864's name of EdDSA with that curve."

# FAPI 2.0, 5.3.2.1: what is from 10 s ahead is taken for a clock that is fast, and 60 s are long enough for the way.
PROOF_SECONDS_MAX: Final = 60
_SECONDS_AHEAD_MAX: Final = 10

# A proof by an RSA key of 4096 bits has 1900 characters, and our URLs are short.
_PROOF_LENGTH_MAX: Final = 4096
_PROOF: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

# Programs write UUIDs, 36 characters.
_JTI_LENGTH_MAX: Final = 128

# NIST SP 800-57 has 2048 bits until 2030. Longer than 4096, or with another exponent than everybody's, an RSA key can
# be made so as to cost whoever verifies with it.
_RSA_BITS_MIN: Final = 2048
_RSA_BITS_MAX: Final = 4096
_RSA_EXPONENT: Final = "AQAB"

# All members of RFC 7518 that make a JWK private or symmetric.
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

# Some 5 MB at the most. The header of a client's proofs is the same each time, its key with it.
_KEYS_REMEMBERED_MAX: Final = 2048

_KEY_CLASSES: Final[MappingProxyType[str, type[ECKey] | type[RSAKey] | type[OKPKey]]] = MappingProxyType(
    {"ES256": ECKey, "PS256": RSAKey, "EdDSA": OKPKey, "Ed25519": OKPKey}
)
# joserfc's own EdDSA takes Ed448, too.
_VERIFIERS: Final = MappingProxyType(
    {name: JWSRegistry.algorithms["Ed25519" if name == "EdDSA" else name] for name in ALGORITHMS}
)

_UNRESERVED: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_DEFAULT_PORTS: Final = MappingProxyType({"https": 443, "http": 80})


NONCE_HEADER: Final = "DPoP-Nonce"


def proofs_of(headers: Mapping[str, str]) -> list[str]:
    """Return the values of the header DPoP; `headers` may have a name twice (Starlette's do), and `items()` both."""
    return [value for name, value in headers.items() if name.lower() == "dpop"]


class InvalidProof(Exception):
    """The proof does not prove anything. Its text is the reason, and holds nothing of the proof."""


class NonceNeeded(InvalidProof):
    """The proof holds no nonce, or an old one: the same with the nonce of our answer will do."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof whose signature and claims are verified; whether it has been used before is not known yet."""

    thumbprint: str
    "Of the key (RFC 7638, SHA-256): the value of `cnf.jkt`."
    jti: str


@dataclass(frozen=True, slots=True)
class _Header:
    algorithm: str
    key: ECKey | RSAKey | OKPKey
    thumbprint: str


class ProofVerifier:
    """Verifies the proofs of requests to this server, whose URL from outside is `public_url`.

    The Host header has no say in it. `clock` tells the seconds since 1970 (UTC).
    """

    def __init__(self, public_url: str, memory: ProofMemory, clock: Callable[[], float] = time.time) -> None:
        self._public_url = public_url
        self._memory = memory
        self._clock = clock

    def nonce(self) -> str:
        """Return the nonce that the next proof has to hold: the value of the header DPoP-Nonce."""
        return self._memory.nonce()

    def read(self, proofs: Sequence[str], method: str, path: str, access_token: str | None = None) -> Proof:
        """Verify the one proof of a request with `method` for `path`, which carries `access_token`.

        All but whether it has been used before: that is `use`. Raises InvalidProof, and NonceNeeded, which leaves
        everything else about the proof verified.
        """
        if len(proofs) != 1:
            raise InvalidProof("exactly one DPoP header is needed")
        proof = proofs[0]
        if len(proof) > _PROOF_LENGTH_MAX or not _PROOF.fullmatch(proof):
            raise InvalidProof("the proof is not a JWT in its compact form")
        signed, _, signature = proof.rpartition(".")
        header_segment, _, payload_segment = signed.partition(".")
        header = _read_header(header_segment)
        claims = _json_object(payload_segment, "the payload")
        if not _is_signed(header, signed.encode(), signature):
            raise InvalidProof("the signature is not the key's")
        if claims.get("htm") != method:
            raise InvalidProof("htm is not the method of the request")
        if _normalised(claims.get("htu")) != _normalised(self._public_url + path):
            raise InvalidProof("htu is not the URL of the request")
        self._check_time(claims.get("iat"))
        if access_token is not None and claims.get("ath") != _hash_of(access_token):
            raise InvalidProof("ath is not the hash of the access token")
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 1 <= len(jti) <= _JTI_LENGTH_MAX:
            raise InvalidProof(f"jti must be 1 to {_JTI_LENGTH_MAX} characters")
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not self._memory.is_current(nonce):
            raise NonceNeeded("the proof must hold the nonce of the header DPoP-Nonce")
        return Proof(header.thumbprint, jti)

    async def use(self, proof: Proof) -> None:
        """Let a proof be used this once, over all processes.

        Raises InvalidProof for one that was used before, NonceNeeded when that is no longer known.
        """
        try:
            await self._memory.use(proof.thumbprint, proof.jti)
        except ProofUsed:
            raise InvalidProof("the proof has been used before") from None
        except EpochEnded:
            raise NonceNeeded("the proof must hold the nonce of the header DPoP-Nonce") from None

    def _check_time(self, issued_at: object) -> None:
        # A bool is an int to Python, and no time to anybody.
        if not isinstance(issued_at, int | float) or isinstance(issued_at, bool):
            raise InvalidProof("iat must be a number of seconds since 1970")
        if not -_SECONDS_AHEAD_MAX <= self._clock() - issued_at <= PROOF_SECONDS_MAX:
            raise InvalidProof("iat is not now")


@lru_cache(maxsize=_KEYS_REMEMBERED_MAX)
def _read_header(segment: str) -> _Header:
    header = _json_object(segment, "the header")
    algorithm = header.get("alg")
    if header.get("typ") != "dpop+jwt":
        raise InvalidProof("typ must be dpop+jwt")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise InvalidProof(f"alg must be one of {', '.join(ALGORITHMS)}")
    # None of the extensions that a header can call critical is known here (RFC 7515, 4.1.11).
    if "crit" in header:
        raise InvalidProof("crit is not supported")
    key = _import_key(header.get("jwk"), algorithm)
    return _Header(algorithm, key, key.thumbprint())


def _import_key(jwk: object, algorithm: str) -> ECKey | RSAKey | OKPKey:
    if not isinstance(jwk, dict) or jwk.get("kty") != _KEY_CLASSES[algorithm].key_type:
        raise InvalidProof("jwk must be a public key of the kind that alg is for")
    if _PRIVATE_MEMBERS.intersection(jwk):
        raise InvalidProof("jwk must not be private")
    if jwk["kty"] == "RSA":
        _check_rsa(jwk)
    # The numbers alone: what a jwk says of its use is about where it is published.
    numbers = {name: value for name, value in jwk.items() if name in ("kty", "crv", "x", "y", "n", "e")}
    try:
        key: ECKey | RSAKey | OKPKey = _KEY_CLASSES[algorithm].import_key(numbers)
        _VERIFIERS[algorithm].check_key(key)
    except (JoseError, ValueError, TypeError) as error:
        raise InvalidProof("jwk is no key that alg can use") from error
    return key


def _check_rsa(jwk: dict[str, Any]) -> None:
    if jwk.get("e") != _RSA_EXPONENT:
        raise InvalidProof("the RSA key must have the exponent 65537")
    try:
        bits = int.from_bytes(_decoded(jwk.get("n", ""))).bit_length()
    except (ValueError, TypeError) as error:
        raise InvalidProof("the RSA key's n is not base64url") from error
    if not _RSA_BITS_MIN <= bits <= _RSA_BITS_MAX:
        raise InvalidProof(f"the RSA key must have {_RSA_BITS_MIN} to {_RSA_BITS_MAX} bits")


def _is_signed(header: _Header, signed: bytes, signature: str) -> bool:
    try:
        return _VERIFIERS[header.algorithm].verify(signed, _decoded(signature), header.key)
    except (JoseError, ValueError, TypeError):
        return False


def _json_object(segment: str, what: str) -> dict[str, Any]:
    try:
        value = orjson.loads(_decoded(segment))
    except ValueError as error:
        raise InvalidProof(f"{what} is not JSON") from error
    if not isinstance(value, dict):
        raise InvalidProof(f"{what} is not a JSON object")
    return value


def _decoded(segment: str) -> bytes:
    """Decode base64url without padding. Raises ValueError."""
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _hash_of(access_token: str) -> str:
    digest = hashlib.sha256(access_token.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _normalised(url: object) -> str | None:
    """Return a URL without query and fragment as RFC 3986 section 6.2 normalises it; None for what is none of http."""
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not host or parts.username is not None:
        return None
    path = _UNRESERVED.sub(_unescaped, parts.path) or "/"
    return f"{parts.scheme}://{host}:{port or _DEFAULT_PORTS[parts.scheme]}{path}"


def _unescaped(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character.isascii() and (character.isalnum() or character in "-._~") else match[0].upper()
