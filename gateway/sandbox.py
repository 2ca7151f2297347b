"""Brings a database up as the sandbox: migrated and loaded."""

import asyncpg

from auth.clients import hash_secret
from database.migrate import migrate
from database.sandbox import load_sandbox
from database.vault import Vault


async def prepare(connection: asyncpg.Connection, master_key: bytes) -> None:
    """Migrate and load an empty database; leave one that is the sandbox already as it is.

    Several processes at once are safe. Raises NotASandbox for a database that holds anything else.
    """
    await migrate(connection)
    vault = await Vault.open(connection, master_key)
    await load_sandbox(connection, vault, hash_secret=hash_secret)
