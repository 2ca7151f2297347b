"""Keys are replaced and emptied while the servers serve, and what was sealed opens throughout."""

import os
from collections.abc import AsyncIterator

import asyncpg
import pytest
from cryptography.exceptions import InvalidTag

from auth import keys as signing
from database import data_keys
from database.pool import connect
from database.vault import UnknownDataKey, Vault, WrongMasterKey
from tests.acceptance.people import SANDBOX
from tests.docs.pages import ROOT, fenced

pytestmark = pytest.mark.anyio

# As if the key had been made a while ago: nobody has to wait until every process knows it.
AGE = "UPDATE data_keys SET created_at = created_at - interval '1 hour', retired_at = retired_at - interval '1 hour'"


@pytest.fixture
async def connection(sandbox_copy: str, vault_key: bytes) -> AsyncIterator[asyncpg.Connection]:
    """A sandbox with a signing key and a callback: every kind of sealed row there is."""
    connection = await connect(sandbox_copy, actor="operator:test")
    try:
        vault = await Vault.open(connection, vault_key)
        await signing.ensure_signing_key(connection, vault)
        await connection.execute(
            "INSERT INTO callbacks (client_id, url, sealed_secret, data_key_id) VALUES ($1, $2, $3, $4)",
            "abc-counter",
            "https://bank.example/events",
            vault.seal(b"whsec", b"callback\0abc-counter"),
            vault.identity_key_id,
        )
        yield connection
    finally:
        await connection.close()


async def identities(connection: asyncpg.Connection, vault: Vault) -> set[str]:
    rows = await connection.fetch("SELECT sealed_identity, data_key_id, resident_id_index FROM payers")
    return {(await vault.unsealed(connection, *row)).decode() for row in rows}


EVERYBODY = {person.resident_id + person.name for person in SANDBOX}


async def rotated(connection: asyncpg.Connection, master_key: bytes) -> int:
    key_id = await data_keys.rotate(connection, master_key)
    await connection.execute(AGE)
    return key_id


async def test_every_table_with_sealed_rows_is_sealed_anew(connection: asyncpg.Connection) -> None:
    rows = await connection.fetch("SELECT table_name FROM information_schema.columns WHERE column_name = 'data_key_id'")
    assert {row[0] for row in rows} == {sealed.table for sealed in data_keys.SEALED}


async def test_after_a_rotation_all_rows_move_to_the_new_key_and_the_old_one_goes(
    connection: asyncpg.Connection, vault_key: bytes
) -> None:
    old = (await Vault.open(connection, vault_key)).identity_key_id
    new = await rotated(connection, vault_key)
    assert await data_keys.prune(connection) == [], "it still seals rows"
    told: list[int] = []
    vault = await Vault.open(connection, vault_key)
    count = await data_keys.reencrypt(connection, vault, progress=told.append)
    assert count == sum(told) == len(SANDBOX) + 2
    assert await data_keys.reencrypt(connection, vault) == 0, "a second run finds nothing to do"
    assert {key.id: key.rows for key in await data_keys.list_keys(connection) if key.purpose == "IDENTITY"} == {
        old: 0,
        new: len(SANDBOX) + 2,
    }
    assert await data_keys.prune(connection) == [old]
    after = await Vault.open(connection, vault_key)
    assert await identities(connection, after) == EVERYBODY
    assert (await signing.load_signing_keys(connection, after)).signing.is_private
    row = await connection.fetchrow("SELECT sealed_secret, data_key_id FROM callbacks")
    assert after.unseal(*row, b"callback\0abc-counter") == b"whsec"
    actions = await connection.fetch("SELECT action, subject FROM audit_entries WHERE action LIKE 'DATA_KEY_%'")
    assert {("DATA_KEY_RETIRED", f"data_key:{old}"), ("DATA_KEY_REMOVED", f"data_key:{old}")} <= {*map(tuple, actions)}
    assert [tuple(row) for row in actions].count(("DATA_KEY_TOOK_OVER", f"data_key:{new}")) == 1


async def test_what_was_sealed_under_a_removed_key_opens_no_more(
    connection: asyncpg.Connection, vault_key: bytes
) -> None:
    copy = await connection.fetchrow("SELECT sealed_identity, data_key_id, resident_id_index FROM payers LIMIT 1")
    await rotated(connection, vault_key)
    await data_keys.reencrypt(connection, await Vault.open(connection, vault_key))
    await data_keys.prune(connection)
    vault = await Vault.open(connection, vault_key)
    with pytest.raises(UnknownDataKey):
        await vault.unsealed(connection, *copy)
    with pytest.raises(InvalidTag):
        vault.unseal(copy[0], vault.identity_key_id, copy[2])


async def test_a_running_process_opens_what_a_newer_key_sealed(
    connection: asyncpg.Connection, vault_key: bytes
) -> None:
    running = await Vault.open(connection, vault_key)
    new = await rotated(connection, vault_key)
    await data_keys.reencrypt(connection, await Vault.open(connection, vault_key))
    row = await connection.fetchrow("SELECT sealed_identity, data_key_id, resident_id_index FROM payers LIMIT 1")
    with pytest.raises(UnknownDataKey):
        running.unseal(*row)
    assert (await signing.load_signing_keys(connection, running)).signing.is_private
    assert running.unseal(*row).decode() in EVERYBODY
    assert running.identity_key_id == new, "and seals under it"


async def test_a_run_that_was_ended_is_taken_up_and_loses_nothing(
    connection: asyncpg.Connection, vault_key: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_keys, "BATCH_ROWS", 2)
    new = await rotated(connection, vault_key)
    vault = await Vault.open(connection, vault_key)

    class Killed(Exception):
        pass

    def die(_rows: int) -> None:
        # After the signing key, the callback and two of the people.
        done.append(_rows)
        if len(done) == 3:
            raise Killed

    done: list[int] = []
    with pytest.raises(Killed):
        await data_keys.reencrypt(connection, vault, progress=die)
    moved = await connection.fetchval("SELECT count(*) FROM payers WHERE data_key_id = $1", new)
    assert moved == 2
    assert await identities(connection, vault) == EVERYBODY
    assert await data_keys.reencrypt(connection, vault) == len(SANDBOX) - 2
    assert await identities(connection, vault) == EVERYBODY


async def test_a_row_that_changes_meanwhile_keeps_what_was_written(
    connection: asyncpg.Connection, sandbox_copy: str, vault_key: bytes
) -> None:
    running = await Vault.open(connection, vault_key)
    await rotated(connection, vault_key)
    context = b"callback\0abc-counter"
    newer = running.seal(b"newer", context)

    class Slow(Vault):
        """A server writes the callback's secret, under the key before, between its row's reading and writing."""

        __slots__ = ()

        async def unsealed(self, reader: asyncpg.Connection, sealed: bytes, data_key_id: int, context: bytes) -> bytes:
            if context.startswith(b"callback") and sealed != newer:
                await other.execute("UPDATE callbacks SET sealed_secret = $1", newer)
            return await super().unsealed(reader, sealed, data_key_id, context)

    other = await connect(sandbox_copy)
    try:
        vault = await Slow.open(connection, vault_key)
        await data_keys.reencrypt(connection, vault)
    finally:
        await other.close()
    sealed, data_key_id = await connection.fetchrow("SELECT sealed_secret, data_key_id FROM callbacks")
    assert data_key_id == vault.identity_key_id
    assert vault.unseal(sealed, data_key_id, context) == b"newer"


async def test_another_master_key_wraps_all_keys_at_once_and_running_processes_go_on(
    connection: asyncpg.Connection, vault_key: bytes
) -> None:
    new = os.urandom(32)
    running = await Vault.open(connection, vault_key)
    with pytest.raises(WrongMasterKey):
        await data_keys.rewrap(connection, os.urandom(32), new)
    assert await data_keys.rewrap(connection, vault_key, new) == 3
    assert await data_keys.rewrap(connection, vault_key, new) == 0, "again changes nothing"
    with pytest.raises(WrongMasterKey):
        await Vault.open(connection, vault_key)
    assert await identities(connection, await Vault.open(connection, new)) == EVERYBODY
    await running.learn(connection)
    assert await identities(connection, running) == EVERYBODY
    await data_keys.rotate(connection, new)
    with pytest.raises(WrongMasterKey):
        await running.learn(connection)
    assert await identities(connection, running) == EVERYBODY
    actions = await connection.fetch("SELECT action FROM audit_entries WHERE action = 'DATA_KEY_REWRAPPED'")
    assert len(actions) == 3


async def test_a_person_erased_as_the_page_says_stays_so_and_stands_in_no_key_s_way(
    connection: asyncpg.Connection, vault_key: bytes
) -> None:
    (statement,) = [block for block in fenced(ROOT / "docs" / "privacy.md", "sql") if "UPDATE payers" in block]
    vault = await Vault.open(connection, vault_key)
    index = vault.resident_id_index(SANDBOX[0].resident_id)
    payer_id = await connection.fetchval("SELECT id FROM payers WHERE resident_id_index = $1", index)
    await connection.execute(statement.replace("…", str(payer_id)))
    assert await connection.fetchval("SELECT count(*) FROM payers WHERE resident_id_index = $1", index) == 0
    await rotated(connection, vault_key)
    await data_keys.reencrypt(connection, await Vault.open(connection, vault_key))
    assert len(await data_keys.prune(connection)) == 1
    assert await connection.fetchval("SELECT sealed_identity FROM payers WHERE id = $1", payer_id) == b""


async def test_nothing_is_rotated_with_a_wrong_master_key(connection: asyncpg.Connection, vault_key: bytes) -> None:
    before = await data_keys.list_keys(connection)
    with pytest.raises(WrongMasterKey):
        await data_keys.rotate(connection, os.urandom(32))
    assert await data_keys.list_keys(connection) == before
