"""Numbered SQL files, `migrations/NNNN_name.sql`, applied in order and each once."""

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise

import asyncpg

# Of the session's advisory locks, the one that whoever migrates holds: "migrate" in ASCII.
_LOCK = int.from_bytes(b"migrate")
# Another process may be migrating a large database; past this, something is stuck and must be looked at.
LOCK_TIMEOUT_SECONDS = 600
# A migration may rewrite a table, which the settings of a connection that serves requests would cut off.
MIGRATION_TIMEOUT_SECONDS = 3600

_FILE_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


class MigrationChanged(Exception):
    """A migration that this database has applied is not, or no longer, the file of that number here."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number, its name without `.sql`, and its statements."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> bytes:
        """SHA-256 of the file."""
        return hashlib.sha256(self.sql.encode()).digest()


def migrations() -> list[Migration]:
    """Every migration of this release, in order. Raises ValueError for a misnamed or doubly numbered file."""
    found = []
    for file in files("database").joinpath("migrations").iterdir():
        if file.name.endswith(".sql"):
            named = _FILE_NAME.fullmatch(file.name)
            if named is None:
                raise ValueError(f"a migration is named NNNN_name.sql, not {file.name}")
            name = file.name.removesuffix(".sql")
            found.append(Migration(int(named[1]), name, file.read_text(encoding="utf-8")))
    found.sort(key=lambda migration: migration.version)
    for before, after in pairwise(found):
        if before.version == after.version:
            raise ValueError(f"{before.name} and {after.name} have the same number")
    return found


async def migrate(connection: asyncpg.Connection) -> list[str]:
    """Apply the migrations that are missing, each in a transaction of its own, and return their names.

    Several processes may call this at once: one applies, the others wait and find nothing missing. The lock is
    the session's, so the connection is not one through PgBouncer's transaction pooling. Raises MigrationChanged,
    and asyncpg.PostgresError when a migration fails, which leaves the ones before it applied.
    """
    await connection.execute(
        "SELECT set_config('lock_timeout', $1, false), set_config('statement_timeout', $1, false)",
        f"{LOCK_TIMEOUT_SECONDS}s",
    )
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        try:
            await connection.execute(
                "SELECT set_config('statement_timeout', $1, false)", f"{MIGRATION_TIMEOUT_SECONDS}s"
            )
            return await _apply(connection)
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)
    finally:
        await connection.execute("RESET lock_timeout; RESET statement_timeout")


async def missing(connection: asyncpg.Connection) -> list[str]:
    """The names of the migrations that this database has not had, in order. Raises MigrationChanged."""
    return [migration.name for migration in await _missing(connection)]


async def _apply(connection: asyncpg.Connection) -> list[str]:
    await connection.execute(
        """
        CREATE TABLE IF NOT EXISTS schema_migrations (
            version integer PRIMARY KEY,
            name text NOT NULL,
            checksum bytea NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    applied = []
    for migration in await _missing(connection):
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
                migration.version,
                migration.name,
                migration.checksum,
            )
        applied.append(migration.name)
    return applied


async def _missing(connection: asyncpg.Connection) -> list[Migration]:
    if await connection.fetchval("SELECT to_regclass('schema_migrations') IS NULL"):
        return migrations()
    rows = await connection.fetch("SELECT version, name, checksum FROM schema_migrations")
    applied = {row["version"]: (row["name"], row["checksum"]) for row in rows}
    remaining = []
    for migration in migrations():
        if migration.version not in applied:
            remaining.append(migration)
        elif applied[migration.version] != (migration.name, migration.checksum):
            raise MigrationChanged(
                f"{migration.name} is not what this database applied as {applied[migration.version][0]}: an "
                "applied migration is never edited; write a new one, or begin with an empty database"
            )
    return remaining
