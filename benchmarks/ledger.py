"""The rows: a sandbox with some thousand people more, written by COPY and a few statements."""

import datetime
from dataclasses import dataclass
from itertools import islice

import asyncpg

from contributions import masks
from database.pool import connect
from database.vault import Vault
from gateway.sandbox import prepare
from tests.acceptance.people import Person, newcomers

MASTER_KEY = bytes(range(32))
BUSINESS_DATE = datetime.date(2020, 11, 16)
INSTITUTION = "ABC"
CLIENT = "abc-counter"
#: People whose bills are listed, and bills of each.
LISTED, BILLS_LISTED = 100, 100
#: People whose bills are there to be paid, one bill a payment.
PAYING = 2000
AMOUNT = "100.00"

# Payers are numbered in the order of the people. January 2018 is month 24216, January 2020 is 24240.
_ROWS = (
    """
    INSERT INTO enrolments (payer_id, insurance, months, pooling_area)
    SELECT p.id, i.insurance, int4range(i.first_month, NULL), i.pooling_area
    FROM payers AS p
    CROSS JOIN (VALUES ('PENSION', 24216, '360000'), ('MEDICAL', 24240, '360100'))
        AS i (insurance, first_month, pooling_area)
    WHERE p.id >= $1
    """,
    # Paid until the middle of 2019: arrears of half a year, and the current year.
    """
    INSERT INTO contributions (payer_id, insurance, months, amount, paid_on)
    SELECT p.id, 'PENSION', int4range(24216, 24234), 9000, '2019-07-01' FROM payers AS p WHERE p.id >= $1
    """,
    # Two medical bills to be seen with each payer.
    """
    INSERT INTO bills (bill_number, origin, payer_id, insurance, pooling_area, months, amount, pay_by)
    SELECT
        'READ-' || p.id || '-' || n, 'MEDICAL_BATCH', p.id, 'MEDICAL', '360100',
        int4range(24240 + 6 * n, 24246 + 6 * n), 180 + n, '2020-12-31'
    FROM payers AS p CROSS JOIN generate_series(0, 1) AS n
    WHERE p.id >= $1 AND p.id < $2
    """,
    """
    INSERT INTO bills (bill_number, origin, payer_id, insurance, pooling_area, months, amount, pay_by)
    SELECT
        'LIST-' || p.id || '-' || n, 'MEDICAL_BATCH', p.id, 'MEDICAL', '360100', int4range(24240 + n, 24241 + n),
        30 + n, '2020-12-31'
    FROM payers AS p CROSS JOIN generate_series(0, $3 - 1) AS n
    WHERE p.id >= $1 AND p.id < $2
    """,
    # In the order of months, so that one payer's come far apart.
    """
    INSERT INTO bills (bill_number, origin, payer_id, insurance, pooling_area, months, amount)
    SELECT
        'PAY-' || p.id || '-' || n, 'MEDICAL_BATCH', p.id, 'MEDICAL', '360100', int4range(24240 + n, 24241 + n),
        $4::numeric
    FROM generate_series(0, $3 - 1) AS n CROSS JOIN payers AS p
    WHERE p.id >= $1 AND p.id < $2
    ORDER BY n, p.id
    """,
    """
    INSERT INTO named_payers (institution_id, payer_id)
    SELECT i.id, p.id FROM payers AS p CROSS JOIN institutions AS i WHERE p.id >= $1 AND i.code = $2
    """,
)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is there: the people with their rows, the bills to pay, and how the client's institution knows them."""

    readers: list[tuple[Person, int]]
    listed: list[tuple[Person, int]]
    bills: range
    institution_id: int
    vault: Vault

    def opaque_id(self, kind: str, row_id: int) -> str:
        """Return the id that the gateway gives to the institution."""
        return self.vault.opaque_id(kind, row_id, self.institution_id)


async def fill(url: str, payers: int, bills_to_pay: int) -> Ledger:
    """Fill an empty database with `payers` people to read, and as many bills to pay as are asked for, or some more."""
    connection = await connect(url)
    try:
        await prepare(connection, MASTER_KEY)
        vault = await Vault.open(connection, MASTER_KEY)
        people = list(islice(newcomers(), payers + LISTED + PAYING))
        before: int = await connection.fetchval("SELECT max(id) FROM payers")
        await _copy(connection, vault, people)
        first: int = await connection.fetchval("SELECT min(id) FROM payers WHERE id > $1", before)
        listed, paying = first + payers, first + payers + LISTED
        enrolments, contributions, read, list_, pay, named = _ROWS
        await connection.execute(enrolments, first)
        await connection.execute(contributions, first)
        await connection.execute(read, first, listed)
        await connection.execute(list_, listed, paying, BILLS_LISTED)
        last: int = await connection.fetchval("SELECT max(id) FROM bills")
        each = -(-bills_to_pay // PAYING)
        await connection.execute(pay, paying, paying + PAYING, each, AMOUNT)
        bills = await connection.fetchrow("SELECT min(id), max(id) FROM bills WHERE id > $1", last)
        # Last: bills are told to those who have named their payer.
        await connection.execute(named, first, INSTITUTION)
        institution_id = await connection.fetchval("SELECT id FROM institutions WHERE code = $1", INSTITUTION)
        # Not those that are still empty: PostgreSQL would take them for empty until it looks again by itself.
        for (table,) in await connection.fetch(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ):
            if await connection.fetchval(f"SELECT EXISTS (SELECT 1 FROM {table})"):  # noqa: S608 -- from the catalogue
                await connection.execute(f"VACUUM ANALYZE {table}")
    finally:
        await connection.close()
    numbered = list(zip(people, range(first, first + len(people)), strict=True))
    stock = range(bills[0], bills[1] + 1)
    assert len(stock) == each * PAYING, "bills are not numbered in a row"
    return Ledger(numbered[:payers], numbered[payers : payers + LISTED], stock, institution_id, vault)


async def _copy(connection: asyncpg.Connection, vault: Vault, people: list[Person]) -> None:
    rows = []
    for person in people:
        index = vault.resident_id_index(person.resident_id)
        rows.append(
            (
                index,
                vault.name_index(person.resident_id, person.name),
                vault.seal((person.resident_id + person.name).encode(), index),
                vault.identity_key_id,
                masks.mask_name(person.name),
                masks.mask_resident_id(person.resident_id),
            )
        )
    columns = (
        "resident_id_index",
        "name_index",
        "sealed_identity",
        "data_key_id",
        "masked_name",
        "masked_resident_id",
    )
    await connection.copy_records_to_table("payers", records=rows, columns=columns)
