"""The embedded PostgreSQL is killed under a running server, which starts it again by itself."""

import json
import os
import signal
import time
from pathlib import Path

import httpx
import pytest

from tests.acceptance.gateway import Client, serving
from tests.acceptance.operations import PAYMENT_OF, pay, quote, submit
from tests.acceptance.people import CHEN

WAIT_SECONDS = 60.0


def pid_file(directory: Path) -> list[str]:
    return (directory / "postgres" / "postmaster.pid").read_text().splitlines()


def started_again(directory: Path, before: str) -> bool:
    """Whether another server than before has written its file, to the end."""
    lines = pid_file(directory)
    return len(lines) > 7 and lines[0] != before


def first_answer(bank: Client, reference: str) -> dict[str, object]:
    """Ask for a payment until there is an answer; until then each refusal is a clear one."""
    give_up_at = time.monotonic() + WAIT_SECONDS
    while True:
        assert time.monotonic() < give_up_at
        response = bank.post(PAYMENT_OF, {"bankReference": reference})
        if response.status_code == 503:
            assert int(response.headers["retry-after"]) > 0
        elif "errors" in response.json():
            assert [error["extensions"]["code"] for error in response.json()["errors"]] == ["TRY_AGAIN"]
        else:
            found: dict[str, object] = response.json()["data"]["payment"]
            return found
        time.sleep(0.05)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_server_starts_it_again_at_its_port_and_nothing_is_lost(tmp_path: Path, workers: str) -> None:
    directory = tmp_path / "data"
    with serving(tmp_path / "log", "--workers", workers, GATEWAY_DATA_DIR=str(directory)) as server:
        bank = server.client("icbc-mobile")
        for month in ("2020-04", "2020-05"):
            payable = quote(bank, CHEN, month, month)
            payment = pay(bank, payable, month)
            pid, _, _, port, *_ = pid_file(directory)
            os.kill(int(pid), signal.SIGKILL)
            # What PostgreSQL's other processes still answer is as true as what the next one does.
            give_up_at = time.monotonic() + WAIT_SECONDS
            while first_answer(bank, month) == payment and not started_again(directory, pid):
                assert time.monotonic() < give_up_at
            assert first_answer(bank, month) == payment
            assert pid_file(directory)[3] == port
            assert submit(bank, payable, month)["replayed"] is True
        # A token is asked for, and checked, as before.
        response = server.token("abc-counter")
        assert response.status_code == httpx.codes.OK
        assert server.stop() == 0
    assert not (directory / "postgres" / "postmaster.pid").exists()
    events = [json.loads(line)["event"] for line in server.log.read_text("utf-8").splitlines()]
    assert events.count("the embedded PostgreSQL had died and was started again") == 2
    assert "fault" not in events
