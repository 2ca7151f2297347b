"""Everything a database holds, so that a test can say that nothing changed."""

import asyncio

import asyncpg

# What changes though nothing of the ledger does: who asked for whom, in vain or not, and what a token's use or a
# budget's leaves behind.
BOOKKEEPING = frozenset({"client_budgets", "lookup_failures", "named_payers", "revoked_tokens", "signing_keys"})


def snapshot(database_url: str) -> dict[str, str | None]:
    """Return a digest of every table's rows."""
    return asyncio.run(_digests(database_url))


async def _digests(database_url: str) -> dict[str, str | None]:
    connection = await asyncpg.connect(database_url)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        names = {table["tablename"] for table in tables} - BOOKKEEPING
        digest = "SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM {} AS t"
        return {name: await connection.fetchval(digest.format(name)) for name in names}
    finally:
        await connection.close()
