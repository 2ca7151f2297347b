"""Notifications: numbers what has happened, and sends it to the addresses that clients have registered.

At least once, with the same webhook-id each time; in no promised order, which the sequence number tells. Nothing that
could not be delivered is lost: every event can be read by its number (`events` of the API).
"""

import logging
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import asyncpg
import httpx
from cryptography.exceptions import InvalidTag

from database import sealing
from database.vault import Vault
from gateway.outbox.message import SELECT_MESSAGE, message_of
from gateway.outbox.sending import NotAcknowledged, retry_delay, send_signed
from gateway.outbox.worker import ROUNDS_LOCK, Entrypoint, Round

#: Pauses double from seconds to hours. Half of the limit on the average, they come to some two days: a receiver that
#: is down over a weekend's night gets everything by itself, and one that is gone is not tried for ever.
FIRST_DELAY: Final = timedelta(seconds=2)
LONGEST_DELAY: Final = timedelta(hours=6)
MAX_TRIES: Final = 30

#: Messages under way to one client from one worker: half of what a worker has under way at all.
MAX_AT_ONCE: Final = 30
#: To one whose last message was not taken: a bank that is down must not hold up the others' messages.
MAX_AT_ONCE_FAILING: Final = 2

NUMBERING_SECONDS: Final = 1.0
#: Events that are numbered in one transaction: some tens of milliseconds.
MAX_NUMBERED: Final = 2_000
SWEEP_SECONDS: Final = 60.0
#: A delivery's job is there from the same transaction on. One that is older and has none has lost it.
SWEPT_AFTER: Final = timedelta(minutes=1)
#: Deliveries of one sweep: enqueued again, or thrown away.
MAX_SWEPT: Final = 10_000
#: How long is kept what became of a delivery: an event itself stays for ever.
DELIVERIES_KEPT: Final = timedelta(days=30)

GONE: Final = 410

_ENQUEUE_LOST: Final = """
    WITH lost AS MATERIALIZED (
        SELECT d.id
        FROM deliveries AS d
        WHERE
            d.delivered_at IS NULL AND d.failed_at IS NULL AND d.enqueued_at < now() - $1::interval
            AND NOT EXISTS (
                SELECT 1 FROM pgqueuer AS q
                WHERE
                    q.entrypoint = 'delivery' AND q.status IN ('queued', 'picked')
                    AND q.payload = convert_to(d.id::text, 'UTF8')
            )
        ORDER BY d.id
        LIMIT $2
    )

    SELECT count(*) FROM lost AS l CROSS JOIN LATERAL enqueue_job('delivery', l.id::text)
"""

_THROW_AWAY: Final = """
    DELETE FROM deliveries AS d
    USING (
        SELECT o.id FROM deliveries AS o
        WHERE o.enqueued_at < now() - $1::interval AND num_nonnulls(o.delivered_at, o.failed_at) > 0
        ORDER BY o.enqueued_at
        LIMIT $2
    ) AS old
    WHERE d.id = old.id
"""

log = logging.getLogger("gateway.notifying")


@dataclass(slots=True)
class _Receiver:
    """One client's receiver, as this worker knows it."""

    under_way: int = 0
    failures_in_a_row: int = 0

    @property
    def is_busy(self) -> bool:
        return self.under_way >= (MAX_AT_ONCE_FAILING if self.failures_in_a_row else MAX_AT_ONCE)


class Notifier:
    """Sends deliveries. `client` decides which addresses it connects to (`guard.transport_of`)."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault, client: httpx.AsyncClient) -> None:
        self._pool = pool
        self._vault = vault
        self._client = client
        # As many as there are clients with a callback.
        self._receivers: dict[str, _Receiver] = defaultdict(_Receiver)

    @property
    def entrypoints(self) -> tuple[Entrypoint, ...]:
        """Return what the worker does with jobs of ours."""
        return (Entrypoint("delivery", self.deliver),)

    @property
    def rounds(self) -> tuple[Round, ...]:
        """Return what the worker does for us every so often."""
        return (Round("numbering", NUMBERING_SECONDS, self.number), Round("deliveries", SWEEP_SECONDS, self.sweep))

    async def number(self) -> None:
        """Give numbers to what has been committed, and enqueue its deliveries."""
        while await self._pool.fetchval("SELECT number_events($1)", MAX_NUMBERED) == MAX_NUMBERED:
            continue

    async def deliver(self, delivery_id: int) -> timedelta | None:
        """Try one delivery; return the pause until the next try, None when it needs no more."""
        row = await self._pool.fetchrow(SELECT_MESSAGE, delivery_id)
        if row is None:
            # Delivered, had its last try, or gone with its callback.
            return None
        if row["revoked"]:
            return await self._try_again(delivery_id, "the client is revoked", max_tries=0)
        receiver = self._receivers[row["client_id"]]
        if receiver.is_busy:
            return retry_delay(receiver.failures_in_a_row + 1)
        receiver.under_way += 1
        try:
            secret = await self._secret_of(row)
            await send_signed(self._client, row["url"], str(row["message_id"]), secret, message_of(row, self._vault))
        except NotAcknowledged as failure:
            receiver.failures_in_a_row += 1
            if failure.status == GONE and await self._remove(row):
                return None
            return await self._try_again(delivery_id, failure.reason)
        finally:
            receiver.under_way -= 1
        receiver.failures_in_a_row = 0
        await self._pool.execute(
            """
            UPDATE deliveries SET delivered_at = now(), attempts = attempts + 1, attempted_at = now(), last_error = NULL
            WHERE id = $1 AND delivered_at IS NULL AND failed_at IS NULL
            """,
            delivery_id,
        )
        return None

    async def _secret_of(self, row: asyncpg.Record) -> str:
        context = sealing.callback_secret(row["client_id"])
        try:
            secret = await self._vault.unsealed(self._pool, row["sealed_secret"], row["data_key_id"], context)
            return secret.decode()
        except (InvalidTag, LookupError):
            # Spoiled, or its key is gone.
            raise NotAcknowledged("the secret can't be unsealed") from None

    async def _try_again(self, delivery_id: int, reason: str, *, max_tries: int = MAX_TRIES) -> timedelta | None:
        """Write down a try that failed. Return the pause until the next, None if it was the last."""
        row = await self._pool.fetchrow(
            """
            UPDATE deliveries
            SET
                attempts = attempts + 1,
                attempted_at = now(),
                last_error = $2,
                failed_at = CASE WHEN attempts + 1 >= $3 THEN now() END
            WHERE id = $1 AND delivered_at IS NULL AND failed_at IS NULL
            RETURNING attempts, client_id, failed_at IS NOT NULL AS ends
            """,
            delivery_id,
            reason,
            max_tries,
        )
        if row is None:
            return None
        if row["ends"]:
            log.warning(
                "delivery %d to %s failed at try %d: %s", delivery_id, row["client_id"], row["attempts"], reason
            )
            return None
        return retry_delay(row["attempts"], first=FIRST_DELAY, longest=LONGEST_DELAY)

    async def _remove(self, row: asyncpg.Record) -> bool:
        """Remove the callback of a receiver that says that it is gone. Return False if it was replaced meanwhile."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT set_config('gateway.actor', 'worker:delivery', TRUE)")
            removed = await connection.fetchval(
                "DELETE FROM callbacks WHERE client_id = $1 AND registered_at = $2 RETURNING TRUE",
                row["client_id"],
                row["registered_at"],
            )
        if removed:
            log.warning("the callback of %s answered 410 and is removed", row["client_id"])
        return bool(removed)

    async def sweep(self) -> None:
        """Enqueue deliveries that have lost their job, and throw away what is long done."""
        async with self._pool.acquire() as connection, connection.transaction():
            # Of several workers one sweeps, or each would enqueue what is lost.
            if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", ROUNDS_LOCK):
                return
            count = await connection.fetchval(_ENQUEUE_LOST, SWEPT_AFTER, MAX_SWEPT)
            await connection.execute(_THROW_AWAY, DELIVERIES_KEPT, MAX_SWEPT)
        if count:
            log.warning("%d deliveries had no job", count)
