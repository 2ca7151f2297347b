"""The embedded PostgreSQL, from a first start to a kill and a start again: nothing lost, nothing left behind."""

import json
import os
import signal
import time
from pathlib import Path

from tests.acceptance.gateway import gateway, serving
from tests.acceptance.operations import PAYMENT_OF, pay, quote, runs
from tests.acceptance.people import CHEN

PAID = [("CURRENT_YEAR", "2020-06", "2020-12")]


def processes_of(session: int, directory: Path) -> list[str]:
    """Return the command lines of the session's processes, and of any that works on the directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, belongs_to = stat[0], int(stat[3])
        if state != "Z" and (belongs_to == session or str(directory) in command):
            found.append(command)
    return found


def test_killed_and_started_again_and_ended(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    log = tmp_path / "server.log"
    settings = {"GATEWAY_DATA_DIR": str(directory)}

    with serving(log, GATEWAY_DATA_DIR=str(directory)) as first:
        bank = first.client("icbc-mobile")
        payable = quote(bank, CHEN, "2020-04", "2020-05")
        receipt = pay(bank, payable, "BEFORE-THE-KILL")["receipt"]["number"]
        # Commands beside a running server use the same PostgreSQL.
        added = gateway("institutions", "add", "BESIDE", "旁边的银行", **settings)
        assert added.returncode == 0, added.stderr
        command = ["clients", "register", "--institution", "BESIDE", "--channel", "COUNTER", "--scope", "payer:read"]
        known = json.loads(gateway(*command, **settings).stdout)
        assert first.token(known["client_id"], known["client_secret"]).status_code == 200
        assert runs(bank, CHEN) == PAID
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait(10)

    with serving(log, "--workers", "2", GATEWAY_DATA_DIR=str(directory)) as second:
        bank = second.client("icbc-mobile")
        payment = bank.run(PAYMENT_OF, bankReference="BEFORE-THE-KILL")["payment"]
        assert (payment["status"], payment["receipt"]["number"]) == ("ACCEPTED", receipt)
        assert runs(bank, CHEN) == PAID
        assert second.token(known["client_id"], known["client_secret"]).status_code == 200
        # A token of the killed server is a token of this one: the keys are in the database.
        for _ in range(8):
            assert bank.run("{ viewer { clientId } }")["viewer"]["clientId"] == "icbc-mobile"
        assert second.stop() == 0

    give_up_at = time.monotonic() + 5
    while processes_of(second.process.pid, directory) and time.monotonic() < give_up_at:
        time.sleep(0.1)
    assert processes_of(second.process.pid, directory) == []
    assert processes_of(first.process.pid, directory) == []
    assert "Traceback" not in log.read_text("utf-8")

    # With no server running, a command starts the PostgreSQL for itself and leaves nothing behind either.
    listed = gateway("clients", "list", **settings)
    assert known["client_id"] in listed.stdout
    file = tmp_path / "empty.csv"
    file.write_text("resident_id,name,insurance,pooling_area,first_month,last_month\n", "utf-8")
    assert gateway("load", "enrolments", str(file), **settings).returncode == 0
    assert processes_of(second.process.pid, directory) == []


def test_sigterm_ends_a_server_of_one_worker(tmp_path: Path) -> None:
    with serving(tmp_path / "server.log", GATEWAY_DATA_DIR=str(tmp_path / "data")) as server:
        server.client("icbc-mobile")
        assert server.stop() == 0
    assert processes_of(server.process.pid, tmp_path / "data") == []
    assert "Traceback" not in server.log.read_text("utf-8")
