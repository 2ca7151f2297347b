"""What all processes know of DPoP proofs (RFC 9449): the nonces that they must hold, and which have been used.

Nonces are computed, not kept. Used proofs are kept in PostgreSQL, in a table that a crash empties; the epoch, which
is emptied with it and is part of each nonce, then ends every proof of before.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Final, Self
from uuid import UUID

import asyncpg

# How long a nonce is given out; it is taken for as long again. Whoever calls oftener than that never meets an
# unknown one, since each answer brings the current one.
_NONCE_STEP_SECONDS: Final = 60

# 128 bits: nobody guesses one, and a proof stays short.
_NONCE_BYTES: Final = 16

# A proof is good until it is PROOF_SECONDS_MAX old (auth/dpop.py) and may be from as many seconds ahead as our clocks
# are apart; a used one is kept for longer than their sum.
USED_PROOFS_KEPT_SECONDS: Final = 90

# Ended rows go with a new one, so many at each so many: some 3 ms for one request of 256, and faster than they come.
_INSERTS_BETWEEN_CLEANINGS: Final = 256
_ROWS_CLEANED: Final = 1024

_ENSURE_EPOCH: Final = "INSERT INTO dpop_epochs DEFAULT VALUES ON CONFLICT (only_row) DO NOTHING"

_SPEND: Final = """
    WITH spent AS (
        INSERT INTO dpop_proofs (digest, ended_at)
        SELECT $1, now() + make_interval(secs => $2)
        WHERE EXISTS (SELECT FROM dpop_epochs AS e WHERE e.epoch = $3)
        ON CONFLICT (digest) DO NOTHING
        RETURNING digest
    )

    SELECT
        EXISTS (SELECT FROM spent) AS is_new,
        EXISTS (SELECT FROM dpop_epochs AS e WHERE e.epoch = $3) AS is_same_epoch
"""

_CLEAN: Final = """
    DELETE FROM dpop_proofs
    WHERE ctid = ANY(
        ARRAY(SELECT p.ctid FROM dpop_proofs AS p WHERE p.ended_at < now() LIMIT $1 FOR UPDATE SKIP LOCKED)
    )
"""


class ProofUsed(Exception):
    """A proof has been used before."""


class EpochEnded(Exception):
    """The memory of used proofs was emptied: what was made before can no longer be told from a replay."""


class ProofMemory:
    """The nonces and the used proofs, as one process reaches them. Made by `open`.

    `nonce_key` is the same secret in all processes. `clock` tells the seconds since 1970 (UTC).
    """

    def __init__(self, pool: asyncpg.Pool, nonce_key: bytes, epoch: UUID, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._nonce_key = nonce_key
        self._epoch = epoch
        self._clock = clock
        self._inserts = 0

    @classmethod
    async def open(cls, pool: asyncpg.Pool, nonce_key: bytes, clock: Callable[[], float] = time.time) -> Self:
        """Read the epoch, which the first process makes."""
        return cls(pool, nonce_key, await _epoch_of(pool), clock)

    def nonce(self) -> str:
        """Return the nonce to give out now: base64url, 22 characters."""
        return self._nonce_of(self._step())

    def is_current(self, nonce: str) -> bool:
        """Whether a nonce was given out at most two steps ago, by whichever process."""
        step = self._step()
        given = nonce.encode(errors="replace")
        return any(hmac.compare_digest(given, self._nonce_of(step - age).encode()) for age in (0, 1))

    async def use(self, thumbprint: str, jti: str) -> None:
        """Mark a proof of this key as used.

        Raises ProofUsed when any process has done so before, and EpochEnded when that is no longer known.
        """
        digest = hashlib.sha256(f"{thumbprint} {jti}".encode()).digest()[:16]
        row = await self._pool.fetchrow(_SPEND, digest, USED_PROOFS_KEPT_SECONDS, self._epoch)
        if not row["is_same_epoch"]:
            self._epoch = await _epoch_of(self._pool)
            raise EpochEnded
        if not row["is_new"]:
            raise ProofUsed
        self._inserts += 1
        if self._inserts % _INSERTS_BETWEEN_CLEANINGS == 0:
            await self._pool.execute(_CLEAN, _ROWS_CLEANED)

    def _step(self) -> int:
        return int(self._clock() // _NONCE_STEP_SECONDS)

    def _nonce_of(self, step: int) -> str:
        mac = hmac.digest(self._nonce_key, self._epoch.bytes + step.to_bytes(8), "sha256")
        return base64.urlsafe_b64encode(mac[:_NONCE_BYTES]).rstrip(b"=").decode()


async def _epoch_of(pool: asyncpg.Pool) -> UUID:
    await pool.execute(_ENSURE_EPOCH)
    epoch: UUID = await pool.fetchval("SELECT epoch FROM dpop_epochs")
    return epoch
