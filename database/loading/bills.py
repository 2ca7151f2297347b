"""The file of assessed bills: what the agencies ask of whom, 核定."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import asyncpg

from database.loading import assessing, fields
from database.loading.fields import read
from database.loading.kinds import Kind, Taken
from database.loading.report import LoadReport
from database.loading.staging import load_file
from database.vault import Vault

COLUMNS: Final = (
    "bill_number",
    "resident_id",
    "name",
    "insurance",
    "pooling_area",
    "first_month",
    "last_month",
    "amount",
    "pay_by",
    "origin",
)


async def load_bills(
    connection: asyncpg.Connection,
    vault: Vault,
    file: Path,
    *,
    accept_valid: bool = False,
    progress: Callable[[int], None] | None = None,
) -> LoadReport:
    """Load a file of bills, by the rule that assessing.py states.

    A bill is known by insurance and bill number, and is loaded once: the same bill again is unchanged,
    whatever became of it since. See staging.load_file for the transaction and what it raises.
    """
    kind = Kind(
        name="bills",
        columns=COLUMNS,
        table=assessing.TABLE,
        table_sql=assessing.TABLE_SQL,
        staged_columns=assessing.STAGED_COLUMNS,
        parse=_parser(vault),
        judge=_judge,
        take_over=_take_over,
    )
    return await load_file(connection, kind, file, accept_valid=accept_valid, progress=progress)


def _parser(vault: Vault) -> Callable[[Sequence[str]], tuple[object, ...]]:
    def parse(row: Sequence[str]) -> tuple[object, ...]:
        (
            bill_number,
            resident_id,
            name,
            insurance,
            pooling_area,
            first_month,
            last_month,
            amount,
            pay_by,
            origin,
        ) = row
        bill_number = read("bill_number", fields.bill_number, bill_number)
        number = read("resident_id", fields.person_number, resident_id)
        normal_name = read("name", fields.person_name, name)
        return (
            bill_number,
            vault.resident_id_index(number),
            vault.name_index(number, normal_name),
            read("insurance", fields.insurance, insurance),
            read("pooling_area", fields.pooling_area, pooling_area),
            *fields.run_of_months(first_month, last_month),
            read("amount", fields.amount_paid, amount),
            read("pay_by", fields.day, pay_by) if pay_by else None,
            read("origin", fields.origin, origin),
        )

    return parse


async def _judge(connection: asyncpg.Connection) -> None:
    await assessing.judge_bills(connection, numbers_used_once=False)


async def _take_over(connection: asyncpg.Connection) -> Taken:
    return Taken(await assessing.insert_bills(connection))
