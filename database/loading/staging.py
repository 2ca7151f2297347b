"""How a file gets into the ledger: read, copied to a staging table, judged and taken over set by set.

The staging table is temporary: it is the connection's own, and empty after every transaction. Each row has
its `line` and its `verdict`: NULL for a row to take over, UNCHANGED for one that says what the ledger has
already, or else the code of the reason why it is rejected.
"""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final, TextIO

import asyncpg

from database import audit
from database.loading import rejects
from database.loading.kinds import Kind
from database.loading.pieces import pieces
from database.loading.readers import Order, readers, readers_for
from database.loading.reading import Reader, Staged, read_here
from database.loading.records import MAX_ROWS, open_file, sha256_of, version_of
from database.loading.report import MAX_REJECTIONS_KEPT, FileRefused, LedgerChanged, LoadReport, Rejection
from database.vault import Vault, VaultKeys

# A one-key advisory lock, as the payers' own are; their ids are above zero. Loads take turns, so that none
# judges its rows by what another is about to change. Payments don't wait for it.
LOADS_LOCK: Final = -1
# Payments go on meanwhile. Three in a row that hit the few moments between judging and taking over
# are no accident.
MAX_ATTEMPTS: Final = 3
ROWS_BETWEEN_PROGRESS: Final = 10_000

# A load sorts and joins whole files, one load at a time: each sort has so much memory, each hash twice as much, and
# what is larger goes to disk. A load is long, waits for a load before it, and between two batches of rejected rows it
# reads the file: the limits that requests have are not for it.
_SETTINGS: Final = """
    SET LOCAL work_mem = '32MB';
    SET LOCAL statement_timeout = 0;
    SET LOCAL lock_timeout = 0;
    SET LOCAL idle_in_transaction_session_timeout = 0;
"""

_RACES: Final = (
    asyncpg.UniqueViolationError,
    asyncpg.ExclusionViolationError,
    asyncpg.DeadlockDetectedError,
)


async def load_file(
    connection: asyncpg.Connection,
    kind: Kind,
    vault: Vault,
    path: Path,
    *,
    accept_valid: bool,
    progress: Callable[[int], None] | None,
) -> LoadReport:
    """Load a file in one transaction, or in a savepoint of the caller's.

    With a bad row nothing is loaded, unless `accept_valid`: then the good rows are, and the bad ones are written
    to the file that rejects.path_beside names. `progress` is called with the number of rows read so far. Reading
    is plain blocking work, meant for the command line. A load that changes something leaves one entry in the audit
    trail. Raises FileRefused, LedgerChanged and OSError.
    """
    async with connection.transaction():
        await prepare(connection, kind.table, kind.table_sql)
        await connection.execute(_SETTINGS)
        with open_file(path) as file:
            version = version_of(file)
            await _copy(connection, kind, vault.keys, file, progress)
            await connection.execute(f"ANALYZE {kind.table}")
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOADS_LOCK)
            report = await _take_over(connection, kind, accept_valid)
            if report.rejected and accept_valid:
                report = await rejects.write(connection, kind, path, file, version, report)
            if report.loaded or report.updated:
                digest = sha256_of(file)
                if version_of(file) != version:
                    raise FileRefused("the file was changed while it was loaded; nothing was loaded")
                await audit.file_loaded(connection, kind.name, digest, report)
        return report


async def prepare(connection: asyncpg.Connection, table: str, table_sql: str) -> None:
    """Make the connection's staging table, or empty the one it has. The caller's transaction is open."""
    await connection.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS {table} ({table_sql}) ON COMMIT DELETE ROWS")
    await connection.execute(f"TRUNCATE {table}")


def affected(status: str) -> int:
    """Return the number of rows of a command's status: 3 of "INSERT 0 3"."""
    return int(status.rpartition(" ")[2])


async def _copy(
    connection: asyncpg.Connection, kind: Kind, keys: VaultKeys, file: TextIO, progress: Callable[[int], None] | None
) -> None:
    async def rows(staged: AsyncIterator[Staged]) -> AsyncIterator[bytes]:
        read = told = 0
        async for some in staged:
            read += some.rows
            if read > MAX_ROWS:
                raise FileRefused(f"the file has more than {MAX_ROWS} rows: send it in parts")
            if progress is not None and read - told >= ROWS_BETWEEN_PROGRESS:
                told = read
                progress(read)
            yield some.lines
        if progress is not None:
            progress(read)

    async def copy(staged: AsyncIterator[Staged]) -> None:
        await connection.copy_to_table(
            kind.table,
            schema_name="pg_temp",
            source=rows(staged),
            columns=("line", "verdict", "field", *kind.staged_columns),
        )

    every = pieces(file, kind.columns)
    count = readers_for(version_of(file)[0])
    if count:
        async with readers(count, Order(kind.name, keys)) as beside:
            await copy(beside.read(every))
    else:
        await copy(read_here(Reader(kind.columns, kind.staged_columns, kind.parse), every))


async def _take_over(connection: asyncpg.Connection, kind: Kind, accept_valid: bool) -> LoadReport:
    for _attempt in range(MAX_ATTEMPTS):
        try:
            async with connection.transaction():
                await kind.judge(connection)
                report = await _report(connection, kind)
                if report.rejected and not accept_valid:
                    return report
                taken = await kind.take_over(connection)
        except _RACES:
            # A payment took a month, or a bill a number, between our look and our insert. The savepoint has
            # undone the verdicts with the rows: they are judged again by what is there now.
            continue
        return LoadReport(
            rows_read=report.rows_read,
            loaded=taken.loaded,
            updated=taken.updated,
            unchanged=report.rows_read - report.rejected - taken.loaded - taken.updated,
            rejected=report.rejected,
            rejections=report.rejections,
        )
    raise LedgerChanged("the ledger kept changing under the load; nothing was loaded, load the file again")


async def _report(connection: asyncpg.Connection, kind: Kind) -> LoadReport:
    rows_read, rejected = await connection.fetchrow(
        f"SELECT count(*), count(*) FILTER (WHERE verdict <> 'UNCHANGED') FROM {kind.table}"
    )
    rejections = await connection.fetch(
        f"""
        SELECT line, verdict, field FROM {kind.table} WHERE verdict <> 'UNCHANGED' ORDER BY line
        LIMIT {MAX_REJECTIONS_KEPT}
        """
    )
    return LoadReport(rows_read=rows_read, rejected=rejected, rejections=tuple(Rejection(*row) for row in rejections))
