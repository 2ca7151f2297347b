"""The keys of the data at rest over their life: made, replaced, emptied by sealing anew, removed, wrapped anew.

Every change of a key takes the table's lock and looks at it again under it, so that of two commands at once one is
first, and keys wrapped by different master keys never stand side by side.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg
import orjson
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from database import sealing
from database.vault import DATA_KEY_BYTES, MASTER_KEY_BYTES, Vault, WrongMasterKey

#: How often a running process looks for new data keys.
LEARN_SECONDS: Final = 10.0
#: By when each has looked, twice over and with time for a slow start: nothing is sealed anew under a key before that.
KNOWN_EVERYWHERE_SECONDS: Final = 30.0
#: A process that could not look for so long has lost its database; what it still seals under a key that is gone is
#: refused by the foreign key, and nothing is lost.
PRUNE_AFTER_SECONDS: Final = 300.0
#: Rows of one transaction: some milliseconds, in which nobody who wants one of them waits noticeably.
BATCH_ROWS: Final = 500
#: A pass finds what was sealed meanwhile by a process with the key before; there is little of it, and less each time.
MAX_PASSES: Final = 10

_LOCK = "LOCK TABLE data_keys IN SHARE ROW EXCLUSIVE MODE"


@dataclass(frozen=True, slots=True)
class Sealed:
    """One table that holds sealed bytes: its key column, their column, and what they are bound to."""

    table: str
    key: str
    key_type: str
    column: str
    #: The column of the context, and what makes the context of it.
    context_column: str
    context: Callable[[Any], bytes]


#: Every table with a data_key_id: a test holds this list to the schema.
SEALED: Final = (
    Sealed("signing_keys", "id", "text", "sealed_private_key", "id", sealing.signing_key),
    Sealed("callbacks", "client_id", "text", "sealed_secret", "client_id", sealing.callback_secret),
    Sealed("payment_signatures", "id", "bigint", "sealed_message", "signature", sealing.payment_signature),
    Sealed("voucher_certificates", "fingerprint", "text", "sealed_private_key", "fingerprint", sealing.voucher_key),
    Sealed("payers", "id", "bigint", "sealed_identity", "resident_id_index", bytes),
)


@dataclass(frozen=True, slots=True)
class DataKey:
    """A key as the operator sees it, and how many rows are sealed under it."""

    id: int
    purpose: str
    created_at: datetime
    retired_at: datetime | None
    rows: int


async def list_keys(connection: asyncpg.Connection) -> list[DataKey]:
    """List the keys, the oldest first. Counts every sealed row."""
    counts = " UNION ALL ".join(f"SELECT s.data_key_id FROM {sealed.table} AS s" for sealed in SEALED)
    rows = await connection.fetch(
        f"""
        SELECT k.id, k.purpose, k.created_at, k.retired_at, coalesce(c.rows, 0) AS rows
        FROM data_keys AS k
        LEFT JOIN (
            SELECT u.data_key_id, count(*) AS rows FROM ({counts}) AS u GROUP BY u.data_key_id
        ) AS c ON k.id = c.data_key_id
        ORDER BY k.id
        """
    )
    return [DataKey(**row) for row in rows]


async def rotate(connection: asyncpg.Connection, master_key: bytes) -> int:
    """Retire the current IDENTITY key, make a new one, and return its id. The old one opens what it sealed.

    Raises WrongMasterKey.
    """
    async with connection.transaction():
        await connection.execute(_LOCK)
        # Under the lock: a key wrapped by a master key that was changed a moment ago would be lost.
        await Vault.open(connection, master_key)
        await connection.execute(
            "UPDATE data_keys SET retired_at = now() WHERE purpose = 'IDENTITY' AND retired_at IS NULL"
        )
        key_id: int = await connection.fetchval(
            "INSERT INTO data_keys (purpose, wrapped_key) VALUES ('IDENTITY', $1) RETURNING id",
            aes_key_wrap(master_key, os.urandom(DATA_KEY_BYTES["IDENTITY"])),
        )
        return key_id


async def reencrypt(
    connection: asyncpg.Connection, vault: Vault, *, progress: Callable[[int], None] = lambda rows: None
) -> int:
    """Seal every row anew that is under another key than the current one, and return how many there were.

    Batches of BATCH_ROWS, each its own transaction: killed at any time, nothing is lost, and the next run goes on.
    A row that changes meanwhile is left as it is for the next pass. Begins when every process knows the current
    key, KNOWN_EVERYWHERE_SECONDS after it was made. `vault` is the caller's own, opened lately. Raises RuntimeError
    when others seal under old keys faster than this does under the new one.
    """
    current = vault.identity_key_id
    age = await connection.fetchval(
        "SELECT extract(EPOCH FROM now() - created_at)::float8 FROM data_keys WHERE id = $1", current
    )
    await asyncio.sleep(max(0.0, KNOWN_EVERYWHERE_SECONDS - max(0.0, age)))
    total = 0
    for _ in range(MAX_PASSES):
        done = 0
        for sealed in SEALED:
            done += await _pass(connection, vault, current, sealed, progress)
        total += done
        if not done:
            if total:
                await connection.execute(
                    "SELECT append_audit(0, 'DATA_KEY_TOOK_OVER', $1, $2::text::jsonb)",
                    f"data_key:{current}",
                    orjson.dumps({"rows": total}).decode(),
                )
            return total
    raise RuntimeError("rows go on being sealed under old keys: restart the servers, then run this again")


async def _pass(
    connection: asyncpg.Connection, vault: Vault, current: int, sealed: Sealed, progress: Callable[[int], None]
) -> int:
    done = 0
    last = None
    while True:
        rows = await connection.fetch(
            f"""
            SELECT s.{sealed.key} AS key, s.{sealed.column} AS sealed, s.data_key_id, s.{sealed.context_column} AS bound
            FROM {sealed.table} AS s
            WHERE s.data_key_id <> $1 AND ($2::{sealed.key_type} IS NULL OR s.{sealed.key} > $2::{sealed.key_type})
            ORDER BY s.{sealed.key}
            LIMIT {BATCH_ROWS}
            """,
            current,
            last,
        )
        if not rows:
            return done
        last = rows[-1]["key"]
        contexts = [sealed.context(row["bound"]) for row in rows]
        anew = [
            # A person that was erased has nothing sealed; the key of the row changes all the same.
            vault.seal(await vault.unsealed(connection, row["sealed"], row["data_key_id"], context), context)
            if row["sealed"]
            else b""
            for row, context in zip(rows, contexts, strict=True)
        ]
        # Only what is still as it was read: no row is held meanwhile.
        status = await connection.execute(
            f"""
            UPDATE {sealed.table} AS s SET {sealed.column} = n.anew, data_key_id = $1
            FROM unnest($2::{sealed.key_type} [], $3::bytea [], $4::bytea []) AS n (key, sealed, anew)
            WHERE s.{sealed.key} = n.key AND s.{sealed.column} = n.sealed
            """,
            current,
            [row["key"] for row in rows],
            [row["sealed"] for row in rows],
            anew,
        )
        count = int(status.rsplit(" ", 1)[1])
        done += count
        progress(count)


async def prune(connection: asyncpg.Connection) -> list[int]:
    """Remove the IDENTITY keys that were retired PRUNE_AFTER_SECONDS ago and seal no row, and return their ids.

    What they sealed before, in a backup or in a page not yet overwritten, opens no more.
    """
    unused = " AND ".join(
        f"NOT EXISTS (SELECT 1 FROM {sealed.table} AS s WHERE s.data_key_id = k.id)" for sealed in SEALED
    )
    rows = await connection.fetch(
        f"""
        DELETE FROM data_keys AS k
        WHERE k.purpose = 'IDENTITY' AND k.retired_at < now() - make_interval(secs => $1) AND {unused}
        RETURNING k.id
        """,
        PRUNE_AFTER_SECONDS,
    )
    return sorted(row["id"] for row in rows)


async def rewrap(connection: asyncpg.Connection, old: bytes, new: bytes) -> int:
    """Wrap every key by the new master key, in one transaction, and return how many: 0 if they are already.

    Raises WrongMasterKey when `old` is not what they are wrapped by, and ValueError unless `new` has 32 bytes.
    """
    if len(new) != MASTER_KEY_BYTES:
        raise ValueError(f"a master key has {MASTER_KEY_BYTES} bytes, not {len(new)}")
    async with connection.transaction():
        await connection.execute(_LOCK)
        rows = await connection.fetch("SELECT id, wrapped_key FROM data_keys ORDER BY id")
        if all(_opens(new, row["wrapped_key"]) for row in rows):
            return 0
        if not all(_opens(old, row["wrapped_key"]) for row in rows):
            raise WrongMasterKey("GATEWAY_MASTER_KEY is not the master key that this database's keys are wrapped by")
        await connection.executemany(
            "UPDATE data_keys SET wrapped_key = $2 WHERE id = $1",
            [(row["id"], aes_key_wrap(new, aes_key_unwrap(old, row["wrapped_key"]))) for row in rows],
        )
        return len(rows)


def _opens(master_key: bytes, wrapped: bytes) -> bool:
    try:
        aes_key_unwrap(master_key, wrapped)
    except InvalidUnwrap:
        return False
    return True
