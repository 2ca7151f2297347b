"""A callback of the bank's, and the worker that tells it what has happened."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.bank_receiver import Receiver, receiving
from tests.acceptance.gateway import Client, environment

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
REGISTER = """mutation ($url: String!) { registerCallback(input: {url: $url}) {
  secret callback { url registeredAt waiting failed }
} }"""
REMOVE = "mutation { removeCallback { removed } }"
CALLBACK = "{ callback { url registeredAt waiting failed } }"


class Worker:
    """The process `gateway work`, which can be killed and started again."""

    def __init__(self, log: Path, **settings: str) -> None:
        self.log = log
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "gateway", "work"]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env=environment(**self._settings),
                stdout=subprocess.DEVNULL,
                stderr=output,
                start_new_session=True,
            )

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(30) == 0, self.log.read_text()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture(scope="module")
def worker(
    receiver: Receiver, sandbox_database: str, master_key: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Worker]:
    """A worker whose tax ledger is the receiver too: it acknowledges everything."""
    running = Worker(
        tmp_path_factory.mktemp("worker") / "worker.log",
        GATEWAY_DATABASE_URL=sandbox_database,
        GATEWAY_MASTER_KEY=master_key,
        GATEWAY_SANDBOX="true",
        GATEWAY_POSTING_URL=receiver.url("/tax-ledger"),
        GATEWAY_POSTING_SECRET=SECRET,
    )
    running.start()
    yield running
    running.stop()


def register(client: Client, url: str) -> str:
    secret: str = client.run(REGISTER, url=url)["registerCallback"]["secret"]
    return secret
