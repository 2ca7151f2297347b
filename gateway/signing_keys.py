"""What `gateway keys` does with the keys that sign access tokens."""

import asyncpg
from rich.table import Table

from auth.keys import PUBLISHED_AHEAD_SECONDS, list_signing_keys, rotate_signing_key
from database.vault import Vault
from gateway.master_key import master_key_of
from gateway.settings import SHANGHAI, Settings
from gateway.work import with_connection


def signing_keys_table() -> Table:
    """The keys: the next one, the one that signs, and those of before. Times are Shanghai's."""
    table = Table("signing key", "state", "signs from", "signs until")
    for key in with_connection(lambda connection, _: list_signing_keys(connection)):
        until = f"{key.retired_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}" if key.retired_at else ""
        table.add_row(key.id, key.state, f"{key.signs_from.astimezone(SHANGHAI):%Y-%m-%d %H:%M}", until)
    return table


def rotate_signing_keys() -> str:
    """Publish a new key, and say when it signs. Raises LookupError where one is waiting already."""

    async def work(connection: asyncpg.Connection, settings: Settings) -> str:
        if not await rotate_signing_key(connection, await Vault.open(connection, master_key_of(settings))):
            raise LookupError("a new signing key is published already, or there is none yet: see gateway keys list")
        return f"published a new signing key; it signs in {PUBLISHED_AHEAD_SECONDS // 60} minutes"

    return with_connection(work)
