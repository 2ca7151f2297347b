"""Client assertions: short-lived JWTs that a client signs to prove who it is (RFC 7523, and FAPI 2.0, 5.3.2.1).

Each is used once: its `jti` is kept in the database until the assertion has ended, whichever process takes it.
"""

import hashlib
import re
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import asyncpg
import orjson
from joserfc import jws
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import ECKey, OKPKey
from joserfc.jwt import JWTClaimsRegistry

from auth.client_keys import ALGORITHMS, REGISTRY, PublicKey, candidates, usable_keys

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

# An assertion is made for one request. So long it may be on its way, and so long its jti is kept.
LIFETIME_SECONDS_MAX: Final = 300

# How far a client's clock may be from ours (FAPI 2.0, 5.3.2.1: at least 10 seconds, at most 60).
_CLOCK_SKEW_SECONDS: Final = 10

# How far our own clock may be from the database's, which drops what has ended.
_KEPT_LONGER_SECONDS: Final = 60

# Signed with an RSA key of 4096 bits and a long client_id it has some 1200 characters.
_LENGTH_MAX: Final = 4096
_JTI_LENGTH_MAX: Final = 128

_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

# Whoever signs DPoP proofs or access tokens with the same key has made no assertion by it (RFC 8725, 3.11).
_TYPES: Final = (None, "jwt", "client-authentication+jwt")

# The RSA keys of most clients.
_DECOY_BITS: Final = 2048

# Rows dropped beside each one that is added: more than one, so that none are left behind.
_DROPPED_AT_ONCE: Final = 100


class InvalidAssertion(Exception):
    """The assertion proves nothing. Its text is the reason, and holds nothing of the assertion."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an assertion says of itself before anything is verified."""

    compact: str
    algorithm: str
    key_id: str | None
    client_id: str


@dataclass(frozen=True, slots=True)
class UsedOnce:
    """What is kept of an assertion that was verified: the hash of its id, and when it ends (seconds since 1970)."""

    client_id: str
    jti_sha256: bytes
    expires_at: float


def peek(compact: str) -> Assertion:
    """Read whose assertion it says it is. Raises InvalidAssertion for what can't be one of a client's."""
    if len(compact) > _LENGTH_MAX or not _COMPACT.fullmatch(compact):
        raise InvalidAssertion("not a JWT in its compact form")
    try:
        extracted = jws.extract_compact(compact.encode(), registry=REGISTRY)
        header = extracted.headers()
        claims = orjson.loads(extracted.payload)
    except (JoseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        # joserfc takes a header that is JSON but no object for an object.
        raise InvalidAssertion("not a JWT") from error
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise InvalidAssertion("not a JWT")
    algorithm, key_id, client_id = header.get("alg"), header.get("kid"), claims.get("sub")
    if algorithm not in ALGORITHMS:
        raise InvalidAssertion("not an algorithm of ours")
    if not isinstance(client_id, str) or not isinstance(key_id, str | None):
        raise InvalidAssertion("sub or kid is no text")
    typ = header.get("typ")
    if (typ.lower() if isinstance(typ, str) else typ) not in _TYPES:
        raise InvalidAssertion("a JWT of another kind")
    return Assertion(compact, algorithm, key_id, client_id)


class AssertionVerifier:
    """Verifies assertions that are meant for one of `audiences`: this server's issuer, and its token endpoint.

    `clock` tells the seconds since 1970 (UTC).
    """

    def __init__(self, audiences: Sequence[str], *, clock: Callable[[], float] = time.time) -> None:
        self._audiences = frozenset(audiences)
        self._clock = clock

    def verify(self, assertion: Assertion, keys: Sequence[PublicKey]) -> UsedOnce:
        """Verify signature and claims; some 0.1 ms. Raises InvalidAssertion.

        The assertion is not used by that: `use_once` says whether it had been.
        """
        claims = _verified_claims(assertion, keys)
        now = self._clock()
        registry = JWTClaimsRegistry(
            now=lambda: int(now),
            leeway=_CLOCK_SKEW_SECONDS,
            iss={"essential": True, "value": assertion.client_id},
            sub={"essential": True, "value": assertion.client_id},
            aud={"essential": True},
            exp={"essential": True},
            jti={"essential": True},
        )
        try:
            registry.validate(claims)
            jti_sha256 = hashlib.sha256(claims["jti"].encode()).digest()
        except (JoseError, ValueError) as error:
            raise InvalidAssertion(type(error).__name__) from error
        if not 1 <= len(claims["jti"]) <= _JTI_LENGTH_MAX:
            raise InvalidAssertion(f"jti is not of 1 to {_JTI_LENGTH_MAX} characters")
        audience = claims["aud"]
        named = {audience} if isinstance(audience, str) else set(audience)
        # Also meant for another server, it could be brought here by that server (RFC 7523, 3; FAPI 2.0, 5.3.2.1).
        if not named or not named <= self._audiences:
            raise InvalidAssertion("for another audience")
        longest = LIFETIME_SECONDS_MAX + _CLOCK_SKEW_SECONDS
        if claims["exp"] > now + longest or claims.get("iat", now) < now - longest:
            raise InvalidAssertion("made for too long a time")
        return UsedOnce(assertion.client_id, jti_sha256, claims["exp"])


def verify_in_vain(assertion: Assertion) -> None:
    """Do for a client that is none what is done for one whose key has not signed the assertion, and nothing else."""
    # Read anew, as a client's keys are.
    (decoy,) = usable_keys(_decoy(assertion.algorithm))
    _check_in_vain(assertion, decoy)


def _check_in_vain(assertion: Assertion, decoy: PublicKey) -> None:
    try:
        jws.deserialize_compact(assertion.compact, decoy, registry=REGISTRY)
    except (JoseError, ValueError, TypeError):
        return


def _verified_claims(assertion: Assertion, keys: Sequence[PublicKey]) -> dict[str, Any]:
    """Return what a key of the client's has signed. Raises InvalidAssertion, and not before a signature was checked."""
    header = {"alg": assertion.algorithm, "kid": assertion.key_id}
    meant = candidates(keys, header)
    if not meant:
        # Which algorithms and ids a client's keys have is not told by an answer that comes sooner.
        _check_in_vain(assertion, _decoy_key(assertion.algorithm))
    for key in meant:
        try:
            verified = jws.deserialize_compact(assertion.compact, key, registry=REGISTRY)
        except BadSignatureError:
            # Without a kid the next one may be it.
            continue
        except (JoseError, ValueError, TypeError) as error:
            raise InvalidAssertion(type(error).__name__) from error
        claims: dict[str, Any] = orjson.loads(verified.payload or b"")
        return claims
    raise InvalidAssertion("not signed with a key of the client's")


@cache
def _decoy(algorithm: str) -> bytes:
    """Return a JWK set with one key for the algorithm, whose private half nobody has."""
    if algorithm == "PS256":
        # To find two primes takes long, and against any odd number a signature is checked in the same time.
        modulus = secrets.randbits(_DECOY_BITS) | 1 << _DECOY_BITS - 1 | 1
        n = urlsafe_b64encode(modulus.to_bytes(_DECOY_BITS // 8)).rstrip(b"=").decode()
        return orjson.dumps({"keys": [{"kty": "RSA", "n": n, "e": "AQAB"}]})
    key = ECKey.generate_key("P-256") if algorithm == "ES256" else OKPKey.generate_key("Ed25519")
    return orjson.dumps({"keys": [key.as_dict(private=False)]})


@cache
def _decoy_key(algorithm: str) -> PublicKey:
    (key,) = usable_keys(_decoy(algorithm))
    return key


async def use_once(pool: asyncpg.Pool, used: UsedOnce) -> bool:
    """Keep that the assertion has been used. False: it had been, by this process or any other."""
    # Whoever else is dropping ended rows at this moment drops others: nobody waits for them.
    inserted = await pool.fetchval(
        """
        WITH ended AS (
            DELETE FROM client_assertions AS a
            USING (
                SELECT e.client_id, e.jti_sha256 FROM client_assertions AS e
                WHERE e.expires_at < now() LIMIT $4 FOR UPDATE SKIP LOCKED
            ) AS e
            WHERE a.client_id = e.client_id AND a.jti_sha256 = e.jti_sha256
        )
        INSERT INTO client_assertions (client_id, jti_sha256, expires_at) VALUES ($1, $2, $3)
        ON CONFLICT (client_id, jti_sha256) DO NOTHING
        RETURNING TRUE
        """,
        used.client_id,
        used.jti_sha256,
        datetime.fromtimestamp(used.expires_at + _CLOCK_SKEW_SECONDS + _KEPT_LONGER_SECONDS, UTC),
        _DROPPED_AT_ONCE,
    )
    return bool(inserted)
