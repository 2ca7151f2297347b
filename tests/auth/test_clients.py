"""Clients: registered under an institution, with a secret that nobody chose."""

import base64
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from auth import clients, institutions, scopes
from auth.institutions import FieldError

pytestmark = pytest.mark.anyio


async def test_a_client_gets_an_id_and_a_secret_of_256_bits(pool: asyncpg.Pool, banks: None) -> None:
    client_id, secret = await clients.register(pool, "ICBC", "WECHAT", scopes.RETAIL)
    assert client_id.startswith("icbc-")
    assert len(base64.urlsafe_b64decode(secret + "=")) == 32
    client = await clients.find(pool, client_id)
    assert client is not None
    assert (client.institution_code, client.institution_kind, client.channel) == ("ICBC", "BANK", "WECHAT")
    assert client.scopes == scopes.ordered(scopes.RETAIL)
    assert clients.secret_matches(client, secret)
    assert not clients.secret_matches(client, secret[:-1])
    assert not clients.secret_matches(None, secret)


async def test_the_database_holds_no_secret(pool: asyncpg.Pool, icbc: tuple[str, str]) -> None:
    row = await pool.fetchrow("SELECT * FROM clients")
    assert icbc[1] not in str(dict(row))
    assert row["secret_hash"].startswith("$argon2id$")


async def test_a_client_s_repr_shows_no_hash(pool: asyncpg.Pool, icbc: tuple[str, str]) -> None:
    client = await clients.find(pool, icbc[0])
    assert "argon2" not in repr(client)


async def test_an_agency_s_client_has_no_channel(pool: asyncpg.Pool, banks: None) -> None:
    client_id, _ = await clients.register(pool, "ABC", None, scopes.AGENCY)
    client = await clients.find(pool, client_id)
    assert client is not None
    assert client.channel is None


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"institution_code": "XYZ"}, "institution"),
        ({"institution_code": "中国"}, "institution"),
        ({"channel": "counter"}, "channel"),
        ({"scopes": ["payer:read", "payer:delete"]}, "scope"),
        ({"scopes": []}, "scope"),
        ({"client_id": "no spaces"}, "client_id"),
        ({"client_id": "x" * 65}, "client_id"),
        ({"client_id": "icbc-app"}, "client_id"),
        ({"secret": "sandbox"}, "secret"),
    ],
)
async def test_a_bad_value_is_refused_by_its_field(
    pool: asyncpg.Pool, icbc: tuple[str, str], changed: dict[str, Any], field: str
) -> None:
    given: dict[str, Any] = {"institution_code": "ICBC", "channel": "COUNTER", "scopes": ["payer:read"]}
    with pytest.raises(FieldError, match=f"^{field}: ") as refused:
        await clients.register(pool, **(given | changed))
    assert refused.value.field == field
    assert [client.id for client in await clients.list_clients(pool)] == ["icbc-app"]


async def test_the_sandbox_s_secret_is_for_clients_of_the_sandbox(pool: asyncpg.Pool, banks: None) -> None:
    registered = await clients.register(pool, "ABC", "COUNTER", scopes.COUNTER, secret="sandbox", sandbox=True)
    client = await clients.find(pool, registered[0])
    assert client is not None
    assert client.usable(sandbox=True)
    assert not client.usable(sandbox=False)


async def test_rotation_ends_the_old_secret(pool: asyncpg.Pool, icbc: tuple[str, str]) -> None:
    client_id, old = icbc
    new = await clients.rotate(pool, client_id)
    client = await clients.find(pool, client_id)
    assert client is not None
    assert client.secret_rotated_at is not None
    assert clients.secret_matches(client, new)
    assert not clients.secret_matches(client, old)


async def test_the_old_secret_opens_until_the_overlap_ends(pool: asyncpg.Pool, icbc: tuple[str, str]) -> None:
    client_id, first = icbc
    second = await clients.rotate(pool, client_id, overlap=timedelta(hours=24))
    client = await clients.find(pool, client_id)
    assert [clients.secret_matches(client, secret) for secret in (first, second)] == [True, True]
    assert not clients.secret_matches(client, "another")
    third = await clients.rotate(pool, client_id, overlap=timedelta(hours=24))
    client = await clients.find(pool, client_id)
    assert [clients.secret_matches(client, secret) for secret in (first, second, third)] == [False, True, True]
    await pool.execute("UPDATE clients SET previous_secret_ends_at = now() - interval '1 s'")
    client = await clients.find(pool, client_id)
    assert [clients.secret_matches(client, secret) for secret in (second, third)] == [False, True]


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=8)])
async def test_an_overlap_has_an_end(pool: asyncpg.Pool, icbc: tuple[str, str], overlap: timedelta) -> None:
    with pytest.raises(FieldError, match=r"^overlap: "):
        await clients.rotate(pool, icbc[0], overlap=overlap)


async def test_an_institution_that_is_limited_has_no_client_with_a_secret(
    pool: asyncpg.Pool, icbc: tuple[str, str]
) -> None:
    assert await institutions.require_strong(pool, "ICBC") == ["icbc-app"]
    client = await clients.find(pool, icbc[0])
    assert client is not None
    assert not client.usable(sandbox=True)
    with pytest.raises(FieldError, match=r"^auth-method: "):
        await clients.register(pool, "ICBC", None, ["payer:read"])
    await institutions.require_strong(pool, "ICBC", required=False)
    client = await clients.find(pool, icbc[0])
    assert client is not None
    assert client.usable(sandbox=False)
    with pytest.raises(FieldError, match=r"^code: "):
        await institutions.require_strong(pool, "NOBODY")


async def test_revocation_is_for_good(pool: asyncpg.Pool, icbc: tuple[str, str]) -> None:
    await clients.revoke(pool, icbc[0])
    first = await clients.find(pool, icbc[0])
    await clients.revoke(pool, icbc[0])
    assert await clients.find(pool, icbc[0]) == first
    assert first is not None
    assert not first.usable(sandbox=True)
    with pytest.raises(FieldError, match=r"^client_id: "):
        await clients.rotate(pool, icbc[0])


async def test_an_unknown_client_is_neither_rotated_nor_revoked(pool: asyncpg.Pool) -> None:
    with pytest.raises(FieldError, match=r"^client_id: "):
        await clients.rotate(pool, "nobody")
    with pytest.raises(FieldError, match=r"^client_id: "):
        await clients.revoke(pool, "nobody")


@pytest.mark.parametrize("text", ["nobody", "", "a\x00b", "x" * 10_000, "' OR true --"])
async def test_any_text_may_be_looked_up(pool: asyncpg.Pool, icbc: tuple[str, str], text: str) -> None:
    assert await clients.find(pool, text) is None
