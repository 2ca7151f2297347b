import asyncio
import secrets
import tempfile
from pathlib import Path

import asyncpg

from tests.chaos.campaign import campaign

SECONDS = 10.0
CHECK = "IF result.paid_months IS NOT NULL"


def allow_months_twice(url: str) -> None:
    """Take away both that keep a month from being paid twice: the constraint, and the look before it."""

    async def plant() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute("ALTER TABLE contributions DROP CONSTRAINT month_paid_once")
            function = await connection.fetchval("SELECT pg_get_functiondef('submit_payment'::regproc)")
            assert CHECK in function
            await connection.execute(function.replace(CHECK, "IF FALSE"))
        finally:
            await connection.close()

    asyncio.run(plant())


def test_a_ledger_that_takes_months_twice_is_found_out() -> None:
    with tempfile.TemporaryDirectory(prefix="gateway-chaos-") as directory:
        Path(directory).chmod(0o711)
        seed = secrets.randbelow(2**32)
        outcome = campaign(Path(directory), SECONDS, seed, kills={"connection": 1}, plant=allow_months_twice)
    assert outcome.verdict.twice, outcome.table()
    assert not outcome.clean
