"""private_key_jwt: an assertion of the client's own key, for this server, for minutes, and once."""

import base64
import hmac
import json
from typing import Any

import anyio
import asyncpg
import pytest
from joserfc.jwk import ECKey, OctKey

from auth import assertions, clients, methods, scopes
from auth.institutions import FieldError
from tests.auth.banks_keys import Key, assertion, bank_key, claims, key_set, proof, signed
from tests.auth.conftest import GRANT, ISSUER, Process, Start, is_refused

pytestmark = pytest.mark.anyio

YEAR_2000 = 946_684_800
YEAR_2100 = 4_102_444_800
TOKEN_ENDPOINT = f"{ISSUER}/oauth/token"


@pytest.fixture
async def bank(pool: asyncpg.Pool, banks: None) -> str:
    """A client of ICBC's with a key of each kind; its id."""
    document = key_set(*(bank_key(algorithm) for algorithm in ("ES256", "PS256", "EdDSA")))
    await clients.register_strong(
        pool, "ICBC", "COUNTER", scopes.COUNTER, methods.by_keys(document), client_id="icbc-keys"
    )
    return "icbc-keys"


async def refused(process: Process, form: dict[str, str], **more: Any) -> str:
    answer = await process.http.post("/oauth/token", data=form, **more)
    is_refused(answer, 401, "invalid_client")
    return answer.text


@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "EdDSA"])
@pytest.mark.parametrize("audience", [ISSUER, TOKEN_ENDPOINT, [ISSUER], [ISSUER, TOKEN_ENDPOINT]], ids=str)
async def test_an_assertion_of_the_client_s_key_gets_a_token(
    process: Process, bank: str, algorithm: str, audience: Any
) -> None:
    said = assertion(bank, bank_key(algorithm), algorithm, aud=audience)
    answer = await process.http.post("/oauth/token", data=proof(said, client_id=bank))
    assert answer.status_code == 200, answer.text
    assert (await process.verifier.verify(answer.json()["access_token"])).client_id == bank


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://another.example"},
        {"aud": [ISSUER, "https://another.example"]},
        {"aud": f"{ISSUER}/"},
        {"aud": f"{ISSUER}/graphql"},
        {"aud": []},
        {"aud": None},
        {"iss": "icbc-app"},
        {"iss": None},
        {"sub": "nobody"},
        {"sub": None},
        {"sub": 1},
        {"exp": YEAR_2000},
        {"exp": YEAR_2100},
        {"exp": "soon"},
        {"exp": None},
        {"iat": YEAR_2100},
        {"iat": YEAR_2000},
        {"nbf": YEAR_2100},
        {"jti": None},
        {"jti": ""},
        {"jti": "x" * 129},
        {"jti": 1},
        {"jti": "\ud800"},
    ],
    ids=lambda changed: ascii(changed)[:40],
)
async def test_an_assertion_that_says_something_wrong_is_refused(
    process: Process, bank: str, pool: asyncpg.Pool, changed: dict[str, Any]
) -> None:
    await refused(process, proof(assertion(bank, bank_key("ES256"), **changed)))
    assert await pool.fetchval("SELECT count(*) FROM client_assertions") == 0


async def test_whatever_is_wrong_the_answer_is_the_same(process: Process, bank: str, icbc: tuple[str, str]) -> None:
    good = bank_key("ES256")
    texts = {
        await refused(process, proof(said, **form))
        for said, form in [
            (assertion("nobody", good), {}),
            (assertion(icbc[0], good), {}),
            (assertion(bank, bank_key("ES256", "another")), {}),
            (assertion(bank, good), {"client_id": icbc[0]}),
            (assertion(bank, good), {"client_assertion_type": "saml"}),
            ("x" * 9000, {}),
        ]
    }
    assert texts == {await refused(process, GRANT, auth=(icbc[0], "wrong"))}


@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "EdDSA"])
async def test_a_signature_is_checked_whoever_the_client_is(
    process: Process, bank: str, icbc: tuple[str, str], monkeypatch: pytest.MonkeyPatch, algorithm: str
) -> None:
    checked: list[object] = []

    def deserialize_compact(compact: str, key: Any, **options: Any) -> Any:
        checked.append(type(key))
        return real(compact, key, **options)

    real = assertions.jws.deserialize_compact
    monkeypatch.setattr(assertions.jws, "deserialize_compact", deserialize_compact)
    foreign = bank_key(algorithm, "foreign")
    for said in (
        # Nobody; a client with a secret; one without such a key; one whose key it is not.
        assertion("nobody", foreign, algorithm),
        assertion(icbc[0], foreign, algorithm),
        assertion(bank, foreign, algorithm),
        signed(foreign, algorithm, claims(bank)),
    ):
        await refused(process, proof(said))
    assert checked == [type(foreign)] * 4


async def test_another_client_s_key_proves_nothing(process: Process, bank: str, pool: asyncpg.Pool) -> None:
    foreign = bank_key("ES256", "abc")
    await clients.register_strong(
        pool, "ABC", None, ["payer:read"], methods.by_keys(key_set(foreign)), client_id="abc-keys"
    )
    assert (await process.http.post("/oauth/token", data=proof(assertion("abc-keys", foreign)))).status_code == 200
    await refused(process, proof(assertion(bank, foreign)))


async def test_there_is_no_assertion_without_a_signature(process: Process, bank: str) -> None:
    payload = base64.urlsafe_b64encode(json.dumps(claims(bank)).encode()).rstrip(b"=").decode()
    for algorithm in ("none", "None", "NONE"):
        header = base64.urlsafe_b64encode(json.dumps({"alg": algorithm}).encode()).rstrip(b"=").decode()
        for signature in ("", "AAAA"):
            await refused(process, proof(f"{header}.{payload}.{signature}"))


async def test_the_public_key_is_no_shared_secret(process: Process, bank: str) -> None:
    public = bank_key("ES256")
    said = signed(OctKey.import_key(b"x" * 32), "HS256", claims(bank))
    header, payload, _ = said.split(".")
    for secret in (public.as_pem(private=False), key_set(public), json.dumps(public.as_dict(private=False)).encode()):
        mac = hmac.digest(secret, f"{header}.{payload}".encode(), "sha256")
        await refused(process, proof(f"{header}.{payload}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"))


async def test_rsa_signs_with_pss_alone(process: Process, bank: str) -> None:
    await refused(process, proof(signed(bank_key("PS256"), "RS256", claims(bank))))


@pytest.mark.parametrize("typ", ["at+jwt", "dpop+jwt", "x"])
async def test_a_jwt_of_another_kind_is_no_assertion(process: Process, bank: str, typ: str) -> None:
    await refused(process, proof(signed(bank_key("ES256"), "ES256", claims(bank), typ=typ)))


async def test_a_key_in_the_header_is_not_looked_at(process: Process, bank: str) -> None:
    foreign = bank_key("ES256", "abc")
    await refused(process, proof(signed(foreign, "ES256", claims(bank), jwk=foreign.as_dict(private=False))))


async def test_an_assertion_is_used_once_in_all_processes(start: Start, bank: str) -> None:
    here, there = await start(), await start()
    said = assertion(bank, bank_key("ES256"), jti="once")
    assert (await here.http.post("/oauth/token", data=proof(said))).status_code == 200
    for process in (here, there):
        await refused(process, proof(said))
        for path in ("/oauth/revoke", "/oauth/introspect"):
            is_refused(await process.http.post(path, data=proof(said, token="x")), 401, "invalid_client")
    again = assertion(bank, bank_key("EdDSA"), "EdDSA", jti="once")
    await refused(there, proof(again))


async def test_of_those_who_race_with_one_assertion_one_wins(start: Start, bank: str) -> None:
    processes = [await start(), await start()]
    said = assertion(bank, bank_key("ES256"))
    statuses: list[int] = []

    async def ask(process: Process) -> None:
        statuses.append((await process.http.post("/oauth/token", data=proof(said))).status_code)

    async with anyio.create_task_group() as tasks:
        for process in processes * 4:
            tasks.start_soon(ask, process)
    assert sorted(statuses) == [200] + [401] * 7


async def test_what_is_kept_of_an_assertion_goes_when_it_has_ended(
    process: Process, bank: str, pool: asyncpg.Pool
) -> None:
    await pool.execute("INSERT INTO client_assertions SELECT $1, sha256('old'), now() - interval '1 s'", bank)
    assert (await process.http.post("/oauth/token", data=proof(assertion(bank, bank_key("ES256"))))).status_code == 200
    kept = await pool.fetch("SELECT expires_at - now() < interval '3 minutes' AS soon FROM client_assertions")
    assert [row["soon"] for row in kept] == [True]


async def test_assertions_open_the_other_endpoints_too(process: Process, bank: str) -> None:
    def sign() -> str:
        return assertion(bank, bank_key("ES256"))

    token = (await process.http.post("/oauth/token", data=proof(sign()))).json()["access_token"]
    answer = await process.http.post("/oauth/introspect", data=proof(sign(), token=token))
    assert answer.json()["active"] is True
    assert (await process.http.post("/oauth/revoke", data=proof(sign(), token=token))).status_code == 200
    answer = await process.http.post("/oauth/introspect", data=proof(sign(), token=token))
    assert answer.json() == {"active": False}


async def test_one_way_of_authentication_at_a_time(process: Process, bank: str, icbc: tuple[str, str]) -> None:
    form = proof(assertion(bank, bank_key("ES256")))
    is_refused(await process.http.post("/oauth/token", data=form, auth=icbc), 400, "invalid_request")
    answer = await process.http.post("/oauth/token", data=form | {"client_secret": "x"})
    is_refused(answer, 400, "invalid_request")


async def test_a_client_of_keys_has_no_secret(start: Start, bank: str) -> None:
    process = await start(sandbox=True)
    for secret in ("", "None", "sandbox"):
        await refused(process, GRANT, auth=(bank, secret))
    await refused(process, GRANT | {"client_id": bank})


async def test_replaced_keys_end_at_once(process: Process, bank: str, pool: asyncpg.Pool) -> None:
    new = bank_key("ES256", "new")
    await clients.replace_keys(pool, bank, key_set(new))
    await refused(process, proof(assertion(bank, bank_key("ES256"))))
    assert (await process.http.post("/oauth/token", data=proof(assertion(bank, new)))).status_code == 200


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b'{"keys": []}',
        b'{"keys": [1]}',
        b'{"keys": {}}',
        b"[" * 5000,
        key_set(bank_key("ES256"), private=True),
        key_set(bank_key("EdDSA"), private=True),
        key_set(bank_key("ES256", "same"), bank_key("EdDSA", "same")),
        key_set(*[bank_key("ES256")] * 17),
        key_set(ECKey.generate_key("P-384")),
        b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}',
        b'{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}',
        b'{"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}',
        b'{"keys": [{"kty": ["EC"], "crv": {}}]}',
    ],
    ids=range(15),
)
async def test_a_set_with_anything_but_good_public_keys_is_refused(document: bytes) -> None:
    with pytest.raises(FieldError, match=r"^jwks: "):
        methods.by_keys(document)


def test_what_is_kept_of_a_key_is_public() -> None:
    key: Key = bank_key("ES256", "one")
    document = json.dumps({"keys": [key.as_dict(private=False) | {"x5u": "https://bank.example/"}]}).encode()
    (kept,) = json.loads(methods.by_keys(document).jwks or "")["keys"]
    assert set(kept) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
