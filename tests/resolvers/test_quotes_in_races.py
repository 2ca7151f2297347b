"""A quote is one statement; what stood against it may be gone by the time that somebody looks for it."""

from dataclasses import replace

import asyncpg
import pytest

from contributions import months
from contributions.problems import PeriodNotPayable
from database.pool import InstitutionPool
from resolvers import quotes
from resolvers.asking import NOTHING
from resolvers.call import Call
from tests.desk import CountingDesk as Desk

pytestmark = pytest.mark.anyio

JANUARY = months.parse("2020-01")
#: 李静, who has paid everything.
LI = "369***********0054"


class FreeingPool(InstitutionPool):
    """Frees what a person has paid when a quote was refused; unless `once`, it is paid again before the next try."""

    def __init__(self, pool: asyncpg.Pool, institution_id: int, *, once: bool) -> None:
        super().__init__(pool, institution_id)
        self.refused = 0
        self._once = once

    async def fetchrow(self, sql: str, *arguments: object) -> asyncpg.Record | None:
        quoting = "INSERT INTO quotes" in sql
        if quoting and self.refused and not self._once:
            await self._let_months(True)
        row = await super().fetchrow(sql, *arguments)
        if quoting and row is None:
            self.refused += 1
            await self._let_months(False)
        return row

    async def _let_months(self, standing: bool) -> None:
        await self.execute(
            """
            UPDATE contributions AS c SET standing = $2
            FROM payers AS p WHERE p.id = c.payer_id AND p.masked_resident_id = $1
            """,
            LI,
            standing,
        )


@pytest.fixture
async def li(desk: Desk) -> str:
    row_id = await desk.pool.fetchval("SELECT id FROM payers WHERE masked_resident_id = $1", LI)
    return desk.call.opaque_id("Payer", row_id)


def racing(desk: Desk, *, once: bool) -> tuple[Call, FreeingPool]:
    pool = FreeingPool(desk.pool, desk.caller.institution_id, once=once)
    return replace(desk.call, pool=pool), pool


async def test_months_that_were_freed_meanwhile_are_quoted(desk: Desk, li: str) -> None:
    call, pool = racing(desk, once=True)
    quote = await quotes.request_quote(call, li, "PENSION", JANUARY, JANUARY + 2, "60", NOTHING)
    assert (quote.first_month, quote.last_month, quote.status) == (JANUARY, JANUARY + 2, "OPEN")
    assert pool.refused == 1


async def test_months_that_come_and_go_are_refused_in_the_end(desk: Desk, li: str) -> None:
    call, pool = racing(desk, once=False)
    with pytest.raises(PeriodNotPayable) as refused:
        await quotes.request_quote(call, li, "PENSION", JANUARY, JANUARY, "60", NOTHING)
    assert [period.first_month for period in refused.value.payable] == [JANUARY]
    assert pool.refused == quotes.MAX_TRIES
