"""Vouchers (电子缴费凭证): what the page of a receipt states, how often it was printed, and the public check of one."""

import datetime
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import asyncpg

from contributions.records import Line, RunOfMonths
from database.pool import InstitutionPool

#: The business date and the payment's number.
NUMBER: Final = re.compile(r"[0-9]{18}")
#: Crockford's Base32, as resolvers/payments.py gives it.
CODE: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{12}")


@dataclass(frozen=True, slots=True)
class VerifiedReceipt(RunOfMonths):
    """What a third party with the number and the code may know. `voided_at` is None while the receipt stands."""

    voided_at: datetime.datetime | None
    masked_name: str
    masked_resident_id: str
    insurance: str
    pooling_area: str
    first_month: int
    last_month: int
    amount: Decimal
    institution_name: str
    issued_at: datetime.datetime


@dataclass(frozen=True, slots=True)
class Voucher(VerifiedReceipt):
    """A receipt with all that its page states.

    `lines` is empty for a bill that states one amount. `prints` counts this printing and those before it.
    """

    number: str
    verification_code: str
    bank_reference: str
    lines: tuple[Line, ...]
    prints: int


async def voucher(pool: InstitutionPool, institution_id: int, number: str, *, printed: bool) -> Voucher | None:
    """Return the voucher of a receipt of this institution, None for any other; if `printed`, count one printing."""
    if NUMBER.fullmatch(number) is None:
        return None
    row = await pool.fetchrow(_VOUCHER, number, institution_id, printed)
    if row is None:
        return None
    facts = dict(row)
    lines = tuple(Line(*line) for line in facts.pop("bill_lines"))
    quoted = facts.pop("quoted")
    if quoted[0] is not None:
        # One year, one schedule, one tier: the months of a quote cost the same.
        lines = tuple(Line(month, *quoted) for month in range(row["first_month"], row["last_month"] + 1))
    return Voucher(lines=lines, **facts)


async def verify(pool: asyncpg.Pool, number: str, code: str) -> VerifiedReceipt | None:
    """Return the facts of the receipt with this number and this code; None whichever of the two is wrong."""
    if NUMBER.fullmatch(number) is None or CODE.fullmatch(code) is None:
        return None
    row = await pool.fetchrow(_VERIFIED, number, code)
    return None if row is None else VerifiedReceipt(**row)


_VERIFIED: Final = """
    SELECT
        v.voided_at, v.masked_name, v.masked_resident_id, v.insurance, v.pooling_area, v.first_month, v.last_month,
        v.amount, v.institution_name, v.issued_at
    FROM verified_receipt($1, $2) AS v
"""

#: $1 number, $2 institution, $3 whether to count a printing.
_VOUCHER: Final = """
    WITH found AS (
        SELECT
            p.id AS payment_id,
            coalesce(p.reversed_at, p.refunded_at) AS voided_at,
            y.masked_name,
            y.masked_resident_id,
            p.insurance,
            a.name AS pooling_area,
            lower(p.months) AS first_month,
            upper(p.months) - 1 AS last_month,
            p.amount,
            i.name AS institution_name,
            r.issued_at,
            r.number,
            r.verification_code,
            p.bank_reference,
            (
                SELECT ROW(q.tier_monthly_base, q.rate, q.tier_monthly_amount)
                FROM (VALUES (1)) AS one (row) LEFT JOIN quotes AS q ON q.id = p.quote_id
            ) AS quoted,
            ARRAY(
                SELECT ROW(l.month, l.monthly_base, l.rate, l.amount)
                FROM bill_lines AS l WHERE l.bill_id = p.bill_id
                ORDER BY l.month
            ) AS bill_lines
        FROM receipts AS r
        INNER JOIN payments AS p ON r.payment_id = p.id
        INNER JOIN payers AS y ON p.payer_id = y.id
        INNER JOIN pooling_areas AS a ON p.pooling_area = a.code
        INNER JOIN institutions AS i ON p.institution_id = i.id
        WHERE r.number = $1::text AND p.institution_id = $2::integer
    ),

    printed AS (
        INSERT INTO receipt_prints (payment_id)
        SELECT f.payment_id FROM found AS f WHERE $3::boolean
        ON CONFLICT (payment_id) DO UPDATE
        SET prints = receipt_prints.prints + 1, last_printed_at = now()
        RETURNING prints
    )

    SELECT
        f.voided_at, f.masked_name, f.masked_resident_id, f.insurance, f.pooling_area, f.first_month, f.last_month,
        f.amount, f.institution_name, f.issued_at, f.number, f.verification_code, f.bank_reference, f.quoted,
        f.bill_lines,
        coalesce(
            (SELECT n.prints FROM printed AS n),
            (SELECT t.prints FROM receipt_prints AS t WHERE t.payment_id = f.payment_id),
            0
        ) AS prints
    FROM found AS f
"""
