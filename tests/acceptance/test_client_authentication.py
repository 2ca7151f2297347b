"""Strong clients and revocation as an operator and a bank meet them: the command, and a server of two workers."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.acceptance.gateway import Server, gateway, serving

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
VIEWER = {"query": "{ viewer { clientId } }"}
SCOPE = ["--scope", "payer:read"]
# The kernel gives each new connection to either worker: among so many, both have some.
CONNECTIONS = 24


@pytest.fixture(scope="module")
def server(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("server") / "server.log"
    with serving(log, "--workers", "2", **settings) as running:
        yield running


@pytest.fixture(scope="module")
def connections(server: Server) -> Iterator[list[httpx.Client]]:
    """Connections that stay open, each with one of the workers for good."""
    clients = [httpx.Client(base_url=server.base_url, timeout=30.0, trust_env=False) for _ in range(CONNECTIONS)]
    yield clients
    for client in clients:
        client.close()


def run(settings: dict[str, str], *arguments: str) -> dict[str, Any]:
    done = gateway(*arguments, **settings)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout) if done.stdout.startswith("{") else {}
    return answer


def proof(server: Server, client_id: str, key: ECKey) -> dict[str, str]:
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": server.base_url, "exp": now + 60, "iat": now}
    signed = jwt.encode({"alg": "ES256"}, claims | {"jti": secrets.token_urlsafe()}, key)
    return {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}


def statuses(connections: list[httpx.Client], token: str) -> set[int]:
    headers = {"Authorization": f"Bearer {token}"}
    return {client.post("/graphql", json=VIEWER, headers=headers).status_code for client in connections}


def until_refused(connections: list[httpx.Client], token: str) -> None:
    give_up_at = time.monotonic() + 10
    while statuses(connections, token) != {401}:
        assert time.monotonic() < give_up_at, "some worker still answers"


@pytest.fixture(scope="module")
def jwks(tmp_path_factory: pytest.TempPathFactory) -> Callable[[ECKey], str]:
    directory: Path = tmp_path_factory.mktemp("keys")

    def write(key: ECKey, *, private: bool = False) -> str:
        file = directory / f"{secrets.token_hex(4)}.json"
        file.write_text(json.dumps({"keys": [key.as_dict(private=private)]}))
        return str(file)

    return write


def test_a_client_of_keys_is_registered_and_uses_an_assertion_once_at_either_worker(
    server: Server, connections: list[httpx.Client], settings: dict[str, str], jwks: Callable[..., str]
) -> None:
    key, new = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    register = ["clients", "register", "--institution", "ICBC", *SCOPE, "--auth-method", "private_key_jwt"]
    known = run(settings, *register, "--jwks", jwks(key))
    assert set(known) == {"client_id"}
    form = proof(server, known["client_id"], key)
    answers = [client.post("/oauth/token", data=form) for client in connections]
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * (CONNECTIONS - 1)
    run(settings, "clients", "keys", known["client_id"], jwks(new))
    assert server.http.post("/oauth/token", data=proof(server, known["client_id"], key)).status_code == 401
    assert server.http.post("/oauth/token", data=proof(server, known["client_id"], new)).status_code == 200
    for arguments in (
        [*register, "--jwks", jwks(key, private=True)],
        [*register],
        [*register, "--jwks", jwks(key), "--subject-dn", "CN=x"],
        ["clients", "keys", "icbc-mobile", jwks(new)],
        ["clients", "keys", known["client_id"], jwks(new, private=True)],
        ["clients", "rotate", known["client_id"]],
    ):
        refused = gateway(*arguments, **settings)
        assert refused.returncode == 1
        assert "Traceback" not in refused.stderr
        assert str(key.as_dict(private=True)["d"]) not in refused.stderr


def test_a_token_revoked_at_one_worker_is_refused_by_both(server: Server, connections: list[httpx.Client]) -> None:
    token = server.token("icbc-mobile").json()["access_token"]
    assert statuses(connections, token) == {200}
    revoked = connections[0].post("/oauth/revoke", data={"token": token}, auth=("icbc-mobile", "sandbox"))
    assert revoked.status_code == 200
    until_refused(connections, token)


def test_what_a_command_takes_back_is_refused_by_both_workers(
    server: Server, connections: list[httpx.Client], settings: dict[str, str]
) -> None:
    run(settings, "institutions", "add", "NEWBANK", "新银行")
    register = ["clients", "register", "--institution", "NEWBANK", *SCOPE]
    for take_back in (["clients", "revoke"], ["institutions", "require-strong", "NEWBANK"]):
        known = run(settings, *register)
        token = server.token(known["client_id"], known["client_secret"]).json()["access_token"]
        assert statuses(connections, token) == {200}
        run(settings, *take_back, *([known["client_id"]] if "revoke" in take_back else []))
        until_refused(connections, token)
        assert server.token(known["client_id"], known["client_secret"]).status_code == 401
    refused = gateway(*register, **settings)
    assert (refused.returncode, "auth-method" in refused.stderr) == (1, True)
    run(settings, "institutions", "require-strong", "NEWBANK", "--off")
    assert server.token(known["client_id"], known["client_secret"]).status_code == 200


def test_both_secrets_open_during_the_overlap(server: Server, settings: dict[str, str]) -> None:
    known = run(settings, "clients", "register", "--institution", "ABC", *SCOPE)
    client_id = known["client_id"]
    new = run(settings, "clients", "rotate", client_id, "--overlap", "24h")
    for secret in (known["client_secret"], new["client_secret"]):
        assert server.token(client_id, secret).status_code == 200
    newest = run(settings, "clients", "rotate", client_id)
    for secret, status in ((known["client_secret"], 401), (new["client_secret"], 401), (newest["client_secret"], 200)):
        assert server.token(client_id, secret).status_code == status
    assert gateway("clients", "rotate", client_id, "--overlap", "30d", **settings).returncode != 0


def test_a_certificate_is_believed_where_the_proxy_is_trusted(
    server: Server, settings: dict[str, str], tmp_path: Path
) -> None:
    from tests.auth.certificate_files import escaped_pem, make_certificate

    register = ["clients", "register", "--institution", "ABC", *SCOPE, "--auth-method", "tls_client_auth"]
    known = run(settings, *register, "--subject-dn", "CN=api.abc.example,O=ABC")
    form = {"grant_type": "client_credentials", "client_id": known["client_id"]}
    headers = {"x-client-certificate": escaped_pem(make_certificate("CN=api.abc.example,O=ABC"))}
    assert server.http.post("/oauth/token", data=form, headers=headers).status_code == 401
    with serving(tmp_path / "log", **settings, GATEWAY_TRUSTED_PROXIES="10.0.0.0/8, 127.0.0.1") as proxied:
        assert proxied.http.post("/oauth/token", data=form, headers=headers).status_code == 200
        assert proxied.http.post("/oauth/token", data=form).status_code == 401
