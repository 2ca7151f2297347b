"""The file of assessed bills: what the agencies ask of whom, 核定."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import asyncpg

from database.loading import assessing, fields
from database.loading.copying import hexadecimal
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


def kind(vault: Vault) -> Kind:
    """Return the kind of file, with the vault that its persons are found by."""
    return Kind(
        name="bills",
        columns=COLUMNS,
        table=assessing.TABLE,
        table_sql=assessing.TABLE_SQL,
        staged_columns=assessing.STAGED_COLUMNS,
        parse=_parser(vault),
        judge=_judge,
        take_over=_take_over,
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
    return await load_file(connection, kind(vault), vault, file, accept_valid=accept_valid, progress=progress)


def _parser(vault: Vault) -> Callable[[Sequence[str]], str]:
    def parse(row: Sequence[str]) -> str:
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
        return (
            f"{fields.bill_number(bill_number)}"
            f"\t{hexadecimal(vault.name_index(fields.person_number(resident_id), fields.person_name(name)))}"
            f"\t{fields.assessed_run(insurance, pooling_area, first_month, last_month)}"
            f"\t{fields.amount(amount)}\t{fields.last_day_and_origin(pay_by, origin)}"
        )

    return parse


async def _judge(connection: asyncpg.Connection) -> None:
    await assessing.judge_bills(connection, numbers_used_once=False)


async def _take_over(connection: asyncpg.Connection) -> Taken:
    return Taken(await assessing.insert_bills(connection))
