"""Posting to the tax ledger: one message for each thing that happened to a payment, until it is acknowledged.

`docs/posting.md` has the message and the rules for whoever runs the tax ledger's side.
"""

import logging
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import httpx
import orjson
from cryptography.exceptions import InvalidTag

from contributions import months
from database.vault import Vault
from gateway.outbox.sending import NotAcknowledged, retry_delay, send_signed
from gateway.outbox.worker import ROUNDS_LOCK, Entrypoint, Round

#: The name of its jobs in the queue.
ENTRYPOINT: Final = "posting"
#: With retry_delay's pauses: an hour on average, two at the most. What is away for longer needs a hand, and so does
#: what has piled up behind it.
MAX_TRIES: Final = 18
#: The tax ledger has read the message and will not have it: the same message again is not taken either.
FINAL_STATUSES: Final = frozenset({400, 413, 415, 422})
#: Until a posting looks again whether the one before it was acknowledged.
LONGEST_WAIT: Final = timedelta(seconds=30)
BEFORE_FAILED: Final = "an earlier posting of this payment failed"

#: Between two looks for postings without a job. There are none unless something was lost.
SWEEP_SECONDS: Final = 10.0
#: Of one look. Jobs that were lost are enqueued as fast as they can be done.
MAX_SWEPT: Final = 5000

# A number of 18 characters, followed by the name, is how a person's identity is sealed.
_RESIDENT_ID_LENGTH: Final = 18

_READ: Final = """
    SELECT
        o.kind,
        o.idempotency_key,
        o.acknowledged_at IS NOT NULL OR o.failed_at IS NOT NULL AS done,
        first.idempotency_key AS accepted_key,
        before.failed_at IS NOT NULL AS before_failed,
        before.attempts AS before_attempts,
        i.code AS institution,
        p.bank_reference,
        r.number AS receipt_number,
        b.bill_number,
        p.channel,
        p.insurance,
        p.pooling_area,
        lower(p.months) AS first_month,
        upper(p.months) - 1 AS last_month,
        p.amount,
        p.business_date,
        p.collected_at,
        p.accepted_at,
        CASE o.kind WHEN 'REVERSED' THEN p.reversed_at WHEN 'REFUNDED' THEN p.refunded_at ELSE p.accepted_at
        END AS occurred_at,
        y.resident_id_index,
        y.sealed_identity,
        y.data_key_id
    FROM postings AS o
    INNER JOIN payments AS p ON o.payment_id = p.id
    INNER JOIN receipts AS r ON p.id = r.payment_id
    INNER JOIN institutions AS i ON p.institution_id = i.id
    INNER JOIN payers AS y ON p.payer_id = y.id
    LEFT JOIN bills AS b ON p.bill_id = b.id
    LEFT JOIN postings AS first ON o.payment_id = first.payment_id AND first.kind = 'ACCEPTED' AND first.id < o.id
    LEFT JOIN LATERAL (
        SELECT e.attempts, e.failed_at
        FROM postings AS e
        WHERE e.payment_id = o.payment_id AND e.id < o.id AND e.acknowledged_at IS NULL
        ORDER BY e.id
        LIMIT 1
    ) AS before ON TRUE
    WHERE o.id = $1
"""

# Of two tries that overlap, the one that was acknowledged is right.
_NOT_ACKNOWLEDGED: Final = """
    UPDATE postings
    SET
        attempts = attempts + 1,
        attempted_at = now(),
        last_error = $2,
        failed_at = CASE WHEN $3 OR attempts + 1 >= $4 THEN now() END
    WHERE id = $1 AND acknowledged_at IS NULL AND failed_at IS NULL
    RETURNING attempts, failed_at
"""

_SWEEP: Final = """
    WITH lost AS MATERIALIZED (
        SELECT o.id
        FROM postings AS o
        WHERE
            o.acknowledged_at IS NULL AND o.failed_at IS NULL AND NOT EXISTS (
                SELECT 1 FROM pgqueuer AS q
                WHERE
                    q.entrypoint = $1 AND q.status IN ('queued', 'picked')
                    AND q.payload = convert_to(o.id::text, 'UTF8')
            )
        ORDER BY o.id
        LIMIT $2
    )

    SELECT count(*) FROM lost AS l CROSS JOIN LATERAL enqueue_job($1, l.id::text)
"""

log = logging.getLogger("gateway.posting")


class TaxLedger:
    """The tax ledger at one address, and what the gateway has to tell it."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault, client: httpx.AsyncClient, url: str, secret: str) -> None:
        self._pool = pool
        self._vault = vault
        self._client = client
        self._url = url
        self._secret = secret

    @property
    def entrypoint(self) -> Entrypoint:
        """What the worker does with the queue's jobs."""
        return Entrypoint(ENTRYPOINT, self.post)

    @property
    def sweep(self) -> Round:
        """The round that enqueues what waits without a job."""
        return Round("posting sweep", SWEEP_SECONDS, self._sweep)

    async def post(self, posting_id: int) -> timedelta | None:
        """Send one posting, after those before it of its payment; return the pause until it is to be sent again."""
        row = await self._pool.fetchrow(_READ, posting_id)
        if row is None or row["done"]:
            return None
        if row["before_failed"]:
            await self._not_acknowledged(posting_id, BEFORE_FAILED, final=True)
            return None
        if row["before_attempts"] is not None:
            return retry_delay(row["before_attempts"] + 1, longest=LONGEST_WAIT)
        try:
            body = await self._message(row)
        except (InvalidTag, LookupError):
            # Spoiled, or its key is gone.
            return await self._not_acknowledged(posting_id, "the payer can't be unsealed", final=False)
        try:
            await send_signed(self._client, self._url, str(row["idempotency_key"]), self._secret, body)
        except NotAcknowledged as error:
            return await self._not_acknowledged(posting_id, error.reason, final=error.status in FINAL_STATUSES)
        await self._pool.execute("SELECT acknowledge_posting($1)", posting_id)
        return None

    async def _message(self, row: asyncpg.Record) -> bytes:
        """Return the message of a posting. It names the payer: it is made when it is sent, and kept nowhere."""
        sealed = (row["sealed_identity"], row["data_key_id"], row["resident_id_index"])
        return message(row, (await self._vault.unsealed(self._pool, *sealed)).decode())

    async def _not_acknowledged(self, posting_id: int, reason: str, *, final: bool) -> timedelta | None:
        counted = await self._pool.fetchrow(_NOT_ACKNOWLEDGED, posting_id, reason, final, MAX_TRIES)
        if counted is None:
            return None
        if counted["failed_at"] is not None:
            log.error("posting %d failed at try %d: %s", posting_id, counted["attempts"], reason)
            return None
        log.warning("posting %d, try %d: %s", posting_id, counted["attempts"], reason)
        return retry_delay(counted["attempts"])

    async def _sweep(self) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            # Of several workers one sweeps, or each would enqueue what is lost.
            if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", ROUNDS_LOCK):
                return
            count = await connection.fetchval(_SWEEP, ENTRYPOINT, MAX_SWEPT)
        if count:
            log.warning("%d postings had no job", count)


def message(row: asyncpg.Record, identity: str) -> bytes:
    """Return the message in JSON. `identity` is the payer's number followed by the name."""
    facts = {
        "idempotencyKey": str(row["idempotency_key"]),
        "kind": row["kind"],
        "acceptedKey": None if row["accepted_key"] is None else str(row["accepted_key"]),
        "occurredAt": _instant(row["occurred_at"]),
        "institution": row["institution"],
        "channel": row["channel"],
        "bankReference": row["bank_reference"],
        "receiptNumber": row["receipt_number"],
        "billNumber": row["bill_number"],
        "payer": {"residentId": identity[:_RESIDENT_ID_LENGTH], "name": identity[_RESIDENT_ID_LENGTH:]},
        "insurance": row["insurance"],
        "poolingArea": row["pooling_area"],
        "firstMonth": months.text(row["first_month"]),
        "lastMonth": months.text(row["last_month"]),
        "amount": f"{row['amount']:.2f}",
        "businessDate": row["business_date"].isoformat(),
        "collectedAt": _instant(row["collected_at"]),
        "acceptedAt": _instant(row["accepted_at"]),
    }
    return orjson.dumps(facts)


def _instant(at: datetime) -> str:
    """RFC 3339 in UTC, to the microsecond that the ledger keeps."""
    return at.isoformat().replace("+00:00", "Z")
