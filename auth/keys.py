"""The keys that sign access tokens: ES256 (RFC 7518), in the database, so that every process has the same.

The private half is sealed by the vault, bound to the key's id. One key signs. A new one is published before it
signs, and a retired one for as long as a token that it signed can be alive.
"""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import orjson
import structlog
from joserfc.jwk import ECKey, KeySet, KeySetSerialization

from database import sealing
from database.vault import Vault

ALGORITHM: Final = "ES256"

log = structlog.get_logger()

# A process signs with a retired key until it looks again, and that key's last token lives ten minutes more:
# an hour is several times their sum.
_RETIRED_KEYS_PUBLISHED_SECONDS: Final = 3600

# How soon a process signs with another process's new key, and drops a retired one.
_LOOK_AGAIN_SECONDS: Final = 300

# How long a new key is published before it signs: a bank may hold a copy of the keys that is 300 s old
# (gateway/endpoints/oauth.py), of a process that has not looked for _LOOK_AGAIN_SECONDS; and as much again.
PUBLISHED_AHEAD_SECONDS: Final = 1200

# NIST SP 800-57, 5.3.6 has a signature key for one to three years. A month costs nothing, and a way that is gone every
# month is known to work.
LIFETIME: Final = timedelta(days=30)

# Made-up key ids cost the sender nothing; they make a process read the table no oftener than this. A new key
# may be unknown to another process for as long, and no longer.
_UNKNOWN_KEY_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """What the table holds: the public keys that verify, and the one private key that signs."""

    published: KeySet
    signing: ECKey = field(repr=False)

    def find(self, key_id: str) -> ECKey | None:
        """Find a published key by its id."""
        for key in self.published.keys:
            if key.kid == key_id and isinstance(key, ECKey):
                return key
        return None


@dataclass(frozen=True, slots=True)
class KeyTimes:
    """One key of the table, as the command lists it."""

    id: str
    state: str
    "PUBLISHED (it will sign), SIGNING, RETIRED (it still verifies), or ENDED."
    signs_from: datetime
    retired_at: datetime | None


async def ensure_signing_key(connection: asyncpg.Connection, vault: Vault) -> str:
    """Make a signing key if there is none that is not retired, and return that one's id (RFC 7638 thumbprint).

    Processes may race: the unique index signing_keys_current lets one through, and all return its key.
    """
    current = "SELECT id FROM signing_keys WHERE algorithm = $1 AND retired_at IS NULL"
    key_id = await connection.fetchval(current, ALGORITHM)
    while key_id is None:
        await _add_key(connection, vault, ahead_seconds=0)
        # Ours or another process's; none, if that one has been retired in between.
        key_id = await connection.fetchval(current, ALGORITHM)
    return str(key_id)


async def rotate_signing_key(connection: asyncpg.Connection, vault: Vault, lifetime: timedelta | None = None) -> bool:
    """Publish a new key, which signs PUBLISHED_AHEAD_SECONDS later, when the one that signs now retires.

    With `lifetime` only if the one that signs has had so much of it that the new one comes in time. Returns False if
    that is not so, or a new key is published and waiting already. Processes may race: one of them rotates.
    """
    async with connection.transaction():
        # Whoever comes second waits here for the first, and then finds no such row.
        retired = await connection.fetchval(
            """
            UPDATE signing_keys SET retired_at = now() + make_interval(secs => $2)
            WHERE
                algorithm = $1 AND retired_at IS NULL AND signs_from <= now()
                AND ($3::interval IS NULL OR signs_from + $3::interval <= now() + make_interval(secs => $2))
            RETURNING id
            """,
            ALGORITHM,
            PUBLISHED_AHEAD_SECONDS,
            lifetime,
        )
        if retired is not None:
            await _add_key(connection, vault, ahead_seconds=PUBLISHED_AHEAD_SECONDS)
    return retired is not None


async def _add_key(connection: asyncpg.Connection, vault: Vault, *, ahead_seconds: int) -> None:
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
    key_id = key.thumbprint()
    await connection.execute(
        """
        INSERT INTO signing_keys (id, algorithm, public_jwk, sealed_private_key, data_key_id, signs_from)
        VALUES ($1, $2, $3::text::jsonb, $4, $5, now() + make_interval(secs => $6))
        ON CONFLICT (algorithm) WHERE retired_at IS NULL DO NOTHING
        """,
        key_id,
        ALGORITHM,
        orjson.dumps(key.as_dict(private=False)).decode(),
        vault.seal(orjson.dumps(key.as_dict(private=True)), sealing.signing_key(key_id)),
        vault.identity_key_id,
        ahead_seconds,
    )


async def list_signing_keys(connection: asyncpg.Connection) -> list[KeyTimes]:
    """List the keys, the newest first, with those that verify no more."""
    rows = await connection.fetch(
        """
        SELECT
            id, signs_from, retired_at,
            CASE
                WHEN retired_at <= now() - make_interval(secs => $1) THEN 'ENDED'
                WHEN retired_at <= now() THEN 'RETIRED'
                WHEN signs_from <= now() THEN 'SIGNING'
                ELSE 'PUBLISHED'
            END AS state
        FROM signing_keys
        ORDER BY signs_from DESC, id
        """,
        _RETIRED_KEYS_PUBLISHED_SECONDS,
    )
    return [KeyTimes(**row) for row in rows]


async def load_signing_keys(connection: asyncpg.Connection, vault: Vault) -> SigningKeys:
    """Read the keys: the one that signs with its private half, and the public half of every published one.

    Raises LookupError when no key signs.
    """
    rows = await connection.fetch(
        """
        SELECT
            id, public_jwk::text AS public_jwk, sealed_private_key, data_key_id,
            signs_from <= now() AND (retired_at IS NULL OR retired_at > now()) AS is_current
        FROM signing_keys
        WHERE retired_at IS NULL OR retired_at > now() - make_interval(secs => $1)
        ORDER BY signs_from DESC
        """,
        _RETIRED_KEYS_PUBLISHED_SECONDS,
    )
    published = KeySet([ECKey.import_key(orjson.loads(row["public_jwk"])) for row in rows])
    for row in rows:
        if row["is_current"]:
            private_jwk = await vault.unsealed(
                connection, row["sealed_private_key"], row["data_key_id"], sealing.signing_key(row["id"])
            )
            return SigningKeys(published, ECKey.import_key(orjson.loads(private_jwk)))
    raise LookupError("no signing key is current; ensure_signing_key makes one")


class KeyRing:
    """The signing keys as one process knows them, read again when they are old or a key is missing.

    Whichever process reads them first when a key has signed for `lifetime` rotates it, for all.
    """

    def __init__(self, pool: asyncpg.Pool, vault: Vault, lifetime: timedelta = LIFETIME) -> None:
        self._pool = pool
        self._vault = vault
        self._lifetime = lifetime
        self._keys: SigningKeys | None = None
        self._read_at = 0.0
        self._reading = asyncio.Lock()

    async def keys(self, *, newer_than_seconds: float = _LOOK_AGAIN_SECONDS) -> SigningKeys:
        """Return the keys, read again if what is known is older. Whoever comes meanwhile awaits that read."""
        async with self._reading:
            if self._keys is None or time.monotonic() - self._read_at > newer_than_seconds:
                started_at = time.monotonic()
                async with self._pool.acquire() as connection:
                    if await rotate_signing_key(connection, self._vault, self._lifetime):
                        log.info("a new signing key is published", signs_in_seconds=PUBLISHED_AHEAD_SECONDS)
                    self._keys = await load_signing_keys(connection, self._vault)
                self._read_at = started_at
            return self._keys

    async def find(self, key_id: str) -> ECKey | None:
        """Find the public key of that id, which another process may have made a moment ago."""
        found = (await self.keys()).find(key_id)
        return found or (await self.keys(newer_than_seconds=_UNKNOWN_KEY_SECONDS)).find(key_id)

    async def published(self) -> KeySetSerialization:
        """Return the JWK set to publish (RFC 7517): public halves with kid, use and alg."""
        return (await self.keys()).published.as_dict(private=False)
