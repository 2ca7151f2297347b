"""Stolen tokens, replayed proofs and rotated keys, over several processes of the real server."""

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from joserfc.jwk import ECKey

from tests.acceptance.gateway import Server, gateway, serving
from tests.auth.proving import proof

# Of all the servers of this module: a token is for the gateway, not for one of its processes.
PUBLIC_URL = "http://127.0.0.1:8000"
QUERY = {"query": "{ viewer { clientId } }"}
#: New connections are spread over the workers by the kernel: so many reach both, but for one time in a million.
TRIES = 20


@pytest.fixture(scope="module")
def settings(sandbox_database: str, master_key: str) -> dict[str, str]:
    return {
        "GATEWAY_DATABASE_URL": sandbox_database,
        "GATEWAY_MASTER_KEY": master_key,
        "GATEWAY_PUBLIC_URL": PUBLIC_URL,
    }


@pytest.fixture(scope="module")
def workers(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server") / "server.log", "--workers", "2", **settings) as running:
        yield running


def fresh(server: Server, path: str, **options: Any) -> httpx.Response:
    """Send over a connection of its own."""
    return httpx.post(server.base_url + path, trust_env=False, timeout=30, **options)


def call(server: Server, token: str, scheme: str = "Bearer", **headers: str) -> httpx.Response:
    return fresh(server, "/graphql", json=QUERY, headers={"Authorization": f"{scheme} {token}", **headers})


def kid(token: str) -> str:
    return str(json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))["kid"])


def test_a_proof_is_used_once_over_all_workers_and_the_token_by_its_owner_alone(workers: Server) -> None:
    key = ECKey.generate_key("P-256")
    nonce = None
    for status in (400, 200):
        made = proof(key, f"{PUBLIC_URL}/oauth/token", nonce=nonce)
        form = {"grant_type": "client_credentials"}
        answer = fresh(workers, "/oauth/token", data=form, auth=("abc-counter", "sandbox"), headers={"DPoP": made})
        assert answer.status_code == status, answer.text
        nonce = answer.headers["DPoP-Nonce"]
    token = answer.json()["access_token"]

    made = proof(key, f"{PUBLIC_URL}/graphql", token=token, nonce=nonce)
    answers = [call(workers, token, "DPoP", DPoP=made) for _ in range(TRIES)]
    assert [answer.status_code for answer in answers] == [200] + [401] * (TRIES - 1)
    for _ in range(TRIES):
        made = proof(key, f"{PUBLIC_URL}/graphql", token=token, nonce=nonce)
        assert call(workers, token, "DPoP", DPoP=made).status_code == 200
        # Remembered as verified by both, and yet nothing without its proof.
        assert call(workers, token).status_code == 401
        assert call(workers, token, DPoP=made).status_code == 401

    day = "/settlements/2020-11-16"
    headers = {"Authorization": f"DPoP {token}", "Content-Type": "text/csv"}
    list_ = b"bank_reference,amount,reversed\n"
    for url, status in ((f"{PUBLIC_URL}/graphql", 401), (PUBLIC_URL + day, 200)):
        made = proof(key, url, method="PUT", token=token, nonce=nonce)
        answer = httpx.put(
            workers.base_url + day, content=list_, headers=headers | {"DPoP": made}, trust_env=False, timeout=30
        )
        assert answer.status_code == status, answer.text


def test_tokens_of_before_and_after_a_rotation_work_in_all_processes(
    workers: Server, settings: dict[str, str], tmp_path: Path
) -> None:
    before = workers.token("abc-counter").json()["access_token"]
    rotated = gateway("keys", "rotate", "--signing", **settings)
    assert rotated.returncode == 0, rotated.stderr
    again = gateway("keys", "rotate", "--signing", **settings)
    assert (again.returncode, again.stdout) == (1, "")
    assert "published already" in again.stderr
    listed = gateway("keys", "list", **settings).stdout
    assert "PUBLISHED" in listed
    assert "SIGNING" in listed
    asyncio.run(let_the_new_key_sign(settings["GATEWAY_DATABASE_URL"]))
    with serving(tmp_path / "second.log", **settings) as second:
        after = second.token("abc-counter").json()["access_token"]
        assert kid(after) != kid(before)
        published = {key["kid"] for key in second.http.get("/.well-known/jwks.json").json()["keys"]}
        assert published == {kid(before), kid(after)}
        for server in (workers, second):
            for _ in range(TRIES):
                assert call(server, before).status_code == 200
                assert call(server, after).status_code == 200
    assert kid(workers.token("abc-counter").json()["access_token"]) == kid(after)


async def let_the_new_key_sign(url: str) -> None:
    """Let the time go by that the new key is published before it signs."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        """
        UPDATE signing_keys
        SET signs_from = signs_from - interval '21 min', retired_at = retired_at - interval '21 min'
        """
    )
    await connection.close()
