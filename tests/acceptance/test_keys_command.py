"""The operator's commands for the keys, beside a running server."""

import base64
import os
import subprocess
from pathlib import Path

from tests.acceptance.gateway import Server, gateway
from tests.acceptance.people import CHEN

FIND = "query ($residentId: ResidentId!, $name: String!) { payer(residentId: $residentId, name: $name) { id } }"


def test_the_keys_are_replaced_beside_a_server_that_serves_on(server: Server, settings: dict[str, str]) -> None:
    before = server.client("abc-counter").run(FIND, **CHEN.variables)["payer"]["id"]
    assert gateway("keys", "rotate", **settings).returncode == 2
    assert gateway("keys", "rewrap", **settings).returncode == 2
    assert "is current" in gateway("keys", "rotate", "--identity", **settings).stdout
    listed = gateway("keys", "list", **settings)
    assert "retired" in listed.stdout
    assert "No key to remove" in gateway("keys", "prune", **settings).stdout

    new = base64.b64encode(os.urandom(32)).decode()
    unset = gateway("keys", "rewrap", "--new-master-key", **settings)
    assert (unset.returncode, "GATEWAY_NEW_MASTER_KEY is not set" in unset.stderr) == (1, True)
    short = gateway("keys", "rewrap", "--new-master-key", GATEWAY_NEW_MASTER_KEY="c2hvcnQ=", **settings)
    assert short.stderr == "GATEWAY_NEW_MASTER_KEY must be 32 bytes in base64\n"
    for wrapped in ("4", "0"):
        done = gateway("keys", "rewrap", "--new-master-key", GATEWAY_NEW_MASTER_KEY=new, **settings)
        assert done.stdout.startswith(f"{wrapped} data keys wrapped"), done.stderr
        assert new not in done.stdout + done.stderr
    assert "GATEWAY_MASTER_KEY" in gateway("keys", "rotate", "--identity", **settings).stderr
    assert gateway("keys", "rotate", "--identity", **settings | {"GATEWAY_MASTER_KEY": new}).returncode == 0
    assert server.client("abc-counter").run(FIND, **CHEN.variables)["payer"]["id"] == before
    assert server.token("abc-counter").status_code == 200


def test_a_master_key_in_a_file_is_replaced_there(empty_database: str, tmp_path: Path) -> None:
    settings = {"GATEWAY_DATABASE_URL": empty_database, "GATEWAY_DATA_DIR": str(tmp_path)}
    assert gateway("migrate", **settings).returncode == 0
    file = tmp_path / "master.key"
    old = file.read_text(encoding="ascii")
    new = base64.b64encode(os.urandom(32)).decode()

    def rewrap() -> subprocess.CompletedProcess[str]:
        return gateway("keys", "rewrap", "--new-master-key", GATEWAY_NEW_MASTER_KEY=new, **settings)

    assert rewrap().stdout.startswith("3 data keys wrapped")
    assert file.read_text(encoding="ascii").strip() == new
    assert file.stat().st_mode & 0o777 == 0o600
    # As if the command had been ended between its commit and the file.
    file.write_text(old, encoding="ascii")
    assert rewrap().stdout.startswith("0 data keys wrapped")
    assert gateway("keys", "rotate", "--identity", **settings).returncode == 0
