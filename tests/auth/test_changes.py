"""What is taken back is refused by every process that hears of it, and nothing is remembered by one that is deaf."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import asyncpg
import pytest
from joserfc.jwk import ECKey

from auth import clients, institutions, signature_keys, tokens
from auth.tokens import InvalidToken
from tests.auth.conftest import Process, Start

pytestmark = pytest.mark.anyio

SIGNS_WITH = ECKey.generate_key("P-256")


async def until_forgotten(process: Process, token: str) -> None:
    with anyio.fail_after(10):
        while process.verifier.remembered(token):  # noqa: ASYNC110 - a notification sets no event of ours
            await anyio.sleep(0.002)


async def until_refused(process: Process, token: str) -> None:
    await until_forgotten(process, token)
    with pytest.raises(InvalidToken):
        await process.verifier.verify(token)


async def test_a_token_revoked_here_is_forgotten_there(start: Start, icbc: tuple[str, str]) -> None:
    here, there = await start(listen=True), await start(listen=True)
    token, other = await here.token(icbc), await here.token(icbc)
    for process in (here, there):
        assert await process.verifier.verify(token)
        assert await process.verifier.verify(other)
    for _ in range(2):
        assert (await here.http.post("/oauth/revoke", data={"token": token}, auth=icbc)).status_code == 200
        assert here.verifier.remembered(token) is None
        await until_refused(there, token)
    assert there.verifier.remembered(other)


@pytest.mark.parametrize(
    "change",
    [
        lambda pool: clients.revoke(pool, "icbc-app"),
        lambda pool: pool.execute("DELETE FROM clients WHERE id = 'icbc-app'"),
        lambda pool: institutions.require_strong(pool, "ICBC"),
    ],
    ids=["revoked", "removed", "limited"],
)
async def test_a_client_that_may_do_nothing_is_forgotten_everywhere(
    start: Start,
    icbc: tuple[str, str],
    abc: tuple[str, str],
    pool: asyncpg.Pool,
    change: Callable[[asyncpg.Pool], Awaitable[object]],
) -> None:
    processes = [await start(listen=True), await start(listen=True)]
    token, bystander = await processes[0].token(icbc), await processes[0].token(abc)
    for process in processes:
        await process.verifier.verify(token)
        await process.verifier.verify(bystander)
    await change(pool)
    for process in processes:
        await until_refused(process, token)
        assert await process.verifier.verify(bystander)


async def test_a_scope_taken_away_is_seen_at_once(start: Start, icbc: tuple[str, str], pool: asyncpg.Pool) -> None:
    process = await start(listen=True)
    token = await process.token(icbc)
    await process.verifier.verify(token)
    await pool.execute("UPDATE clients SET scopes = '{payer:read}'")
    await until_forgotten(process, token)
    assert (await process.verifier.verify(token)).scopes == {"payer:read"}


async def test_a_deaf_process_remembers_nothing_and_listens_again(
    start: Start, icbc: tuple[str, str], pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auth.changes._CONNECT_AGAIN_SECONDS", 0.2)
    process = await start(listen=True)
    token = await process.token(icbc)
    await process.verifier.verify(token)
    assert process.verifier.remembered(token)
    await pool.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'gateway command' AND datname = current_database()"
    )
    await until_forgotten(process, token)
    with anyio.fail_after(10):
        while not process.verifier.remembered(token):
            assert await process.verifier.verify(token)
            await anyio.sleep(0.01)


async def test_what_changes_while_it_is_looked_up_is_not_remembered(
    process: Process, icbc: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await process.token(icbc)
    look_up = process.verifier.look_up

    async def slow(access: tokens.AccessToken) -> tokens.Caller:
        caller = await look_up(access)
        process.verifier.forget("client:icbc-app")
        return caller

    monkeypatch.setattr(process.verifier, "look_up", slow)
    assert await process.verifier.verify(token)
    assert process.verifier.remembered(token) is None


async def until_signing(process: Process, kids: set[str], *, required: bool) -> None:
    """Wait until the process knows that ICBC's client signs so."""
    icbc_id = await process.signature_keys.pool.fetchval("SELECT id FROM institutions WHERE code = 'ICBC'")
    with anyio.fail_after(10):
        while True:
            signatory = await process.signature_keys.of_client("icbc-app", icbc_id)
            if (set(signatory.keys), signatory.required) == (kids, required):
                return
            await anyio.sleep(0.002)


async def test_how_a_client_signs_is_seen_by_every_process_at_once(
    start: Start, icbc: tuple[str, str], pool: asyncpg.Pool
) -> None:
    processes = [await start(listen=True), await start(listen=True)]
    token = await processes[0].token(icbc)
    for process in processes:
        # Its memory ends with the test's patience, and more.
        await process.verifier.verify(token)
        await until_signing(process, set(), required=False)
    async with pool.acquire() as connection:
        for kids, required in (({"a"}, False), ({"a"}, True), ({"b"}, True), ({"b"}, False), (set(), False)):
            # Each step changes one thing: the same key again changes nothing, and notifies nobody.
            keys = {"keys": [{**SIGNS_WITH.as_dict(private=False), "kid": kid} for kid in kids]}
            await signature_keys.register(connection, "icbc-app", json.dumps(keys).encode())
            await signature_keys.require(connection, "ICBC", required=required)
            for process in processes:
                await until_signing(process, kids, required=required)
    # No token is doubtful for it.
    assert all(process.verifier.remembered(token) for process in processes)


async def test_a_deaf_process_remembers_no_signature_key(
    start: Start, icbc: tuple[str, str], pool: asyncpg.Pool
) -> None:
    process = await start(listen=True)
    assert process.signature_keys.remember_seconds == tokens.LOOK_UP_AGAIN_SECONDS
    await pool.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'gateway command' AND datname = current_database()"
    )
    with anyio.fail_after(10):
        while process.signature_keys.remember_seconds:  # noqa: ASYNC110 - a lost connection sets no event of ours
            await anyio.sleep(0.002)


async def test_what_changes_while_keys_are_looked_up_is_not_remembered(
    icbc: tuple[str, str], pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = signature_keys.SignatureKeys(pool, remember_seconds=tokens.LOOK_UP_AGAIN_SECONDS)
    look_up = signature_keys._signatory

    async def slow(*arguments: Any) -> signature_keys.Signatory:
        signatory = await look_up(*arguments)
        await pool.execute("INSERT INTO signature_requirements (institution_id) SELECT id FROM institutions")
        keys.forget()
        return signatory

    icbc_id = await pool.fetchval("SELECT id FROM institutions WHERE code = 'ICBC'")
    with monkeypatch.context() as patch:
        patch.setattr(signature_keys, "_signatory", slow)
        assert not (await keys.of_client("icbc-app", icbc_id)).required
    assert (await keys.of_client("icbc-app", icbc_id)).required


async def test_a_payment_s_tables_notify_nobody(pool: asyncpg.Pool) -> None:
    notifying = await pool.fetch(
        """
        SELECT DISTINCT t.tgrelid::regclass::text AS name FROM pg_trigger AS t
        INNER JOIN pg_proc AS p ON t.tgfoid = p.oid WHERE p.prosrc LIKE '%authorization_changed%'
        """
    )
    assert {row["name"] for row in notifying} == {
        "client_signing_keys",
        "clients",
        "institutions",
        "revoked_tokens",
        "signature_requirements",
    }
