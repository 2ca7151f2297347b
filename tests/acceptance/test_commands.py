"""The operator's commands over a PostgreSQL of one's own: migrate, serve, institutions, clients."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.gateway import Server, environment, free_port, gateway, serving

VIEWER = "{ viewer { clientId institution { code name } channel scopes } }"


def started(*options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Start a server that must refuse to start."""
    command = [sys.executable, "-m", "gateway", "serve", "--port", str(free_port()), *options]
    return subprocess.run(command, env=environment(**settings), capture_output=True, text=True, timeout=60, check=False)


def output(done: subprocess.CompletedProcess[str]) -> str:
    written = done.stdout + done.stderr
    assert "Traceback" not in written
    return written


def viewer(server: Server, token: str) -> tuple[int, dict[str, object]]:
    response = server.http.post("/graphql", json={"query": VIEWER}, headers={"Authorization": f"Bearer {token}"})
    answer: dict[str, object] = response.json()
    # What it costs is told beside it.
    answer.pop("extensions", None)
    return response.status_code, answer


def test_serve_refuses_missing_migrations_and_says_what_to_run(empty_database: str, master_key: str) -> None:
    settings = {"GATEWAY_DATABASE_URL": empty_database, "GATEWAY_MASTER_KEY": master_key}
    refused = started(**settings)
    assert refused.returncode not in (0, -11)
    assert "gateway migrate" in output(refused)
    for _ in range(2):
        done = gateway("migrate", **settings)
        assert done.returncode == 0, output(done)


def test_two_migrations_at_once(empty_database: str, master_key: str) -> None:
    settings = {"GATEWAY_DATABASE_URL": empty_database, "GATEWAY_MASTER_KEY": master_key}
    command = [sys.executable, "-m", "gateway", "migrate"]
    running = [
        subprocess.Popen(command, env=environment(**settings), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(3)
    ]
    for process in running:
        written, _ = process.communicate(timeout=60)
        assert process.returncode == 0, written


def test_a_database_that_is_not_there(master_key: str) -> None:
    nowhere = "postgresql://nobody:hunter2@127.0.0.1:1/nothing"
    for command in (["migrate"], ["clients", "list"]):
        refused = gateway(*command, GATEWAY_DATABASE_URL=nowhere, GATEWAY_MASTER_KEY=master_key)
        assert refused.returncode != 0
        assert output(refused)
        assert "hunter2" not in output(refused)


def test_the_business_date_is_refused_outside_the_sandbox(settings: dict[str, str]) -> None:
    refused = started(GATEWAY_BUSINESS_DATE="2020-11-16", **settings)
    assert refused.returncode != 0
    assert "GATEWAY_BUSINESS_DATE" in output(refused)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAY_BUSINESS_DATE", "2020-02-30"),
        ("GATEWAY_QUOTE_TTL", "soon"),
        ("GATEWAY_QUOTE_TTL", "0"),
        ("GATEWAY_QUOTE_TTL", "-1"),
        ("GATEWAY_DATABASE_URL", "mysql://x"),
    ],
)
def test_a_bad_setting_is_named(settings: dict[str, str], name: str, value: str) -> None:
    refused = started("--sandbox", **{**settings, name: value})
    assert refused.returncode != 0
    assert name in output(refused).replace("\n", "")


def test_the_sandbox_secret_is_refused_outside_the_sandbox(settings: dict[str, str], tmp_path: Path) -> None:
    with serving(tmp_path / "production.log", sandbox=False, **settings) as production:
        for client_id in ("icbc-mobile", "abc-counter", "social-insurance-agency"):
            refused = production.token(client_id)
            assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
        registered = gateway(
            "clients", "register", "--institution", "ICBC", "--channel", "COUNTER", "--scope", "payer:read", **settings
        )
        known = json.loads(registered.stdout)
        basic = production.token(known["client_id"], known["client_secret"])
        assert basic.status_code == 200
        form = {"grant_type": "client_credentials", **known}
        posted = production.http.post("/oauth/token", data={**form})
        assert posted.status_code in (400, 401)
        assert posted.json()["error"] == "invalid_client"


def test_client_secret_post_in_the_sandbox(server: Server) -> None:
    form = {"grant_type": "client_credentials", "client_id": "icbc-mobile", "client_secret": "sandbox"}
    assert server.http.post("/oauth/token", data=form).status_code == 200


def test_a_bank_joins(server: Server, settings: dict[str, str]) -> None:
    added = gateway("institutions", "add", "NEWBANK", "新银行", **settings)
    assert added.returncode == 0, output(added)
    again = gateway("institutions", "add", "NEWBANK", "别的银行", **settings)
    assert again.returncode != 0
    output(again)
    there = gateway("institutions", "list", **settings)
    assert there.returncode == 0, output(there)
    (line,) = [line for line in output(there).splitlines() if "NEWBANK" in line]
    assert "新银行" in line
    assert "BANK" in line.replace("NEWBANK", "")
    command = ["clients", "register", "--institution", "NEWBANK", "--channel", "MOBILE_BANKING"]
    registered = gateway(*command, "--scope", "payer:read period:read", **settings)
    assert registered.returncode == 0, output(registered)
    known = json.loads(registered.stdout)
    assert {"client_id", "client_secret"} <= set(known)
    token = server.token(known["client_id"], known["client_secret"])
    assert token.status_code == 200
    access_token = token.json()["access_token"]
    assert viewer(server, access_token) == (
        200,
        {
            "data": {
                "viewer": {
                    "clientId": known["client_id"],
                    "institution": {"code": "NEWBANK", "name": "新银行"},
                    "channel": "MOBILE_BANKING",
                    "scopes": ["payer:read", "period:read"],
                }
            }
        },
    )
    listed = gateway("clients", "list", **settings)
    assert listed.returncode == 0
    assert known["client_id"] in output(listed)
    assert known["client_secret"] not in output(listed)
    assert "argon2" not in output(listed)
    assert "icbc-mobile" in output(listed)

    rotated = gateway("clients", "rotate", known["client_id"], **settings)
    assert rotated.returncode == 0, output(rotated)
    new = json.loads(rotated.stdout)
    assert new["client_id"] == known["client_id"]
    assert new["client_secret"] != known["client_secret"]
    assert server.token(known["client_id"], known["client_secret"]).status_code == 401
    token = server.token(known["client_id"], new["client_secret"])
    assert token.status_code == 200

    revoked = gateway("clients", "revoke", known["client_id"], **settings)
    assert revoked.returncode == 0, output(revoked)
    assert server.token(known["client_id"], new["client_secret"]).status_code == 401
    assert viewer(server, token.json()["access_token"])[0] == 401


@pytest.mark.parametrize("kind", ["BANK", "TAX", "SOCIAL_INSURANCE_AGENCY", "MEDICAL_INSURANCE_AGENCY"])
def test_institutions_of_every_kind(settings: dict[str, str], kind: str) -> None:
    added = gateway("institutions", "add", f"X{kind[:12].replace('_', '')}", "机构", "--kind", kind, **settings)
    assert added.returncode == 0, output(added)


@pytest.mark.parametrize(
    "command",
    [
        ["institutions", "add", "XYZ", "名", "--kind", "SHOP"],
        ["institutions", "add", "", "名"],
        ["institutions", "add", "ICBC", "名"],
        ["clients", "register", "--institution", "NOBODY", "--scope", "payer:read"],
        ["clients", "register", "--institution", "ICBC", "--scope", "payer:read everything"],
        ["clients", "register", "--institution", "ICBC", "--scope", ""],
        ["clients", "register", "--institution", "ICBC", "--scope", "payer:read", "--channel", "TELEPHONE"],
        ["clients", "register", "--scope", "payer:read"],
        ["clients", "rotate", "nobody"],
        ["clients", "revoke", "nobody"],
        ["load", "enrolments", "/nowhere/enrolments.csv"],
        ["load", "nothing", "/dev/null"],
        ["serve", "--port", "99999"],
        ["serve", "--workers", "0"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_done_says_so(settings: dict[str, str], command: list[str]) -> None:
    refused = gateway(*command, **settings)
    assert refused.returncode not in (0, -11)
    assert output(refused).strip()


def test_the_help_names_every_setting(settings: dict[str, str]) -> None:
    written = output(gateway("--help"))
    for name in ("DATABASE_URL", "DATA_DIR", "BUSINESS_DATE", "QUOTE_TTL"):
        assert f"GATEWAY_{name}" in written


def test_alive_and_ready(server: Server) -> None:
    assert server.http.get("/healthz").status_code == 200
    assert server.http.get("/readyz").status_code == 200
    metrics = server.http.get("/metrics")
    assert metrics.status_code == 200
    assert "# TYPE" in metrics.text
