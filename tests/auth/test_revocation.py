"""Tokens taken back (RFC 7009) and looked into (RFC 7662), over HTTP."""

import asyncpg
import pytest

from auth import clients, scopes
from auth.tokens import InvalidToken
from tests.auth.conftest import ISSUER, Process, Start, is_refused

pytestmark = pytest.mark.anyio


async def test_a_revoked_token_is_refused_at_once_here_and_soon_elsewhere(start: Start, icbc: tuple[str, str]) -> None:
    here, there = await start(), await start()
    token, other = await here.token(icbc), await here.token(icbc)
    await here.verifier.verify(token)
    answer = await here.http.post("/oauth/revoke", data={"token": token}, auth=icbc)
    assert answer.status_code == 200
    for process in (here, there):
        assert process.verifier.remembered(token) is None
        with pytest.raises(InvalidToken, match="the token is revoked"):
            await process.verifier.verify(token)
        assert await process.verifier.verify(other)


async def test_revoking_again_or_what_is_no_token_is_answered_alike(process: Process, icbc: tuple[str, str]) -> None:
    token = await process.token(icbc)
    for what in (token, token, "nonsense", "a.b.c"):
        form = {"token": what, "token_type_hint": "refresh_token"}
        assert (await process.http.post("/oauth/revoke", data=form, auth=icbc)).status_code == 200


async def test_a_client_revokes_its_own_tokens_only(
    process: Process, icbc: tuple[str, str], abc: tuple[str, str]
) -> None:
    token = await process.token(icbc)
    answer = await process.http.post("/oauth/revoke", data={"token": token}, auth=abc)
    is_refused(answer, 400, "invalid_grant")
    assert await process.verifier.verify(token)


async def test_revoked_tokens_are_kept_no_longer_than_they_would_live(
    process: Process, icbc: tuple[str, str], pool: asyncpg.Pool
) -> None:
    await pool.execute("INSERT INTO revoked_tokens VALUES ('old', now() - interval '1 s')")
    await process.http.post("/oauth/revoke", data={"token": await process.token(icbc)}, auth=icbc)
    kept = await pool.fetch("SELECT jti, expires_at < now() + interval '11 minutes' AS soon FROM revoked_tokens")
    assert [(row["jti"] == "old", row["soon"]) for row in kept] == [(False, True)]


async def test_a_live_token_is_described_to_its_own_institution(
    process: Process, icbc: tuple[str, str], pool: asyncpg.Pool
) -> None:
    colleague = await clients.register(pool, "ICBC", None, ["payer:read"])
    token = await process.token(icbc, scope="payer:read")
    for auth in (icbc, colleague):
        body = (await process.http.post("/oauth/introspect", data={"token": token}, auth=auth)).json()
        assert body["active"] is True
        assert (body["client_id"], body["scope"], body["iss"]) == ("icbc-app", "payer:read", ISSUER)
        assert body["exp"] - body["iat"] == 600


async def test_to_another_institution_a_token_is_as_inactive_as_none(
    process: Process, icbc: tuple[str, str], abc: tuple[str, str]
) -> None:
    token = await process.token(icbc)
    for what in (token, "nonsense"):
        answer = await process.http.post("/oauth/introspect", data={"token": what}, auth=abc)
        assert (answer.status_code, answer.json()) == (200, {"active": False})


async def test_introspection_sees_at_once_what_was_taken_back(
    start: Start, icbc: tuple[str, str], pool: asyncpg.Pool
) -> None:
    process = await start()
    desk = await clients.register(pool, "ICBC", "COUNTER", scopes.COUNTER)
    token, other = await process.token(icbc), await process.token(icbc)
    await process.verifier.verify(other)
    await process.http.post("/oauth/revoke", data={"token": token}, auth=icbc)
    await clients.revoke(pool, icbc[0])
    for what in (token, other):
        answer = await process.http.post("/oauth/introspect", data={"token": what}, auth=desk)
        assert answer.json() == {"active": False}


async def test_revocation_and_introspection_authenticate_the_client_first(
    process: Process, icbc: tuple[str, str]
) -> None:
    token = await process.token(icbc)
    for path in ("/oauth/revoke", "/oauth/introspect"):
        for form in ({"token": token}, {}):
            is_refused(await process.http.post(path, data=form or {"a": "b"}), 401, "invalid_client")
        is_refused(await process.http.post(path, data={"a": "b"}, auth=icbc), 400, "invalid_request")
    assert await process.verifier.verify(token)
