"""The postings that the tax ledger has not acknowledged, for the operator."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

#: What somebody reads of a list; the whole is in SQL.
MAX_LISTED: Final = 1000
#: What a scrape counts at the most, so that a backlog makes none slow.
MAX_COUNTED: Final = 100_000


@dataclass(frozen=True, slots=True)
class Posting:
    """One message that is not acknowledged; `failed_at` once it is not sent again by itself."""

    id: int
    institution_code: str
    bank_reference: str
    kind: str
    enqueued_at: datetime
    attempts: int
    last_error: str | None
    failed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many postings wait and how many failed, each up to MAX_COUNTED together, and how old the oldest is."""

    waiting: int
    failed: int
    oldest_seconds: float


async def unacknowledged(connection: asyncpg.Connection, *, failed: bool, last: int) -> list[Posting]:
    """Return the latest that are not acknowledged, or that failed, at most MAX_LISTED, the oldest of them first."""
    rows = await connection.fetch(
        """
        SELECT o.id, i.code, p.bank_reference, o.kind, o.enqueued_at, o.attempts, o.last_error, o.failed_at
        FROM postings AS o
        INNER JOIN payments AS p ON o.payment_id = p.id
        INNER JOIN institutions AS i ON p.institution_id = i.id
        WHERE o.acknowledged_at IS NULL AND (o.failed_at IS NOT NULL OR NOT $1)
        ORDER BY o.id DESC
        LIMIT $2
        """,
        failed,
        min(last, MAX_LISTED),
    )
    return [Posting(*row) for row in reversed(rows)]


async def retry(connection: asyncpg.Connection, posting_ids: list[int] | None) -> int:
    """Send again what failed of these and their payments, or of all; return how many there are."""
    count: int = await connection.fetchval("SELECT retry_postings($1)", posting_ids)
    return count


async def backlog(pool: asyncpg.Pool) -> Backlog:
    """Return what is not acknowledged, counted over the index of just that."""
    row = await pool.fetchrow(
        """
        SELECT
            count(*) FILTER (WHERE o.failed_at IS NULL),
            count(*) FILTER (WHERE o.failed_at IS NOT NULL),
            coalesce(extract(EPOCH FROM now() - min(o.enqueued_at)), 0)::float8
        FROM (
            SELECT n.failed_at, n.enqueued_at FROM postings AS n WHERE n.acknowledged_at IS NULL ORDER BY n.id LIMIT $1
        ) AS o
        """,
        MAX_COUNTED,
    )
    return Backlog(*row)
