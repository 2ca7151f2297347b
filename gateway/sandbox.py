"""Brings a database up as the sandbox: migrated, loaded, with a key to sign by."""

import asyncpg

from auth.clients import hash_secret
from auth.keys import ensure_signing_key
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
    await ensure_signing_key(connection, vault)
