"""The rule by which an agency's bills become bills, for a file and for a batch through the API alike.

Inside one transaction: stage_bills (a file is copied instead), check_bills, take_over_bills.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from operator import attrgetter
from typing import Final

import asyncpg

from database.loading.staging import affected, prepare

# The contract's bound of a call of assessBills. A file does not come this way.
MAX_BATCH: Final = 1000

TABLE: Final = "staged_bills"
TABLE_SQL: Final = """
    line integer NOT NULL,
    verdict text,
    field text,
    bill_number text,
    name_index bytea,
    insurance text,
    pooling_area text,
    first_month integer,
    last_month integer,
    amount numeric(14, 2),
    pay_by date,
    origin text,
    months int4range GENERATED ALWAYS AS (int4range(first_month, last_month + 1)) STORED
"""
STAGED_COLUMNS: Final = (
    "bill_number",
    "name_index",
    "insurance",
    "pooling_area",
    "first_month",
    "last_month",
    "amount",
    "pay_by",
    "origin",
)

# $1: whether a bill number is used up even by the same bill, as the API has it.
# A bill that the ledger has already is UNCHANGED before any other rule is asked: it may have been paid or
# withdrawn since, and the person may have left the insurance.
#
# A person is found by one index of number and name together (0011_privacy.sql): the number's own would say it again.
#
# Nearly every bill lies inside one enrolment (never in two: they do not overlap), which is a join of sets; enrolments
# that cover it together are looked for where there is none.
#
# In most files no row gets a verdict and no number stands twice. EXISTS asks for that first: PostgreSQL would else
# prepare to find a million rows by their lines before it knows that it has to find none.
_JUDGE_ROWS: Final = """
    WITH judged AS (
        SELECT
            s.line,
            CASE
                WHEN p.id IS NULL THEN 'PERSON_NOT_FOUND'
                WHEN b.id IS NOT NULL AND (
                    $1::boolean OR b.payer_id <> p.id OR b.origin <> s.origin OR b.months <> s.months
                    OR b.pooling_area <> s.pooling_area OR b.amount <> s.amount
                    OR b.pay_by IS DISTINCT FROM s.pay_by
                ) THEN 'BILL_NUMBER_USED'
                WHEN b.id IS NOT NULL THEN 'UNCHANGED'
                WHEN s.bill_number LIKE 'ARREARS-%' THEN 'BILL_NUMBER_RESERVED'
                WHEN a.code IS NULL THEN 'UNKNOWN_POOLING_AREA'
                WHEN
                    (s.origin = 'MEDICAL_BATCH' AND s.insurance <> 'MEDICAL')
                    OR (s.origin = 'PAYER_ARREARS' AND s.insurance <> 'PENSION')
                    THEN 'ORIGIN_NOT_FOR_INSURANCE'
                WHEN e.payer_id IS NULL AND NOT EXISTS (
                    SELECT 1 FROM enrolments AS o
                    WHERE o.payer_id = p.id AND o.insurance = s.insurance
                    HAVING range_agg(o.months) @> s.months
                ) THEN 'NOT_ENROLLED'
                WHEN EXISTS (
                    SELECT 1 FROM contributions AS c
                    WHERE
                        c.payer_id = p.id AND c.insurance = s.insurance AND c.standing
                        AND c.months && s.months
                ) THEN 'MONTHS_ALREADY_PAID'
                WHEN s.origin = 'PAYER_ARREARS' AND EXISTS (
                    SELECT 1 FROM bills AS o
                    WHERE
                        o.payer_id = p.id AND o.insurance = s.insurance AND o.months = s.months
                        AND o.origin = 'PAYER_ARREARS' AND o.withdrawn_at IS NULL
                ) THEN 'ARREARS_ALREADY_ASSESSED'
            END AS verdict
        FROM staged_bills AS s
        LEFT JOIN payers AS p ON s.name_index = p.name_index
        LEFT JOIN bills AS b ON s.insurance = b.insurance AND s.bill_number = b.bill_number
        LEFT JOIN pooling_areas AS a ON s.pooling_area = a.code
        LEFT JOIN enrolments AS e
            ON p.id = e.payer_id AND s.insurance = e.insurance AND s.months <@ e.months
        WHERE s.verdict IS NULL
    ),

    verdicts AS MATERIALIZED (SELECT j.line, j.verdict FROM judged AS j WHERE j.verdict IS NOT NULL)

    UPDATE staged_bills AS s SET verdict = v.verdict
    FROM verdicts AS v WHERE s.line = v.line AND EXISTS (SELECT FROM verdicts)
"""

# The same row again says nothing new (or uses the number a second time, with $1). Rows that differ under one
# number are all refused: the file does not say which of them is the bill.
_JUDGE_REPEATED: Final = """
    WITH repeated AS MATERIALIZED (
        SELECT insurance, bill_number, min(line) AS first_line
        FROM staged_bills
        WHERE verdict IS NULL
        GROUP BY insurance, bill_number
        HAVING count(*) > 1
    ),

    contents AS (
        SELECT
            r.insurance,
            r.bill_number,
            r.first_line,
            count(
                DISTINCT (s.name_index, s.pooling_area, s.months, s.amount, s.pay_by, s.origin)
            ) AS different
        FROM repeated AS r
        INNER JOIN staged_bills AS s ON r.insurance = s.insurance AND r.bill_number = s.bill_number
        WHERE s.verdict IS NULL
        GROUP BY r.insurance, r.bill_number, r.first_line
    )

    UPDATE staged_bills AS s
    SET verdict = CASE WHEN $1::boolean OR c.different > 1 THEN 'BILL_NUMBER_USED' ELSE 'UNCHANGED' END
    FROM contents AS c
    WHERE
        s.verdict IS NULL AND s.insurance = c.insurance AND s.bill_number = c.bill_number
        AND ($1::boolean OR c.different > 1 OR s.line > c.first_line)
        AND EXISTS (SELECT FROM repeated)
"""

# Of one run of arrears there is one bill (the index bills_arrears_run).
_JUDGE_ARREARS: Final = """
    WITH repeated AS (
        SELECT name_index, insurance, months
        FROM staged_bills
        WHERE verdict IS NULL AND origin = 'PAYER_ARREARS'
        GROUP BY name_index, insurance, months
        HAVING count(*) > 1
    )

    UPDATE staged_bills AS s SET verdict = 'ARREARS_ALREADY_ASSESSED'
    FROM repeated AS r
    WHERE
        s.verdict IS NULL AND s.origin = 'PAYER_ARREARS' AND s.name_index = r.name_index
        AND s.insurance = r.insurance AND s.months = r.months
"""

# A batch in its own order; a file in that of the payers, whose rows the foreign key looks up and locks, then its own.
_ADD: Final = """
    INSERT INTO bills (
        bill_number, origin, payer_id, insurance, pooling_area, months, amount, pay_by, batch_id, batch_index
    )
    SELECT
        s.bill_number, s.origin, p.id, s.insurance, s.pooling_area, s.months, s.amount, s.pay_by, $1::bigint,
        CASE WHEN $1::bigint IS NOT NULL THEN s.line END
    FROM staged_bills AS s
    INNER JOIN payers AS p ON s.name_index = p.name_index
    WHERE s.verdict IS NULL
    ORDER BY CASE WHEN $1::bigint IS NULL THEN p.id END, s.line
"""


@dataclass(frozen=True, slots=True)
class BillRow:
    """A bill that an agency assessed, its person by the vault's index of number and name together.

    `index` is the bill's place in its batch. Months are numbers (contributions.months), both included; the amount
    is in yuan, above zero; `pay_by` is the last day on which it can be paid, None for none.
    """

    index: int
    bill_number: str
    name_index: bytes
    insurance: str
    pooling_area: str
    first_month: int
    last_month: int
    amount: Decimal
    pay_by: date | None
    origin: str


@dataclass(frozen=True, slots=True)
class BillRejection:
    """Why a bill of a batch is not assessed: `code` is one of reasons.CODES."""

    index: int
    code: str


_staged = attrgetter("index", *STAGED_COLUMNS)


async def stage_bills(connection: asyncpg.Connection, rows: Iterable[BillRow]) -> None:
    """Put the bills of one batch up for check_bills. The caller's transaction is open, and ends their staging.

    Raises ValueError for more than MAX_BATCH bills and for reversed months, which the caller has to refuse.
    """
    staged: list[tuple[object, ...]] = []
    for row in rows:
        if row.last_month < row.first_month or len(staged) == MAX_BATCH:
            raise ValueError(f"a batch is at most {MAX_BATCH} bills, each for months in their order")
        staged.append(_staged(row))
    await prepare(connection, TABLE, TABLE_SQL)
    await connection.copy_records_to_table(
        TABLE, schema_name="pg_temp", records=staged, columns=("line", *STAGED_COLUMNS)
    )


async def judge_bills(connection: asyncpg.Connection, *, numbers_used_once: bool) -> None:
    """Set the verdicts of the staged bills. `numbers_used_once`: the same bill again is no repetition."""
    await connection.execute(_JUDGE_ROWS, numbers_used_once)
    await connection.execute(_JUDGE_REPEATED, numbers_used_once)
    await connection.execute(_JUDGE_ARREARS)


async def check_bills(connection: asyncpg.Connection, *, numbers_used_once: bool = True) -> list[BillRejection]:
    """Return why bills of the staged batch cannot be assessed, in the order of their indexes; empty when all can."""
    await judge_bills(connection, numbers_used_once=numbers_used_once)
    rejected = await connection.fetch(f"SELECT line, verdict FROM {TABLE} WHERE verdict <> 'UNCHANGED' ORDER BY line")
    return [BillRejection(*row) for row in rejected]


async def insert_bills(connection: asyncpg.Connection, batch_id: int | None = None) -> int:
    """Take over the staged bills that have no verdict, and return how many they are."""
    return affected(await connection.execute(_ADD, batch_id))


async def take_over_bills(connection: asyncpg.Connection, batch_id: int) -> list[int]:
    """Assess the staged bills of a batch that check_bills found nothing against.

    Returns their ids in the order of the batch. Raises asyncpg.UniqueViolationError when another load or batch
    used a number (or the run of arrears) since the check: the caller runs its transaction again, from staging.
    """
    await insert_bills(connection, batch_id)
    rows = await connection.fetch("SELECT id FROM bills WHERE batch_id = $1::bigint ORDER BY batch_index", batch_id)
    return [row[0] for row in rows]
