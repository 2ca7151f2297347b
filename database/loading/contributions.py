"""The file of contributions: months that were paid elsewhere, before the gateway or beside it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import asyncpg

from database.loading import fields
from database.loading.copying import hexadecimal
from database.loading.fields import read
from database.loading.kinds import Kind, Taken
from database.loading.report import LoadReport
from database.loading.staging import affected, load_file
from database.vault import Vault

COLUMNS: Final = ("resident_id", "insurance", "first_month", "last_month", "amount", "paid_on")

_TABLE_SQL: Final = """
    line integer NOT NULL,
    verdict text,
    field text,
    resident_id_index bytea,
    insurance text,
    first_month integer,
    last_month integer,
    amount numeric(14, 2),
    paid_on date,
    months int4range GENERATED ALWAYS AS (int4range(first_month, last_month + 1)) STORED
"""
_STAGED_COLUMNS: Final = ("resident_id_index", "insurance", "first_month", "last_month", "amount", "paid_on")

# What a payment through the gateway paid is never the same contribution: its row has a payment_id.
_JUDGE_ROWS: Final = """
    WITH judged AS (
        SELECT
            s.line,
            CASE
                WHEN p.id IS NULL THEN 'UNKNOWN_PERSON'
                WHEN EXISTS (
                    SELECT 1 FROM contributions AS c
                    WHERE
                        c.payer_id = p.id AND c.insurance = s.insurance AND c.standing
                        AND c.payment_id IS NULL AND c.months = s.months AND c.amount = s.amount
                        AND c.paid_on = s.paid_on
                ) THEN 'UNCHANGED'
                WHEN EXISTS (
                    SELECT 1 FROM contributions AS c
                    WHERE
                        c.payer_id = p.id AND c.insurance = s.insurance AND c.standing
                        AND c.months && s.months
                ) THEN 'MONTHS_ALREADY_PAID'
            END AS verdict
        FROM staged_contributions AS s
        LEFT JOIN payers AS p ON s.resident_id_index = p.resident_id_index
        WHERE s.verdict IS NULL
    )

    UPDATE staged_contributions AS s SET verdict = j.verdict
    FROM judged AS j WHERE s.line = j.line AND j.verdict IS NOT NULL
"""

# The same row again says nothing new.
_JUDGE_REPEATED: Final = """
    WITH repeated AS (
        SELECT resident_id_index, insurance, months, amount, paid_on, min(line) AS first_line
        FROM staged_contributions
        WHERE verdict IS NULL
        GROUP BY resident_id_index, insurance, months, amount, paid_on
        HAVING count(*) > 1
    )

    UPDATE staged_contributions AS s SET verdict = 'UNCHANGED'
    FROM repeated AS r
    WHERE
        s.verdict IS NULL AND s.resident_id_index = r.resident_id_index AND s.insurance = r.insurance
        AND s.months = r.months AND s.amount = r.amount AND s.paid_on = r.paid_on
        AND s.line > r.first_line
"""

# Of two rows with a month in common the file does not say which is right: both are refused.
_JUDGE_OVERLAPS: Final = """
    WITH ordered AS (
        SELECT
            s.line,
            s.first_month <= max(s.last_month) OVER (
                the_person ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS overlaps_an_earlier,
            s.last_month >= lead(s.first_month) OVER the_person AS overlaps_the_next
        FROM staged_contributions AS s
        WHERE s.verdict IS NULL
        WINDOW the_person AS (PARTITION BY s.resident_id_index, s.insurance ORDER BY s.first_month, s.line)
    )

    UPDATE staged_contributions AS s SET verdict = 'OVERLAPS_ROW'
    FROM ordered AS o WHERE s.line = o.line AND (o.overlaps_an_earlier OR o.overlaps_the_next)
"""

_ADD: Final = """
    INSERT INTO contributions (payer_id, insurance, months, amount, paid_on)
    SELECT p.id, s.insurance, s.months, s.amount, s.paid_on
    FROM staged_contributions AS s
    INNER JOIN payers AS p ON s.resident_id_index = p.resident_id_index
    WHERE s.verdict IS NULL
    ORDER BY p.id, s.first_month
"""


def kind(vault: Vault) -> Kind:
    """Return the kind of file, with the vault that its persons are found by."""
    return Kind(
        name="contributions",
        columns=COLUMNS,
        table="staged_contributions",
        table_sql=_TABLE_SQL,
        staged_columns=_STAGED_COLUMNS,
        parse=_parser(vault),
        judge=_judge,
        take_over=_take_over,
    )


async def load_contributions(
    connection: asyncpg.Connection,
    vault: Vault,
    file: Path,
    *,
    accept_valid: bool = False,
    progress: Callable[[int], None] | None = None,
) -> LoadReport:
    """Load a file of months paid elsewhere, of persons that the register knows.

    See staging.load_file for the transaction and what it raises.
    """
    return await load_file(connection, kind(vault), vault, file, accept_valid=accept_valid, progress=progress)


def _parser(vault: Vault) -> Callable[[Sequence[str]], str]:
    def parse(row: Sequence[str]) -> str:
        resident_id, insurance, first_month, last_month, amount, paid_on = row
        index = vault.resident_id_index(fields.person_number(resident_id))
        read("insurance", fields.insurance, insurance)
        first, last = fields.run_of_months(first_month, last_month)
        fields.amount(amount)
        read("paid_on", fields.day, paid_on)
        return f"{hexadecimal(index)}\t{insurance}\t{first}\t{last}\t{amount}\t{paid_on}"

    return parse


async def _judge(connection: asyncpg.Connection) -> None:
    for statement in (_JUDGE_ROWS, _JUDGE_REPEATED, _JUDGE_OVERLAPS):
        await connection.execute(statement)


async def _take_over(connection: asyncpg.Connection) -> Taken:
    return Taken(affected(await connection.execute(_ADD)))
