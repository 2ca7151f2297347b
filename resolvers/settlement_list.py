"""The bank's list of a large day, streamed: staged while it arrives, and compared when it is whole.

One transaction on a connection of its own, so that a list that breaks off leaves nothing and no request waits for
one of the pool's. While the list arrives it holds no lock that anybody waits for. Two locks follow:

- the lists' lock of the day makes reconciliations of one day take turns, from the first stored entry to the end;
- the day's own lock, alone (lock_settlement_day), is what payments of the day wait for. It is held for the
  comparison only, not while a million entries are stored: until we commit, payments see the list before.
"""

import datetime
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

import asyncpg

from contributions.problems import DayNotReconcilable
from database.loading.bank_list import BankListReader, ListRejected
from database.pool import act_for, connect
from resolvers.records import SettlementTotal
from resolvers.settlement import LOCK_LISTS, totals

KINDS: Final = ("MISSING_AT_GATEWAY", "MISSING_AT_BANK", "AMOUNT_DIFFERS", "STATUS_DIFFERS")

# A million rows take seconds; whatever takes longer than this on one statement is stuck.
STATEMENT_TIMEOUT_SECONDS: Final = 120
# Behind another list of the same day: as long as that one may take for its longest statement.
LOCK_TIMEOUT_SECONDS: Final = 120
# A statement that PostgreSQL should have ended by itself is given up: the network or the host has gone silent.
_GRACE_SECONDS: Final = 5
_CLOSE_TIMEOUT_SECONDS: Final = 5

# Sorts and joins of one list, one statement at a time, and few lists at once (gateway/endpoints/settlements.py).
_SETTINGS: Final = f"""
    SET LOCAL work_mem = '64MB';
    SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT_SECONDS}s';
    SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s';
    SET LOCAL jit = off;
    CREATE TEMPORARY TABLE bank_list (
        line integer NOT NULL, bank_reference text COLLATE "C" NOT NULL, amount numeric(14, 2) NOT NULL,
        reversed boolean NOT NULL
    ) ON COMMIT DROP;
"""

_FIRST_REPETITION: Final = """
    SELECT l.line, l.first_line
    FROM (
        SELECT line, min(line) OVER (PARTITION BY bank_reference) AS first_line FROM bank_list
        WHERE bank_reference IN (SELECT bank_reference FROM bank_list GROUP BY bank_reference HAVING count(*) > 1)
    ) AS l
    WHERE l.line > l.first_line
    ORDER BY l.line
    LIMIT 1
"""

# The day is there before its entries, which refer to it.
_BEGIN_DAY: Final = """
    INSERT INTO settlement_days (institution_id, business_date, reconciled_at) VALUES ($1, $2, now())
    ON CONFLICT (institution_id, business_date) DO NOTHING
"""
# What a list before had as well stays where it is: the list of a day is sent again with few rows changed.
_FORGET_ENTRIES: Final = """
    DELETE FROM settlement_entries AS e
    WHERE
        e.institution_id = $1 AND e.business_date = $2
        AND NOT EXISTS (
            SELECT 1 FROM bank_list AS l
            WHERE l.bank_reference = e.bank_reference AND l.amount = e.amount AND l.reversed = e.reversed
        )
"""
_STORE_ENTRIES: Final = """
    INSERT INTO settlement_entries (institution_id, business_date, bank_reference, amount, reversed)
    SELECT $1, $2, l.bank_reference, l.amount, l.reversed
    FROM bank_list AS l
    WHERE NOT EXISTS (
        SELECT 1 FROM settlement_entries AS e
        WHERE e.institution_id = $1 AND e.business_date = $2 AND e.bank_reference = l.bank_reference
    )
    ORDER BY l.bank_reference
"""
_RECONCILED: Final = """
    UPDATE settlement_days SET reconciled_at = clock_timestamp() WHERE institution_id = $1 AND business_date = $2
    RETURNING reconciled_at
"""
_COUNTS: Final = """
    SELECT kind, count(*) FROM settlement_differences WHERE institution_id = $1 AND business_date = $2 GROUP BY kind
"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a day stood when the list was compared. `differences` has a count for every one of KINDS."""

    date: datetime.date
    entries: int
    accepted: SettlementTotal
    reversed: SettlementTotal
    reconciled_at: datetime.datetime
    differences: Mapping[str, int]

    @property
    def status(self) -> str:
        """DIFFERENT when anything differs, else RECONCILED."""
        return "DIFFERENT" if any(self.differences.values()) else "RECONCILED"

    @property
    def net(self) -> SettlementTotal:
        """What remains of the accepted ones."""
        return SettlementTotal(self.accepted.count - self.reversed.count, self.accepted.amount - self.reversed.amount)


async def reconcile_list(
    database_url: str,
    institution_id: int,
    business_date: datetime.date,
    date: datetime.date,
    pieces: AsyncIterable[bytes],
    *,
    upload_timeout_seconds: float,
) -> Comparison:
    """Compare the list that `pieces` bring with the ledger, in place of any list of the day before it.

    Raises DayNotReconcilable for a day after `business_date` before it reads anything, ListRejected for a wrong
    line or a reference that is there twice, and whatever `pieces` raise; then nothing has changed. Also OSError,
    TimeoutError and asyncpg's errors; of a lost connection it is not known whether the list has been taken.
    """
    if date > business_date:
        raise DayNotReconcilable
    # Nothing is kept prepared: each statement runs once, and PgBouncer may stand between.
    connection = await connect(database_url, application_name="gateway settlement", statement_cache_size=0)
    try:
        async with connection.transaction():
            await act_for(connection, institution_id)
            await _stage(connection, pieces, upload_timeout_seconds)
            return await _compare(connection, institution_id, date)
    finally:
        await connection.close(timeout=_CLOSE_TIMEOUT_SECONDS)


async def _stage(connection: asyncpg.Connection, pieces: AsyncIterable[bytes], upload_timeout_seconds: float) -> None:
    await connection.execute(_SETTINGS, timeout=STATEMENT_TIMEOUT_SECONDS)
    # PostgreSQL waits inside COPY for as long as the list may take to arrive; `pieces` end it before.
    copy_seconds = upload_timeout_seconds + STATEMENT_TIMEOUT_SECONDS
    await connection.execute(f"SET LOCAL statement_timeout = {round(copy_seconds * 1000)}")
    await connection.copy_to_table(
        "bank_list", schema_name="pg_temp", source=_rows(pieces), timeout=copy_seconds + _GRACE_SECONDS
    )
    await connection.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT_SECONDS}s'")
    await connection.execute("ANALYZE bank_list", timeout=STATEMENT_TIMEOUT_SECONDS + _GRACE_SECONDS)
    repeated = await connection.fetchrow(_FIRST_REPETITION, timeout=STATEMENT_TIMEOUT_SECONDS + _GRACE_SECONDS)
    if repeated is not None:
        line, first_line = repeated
        raise ListRejected(line, f"has the bank_reference of line {first_line}", first_line)


async def _rows(pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    reader = BankListReader()
    async for piece in pieces:
        if rows := reader.feed(piece):
            yield rows
    if rows := reader.finish():
        yield rows


async def _compare(connection: asyncpg.Connection, institution_id: int, date: datetime.date) -> Comparison:
    day = (institution_id, date)
    seconds = STATEMENT_TIMEOUT_SECONDS + _GRACE_SECONDS
    await connection.execute(f"SELECT {LOCK_LISTS}", *day, timeout=seconds)
    for statement in (_BEGIN_DAY, _FORGET_ENTRIES, _STORE_ENTRIES):
        await connection.execute(statement, *day, timeout=seconds)
    entries = await connection.fetchval("SELECT count(*) FROM bank_list", timeout=seconds)
    # A statement of its own: those after it see every payment that was under way.
    await connection.execute("SELECT lock_settlement_day($1, $2, TRUE)", *day, timeout=seconds)
    await connection.execute("SELECT compare_day($1, $2)", *day, timeout=seconds)
    found = dict(await connection.fetch(_COUNTS, *day, timeout=seconds))
    total = await connection.fetchrow(f"SELECT t.* FROM {totals('$1', '$2')} AS t", *day, timeout=seconds)
    reconciled_at = await connection.fetchval(_RECONCILED, *day, timeout=seconds)
    return Comparison(
        date=date,
        entries=entries,
        accepted=SettlementTotal(total["accepted_count"], total["accepted_amount"]),
        reversed=SettlementTotal(total["reversed_count"], total["reversed_amount"]),
        reconciled_at=reconciled_at,
        differences={kind: found.get(kind, 0) for kind in KINDS},
    )
