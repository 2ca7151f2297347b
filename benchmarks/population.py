"""A province of any size up to twenty million payers, with what each has: written in bounded memory, people by COPY.

A payer has, of pension, an enrolment, a year and a half paid elsewhere, arrears of half a year and the current year to
pay; of medical insurance, an enrolment and two bills to pay. Every second one has paid a bill of the year before: the
bill, its payment and receipt, what it paid, its entry in the audit trail and its posting, and a quote that has expired.
One in a thousand has a hundred bills more, of a hundred months, each written when its month was. All are known to one
bank by name. Identity numbers, their indexes and what is sealed are each person's own.

The entries of the audit trail are as large and as many as they would be, but are not chained: nobody verifies them.
"""

import datetime
import random
from collections.abc import Iterator
from dataclasses import dataclass

import asyncpg

from benchmarks.ledger import INSTITUTION, MASTER_KEY, Ledger
from benchmarks.relaxed import relaxed
from contributions import masks
from database.pool import connect
from database.vault import Vault
from gateway.sandbox import prepare
from tests.acceptance.people import FAMILY_NAMES, Person, resident_id

#: As many as have an identity number here: days of birth and, of each, serial numbers from 100 on.
DAYS, SERIALS_FROM, SERIALS = 25_000, 100, 800
MAX_PAYERS = DAYS * SERIALS
FIRST_BIRTH = datetime.date(1940, 1, 1)
#: One in so many has a list of bills, and so many are the least who do.
LISTED_OF, MIN_LISTED = 1000, 10
BILLS_LISTED = 100
BILLS_TO_PAY = 2

_PAYER_COLUMNS = (
    "resident_id_index",
    "name_index",
    "sealed_identity",
    "data_key_id",
    "masked_name",
    "masked_resident_id",
)
_TABLES = (
    "payers",
    "named_payers",
    "enrolments",
    "contributions",
    "bills",
    "quotes",
    "payments",
    "receipts",
    "postings",
    "audit_entries",
)

# January 2018 is month 24216, January 2020 is 24240. $1 and $2: the first payer and the last.
_NAMED = """
    INSERT INTO named_payers (institution_id, payer_id)
    SELECT i.id, p FROM generate_series($1::bigint, $2::bigint) AS p CROSS JOIN institutions AS i WHERE i.code = $3
"""
_ENROLMENTS = """
    INSERT INTO enrolments (payer_id, insurance, months, pooling_area)
    SELECT p, i.insurance, int4range(24216, NULL), i.pooling_area
    FROM generate_series($1::bigint, $2::bigint) AS p
    CROSS JOIN (VALUES ('PENSION', '360000'), ('MEDICAL', '360100')) AS i (insurance, pooling_area)
"""
_PAID_ELSEWHERE = """
    INSERT INTO contributions (payer_id, insurance, months, amount, paid_on)
    SELECT p, 'PENSION', int4range(24216, 24234), 9000, '2019-07-01' FROM generate_series($1::bigint, $2::bigint) AS p
"""
# $3: every so manieth payer; $4: the word in the bill's number; $5, $6: first month and months.
_BILLS = """
    INSERT INTO bills (bill_number, origin, payer_id, insurance, pooling_area, months, amount, pay_by)
    SELECT
        $4::text || '-' || p || '-' || $5::integer, 'MEDICAL_BATCH', p, 'MEDICAL', '360100',
        int4range($5, $5 + $6::integer), 30 * $6, '2020-12-31'
    FROM generate_series($1::bigint, $2::bigint, $3::bigint) AS p
"""
# $1 and $2: the first bill that was paid and the last. Each of the clients took its share, over 600 days.
_PAYMENTS = """
    INSERT INTO payments (
        institution_id, client_id, channel, bank_reference, bill_id, payer_id, insurance, pooling_area, months, amount,
        collected_at, business_date, accepted_at, posted_at
    )
    SELECT
        c.institution_id, c.id, c.channel, 'HISTORY-' || b.id, b.id, b.payer_id, b.insurance, b.pooling_area, b.months,
        b.amount, d.day, d.day, d.day, d.day
    FROM bills AS b
    CROSS JOIN LATERAL (
        SELECT (date '2019-03-01' + ((b.id - $1) * 600 / ($2 - $1 + 1))::integer)::timestamptz AS day
    ) AS d
    INNER JOIN (
        SELECT x.*, row_number() OVER (ORDER BY x.id) - 1 AS place, count(*) OVER () AS places
        FROM clients AS x WHERE x.channel IS NOT NULL
    ) AS c ON b.id % c.places = c.place
    WHERE b.id BETWEEN $1::bigint AND $2::bigint
    ORDER BY b.id
"""
_OF_PAYMENTS = (
    """
    INSERT INTO receipts (payment_id, number, verification_code, issued_at)
    SELECT
        p.id, to_char(p.business_date, 'YYYYMMDD') || lpad(p.id::text, 10, '0'), upper(left(md5(p.id::text), 12)),
        p.accepted_at
    FROM payments AS p WHERE p.bank_reference LIKE 'HISTORY-%'
    """,
    """
    INSERT INTO contributions (payer_id, insurance, months, amount, paid_on, payment_id, bill_id)
    SELECT p.payer_id, p.insurance, p.months, p.amount, p.business_date, p.id, p.bill_id
    FROM payments AS p WHERE p.bank_reference LIKE 'HISTORY-%'
    """,
    """
    INSERT INTO postings (payment_id, kind, enqueued_at, attempts, attempted_at, acknowledged_at)
    SELECT p.id, 'ACCEPTED', p.accepted_at, 1, p.accepted_at, p.accepted_at
    FROM payments AS p WHERE p.bank_reference LIKE 'HISTORY-%'
    """,
    """
    INSERT INTO quotes (
        institution_id, client_id, payer_id, insurance, pooling_area, months, rate, tier_code, tier_percent,
        tier_monthly_base, tier_monthly_amount, amount, quoted_at, expires_at
    )
    SELECT
        p.institution_id, p.client_id, p.payer_id, 'PENSION', '360000', int4range(24228, 24231), 0.2, '60', 60, 3024,
        605, 1815, p.accepted_at, p.accepted_at + interval '30 minutes'
    FROM payments AS p WHERE p.bank_reference LIKE 'HISTORY-%'
    """,
    # Of one lane's payers, each has a place of its own.
    """
    INSERT INTO audit_entries (lane, position, at, actor, action, subject, detail, previous_hash, hash)
    SELECT
        audit_lane_of_payer(p.payer_id), p.payer_id / 255 + 1, p.accepted_at, 'client:' || p.client_id,
        'PAYMENT_ACCEPTED', 'payment:' || p.id,
        jsonb_build_object(
            'institution_id', p.institution_id, 'client_id', p.client_id, 'channel', p.channel,
            'bank_reference', p.bank_reference, 'bill_id', p.bill_id, 'payer_id', p.payer_id,
            'insurance', p.insurance, 'pooling_area', p.pooling_area, 'months', p.months, 'amount', p.amount,
            'collected_at', p.collected_at, 'business_date', p.business_date
        ),
        sha256(p.id::text::bytea), sha256(p.bill_id::text::bytea)
    FROM payments AS p WHERE p.bank_reference LIKE 'HISTORY-%'
    """,
    # The next entry of each lane comes after these.
    "UPDATE audit_lanes SET length = (SELECT max(p.id) / 255 + 1 FROM payers AS p) WHERE lane > 0",
)


@dataclass(frozen=True, slots=True)
class Population:
    """Where the rows are: payers, bills to pay and those with a list are numbered in a row."""

    size: int
    ledger: Ledger
    first_payer: int
    first_bill: int
    listed_step: int
    bytes: int
    #: Bills that runs before have paid.
    paid: frozenset[int] = frozenset()

    def payer(self, draw: random.Random) -> tuple[Person, int]:
        """Draw anybody, with the row's id."""
        number = draw.randrange(self.size)
        return person(number), self.first_payer + number

    def listed(self, draw: random.Random) -> Person:
        """Draw one with a list of bills."""
        return person(draw.randrange(0, self.size, self.listed_step))

    @property
    def bills_to_pay(self) -> range:
        """The ids of bills that have not been paid yet, over all payers."""
        return range(self.first_bill, self.first_bill + BILLS_TO_PAY * self.size)


def person(number: int) -> Person:
    """Return who has this number."""
    serial, day = divmod(number, DAYS)
    birth = FIRST_BIRTH + datetime.timedelta(days=day)
    name = f"{FAMILY_NAMES[number % 20]}{chr(0x4E00 + number // 20 % 5000)}{chr(0x5E00 + number % 97)}"
    return Person(resident_id(f"369999{birth:%Y%m%d}{SERIALS_FROM + serial}"), name)


async def found(url: str, size: int) -> Population:
    """Return the population that `populate` has written to a database before, brought to this version's schema."""
    connection = await connect(url)
    try:
        await prepare(connection, MASTER_KEY)
        vault = await Vault.open(connection, MASTER_KEY)
        first = await connection.fetchval("SELECT max(id) - $1 + 1 FROM payers", size)
        number = f"READ-{first}-24240"
        to_pay = await connection.fetchval(
            "SELECT id FROM bills WHERE payer_id = $1 AND bill_number = $2", first, number
        )
        paid = await connection.fetch("SELECT bill_id FROM payments WHERE bill_id >= $1", to_pay)
        institution_id = await connection.fetchval("SELECT id FROM institutions WHERE code = $1", INSTITUTION)
        taken = await connection.fetchval("SELECT pg_database_size(current_database())")
    finally:
        await connection.close()
    ledger = Ledger([], [], range(0), institution_id, vault)
    return Population(size, ledger, first, to_pay, _listed_step(size), taken, frozenset(bill for (bill,) in paid))


def _listed_step(size: int) -> int:
    return min(LISTED_OF, max(1, size // MIN_LISTED))


async def populate(url: str, size: int) -> Population:
    """Fill an empty database with so many payers. Raises ValueError for more than MAX_PAYERS."""
    if not 0 < size <= MAX_PAYERS:
        raise ValueError(f"payers: 1 to {MAX_PAYERS:,}")
    connection = await connect(url)
    try:
        await prepare(connection, MASTER_KEY)
        vault = await Vault.open(connection, MASTER_KEY)
        async with relaxed(connection, _TABLES):
            await connection.copy_records_to_table("payers", records=_rows(vault, size), columns=_PAYER_COLUMNS)
            first, last = await connection.fetchrow("SELECT max(id) - $1 + 1, max(id) FROM payers", size)
            await connection.execute(_NAMED, first, last, INSTITUTION)
            await connection.execute(_ENROLMENTS, first, last)
            await connection.execute(_PAID_ELSEWHERE, first, last)
            # In the order of months, as they were: the bills of one payer are far apart.
            step = _listed_step(size)
            for month in range(BILLS_LISTED):
                await connection.execute(_BILLS, first, last, step, "LIST", 24300 + month, 1)
            paid = await _bills(connection, first, last, 2, "PAID", 24228)
            await connection.execute(_PAYMENTS, paid.start, paid.stop - 1)
            for statement in _OF_PAYMENTS:
                await connection.execute(statement)
            to_pay = [await _bills(connection, first, last, 1, "READ", 24240 + 6 * n, 6) for n in range(BILLS_TO_PAY)]
        await connection.execute("VACUUM (ANALYZE)")
        institution_id = await connection.fetchval("SELECT id FROM institutions WHERE code = $1", INSTITUTION)
        taken = await connection.fetchval("SELECT pg_database_size(current_database())")
    finally:
        await connection.close()
    ledger = Ledger([], [], range(0), institution_id, vault)
    return Population(size, ledger, first, to_pay[0].start, step, taken)


async def _bills(
    connection: asyncpg.Connection, first: int, last: int, step: int, word: str, month: int, months: int = 12
) -> range:
    """Write a bill for every payer of the step, and return their ids, which are in a row."""
    before: int = await connection.fetchval("SELECT coalesce(max(id), 0) FROM bills")
    await connection.execute(_BILLS, first, last, step, word, month, months)
    least, greatest, count = await connection.fetchrow(
        "SELECT min(id), max(id), count(*) FROM bills WHERE id > $1", before
    )
    assert greatest - least + 1 == count, "bills are not numbered in a row"
    return range(least, greatest + 1)


def _rows(vault: Vault, size: int) -> Iterator[tuple[bytes, bytes, bytes, int, str, str]]:
    for number in range(size):
        one = person(number)
        index = vault.resident_id_index(one.resident_id)
        yield (
            index,
            vault.name_index(one.resident_id, one.name),
            vault.seal((one.resident_id + one.name).encode(), index),
            vault.identity_key_id,
            masks.mask_name(one.name),
            masks.mask_resident_id(one.resident_id),
        )
