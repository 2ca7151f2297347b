"""Signing keys: one for all processes, sealed, and found when another process makes a new one."""

from datetime import timedelta
from typing import Any

import anyio
import asyncpg
import pytest
from cryptography.exceptions import InvalidTag

from auth import keys
from database.vault import Vault

pytestmark = pytest.mark.anyio


async def retire(pool: asyncpg.Pool, ago: str = "0 s") -> None:
    await pool.execute("UPDATE signing_keys SET retired_at = now() - $1::text::interval", ago)


async def ensure(pool: asyncpg.Pool, vault: Vault) -> str:
    async with pool.acquire() as connection:
        return await keys.ensure_signing_key(connection, vault)


async def test_processes_that_start_at_once_agree_on_one_key(pool: asyncpg.Pool, vault: Vault, database: str) -> None:
    found: list[str] = []

    async def start(connections: asyncpg.Pool) -> None:
        async with connections.acquire() as connection:
            found.append(await keys.ensure_signing_key(connection, vault))

    # Connected beforehand, or the first is done before the second has begun.
    async with (
        asyncpg.create_pool(database, min_size=8, max_size=8) as connections,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(8):
            tasks.start_soon(start, connections)
    assert len(found) == 8
    assert len(set(found)) == 1
    assert await pool.fetchval("SELECT count(*) FROM signing_keys") == 1


async def test_the_database_holds_no_private_key(pool: asyncpg.Pool, vault: Vault) -> None:
    await ensure(pool, vault)
    async with pool.acquire() as connection:
        private = (await keys.load_signing_keys(connection, vault)).signing.as_dict(private=True)
    row = dict(await pool.fetchrow("SELECT *, public_jwk::text AS public_text FROM signing_keys"))
    assert str(private["d"]) not in row["public_text"]
    assert str(private["d"]).encode() not in row["sealed_private_key"]


async def test_a_private_key_under_another_key_s_id_is_not_taken(pool: asyncpg.Pool, vault: Vault) -> None:
    await ensure(pool, vault)
    await pool.execute("UPDATE signing_keys SET id = 'another'")
    async with pool.acquire() as connection:
        with pytest.raises(InvalidTag):
            await keys.load_signing_keys(connection, vault)


async def test_the_published_keys_are_public_and_say_what_they_are_for(pool: asyncpg.Pool, vault: Vault) -> None:
    key_id = await ensure(pool, vault)
    published = await keys.KeyRing(pool, vault).published()
    assert len(published["keys"]) == 1
    key: dict[str, Any] = dict(published["keys"][0])
    assert {name: key[name] for name in ("kid", "use", "alg", "kty", "crv")} == {
        "kid": key_id,
        "use": "sig",
        "alg": "ES256",
        "kty": "EC",
        "crv": "P-256",
    }
    assert "d" not in key


async def test_a_retired_key_stays_published_for_the_overlap(pool: asyncpg.Pool, vault: Vault) -> None:
    old = await ensure(pool, vault)
    await retire(pool)
    new = await ensure(pool, vault)
    assert {key["kid"] for key in (await keys.KeyRing(pool, vault).published())["keys"]} == {old, new}
    async with pool.acquire() as connection:
        assert (await keys.load_signing_keys(connection, vault)).signing.kid == new


async def test_a_key_retired_long_ago_is_published_no_more(pool: asyncpg.Pool, vault: Vault) -> None:
    await ensure(pool, vault)
    await retire(pool, "2 hours")
    new = await ensure(pool, vault)
    assert {key["kid"] for key in (await keys.KeyRing(pool, vault).published())["keys"]} == {new}


async def test_without_a_key_the_error_says_what_makes_one(pool: asyncpg.Pool, vault: Vault) -> None:
    with pytest.raises(LookupError, match="ensure_signing_key"):
        await keys.KeyRing(pool, vault).keys()


async def test_made_up_key_ids_do_not_make_us_read_the_table_each_time(
    pool: asyncpg.Pool, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ensure(pool, vault)
    ring = keys.KeyRing(pool, vault)
    reads = 0
    load = keys.load_signing_keys

    async def counted(connection: asyncpg.Connection, vault: Vault) -> keys.SigningKeys:
        nonlocal reads
        reads += 1
        return await load(connection, vault)

    monkeypatch.setattr(keys, "load_signing_keys", counted)
    for n in range(50):
        assert await ring.find(f"made-up-{n}") is None
    assert reads == 1


async def test_a_key_that_another_process_made_is_found(
    pool: asyncpg.Pool, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_UNKNOWN_KEY_SECONDS", 0)
    old = await ensure(pool, vault)
    ring = keys.KeyRing(pool, vault)
    assert await ring.find(old) is not None
    await retire(pool)
    new = await ensure(pool, vault)
    assert await ring.find(new) is not None
    assert (await ring.keys()).signing.kid == new


async def rotate(pool: asyncpg.Pool, vault: Vault, lifetime: timedelta | None = None) -> bool:
    async with pool.acquire() as connection:
        return await keys.rotate_signing_key(connection, vault, lifetime)


async def pass_time(pool: asyncpg.Pool, seconds: int) -> None:
    """Let the keys be older, as if so much time had passed."""
    await pool.execute(
        """
        UPDATE signing_keys
        SET signs_from = signs_from - $1 * interval '1 s', retired_at = retired_at - $1 * interval '1 s'
        """,
        seconds,
    )


async def signing_and_published(pool: asyncpg.Pool, vault: Vault) -> tuple[str | None, set[str | None]]:
    async with pool.acquire() as connection:
        loaded = await keys.load_signing_keys(connection, vault)
    return loaded.signing.kid, {key.kid for key in loaded.published.keys}


async def test_a_new_key_is_published_before_it_signs_and_the_old_one_after(pool: asyncpg.Pool, vault: Vault) -> None:
    old = await ensure(pool, vault)
    assert await rotate(pool, vault)
    new = await pool.fetchval("SELECT id FROM signing_keys WHERE retired_at IS NULL")
    assert await signing_and_published(pool, vault) == (old, {old, new})
    await pass_time(pool, keys.PUBLISHED_AHEAD_SECONDS - 60)
    assert await signing_and_published(pool, vault) == (old, {old, new})
    await pass_time(pool, 61)
    assert await signing_and_published(pool, vault) == (new, {old, new})
    assert [key.state for key in await states(pool)] == ["SIGNING", "RETIRED"]
    await pass_time(pool, 3600)
    assert await signing_and_published(pool, vault) == (new, {new})
    assert [key.state for key in await states(pool)] == ["SIGNING", "ENDED"]


async def states(pool: asyncpg.Pool) -> list[keys.KeyTimes]:
    async with pool.acquire() as connection:
        return await keys.list_signing_keys(connection)


async def test_a_key_that_waits_to_sign_is_not_rotated_away(pool: asyncpg.Pool, vault: Vault) -> None:
    await ensure(pool, vault)
    assert await rotate(pool, vault)
    assert not await rotate(pool, vault)
    assert [key.state for key in await states(pool)] == ["PUBLISHED", "SIGNING"]


async def test_a_new_key_is_published_longer_than_any_copy_of_the_keys_is_kept() -> None:
    assert keys.PUBLISHED_AHEAD_SECONDS >= 2 * (keys._LOOK_AGAIN_SECONDS + 300)


async def test_processes_that_rotate_at_once_make_one_key(pool: asyncpg.Pool, vault: Vault, database: str) -> None:
    await ensure(pool, vault)
    rotated: list[bool] = []

    async def start(connections: asyncpg.Pool) -> None:
        rotated.append(await rotate(connections, vault))

    async with (
        asyncpg.create_pool(database, min_size=8, max_size=8) as connections,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(8):
            tasks.start_soon(start, connections)
    assert sorted(rotated) == [False] * 7 + [True]
    assert await pool.fetchval("SELECT count(*) FROM signing_keys") == 2


async def test_whoever_reads_the_keys_rotates_one_that_is_old(pool: asyncpg.Pool, vault: Vault) -> None:
    lifetime = timedelta(days=30)
    old = await ensure(pool, vault)
    await pass_time(pool, 30 * 86400 - keys.PUBLISHED_AHEAD_SECONDS - 60)
    assert (await keys.KeyRing(pool, vault, lifetime).published())["keys"][0]["kid"] == old
    await pass_time(pool, 60)
    ring = keys.KeyRing(pool, vault, lifetime)
    assert len((await ring.published())["keys"]) == 2
    assert (await ring.keys()).signing.kid == old
    await pass_time(pool, keys.PUBLISHED_AHEAD_SECONDS + 1)
    assert (await ring.keys(newer_than_seconds=0)).signing.kid != old
