"""The file of enrolments: who is enrolled in what, from when to when. The register of persons comes from it."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import asyncpg

from contributions import masks
from database.loading import enrolment_rules, fields
from database.loading.copying import escaped, hexadecimal
from database.loading.kinds import Kind, Taken
from database.loading.report import LoadReport
from database.loading.staging import affected, load_file
from database.vault import Vault

COLUMNS: Final = ("resident_id", "name", "insurance", "pooling_area", "first_month", "last_month")

_TABLE_SQL: Final = """
    line integer NOT NULL,
    verdict text,
    field text,
    resident_id_index bytea,
    name_index bytea,
    sealed_identity bytea,
    masked_name text,
    masked_resident_id text,
    insurance text,
    pooling_area text,
    first_month integer,
    last_month integer,
    months int4range GENERATED ALWAYS AS (int4range(first_month, last_month + 1)) STORED
"""
_STAGED_COLUMNS: Final = (
    "resident_id_index",
    "name_index",
    "sealed_identity",
    "masked_name",
    "masked_resident_id",
    "insurance",
    "pooling_area",
    "first_month",
    "last_month",
)

# Ordered by the index that they go to: a million rows in random order would touch it a million times.
_ADD_PAYERS: Final = """
    INSERT INTO payers (
        resident_id_index, name_index, sealed_identity, data_key_id, masked_name, masked_resident_id
    )
    SELECT DISTINCT ON (s.resident_id_index)
        s.resident_id_index, s.name_index, s.sealed_identity, $1::integer, s.masked_name, s.masked_resident_id
    FROM staged_enrolments AS s
    WHERE
        s.verdict IS NULL
        AND NOT EXISTS (SELECT 1 FROM payers AS p WHERE p.resident_id_index = s.resident_id_index)
    ORDER BY s.resident_id_index
"""

# An enrolment may end earlier than months that are paid already: the agency's register decides who is
# enrolled, and what was paid stays paid until a refund.
_REPLACE: Final = """
    WITH known AS MATERIALIZED (
        SELECT p.id AS payer_id, s.insurance, s.first_month, s.months, s.pooling_area
        FROM staged_enrolments AS s
        INNER JOIN payers AS p ON s.resident_id_index = p.resident_id_index
        WHERE s.verdict IS NULL
    )

    UPDATE enrolments AS e SET months = k.months, pooling_area = k.pooling_area
    FROM known AS k
    WHERE e.payer_id = k.payer_id AND e.insurance = k.insurance AND lower(e.months) = k.first_month
"""

# Those just replaced are found by their first month again, which no replacement changes.
#
# The exclusion constraint's GiST index takes keys in ascending order at half the speed of keys in none, but in none
# over all of a large index each row would read a page of it: so they are shuffled (a blind index is as good as
# chance) among the neighbours that share some hundred pages.
_ADD: Final = """
    INSERT INTO enrolments (payer_id, insurance, months, pooling_area)
    SELECT p.id, s.insurance, s.months, s.pooling_area
    FROM staged_enrolments AS s
    INNER JOIN payers AS p ON s.resident_id_index = p.resident_id_index
    WHERE
        s.verdict IS NULL
        AND NOT EXISTS (
            SELECT 1 FROM enrolments AS e
            WHERE e.payer_id = p.id AND e.insurance = s.insurance AND lower(e.months) = s.first_month
        )
    ORDER BY p.id / 16384, s.name_index
"""


def kind(vault: Vault) -> Kind:
    """Return the kind of file, with the vault that its persons are sealed in."""
    return Kind(
        name="enrolments",
        columns=COLUMNS,
        table="staged_enrolments",
        table_sql=_TABLE_SQL,
        staged_columns=_STAGED_COLUMNS,
        parse=_parser(vault),
        judge=_judge,
        take_over=_taker(vault),
    )


async def load_enrolments(
    connection: asyncpg.Connection,
    vault: Vault,
    file: Path,
    *,
    accept_valid: bool = False,
    progress: Callable[[int], None] | None = None,
) -> LoadReport:
    """Load a file of enrolments, and with them the persons that are new.

    An enrolment is known by person, insurance and first month: with another last month or pooling area it
    replaces the one there is. See staging.load_file for the transaction and what it raises.
    """
    return await load_file(connection, kind(vault), vault, file, accept_valid=accept_valid, progress=progress)


def _parser(vault: Vault) -> Callable[[Sequence[str]], str]:
    def parse(row: Sequence[str]) -> str:
        resident_id, name, insurance, pooling_area, first_month, last_month = row
        number, normal_name = fields.person_number(resident_id), fields.person_name(name)
        enrolment = fields.enrolment(insurance, pooling_area, first_month, last_month)
        index = vault.resident_id_index(number)
        return (
            f"{hexadecimal(index)}\t{hexadecimal(vault.name_index(number, normal_name))}"
            f"\t{hexadecimal(vault.seal((number + normal_name).encode(), index))}"
            f"\t{escaped(masks.mask_name(normal_name))}\t{masks.mask_resident_id(number)}\t{enrolment}"
        )

    return parse


async def _judge(connection: asyncpg.Connection) -> None:
    for statement in enrolment_rules.IN_ORDER:
        await connection.execute(statement)


def _taker(vault: Vault) -> Callable[[asyncpg.Connection], Awaitable[Taken]]:
    async def take_over(connection: asyncpg.Connection) -> Taken:
        await connection.execute(_ADD_PAYERS, vault.identity_key_id)
        updated = affected(await connection.execute(_REPLACE))
        return Taken(affected(await connection.execute(_ADD)), updated)

    return take_over
