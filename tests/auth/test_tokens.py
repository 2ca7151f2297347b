"""Access tokens: taken from us alone, for this API alone, while they last and nothing was taken back."""

import base64
import hmac
import json
import time
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from auth import clients, keys, scopes, tokens
from auth.tokens import InvalidToken
from database.vault import Vault
from tests.auth.conftest import AUDIENCE, ISSUER, Clock, Process, Start

pytestmark = pytest.mark.anyio

YEAR_2000 = 946_684_800
YEAR_2100 = 4_102_444_800


async def signing_key(pool: asyncpg.Pool, vault: Vault) -> ECKey:
    async with pool.acquire() as connection:
        return (await keys.load_signing_keys(connection, vault)).signing


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    whole = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "icbc-app",
        "client_id": "icbc-app",
        "jti": "a-token",
        "scope": "payer:read",
        "iat": now,
        "exp": now + 600,
    }
    return {name: value for name, value in (whole | changed).items() if value is not None}


def signed(key: ECKey, header: dict[str, Any] | None = None, **changed: Any) -> str:
    return jwt.encode({"alg": "ES256", "typ": "at+jwt"} | (header or {}), claims(**changed), KeySet([key]))


def unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


async def test_a_token_tells_who_holds_it(process: Process, icbc: tuple[str, str], pool: asyncpg.Pool) -> None:
    caller = await process.verifier.verify(await process.token(icbc))
    institution = await pool.fetchrow("SELECT id, name FROM institutions WHERE code = 'ICBC'")
    assert caller == tokens.Caller(
        client_id="icbc-app",
        institution_id=institution["id"],
        institution_code="ICBC",
        institution_name=institution["name"],
        institution_kind="BANK",
        channel="MOBILE_BANKING",
        scopes=scopes.RETAIL,
    )


async def test_a_narrowed_token_carries_no_more_than_it_asked_for(process: Process, abc: tuple[str, str]) -> None:
    token = await process.token(abc, scope="payment:read payer:read")
    assert (await process.verifier.verify(token)).scopes == {"payment:read", "payer:read"}


async def test_a_verified_token_is_remembered(process: Process, icbc: tuple[str, str]) -> None:
    token = await process.token(icbc)
    assert process.verifier.remembered(token) is None
    caller = await process.verifier.verify(token)
    assert process.verifier.remembered(token) is caller


async def test_the_forger_s_bench_makes_good_tokens(
    process: Process, icbc: tuple[str, str], pool: asyncpg.Pool, vault: Vault
) -> None:
    """Without this, the refusals below could come from anything."""
    caller = await process.verifier.verify(signed(await signing_key(pool, vault)))
    assert caller.client_id == "icbc-app"


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://another.example"},
        {"iss": None},
        {"aud": "https://another.example/graphql"},
        {"aud": ISSUER},
        {"aud": "icbc-app"},
        {"aud": []},
        {"aud": None},
        {"exp": YEAR_2000},
        {"exp": str(YEAR_2100)},
        {"exp": float("nan")},
        {"exp": None},
        {"iat": YEAR_2100},
        {"nbf": YEAR_2100},
        {"sub": None},
        {"jti": None},
        {"client_id": None},
        {"client_id": "nobody"},
        {"scope": None},
    ],
    ids=str,
)
async def test_a_claim_that_is_not_right_is_refused(
    process: Process, icbc: tuple[str, str], pool: asyncpg.Pool, vault: Vault, changed: dict[str, Any]
) -> None:
    token = signed(await signing_key(pool, vault), **changed)
    with pytest.raises(InvalidToken) as refused:
        await process.verifier.verify(token)
    assert process.verifier.remembered(token) is None
    assert all(part not in str(refused.value) for part in token.split("."))


@pytest.mark.parametrize("header", [{"typ": "JWT"}, {"typ": "at+JWT;x"}, {"typ": "dpop+jwt"}, {"typ": ""}], ids=str)
async def test_a_jwt_of_another_type_is_refused(
    process: Process, icbc: tuple[str, str], pool: asyncpg.Pool, vault: Vault, header: dict[str, Any]
) -> None:
    with pytest.raises(InvalidToken):
        await process.verifier.verify(signed(await signing_key(pool, vault), header))


async def test_a_tampered_token_is_refused(process: Process, icbc: tuple[str, str]) -> None:
    header, payload, signature = (await process.token(icbc)).split(".")
    said = json.loads(base64.urlsafe_b64decode(payload + "=="))
    said["scope"] += " payment:reverse"
    forged = unpadded(json.dumps(said).encode())
    other = ("A" if signature[0] != "A" else "B") + signature[1:]
    for token in (f"{header}.{forged}.{signature}", f"{header}.{payload}.{other}", f"{header}.{payload}."):
        with pytest.raises(InvalidToken):
            await process.verifier.verify(token)


async def test_a_token_without_signature_is_refused(process: Process, icbc: tuple[str, str]) -> None:
    key_id = (await process.http.get("/.well-known/jwks.json")).json()["keys"][0]["kid"]
    header = unpadded(json.dumps({"alg": "none", "typ": "at+jwt", "kid": key_id}).encode())
    payload = unpadded(json.dumps(claims()).encode())
    for signature in ("", "AAAA"):
        with pytest.raises(InvalidToken):
            await process.verifier.verify(f"{header}.{payload}.{signature}")


async def test_the_public_key_as_an_hmac_secret_is_refused(process: Process, icbc: tuple[str, str]) -> None:
    published = (await process.http.get("/.well-known/jwks.json")).json()["keys"][0]
    public = ECKey.import_key(published)
    for secret in (public.as_pem(), json.dumps(published).encode(), published["x"].encode()):
        header = unpadded(json.dumps({"alg": "HS256", "typ": "at+jwt", "kid": published["kid"]}).encode())
        payload = unpadded(json.dumps(claims()).encode())
        signing_input = f"{header}.{payload}".encode()
        mac = hmac.digest(secret, signing_input, "sha256")
        with pytest.raises(InvalidToken):
            await process.verifier.verify(f"{header}.{payload}.{unpadded(mac)}")


async def test_another_key_is_refused_under_its_own_id_and_under_ours(
    process: Process, icbc: tuple[str, str], pool: asyncpg.Pool, vault: Vault
) -> None:
    ours = await signing_key(pool, vault)
    for parameters in (None, {"kid": str(ours.kid)}):
        theirs = ECKey.generate_key("P-256", parameters)  # type: ignore[arg-type]
        with pytest.raises(InvalidToken):
            await process.verifier.verify(signed(theirs))
    embedded = {"jwk": theirs.as_dict(private=False)}
    with pytest.raises(InvalidToken):
        await process.verifier.verify(signed(theirs, embedded))


async def test_a_token_ends_while_it_is_remembered(start: Start, icbc: tuple[str, str]) -> None:
    clock = Clock(time.time())
    process = await start(clock=clock)
    token = await process.token(icbc)
    await process.verifier.verify(token)
    clock.now += tokens.LIFETIME_SECONDS + 60
    assert process.verifier.remembered(token) is None
    with pytest.raises(InvalidToken):
        await process.verifier.verify(token)


async def test_a_revoked_client_is_answered_from_memory_for_a_bounded_time_only(
    start: Start, icbc: tuple[str, str], pool: asyncpg.Pool
) -> None:
    clock = Clock(time.time())
    process = await start(clock=clock)
    token = await process.token(icbc)
    await process.verifier.verify(token)
    await clients.revoke(pool, icbc[0])
    clock.now += tokens.LOOK_UP_AGAIN_SECONDS
    assert process.verifier.remembered(token) is None
    with pytest.raises(InvalidToken):
        await process.verifier.verify(token)


async def test_a_scope_taken_from_the_client_is_taken_from_its_tokens(
    process: Process, icbc: tuple[str, str], pool: asyncpg.Pool
) -> None:
    token = await process.token(icbc)
    await pool.execute("UPDATE clients SET scopes = '{payer:read}'")
    assert (await process.verifier.verify(token)).scopes == {"payer:read"}


async def test_a_sandbox_client_s_token_is_refused_outside_the_sandbox(
    start: Start, banks: None, pool: asyncpg.Pool
) -> None:
    client = await clients.register(pool, "ICBC", None, scopes.RETAIL, secret="sandbox", sandbox=True)
    sandbox = await start(sandbox=True)
    token = await sandbox.token(client)
    assert (await sandbox.verifier.verify(token)).client_id == client[0]
    with pytest.raises(InvalidToken):
        await (await start()).verifier.verify(token)


async def test_a_key_made_by_another_process_is_found(
    start: Start, icbc: tuple[str, str], pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_UNKNOWN_KEY_SECONDS", 0)
    here = await start()
    before = await here.token(icbc)
    await here.verifier.verify(before)
    await pool.execute("UPDATE signing_keys SET retired_at = now()")
    there = await start()
    after = await there.token(icbc)
    assert (await here.verifier.verify(after)).client_id == "icbc-app"
    assert (await there.verifier.verify(before)).client_id == "icbc-app"


async def test_what_is_remembered_is_bounded_and_the_longest_unused_goes(
    process: Process, icbc: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "_REMEMBERED_MAX", 2)
    first, second, third = [await process.token(icbc) for _ in range(3)]
    await process.verifier.verify(first)
    await process.verifier.verify(second)
    assert process.verifier.remembered(first)
    await process.verifier.verify(third)
    assert process.verifier.remembered(first)
    assert process.verifier.remembered(second) is None
    assert process.verifier.remembered(third)


SEGMENT = st.one_of(
    st.text(max_size=40),
    st.binary(max_size=60).map(unpadded),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["alg", "typ", "kid", "b64", "crit", "exp"]) | st.text(), inner, max_size=4
            )
        ),
    ).map(lambda value: unpadded(json.dumps(value).encode())),
    st.fixed_dictionaries(
        {
            "alg": st.sampled_from(["ES256", "none", 1, ["ES256"]]),
            "typ": st.sampled_from(["at+jwt", None, {}]),
        },
        optional={
            "kid": st.none() | st.integers() | st.lists(st.text()),
            "b64": st.booleans(),
            "crit": st.just(["b64"]),
        },
    ).map(lambda value: unpadded(json.dumps(value).encode())),
)


async def test_whatever_else_is_sent_is_an_invalid_token_and_no_other_error(process: Process) -> None:
    tried: list[str] = ["", ".", "..", "a.b.c", "x" * 10_000, "é.é.é", "\ud800"]

    @settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(SEGMENT, min_size=1, max_size=4).map(".".join))
    def collect(token: str) -> None:
        tried.append(token)

    collect()
    published = (await process.http.get("/.well-known/jwks.json")).json()["keys"][0]
    header = unpadded(json.dumps({"alg": "ES256", "typ": "at+jwt", "kid": published["kid"]}).encode())
    for token in [*tried, *(f"{header}.{rest}" for rest in tried)]:
        assert process.verifier.remembered(token) is None
        with pytest.raises(InvalidToken):
            await process.verifier.verify(token)
