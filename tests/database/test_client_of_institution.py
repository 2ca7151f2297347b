"""A quote and a payment are of a client and of its own institution: PostgreSQL holds it."""

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from tests.acceptance.conftest import sandbox_template
from tests.databases import fresh_database

pytestmark = pytest.mark.anyio

__all__ = ["sandbox_template"]

QUOTE = """
    INSERT INTO quotes (
        institution_id, client_id, payer_id, insurance, pooling_area, months, rate, tier_code, tier_monthly_base,
        tier_monthly_amount, amount, expires_at
    )
    SELECT
        i.id, 'abc-counter', (SELECT min(p.id) FROM payers AS p), 'PENSION', '360000', '[24240,24241)', 0.2, '60', 3024,
        604.8, 604.8, now() + interval '1 minute'
    FROM institutions AS i WHERE i.code = $1
"""
PAYMENT = """
    INSERT INTO payments (
        institution_id, client_id, bank_reference, bill_id, payer_id, insurance, pooling_area, months, amount,
        collected_at, business_date
    )
    SELECT
        i.id, 'abc-counter', 'ONE', b.id, b.payer_id, b.insurance, b.pooling_area, b.months, b.amount, now(),
        '2020-11-16'
    FROM institutions AS i CROSS JOIN (SELECT x.* FROM bills AS x ORDER BY x.id LIMIT 1) AS b WHERE i.code = $1
"""


@pytest.fixture(scope="module")
def sandbox_copy(postgres_url: str, sandbox_template: str) -> Iterator[str]:
    with fresh_database(postgres_url, sandbox_template) as url:
        yield url


@pytest.fixture
async def connection(sandbox_copy: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(sandbox_copy)
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


@pytest.mark.parametrize("statement", [QUOTE, PAYMENT], ids=["quote", "payment"])
async def test_another_institution_s_client_is_refused(connection: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with connection.transaction():
            await connection.execute(statement, "ICBC")
    assert await connection.execute(statement, "ABC") == "INSERT 0 1"
