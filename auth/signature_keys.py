"""The public keys by which clients sign their requests (RFC 9421), and which institutions must sign."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, cast

import asyncpg
import orjson
from http_message_signatures import VerificationKey
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from auth.institutions import FieldError

#: One in use, the next one, and some more for machines that share no key.
MAX_KEYS: Final = 8
#: Eight RSA keys of 4096 bits with their certificates are less.
MAX_FILE_BYTES: Final = 65_536
#: Shorter ones are broken too soon (NIST SP 800-57); longer ones cost each request milliseconds.
_RSA_BITS: Final = range(2048, 4096 + 1)
_KID_LENGTH_MAX: Final = 128

#: As many as TokenVerifier remembers tokens; an entry is a few keys.
_REMEMBERED_MAX: Final = 10_000

#: What a JWK may say of its algorithm (RFC 7518, 8037, 9864), by the name that RFC 9421 has for it.
_JWK_ALGORITHMS: Final = MappingProxyType(
    {"ecdsa-p256-sha256": ("ES256",), "ed25519": ("EdDSA", "Ed25519"), "rsa-pss-sha512": ("PS512",)}
)


@dataclass(frozen=True, slots=True)
class SignatureKey:
    """One key of a client's: its row, its algorithm by the name of RFC 9421, and the key itself."""

    id: int
    algorithm: str
    public_key: VerificationKey


@dataclass(frozen=True, slots=True)
class Signatory:
    """What one client signs with, by key id, and whether its institution must."""

    required: bool
    keys: Mapping[str, SignatureKey]


@dataclass(frozen=True, slots=True)
class _Memory:
    signatory: Signatory
    until: float


@dataclass(slots=True)
class SignatureKeys:
    """The keys as one process knows them.

    Whoever makes it remember for longer than a moment tells it of every change (auth/changes.py).
    """

    pool: asyncpg.Pool
    clock: Callable[[], float] = time.monotonic
    remember_seconds: float = 0.0
    _memory: OrderedDict[str, _Memory] = field(default_factory=OrderedDict, init=False, repr=False)
    _forgotten: int = field(default=0, init=False, repr=False)

    async def of_client(self, client_id: str, institution_id: int) -> Signatory:
        """Return what the client signs with. Raises what the database raises."""
        memory = self._memory.get(client_id)
        if memory is not None and memory.until > self.clock():
            return memory.signatory
        forgotten = self._forgotten
        signatory = await _signatory(self.pool, client_id, institution_id)
        # What was looked up while something changed may be from before the change.
        if forgotten == self._forgotten and self.remember_seconds > 0:
            self._memory[client_id] = _Memory(signatory, self.clock() + self.remember_seconds)
            if len(self._memory) > _REMEMBERED_MAX:
                self._memory.popitem(last=False)
        return signatory

    def remember_for(self, seconds: float) -> None:
        """Remember for so long from now on, and forget what is remembered."""
        self.remember_seconds = seconds
        self.forget()

    def forget(self) -> None:
        """Answer nothing more from memory: changes are rare, and a look-up is one statement."""
        self._forgotten += 1
        self._memory.clear()


async def _signatory(pool: asyncpg.Pool, client_id: str, institution_id: int) -> Signatory:
    rows = await pool.fetch(
        """
        SELECT
            EXISTS (SELECT 1 FROM signature_requirements AS r WHERE r.institution_id = $2) AS required,
            k.id, k.kid, k.algorithm, k.public_jwk::text AS public_jwk
        FROM (VALUES (1)) AS one (row)
        LEFT JOIN client_signing_keys AS k ON k.client_id = $1 AND k.retired_at IS NULL
        """,
        client_id,
        institution_id,
    )
    keys = {
        row["kid"]: SignatureKey(row["id"], row["algorithm"], public_key_of(row["public_jwk"]))
        for row in rows
        if row["id"] is not None
    }
    return Signatory(rows[0]["required"], MappingProxyType(keys))


def public_key_of(jwk: str) -> VerificationKey:
    """Return the key of a JWK that `register` has kept."""
    # What `register` takes is of these types.
    return cast(VerificationKey, JWKRegistry.import_key(orjson.loads(jwk)).public_key)


async def register(connection: asyncpg.Connection, client_id: str, jwk_set: bytes) -> list[str]:
    """Make these the keys that the client signs with, in place of those before, and return their ids.

    `jwk_set` is a JWK set (RFC 7517) of at most MAX_KEYS public keys: P-256, Ed25519, or RSA of 2048 to 4096 bits. A
    key without `kid` gets its thumbprint (RFC 7638). No keys at all: the client signs no more. Raises FieldError.
    """
    keys = _read(jwk_set)
    async with connection.transaction():
        # Two commands at once take turns.
        known = await connection.fetchval("SELECT id FROM clients WHERE id = $1 FOR UPDATE", client_id)
        if known is None:
            raise FieldError("client_id", f"no client has the id {client_id[:64]!r}")
        thumbprints = {kid: key.thumbprint() for kid, (key, _) in keys.items()}
        # What is there already stays: what it has signed names its row.
        kept = await connection.fetch(
            """
            WITH given AS (SELECT * FROM unnest($2::text [], $3::text []) AS g (kid, thumbprint)),
            retired AS (
                UPDATE client_signing_keys AS k SET retired_at = now()
                WHERE
                    k.client_id = $1 AND k.retired_at IS NULL
                    AND NOT EXISTS (SELECT 1 FROM given AS g WHERE g.kid = k.kid AND g.thumbprint = k.thumbprint)
            )
            SELECT k.kid FROM client_signing_keys AS k
            INNER JOIN given AS g ON k.kid = g.kid AND k.thumbprint = g.thumbprint
            WHERE k.client_id = $1 AND k.retired_at IS NULL
            """,
            client_id,
            list(thumbprints),
            list(thumbprints.values()),
        )
        new = keys.keys() - {row["kid"] for row in kept}
        await connection.executemany(
            """
            INSERT INTO client_signing_keys (client_id, kid, algorithm, public_jwk, thumbprint)
            VALUES ($1, $2, $3, $4::text::jsonb, $5)
            """,
            [
                (client_id, kid, keys[kid][1], orjson.dumps(keys[kid][0].as_dict(private=False)).decode(), thumbprint)
                for kid, thumbprint in thumbprints.items()
                if kid in new
            ],
        )
    return list(keys)


def _read(jwk_set: bytes) -> dict[str, tuple[Key, str]]:
    """Return the keys by id, each with its algorithm. No reason repeats anything of a key: it may be a private one."""
    if len(jwk_set) > MAX_FILE_BYTES:
        raise FieldError("file", f"is larger than {MAX_FILE_BYTES} bytes")
    try:
        given = orjson.loads(jwk_set)
    except orjson.JSONDecodeError:
        raise FieldError("file", "is not JSON") from None
    members = given.get("keys") if isinstance(given, dict) else None
    if not isinstance(members, list) or not all(isinstance(member, dict) for member in members):
        raise FieldError("file", 'must be a JWK set, {"keys": [...]}')
    if len(members) > MAX_KEYS:
        raise FieldError("file", f"has more than {MAX_KEYS} keys")
    keys: dict[str, tuple[Key, str]] = {}
    for index, member in enumerate(members):
        where = f"keys[{index}]"
        key = _key(where, member)
        kid = member.get("kid", key.thumbprint())
        if not isinstance(kid, str) or not 1 <= len(kid) <= _KID_LENGTH_MAX or not _printable(kid):
            raise FieldError(where, f"kid must be 1 to {_KID_LENGTH_MAX} printable ASCII characters without spaces")
        if kid in keys:
            raise FieldError(where, "has the kid of another key")
        keys[kid] = key, _algorithm(where, key, member)
    return keys


def _key(where: str, member: dict[str, Any]) -> Key:
    try:
        key = JWKRegistry.import_key(member)
    except (JoseError, ValueError, TypeError, KeyError):
        raise FieldError(where, "is no JWK that can be read") from None
    if key.is_private or member.get("kty") == "oct":
        raise FieldError(where, "must be a public key: keep the private one to yourself, and make another now")
    if member.get("use", "sig") != "sig" or "verify" not in member.get("key_ops", ["verify"]):
        raise FieldError(where, "is not for signatures")
    return key


def _algorithm(where: str, key: Key, member: dict[str, Any]) -> str:
    match key:
        case ECKey() if key.curve_name == "P-256":
            algorithm = "ecdsa-p256-sha256"
        case OKPKey() if key.curve_name == "Ed25519":
            algorithm = "ed25519"
        case RSAKey() if key.public_key.key_size in _RSA_BITS:
            algorithm = "rsa-pss-sha512"
        case _:
            raise FieldError(where, "must be P-256, Ed25519, or RSA of 2048 to 4096 bits")
    if member.get("alg", _JWK_ALGORITHMS[algorithm][0]) not in _JWK_ALGORITHMS[algorithm]:
        raise FieldError(where, f"alg must be {' or '.join(_JWK_ALGORITHMS[algorithm])}")
    return algorithm


def _printable(kid: str) -> bool:
    return all("!" <= character <= "~" for character in kid)


async def require(connection: asyncpg.Connection, institution_code: str, *, required: bool) -> None:
    """Have every client of the institution sign what moves money, or no longer. Again changes nothing.

    Raises FieldError for an unknown institution.
    """
    institution_id = await connection.fetchval("SELECT id FROM institutions WHERE code = $1", institution_code)
    if institution_id is None:
        raise FieldError("institution", f"no institution has the code {institution_code[:20]!r}")
    if required:
        statement = "INSERT INTO signature_requirements (institution_id) VALUES ($1) ON CONFLICT DO NOTHING"
    else:
        statement = "DELETE FROM signature_requirements WHERE institution_id = $1"
    await connection.execute(statement, institution_id)
