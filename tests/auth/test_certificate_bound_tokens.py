"""Tokens bound to the certificate of the connection (RFC 8705, 3): the proxy names it, or the token is refused."""

import asyncpg
import pytest
from cryptography import x509
from joserfc.jwk import ECKey

from auth import clients, methods, scopes
from auth.certificates import thumbprint_s256
from tests.auth.certificate_files import SUBJECT, escaped_pem, make_certificate
from tests.auth.conftest import GRANT, ISSUER, Process, Start, is_refused
from tests.auth.proving import proof

pytestmark = pytest.mark.anyio

# What httpx's transport into the app names as the peer.
PROXY = "127.0.0.1"


def sent(certificate: x509.Certificate | None, **headers: str) -> dict[str, str]:
    return headers | ({"X-Client-Certificate": escaped_pem(certificate)} if certificate else {})


async def token_of(process: Process, pool: asyncpg.Pool, certificate: x509.Certificate) -> str:
    method = methods.by_certificate(methods.SUBJECT_DN, SUBJECT)
    await clients.register_strong(
        pool, "ICBC", None, scopes.RETAIL, method, client_id="icbc-tls", bound_tokens="CERTIFICATE"
    )
    form = GRANT | {"client_id": "icbc-tls"}
    answer = await process.http.post("/oauth/token", data=form, headers=sent(certificate))
    assert (answer.status_code, answer.json()["token_type"]) == (200, "Bearer")
    return str(answer.json()["access_token"])


async def test_the_token_is_good_over_the_client_s_own_connections_only(
    start: Start, banks: None, pool: asyncpg.Pool
) -> None:
    process, no_proxy = await start(proxies=PROXY), await start()
    certificate = make_certificate()
    token = await token_of(process, pool, certificate)
    for _ in range(2):
        for where, what, status in (
            (process, certificate, 200),
            (process, make_certificate(), 401),
            (process, None, 401),
            (no_proxy, certificate, 401),
        ):
            headers = sent(what, Authorization=f"Bearer {token}")
            assert (await where.http.post("/graphql", headers=headers)).status_code == status
    form = {"token": token, "client_id": "icbc-tls"}
    body = (await process.http.post("/oauth/introspect", data=form, headers=sent(certificate))).json()
    assert body["cnf"] == {"x5t#S256": thumbprint_s256(certificate)}
    metadata = (await process.http.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["tls_client_certificate_bound_access_tokens"] is True


async def test_with_a_proof_too_the_token_is_bound_to_both(start: Start, banks: None, pool: asyncpg.Pool) -> None:
    process = await start(proxies=PROXY)
    certificate = make_certificate()
    await token_of(process, pool, certificate)
    key = ECKey.generate_key("P-256")
    nonce = process.server._proofs.nonce()
    made = proof(key, f"{ISSUER}/oauth/token", nonce=nonce)
    form = GRANT | {"client_id": "icbc-tls"}
    answer = await process.http.post("/oauth/token", data=form, headers=sent(certificate, DPoP=made))
    token = answer.json()["access_token"]
    assert answer.json()["token_type"] == "DPoP"
    for what, status in ((certificate, 200), (None, 401)):
        made = proof(key, f"{ISSUER}/graphql", token=token, nonce=nonce)
        headers = sent(what, Authorization=f"DPoP {token}", DPoP=made)
        assert (await process.http.post("/graphql", headers=headers)).status_code == status


async def test_a_client_that_must_bind_to_its_certificate_gets_no_token_without(
    start: Start, icbc: tuple[str, str], pool: asyncpg.Pool
) -> None:
    await clients.bind_tokens(pool, icbc[0], "CERTIFICATE")
    answer = await (await start(proxies=PROXY)).http.post("/oauth/token", data=GRANT, auth=icbc)
    is_refused(answer, 400, "invalid_request")
