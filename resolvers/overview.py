"""The operator's overview (运营概览) over all institutions: totals and states, and nothing of a person or a payment.

It is read by no institution's request, and acts for none (migrations/0013_row_security.sql).
"""

import datetime
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

import asyncpg

#: Rows of a bank and a channel. The guide has fifteen banks and five channels: this is several times as many.
MAX_TOTALS: Final = 500
#: Days of reconciliation that are looked back on: a bank that is behind longer has been called.
DAYS: Final = 7
#: Rows of a bank and a day.
MAX_DAYS: Final = 1000
#: Clients that look people up in vain, those with the most first.
MAX_CLIENTS: Final = 20

DayStatus = Literal["OPEN", "RECONCILED", "DIFFERENT"]


@dataclass(frozen=True, slots=True)
class ChannelTotal:
    """What one institution's channel has brought on the day. `channel` is None for a client without one."""

    institution_code: str
    institution_name: str
    channel: str | None
    accepted_count: int
    "Accepted on the day, those reversed since among them."
    accepted_amount: Decimal
    reversed_count: int


@dataclass(frozen=True, slots=True)
class BankDay:
    """How the reconciliation (日终对账) of an institution's day stands, where there is something to reconcile."""

    institution_code: str
    institution_name: str
    date: datetime.date
    status: DayStatus


@dataclass(frozen=True, slots=True)
class FailingClient:
    """A client that looked people up in vain lately, over all numbers. `locked_until`: it finds nobody until then."""

    client_id: str
    failures: int
    locked_until: datetime.datetime | None


@dataclass(frozen=True, slots=True)
class Overview:
    """What stands at one moment. `numbers_locked` counts clients' locks of single identity numbers, to MAX_LOCKS."""

    payments: tuple[ChannelTotal, ...]
    days: tuple[BankDay, ...]
    failing_clients: tuple[FailingClient, ...]
    numbers_locked: int


#: Locks that are counted at the most: there is no telling how many numbers a fisher tries.
MAX_LOCKS: Final = 10_000


async def overview(pool: asyncpg.Pool, business_date: datetime.date) -> Overview:
    """Return the overview of a business date and the days before it, all of one snapshot.

    Raises as asyncpg does.
    """
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.fetchval(_ACT_FOR_NONE)
        payments = await connection.fetch(_PAYMENTS, business_date, MAX_TOTALS)
        days = await connection.fetch(_DAYS, business_date, DAYS, MAX_DAYS)
        clients = await connection.fetch(_FAILING_CLIENTS, MAX_CLIENTS)
        numbers_locked = await connection.fetchval(_NUMBERS_LOCKED, MAX_LOCKS)
    return Overview(
        tuple(ChannelTotal(*row) for row in payments),
        tuple(BankDay(*row) for row in days),
        tuple(FailingClient(*row) for row in clients),
        numbers_locked,
    )


# The connection may have acted for an institution before: for this transaction it does not.
_ACT_FOR_NONE: Final = "SELECT set_config('gateway.institution_id', '', TRUE)"

#: $1 business date, $2 limit. By the index of the day (migrations/0016_operations.sql).
_PAYMENTS: Final = """
    SELECT i.code, i.name, t.channel, t.accepted_count, t.accepted_amount, t.reversed_count
    FROM (
        SELECT
            p.institution_id,
            p.channel,
            count(*) AS accepted_count,
            sum(p.amount) AS accepted_amount,
            count(p.reversed_at) AS reversed_count
        FROM payments AS p
        WHERE p.business_date = $1
        GROUP BY p.institution_id, p.channel
    ) AS t
    INNER JOIN institutions AS i ON t.institution_id = i.id
    ORDER BY i.code, t.channel NULLS LAST
    LIMIT $2
"""

#: $1 business date, $2 days, $3 limit. A day without a payment and without a list is none to reconcile.
_DAYS: Final = """
    SELECT
        i.code, i.name, d.date,
        CASE
            WHEN s.reconciled_at IS NULL THEN 'OPEN'
            WHEN EXISTS (
                SELECT 1 FROM settlement_differences AS f
                WHERE f.institution_id = i.id AND f.business_date = d.date
            ) THEN 'DIFFERENT'
            ELSE 'RECONCILED'
        END
    FROM institutions AS i
    CROSS JOIN (SELECT $1::date - n.ago AS date FROM generate_series(0, $2::integer - 1) AS n (ago)) AS d
    LEFT JOIN settlement_days AS s ON s.institution_id = i.id AND s.business_date = d.date
    WHERE
        s.reconciled_at IS NOT NULL
        OR EXISTS (SELECT 1 FROM payments AS p WHERE p.institution_id = i.id AND p.business_date = d.date)
    ORDER BY i.code, d.date
    LIMIT $3
"""

#: $1 limit. The rows of a client over all numbers.
_FAILING_CLIENTS: Final = """
    SELECT f.client_id, f.failures, CASE WHEN f.locked_until > now() THEN f.locked_until END
    FROM lookup_failures AS f
    WHERE f.client_id <> '' AND f.resident_id_index = '' AND f.ends_at > now()
    ORDER BY f.failures DESC, f.client_id
    LIMIT $1
"""

#: $1 limit.
_NUMBERS_LOCKED: Final = """
    SELECT count(*)
    FROM (
        SELECT 1 FROM lookup_failures AS f
        WHERE f.client_id <> '' AND f.resident_id_index <> '' AND f.locked_until > now()
        LIMIT $1
    ) AS l
"""
