"""A large day: a ledger written straight into the tables, and the bank's list of it with differences planted."""

import datetime
from collections.abc import Iterator
from decimal import Decimal

import asyncpg

KINDS = ("MISSING_AT_GATEWAY", "MISSING_AT_BANK", "AMOUNT_DIFFERS", "STATUS_DIFFERS")

_LEDGER = (
    """
    INSERT INTO bills (bill_number, origin, payer_id, insurance, pooling_area, months, amount)
    SELECT
        'DAY-' || $1::date || '-' || n, 'AGENCY_COUNTER', (SELECT min(id) FROM payers), 'PENSION', '360000',
        '[24240,24241)', 100 + n % 900 + (n % 100) / 100.0
    FROM generate_series(0, $2::integer - 1) AS n
    """,
    """
    INSERT INTO payments (
        institution_id, client_id, bank_reference, bill_id, payer_id, insurance, pooling_area, months, amount,
        collected_at, business_date, reversed_at, reversed_by, reversal_reason
    )
    SELECT
        c.institution_id, c.id, 'DAY' || to_char($1::date, 'YYYYMMDD') || lpad(b.n::text, 8, '0'), b.id,
        b.payer_id, b.insurance, b.pooling_area, b.months, b.amount, now(), $1::date,
        CASE WHEN b.n % 50 = 0 THEN now() END, CASE WHEN b.n % 50 = 0 THEN c.id END,
        CASE WHEN b.n % 50 = 0 THEN 'planted' END
    FROM (
        SELECT *, substr(bill_number, 16)::integer AS n FROM bills
        WHERE bill_number LIKE 'DAY-' || $1::date || '-%'
    ) AS b
    CROSS JOIN clients AS c
    WHERE c.id = $2
    """,
    """
    INSERT INTO receipts (payment_id, number, verification_code)
    SELECT p.id, to_char($1::date, 'YYYYMMDD') || lpad(p.id::text, 10, '0'), lpad(p.id::text, 12, '0')
    FROM payments AS p
    WHERE p.business_date = $1::date AND p.bank_reference LIKE 'DAY%'
    """,
)


async def fill_day(url: str, client_id: str, date: datetime.date, count: int) -> None:
    """Put `count` payments of a client's institution into the ledger, every fiftieth of them reversed."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            bills, payments, receipts = _LEDGER
            await connection.execute(bills, date, count)
            await connection.execute(payments, date, client_id)
            await connection.execute(receipts, date)
        await connection.execute("ANALYZE payments")
    finally:
        await connection.close()


def reference(date: datetime.date, number: int) -> str:
    return f"DAY{date:%Y%m%d}{number:08}"


def amount(number: int) -> Decimal:
    return Decimal(100 + number % 900) + Decimal(number % 100) / 100


def planted(date: datetime.date, count: int, each: int) -> dict[str, set[str]]:
    """Return the references that differ, by kind: `each` of every kind, spread over the day."""
    step = count // each
    return {
        "MISSING_AT_GATEWAY": {f"NEVER-{number}" for number in range(each)},
        "MISSING_AT_BANK": {reference(date, number * step) for number in range(each)},
        "AMOUNT_DIFFERS": {reference(date, number * step + 1) for number in range(each)},
        "STATUS_DIFFERS": {reference(date, number * step + 2) for number in range(each)},
    }


def bank_list(date: datetime.date, count: int, each: int) -> Iterator[bytes]:
    """Yield the bank's list of the day in pieces of some thousand lines."""
    step = count // each
    lines = ["bank_reference,amount,reversed\r\n"]
    for number in range(count):
        kind = number % step if number // step < each else None
        if kind != 0:
            held = amount(number) + (Decimal("0.01") if kind == 1 else 0)
            held_reversed = (number % 50 == 0) != (kind == 2)
            lines.append(f"{reference(date, number)},{held},{'true' if held_reversed else 'false'}\r\n")
        if len(lines) >= 2000:
            yield "".join(lines).encode()
            lines.clear()
    lines += [f"NEVER-{number},1.00,false\r\n" for number in range(each)]
    yield "".join(lines).encode()
