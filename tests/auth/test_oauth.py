"""The OAuth endpoints as a bank's program meets them, over HTTP."""

import base64
import json
import logging
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from auth import clients, keys, scopes, server
from tests.auth.conftest import AUDIENCE, GRANT, ISSUER, Process, Start, is_refused

pytestmark = pytest.mark.anyio

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def basic(text: bytes) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text).decode()}


async def test_credentials_are_answered_with_a_token_of_ten_minutes(process: Process, icbc: tuple[str, str]) -> None:
    answer = await process.http.post("/oauth/token", data=GRANT, auth=icbc)
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 600)
    assert body["scope"] == " ".join(scopes.ordered(scopes.RETAIL))
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")


async def test_the_published_keys_alone_verify_the_token(process: Process, icbc: tuple[str, str]) -> None:
    published = (await process.http.get("/.well-known/jwks.json")).json()
    token = jwt.decode(await process.token(icbc), KeySet.import_key_set(published), algorithms=["ES256"])
    assert token.header == {"alg": "ES256", "typ": "at+jwt", "kid": published["keys"][0]["kid"]}
    assert (token.claims["iss"], token.claims["aud"]) == (ISSUER, AUDIENCE)
    assert (token.claims["sub"], token.claims["client_id"]) == ("icbc-app", "icbc-app")
    assert token.claims["exp"] - token.claims["iat"] == 600
    assert token.claims["scope"] == " ".join(scopes.ordered(scopes.RETAIL))


async def test_two_tokens_never_have_one_id(process: Process, icbc: tuple[str, str]) -> None:
    published = KeySet.import_key_set((await process.http.get("/.well-known/jwks.json")).json())
    ids = {jwt.decode(await process.token(icbc), published).claims["jti"] for _ in range(5)}
    assert len(ids) == 5


async def test_whatever_is_wrong_with_the_credentials_the_answer_is_the_same(
    process: Process, icbc: tuple[str, str], abc: tuple[str, str], pool: asyncpg.Pool
) -> None:
    await clients.revoke(pool, abc[0])
    wrong: list[dict[str, Any]] = [
        {"auth": (icbc[0], "wrong")},
        {"auth": (icbc[0], icbc[1] + "x")},
        {"auth": (icbc[0], "x" * 10_000)},
        {"auth": (icbc[0], "")},
        {"auth": ("nobody", icbc[1])},
        {"auth": ("no\x00body", "wrong")},
        {"auth": abc},
        {"headers": {}},
        {"headers": basic(b"\xff:\xff")},
        {"headers": basic(icbc[0].encode())},
        {"headers": {"Authorization": "Basic !"}},
        {"headers": {"Authorization": b"Basic \xff"}},
        {"headers": {"Authorization": "Basic"}},
        {"headers": {"Authorization": f"Bearer {icbc[1]}"}},
    ]
    bodies = set()
    for credentials in wrong:
        answer = await process.http.post("/oauth/token", data=GRANT, **credentials)
        is_refused(answer, 401, "invalid_client")
        assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
        bodies.add(answer.text)
    assert len(bodies) == 1


async def test_a_wrong_secret_costs_two_hashes_whoever_the_client_is(
    process: Process, icbc: tuple[str, str], abc: tuple[str, str], pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []

    class Counting:
        def verify(self, hash_: str, secret: str) -> bool:
            verified.append(hash_)
            return real.verify(hash_, secret)

    async with pool.acquire() as connection:
        current = await clients.rotate(connection, abc[0], overlap=timedelta(hours=1))
    real = clients._HASHER
    monkeypatch.setattr(clients, "_HASHER", Counting())
    costs = {}
    for name, client in {
        "nobody": ("nobody", "wrong"),
        "no id at all": ("no such id", "wrong"),
        "one secret": (icbc[0], "wrong"),
        "two secrets": (abc[0], "wrong"),
        "the current one": (abc[0], current),
        "the one before": abc,
    }.items():
        verified.clear()
        await process.http.post("/oauth/token", data=GRANT, auth=client)
        assert len({hash_.rsplit("$", 2)[0] for hash_ in verified}) == 1
        costs[name] = len(verified)
    # Whoever has a secret learns nothing by its cost, and pays for one hash where it can be.
    assert costs == {
        "nobody": 2,
        "no id at all": 2,
        "one secret": 2,
        "two secrets": 2,
        "the current one": 1,
        "the one before": 2,
    }


async def test_a_scope_narrows_the_token(process: Process, abc: tuple[str, str]) -> None:
    form = GRANT | {"scope": "settlement:read payer:read"}
    answer = await process.http.post("/oauth/token", data=form, auth=abc)
    assert answer.json()["scope"] == "payer:read settlement:read"


@pytest.mark.parametrize("scope", ["payer:read payment:reverse", "payment:reverse", "everything", " ", '"', "é"])
async def test_a_scope_that_the_client_does_not_have_is_refused(
    process: Process, icbc: tuple[str, str], scope: str
) -> None:
    answer = await process.http.post("/oauth/token", data=GRANT | {"scope": scope}, auth=icbc)
    is_refused(answer, 400, "invalid_scope")


async def test_an_empty_parameter_counts_as_left_out(process: Process, icbc: tuple[str, str]) -> None:
    answer = await process.http.post("/oauth/token", data=GRANT | {"scope": ""}, auth=icbc)
    assert answer.json()["scope"] == " ".join(scopes.ordered(scopes.RETAIL))
    is_refused(await process.http.post("/oauth/token", data={"grant_type": ""}, auth=icbc), 400, "invalid_request")


@pytest.mark.parametrize("grant_type", ["password", "authorization_code", "refresh_token", '"\n\x00'])
async def test_there_is_one_grant_type(process: Process, icbc: tuple[str, str], grant_type: str) -> None:
    answer = await process.http.post("/oauth/token", data={"grant_type": grant_type}, auth=icbc)
    is_refused(answer, 400, "unsupported_grant_type")
    assert grant_type not in answer.json()["error_description"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"scope=payer:read",
        b"grant_type",
        b"&&&",
        b"grant_type=client_credentials&grant_type=client_credentials",
        b"grant_type=client_credentials&scope=payer:read&scope=payer:read",
        b"grant_type=client_credentials&scope=%ff",
        b"grant_type=client_credentials&scope=\xff",
        b"grant_type=client_credentials&" + b"&".join(b"p%d=1" % n for n in range(20)),
        b"grant_type=client_credentials&client_id=another",
        b"grant_type=client_credentials&client_secret=too",
    ],
)
async def test_a_body_that_is_no_good_form_is_an_invalid_request(
    process: Process, icbc: tuple[str, str], body: bytes
) -> None:
    answer = await process.http.post("/oauth/token", content=body, headers=FORM, auth=icbc)
    is_refused(answer, 400, "invalid_request")


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
async def test_only_forms_are_taken(process: Process, icbc: tuple[str, str], content_type: str) -> None:
    answer = await process.http.post(
        "/oauth/token",
        content=b"grant_type=client_credentials",
        headers={"Content-Type": content_type},
        auth=icbc,
    )
    is_refused(answer, 400, "invalid_request")


async def test_a_body_over_16_kib_is_refused_before_its_end(process: Process, icbc: tuple[str, str]) -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while sent < 1 << 20:
            sent += 1024
            yield b"x" * 1024

    answer = await process.http.post("/oauth/token", content=endless(), headers=FORM, auth=icbc)
    is_refused(answer, 413, "invalid_request")
    assert sent < 32 * 1024


async def test_the_endpoints_are_post_only(process: Process) -> None:
    for path in ("/oauth/token", "/oauth/revoke", "/oauth/introspect"):
        assert (await process.http.get(path)).status_code == 405


async def test_a_secret_in_the_form_is_for_the_sandbox(start: Start, icbc: tuple[str, str]) -> None:
    form = GRANT | {"client_id": icbc[0], "client_secret": icbc[1]}
    is_refused(await (await start()).http.post("/oauth/token", data=form), 401, "invalid_client")
    sandbox = await start(sandbox=True)
    assert (await sandbox.http.post("/oauth/token", data=form)).status_code == 200
    wrong = form | {"client_secret": "wrong"}
    is_refused(await sandbox.http.post("/oauth/token", data=wrong), 401, "invalid_client")


async def test_the_sandbox_s_secret_opens_nothing_outside_the_sandbox(
    start: Start, banks: None, pool: asyncpg.Pool
) -> None:
    client = await clients.register(pool, "ICBC", None, scopes.RETAIL, secret="sandbox", sandbox=True)
    assert await (await start(sandbox=True)).token(client)
    answer = await (await start()).http.post("/oauth/token", data=GRANT, auth=client)
    is_refused(answer, 401, "invalid_client")


async def test_after_a_rotation_the_new_secret_alone_opens(
    process: Process, icbc: tuple[str, str], pool: asyncpg.Pool
) -> None:
    new = await clients.rotate(pool, icbc[0])
    is_refused(await process.http.post("/oauth/token", data=GRANT, auth=icbc), 401, "invalid_client")
    assert await process.token((icbc[0], new))


async def test_tokens_are_signed_with_the_key_of_the_day(
    start: Start, icbc: tuple[str, str], pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = await start()
    await here.token(icbc)
    await pool.execute("UPDATE signing_keys SET retired_at = now()")
    await start()
    monkeypatch.setattr(keys.KeyRing.keys, "__kwdefaults__", {"newer_than_seconds": 0})
    current = await pool.fetchval("SELECT id FROM signing_keys WHERE retired_at IS NULL")
    header = (await here.token(icbc)).split(".")[0]
    assert json.loads(base64.urlsafe_b64decode(header + "=="))["kid"] == current


async def test_no_log_line_holds_a_token_or_a_secret(
    process: Process, icbc: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    authlib = [name for name in logging.root.manager.loggerDict if name.startswith("authlib")]
    for name in ["", *authlib]:
        caplog.set_level(logging.DEBUG, name)
    token = await process.token(icbc)
    assert "Validate token request" in caplog.text
    assert token not in caplog.text
    assert icbc[1] not in caplog.text


async def test_more_requests_than_can_wait_are_told_to_come_back(
    process: Process, icbc: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_HASHES_WAITING_MAX", 0)
    answer = await process.http.post("/oauth/token", data=GRANT, auth=icbc)
    is_refused(answer, 503, "temporarily_unavailable")
    assert answer.headers["Retry-After"] == "1"


async def test_the_metadata_name_what_there_is(start: Start) -> None:
    process = await start()
    metadata = (await process.http.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["issuer"] == ISSUER
    assert metadata["token_endpoint_auth_methods_supported"] == ["client_secret_basic", "private_key_jwt"]
    assert metadata["token_endpoint_auth_signing_alg_values_supported"] == ["ES256", "PS256", "EdDSA"]
    assert metadata["grant_types_supported"] == ["client_credentials"]
    assert metadata["response_types_supported"] == []
    assert metadata["scopes_supported"] == list(scopes.ALL)
    for name in ("token_endpoint", "revocation_endpoint", "introspection_endpoint", "jwks_uri"):
        path = metadata[name].removeprefix(ISSUER)
        assert (await process.http.get(path)).status_code in (200, 405)
    sandbox = (await (await start(sandbox=True)).http.get("/.well-known/oauth-authorization-server")).json()
    methods = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
    proxied = await (await start(sandbox=True, proxies="127.0.0.1")).http.get("/.well-known/oauth-authorization-server")
    for endpoint in ("token", "revocation", "introspection"):
        name = f"{endpoint}_endpoint_auth_methods_supported"
        assert sandbox[name] == methods
        assert proxied.json()[name] == [*methods, "tls_client_auth"]
        assert "none" not in sandbox[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]


@pytest.mark.parametrize(
    "issuer",
    [
        "http://gateway.example",
        "https://gateway.example/",
        "https://gateway.example/a",
        "gateway.example",
        "",
    ],
)
async def test_a_public_url_that_no_client_could_trust_is_refused(start: Start, issuer: str) -> None:
    with pytest.raises(ValueError, match="the public URL must be https"):
        await start(issuer=issuer)
