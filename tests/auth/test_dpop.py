"""Tokens that a thief can't use: bound to a key by DPoP proofs, each for one request and once (RFC 9449)."""

import base64
import json
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from auth import clients, proofs, scopes
from auth.dpop import InvalidProof, ProofVerifier
from auth.institutions import FieldError
from tests.auth.conftest import GRANT, ISSUER, Process, Start, is_refused
from tests.auth.proving import Bank, call, is_refused_by, proof, unpadded

pytestmark = pytest.mark.anyio


@pytest.fixture
def bank(process: Process, icbc: tuple[str, str]) -> Bank:
    return Bank(process, icbc)


async def test_a_token_is_bound_to_the_key_of_the_proof_that_it_was_asked_for_with(bank: Bank) -> None:
    token = await bank.token()
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert claims["cnf"] == {"jkt": bank.key.thumbprint()}
    for _ in range(2):
        answer = await bank.call(token)
        assert (answer.status_code, answer.json()) == (200, {"client_id": "icbc-app"})


async def test_a_stolen_token_is_worth_nothing_as_a_bearer_token(bank: Bank) -> None:
    token = await bank.token()
    assert (await bank.call(token)).status_code == 200
    for made in ([], [bank.proof(token)]):
        answer = await call(bank.process, token, made, scheme="Bearer")
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


async def test_a_stolen_token_is_worth_nothing_with_a_proof_of_another_key(bank: Bank) -> None:
    token = await bank.token()
    assert (await bank.call(token)).status_code == 200
    is_refused_by(await bank.call(token, bank.proof(token, key=ECKey.generate_key("P-256"))), "invalid_token")


async def test_a_token_that_is_not_bound_is_not_taken_with_a_proof(bank: Bank) -> None:
    await bank.token()
    unbound = await bank.process.token(bank.credentials)
    assert (await call(bank.process, unbound, [], scheme="Bearer")).status_code == 200
    is_refused_by(await bank.call(unbound), "invalid_token")


async def test_a_proof_is_good_once_in_whatever_process(bank: Bank, start: Start) -> None:
    other = await start()
    token = await bank.token()
    made = bank.proof(token)
    assert (await bank.call(token, made)).status_code == 200
    is_refused_by(await bank.call(token, made), "invalid_dpop_proof")
    is_refused_by(await bank.call(token, made, other), "invalid_dpop_proof")
    assert (await bank.call(token, process=other)).status_code == 200


async def test_two_keys_may_use_one_id(bank: Bank, abc: tuple[str, str]) -> None:
    other = Bank(bank.process, abc)
    for one in (bank, other):
        token = await one.token()
        assert (await one.call(token, one.proof(token, jti="1"))).status_code == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "GET"},
        {"method": "post"},
        {"method": None},
        {"url": "https://another.example/graphql"},
        {"url": f"{ISSUER}/settlements/2020-11-16"},
        {"url": f"{ISSUER}/GraphQL"},
        {"url": ISSUER.replace("https", "http") + "/graphql"},
        {"url": ISSUER + ":444/graphql"},
        {"url": ISSUER.replace("://", "://user@") + "/graphql"},
        {"url": "https://[/graphql"},
        {"url": ["https"]},
        {"url": None},
        {"ath": "x"},
        {"ath": None},
        {"iat": 946_684_800},
        {"iat": 4_102_444_800},
        {"iat": "946684800"},
        {"iat": True},
        {"iat": None},
        {"iat": 1e300},
        {"jti": ""},
        {"jti": "x" * 129},
        {"jti": 1},
        {"jti": None},
        {"header": {"typ": "JWT"}},
        {"header": {"typ": "at+jwt"}},
        {"header": {"jwk": None}},
        {"header": {"jwk": "x"}},
        {"header": {"jwk": {"kty": "EC"}}},
        {"header": {"jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}},
        {"header": {"jwk": {"kty": ["EC"]}}},
    ],
    ids=str,
)
async def test_a_proof_for_anything_else_is_refused(bank: Bank, changed: dict[str, Any]) -> None:
    token = await bank.token()
    is_refused_by(await bank.call(token, bank.proof(token, **changed)), "invalid_dpop_proof")


async def test_a_proof_is_good_for_a_minute_and_a_clock_may_be_ten_seconds_fast(pool: asyncpg.Pool) -> None:
    now = 1_000_000_000.0
    memory = await proofs.ProofMemory.open(pool, b"key", lambda: now)
    verifier = ProofVerifier(ISSUER, memory, lambda: now)
    key = ECKey.generate_key("P-256")
    for age, good in {-11: False, -10: True, 0: True, 60: True, 61: False}.items():
        made = proof(key, f"{ISSUER}/graphql", iat=now - age, nonce=memory.nonce())
        if good:
            assert verifier.read([made], "POST", "/graphql").thumbprint == key.thumbprint()
        else:
            with pytest.raises(InvalidProof, match="iat"):
                verifier.read([made], "POST", "/graphql")


async def test_a_proof_for_another_token_is_refused(bank: Bank) -> None:
    first, second = await bank.token(), await bank.process.token(bank.credentials)
    is_refused_by(await bank.call(first, bank.proof(second)), "invalid_dpop_proof")


@pytest.mark.parametrize(
    "url",
    [
        ISSUER + ":443/graphql",
        ISSUER.upper() + "/graphql",
        ISSUER + "/graphql?query=x#y",
        ISSUER + "/%67raphql",
    ],
)
async def test_a_url_that_means_the_same_is_the_same(bank: Bank, url: str) -> None:
    token = await bank.token()
    assert (await bank.call(token, bank.proof(token, url=url))).status_code == 200


async def test_the_host_header_has_no_say_in_the_url(bank: Bank) -> None:
    token = await bank.token()
    made = bank.proof(token, url="https://evil.example/graphql")
    headers = {"Authorization": f"DPoP {token}", "DPoP": made, "Host": "evil.example"}
    is_refused_by(await bank.process.http.post("/graphql", headers=headers), "invalid_dpop_proof")


async def test_exactly_one_proof_is_needed(bank: Bank) -> None:
    token = await bank.token()
    for made in ([], [bank.proof(token), bank.proof(token)], [f"{bank.proof(token)}, {bank.proof(token)}"]):
        is_refused_by(await call(bank.process, token, made), "invalid_dpop_proof")
    two = [("DPoP", proof(bank.key, f"{ISSUER}/oauth/token", nonce=bank.nonce)) for _ in range(2)]
    answer = await bank.process.http.post("/oauth/token", data=GRANT, auth=bank.credentials, headers=two)
    is_refused(answer, 400, "invalid_dpop_proof")


async def test_a_proof_without_the_server_s_nonce_is_told_the_nonce(bank: Bank) -> None:
    token = await bank.token()
    for nonce in (None, "", "x", "é", 1):
        answer = await bank.call(token, bank.proof(token, nonce=nonce))
        is_refused_by(answer, "use_dpop_nonce")
        assert answer.headers["DPoP-Nonce"] == bank.nonce
    assert (await bank.call(token)).headers["DPoP-Nonce"] == bank.nonce


async def test_a_nonce_ends_after_a_step_more_than_its_own(pool: asyncpg.Pool) -> None:
    now = 1_000_000_000.0
    memory = await proofs.ProofMemory.open(pool, b"key", lambda: now)
    other = await proofs.ProofMemory.open(pool, b"key", lambda: now)
    stranger = await proofs.ProofMemory.open(pool, b"another key", lambda: now)
    nonce = memory.nonce()
    assert other.is_current(nonce)
    assert not stranger.is_current(nonce)
    now += 60
    assert memory.is_current(nonce)
    assert memory.nonce() != nonce
    now += 60
    assert not memory.is_current(nonce)


async def test_when_the_memory_of_used_proofs_is_lost_all_proofs_of_before_end(
    bank: Bank, start: Start, pool: asyncpg.Pool
) -> None:
    """As a crash of PostgreSQL empties the tables that no log holds."""
    other = await start()
    token = await bank.token()
    made = bank.proof(token)
    assert (await bank.call(token, made)).status_code == 200
    await pool.execute("TRUNCATE dpop_proofs, dpop_epochs")
    for process in (bank.process, other):
        answer = await bank.call(token, made, process)
        is_refused_by(answer, "use_dpop_nonce")
        assert answer.headers["DPoP-Nonce"] != bank.nonce
    bank.nonce = answer.headers["DPoP-Nonce"]
    for process in (bank.process, other):
        assert (await bank.call(token, process=process)).status_code == 200


async def test_the_tables_of_used_proofs_wait_for_no_disk(pool: asyncpg.Pool) -> None:
    kinds = await pool.fetch(
        "SELECT relpersistence::text AS kind FROM pg_class WHERE relname IN ('dpop_proofs', 'dpop_epochs')"
    )
    assert [row["kind"] for row in kinds] == ["u", "u"]


async def test_used_proofs_are_kept_no_longer_than_they_could_be_used(
    bank: Bank, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proofs, "_INSERTS_BETWEEN_CLEANINGS", 1)
    await pool.execute("INSERT INTO dpop_proofs VALUES (decode(repeat('00', 16), 'hex'), now() - interval '1 s')")
    token = await bank.token()
    await bank.call(token)
    rows = await pool.fetch(
        "SELECT ended_at > now() AND ended_at < now() + interval '2 minutes' AS soon FROM dpop_proofs"
    )
    assert [row["soon"] for row in rows] == [True, True]


@pytest.mark.parametrize("algorithm", ["PS256", "EdDSA", "Ed25519"])
async def test_the_other_algorithms_do_as_well(bank: Bank, algorithm: str) -> None:
    bank.key = RSAKey.generate_key(2048) if algorithm == "PS256" else OKPKey.generate_key("Ed25519")  # type: ignore[assignment]
    header = {"alg": algorithm}
    bank.nonce = (await bank.ask_for_a_token(header=header)).headers["DPoP-Nonce"]
    token = (await bank.ask_for_a_token(header=header)).json()["access_token"]
    assert (await bank.call(token, bank.proof(token, header=header))).status_code == 200


async def test_weak_keys_and_algorithms_are_refused(bank: Bank) -> None:
    token = await bank.token()
    p384, secret = ECKey.generate_key("P-384"), OctKey.generate_key(256)
    short = {"kty": "RSA", "n": unpadded(b"\xff" * 128), "e": "AQAB"}
    rsa = RSAKey.generate_key(2048)
    public = {"kty": "oct", "k": "AAAA"}
    private = bank.key.as_dict(private=True)
    bad = [
        bank.proof(token, header={"jwk": private}),
        bank.proof(token, header={"alg": "none"}),
        bank.proof(token, header={"alg": "HS256"}, signer=secret),
        bank.proof(token, header={"alg": "HS256", "jwk": public}, signer=secret),
        bank.proof(token, header={"alg": "RS256"}, key=rsa),
        bank.proof(token, header={"alg": "PS256", "jwk": short}, signer=rsa),
        bank.proof(token, header={"alg": "PS256"}, signer=rsa),
        bank.proof(token, header={"alg": "ES384"}, key=p384),
        bank.proof(token, header={"jwk": p384.as_dict(private=False)}),
        bank.proof(token, header={"jwk": rsa.as_dict(private=False) | {"e": "Aw"}, "alg": "PS256"}, signer=rsa),
        bank.proof(token, header={"crit": ["exp"]}),
        bank.proof(token, signer=ECKey.generate_key("P-256")),
        bank.proof(token)[:-4] + "AAAA",
        bank.proof(token).rpartition(".")[0] + ".",
        "x" * 5000,
    ]
    for made in bad:
        is_refused_by(await bank.call(token, made), "invalid_dpop_proof")


async def test_a_bad_proof_gets_no_token_and_uses_nothing_up(bank: Bank, pool: asyncpg.Pool) -> None:
    await bank.token()
    before = await pool.fetchval("SELECT count(*) FROM dpop_proofs")
    for changed in ({"htm": "GET"}, {"htu": f"{ISSUER}/graphql"}, {"iat": 1}, {"header": {"alg": "none"}}):
        is_refused(await bank.ask_for_a_token(**changed), 400, "invalid_dpop_proof")
    wrong = Bank(bank.process, (bank.credentials[0], "wrong"))
    wrong.nonce = bank.nonce
    is_refused(await wrong.ask_for_a_token(), 401, "invalid_client")
    assert await pool.fetchval("SELECT count(*) FROM dpop_proofs") == before
    made = proof(bank.key, f"{ISSUER}/oauth/token", nonce=bank.nonce)
    for status in (200, 400):
        answer = await bank.process.http.post("/oauth/token", data=GRANT, auth=bank.credentials, headers={"DPoP": made})
        assert answer.status_code == status
    is_refused(answer, 400, "invalid_dpop_proof")


async def test_introspection_shows_what_a_token_is_bound_to(bank: Bank) -> None:
    token = await bank.token()
    answer = await bank.process.http.post("/oauth/introspect", data={"token": token}, auth=bank.credentials)
    body = answer.json()
    assert (body["active"], body["token_type"], body["cnf"]) == (True, "DPoP", {"jkt": bank.key.thumbprint()})
    unbound = await bank.process.token(bank.credentials)
    body = (await bank.process.http.post("/oauth/introspect", data={"token": unbound}, auth=bank.credentials)).json()
    assert body["token_type"] == "Bearer"
    assert "cnf" not in body


async def test_the_metadata_name_the_algorithms_of_proofs(process: Process) -> None:
    metadata = (await process.http.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["dpop_signing_alg_values_supported"] == ["ES256", "PS256", "EdDSA", "Ed25519"]
    assert metadata["tls_client_certificate_bound_access_tokens"] is False


@pytest.mark.parametrize("whose", ["client", "institution"])
async def test_a_client_can_be_limited_to_bound_tokens(bank: Bank, pool: asyncpg.Pool, whose: str) -> None:
    unbound = await bank.process.token(bank.credentials)
    if whose == "client":
        await clients.bind_tokens(pool, "icbc-app", "DPOP")
    else:
        await clients.bind_institution_tokens(pool, "ICBC", "DPOP")
    answer = await bank.process.http.post("/oauth/token", data=GRANT, auth=bank.credentials)
    is_refused(answer, 400, "invalid_request")
    assert "DPoP" in answer.json()["error_description"]
    assert (await call(bank.process, unbound, [], scheme="Bearer")).status_code == 401
    assert (await bank.call(await bank.token())).status_code == 200


async def test_what_can_be_required_is_a_key_or_a_certificate(pool: asyncpg.Pool, icbc: tuple[str, str]) -> None:
    _, _ = await clients.register(pool, "ICBC", None, scopes.RETAIL, client_id="bound", bound_tokens="DPOP")
    found = await clients.find(pool, "bound")
    assert found is not None
    assert found.bound_tokens == "DPOP"
    for bad in (clients.bind_tokens(pool, "bound", "X"), clients.bind_tokens(pool, "nobody", "DPOP")):
        with pytest.raises(FieldError):
            await bad
    with pytest.raises(FieldError):
        await clients.bind_institution_tokens(pool, "NONE", "DPOP")


SEGMENT = st.one_of(
    st.text(alphabet="AZaz09-_", max_size=30),
    st.dictionaries(
        st.sampled_from(["typ", "alg", "jwk", "crit", "htm", "htu", "iat", "jti", "nonce", "ath"]),
        st.sampled_from(["dpop+jwt", "ES256", "PS256", "Ed25519", None, 1, [], "POST"])
        | st.dictionaries(
            st.sampled_from(["kty", "crv", "x", "y", "n", "e", "d"]),
            st.sampled_from(["EC", "RSA", "OKP", "P-256", "Ed25519", "AQAB", "AAAA", "", None, 1, [], "é"]),
        ),
    ).map(lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()),
)


async def test_whatever_else_is_sent_is_an_invalid_proof_and_no_other_error(process: Process) -> None:
    verifier = process.server._proofs

    @settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(SEGMENT, min_size=1, max_size=4).map(".".join))
    def refuse(made: str) -> None:
        with pytest.raises(InvalidProof):
            verifier.read([made], "POST", "/graphql", "token")

    refuse()
