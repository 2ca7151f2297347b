"""What runs beside the server: one worker, and in the sandbox the tax ledger's stand-in, each a process of its own."""

import asyncio
import base64
import logging
import multiprocessing
import multiprocessing.connection
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.context import SpawnProcess
from typing import Any, Final

from pydantic import SecretStr

from database.pool import DATABASE_AWAY
from gateway.logs import configure_logs
from gateway.outbox.running import run_worker
from gateway.outbox.sending import TOTAL_TIMEOUT_SECONDS
from gateway.outbox.tax_ledger import Faults
from gateway.outbox.tax_ledger_server import listening_socket, run_tax_ledger
from gateway.settings import Settings

#: Until one that died is started again: what dies at once would otherwise be started without end.
RESTART_PAUSE_SECONDS: Final = 1.0
#: What a message under way may take, and the database after it.
END_SECONDS: Final = TOTAL_TIMEOUT_SECONDS + 10
FILE_NAME: Final = "tax-ledger.sqlite3"

log = logging.getLogger("gateway.beside")


@contextmanager
def working_beside(settings: Settings) -> Iterator[None]:
    """Run what runs beside a server with these settings, until the block ends; what dies is started again.

    Everything ends by itself when this process is killed.
    """
    if not settings.works:
        yield
        return
    with ExitStack() as stack:
        if settings.sandbox and settings.posting_url is None:
            listener = stack.enter_context(listening_socket(0))
            secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
            settings = settings.model_copy(
                update={
                    "posting_url": f"http://127.0.0.1:{listener.getsockname()[1]}/",
                    "posting_secret": SecretStr(secret),
                }
            )
            stack.enter_context(_kept_running("tax ledger", _stand_in, settings, listener))
        stack.enter_context(_kept_running("worker", _worker, settings))
        yield


@contextmanager
def _kept_running(name: str, target: Callable[..., None], *arguments: Any) -> Iterator[None]:
    # As the server's own workers are: no lock or thread of this process is copied.
    processes = multiprocessing.get_context("spawn")

    def start() -> SpawnProcess:
        process = processes.Process(target=target, args=arguments, name=name)
        process.start()
        return process

    running = [start()]
    ended = threading.Event()

    def watch() -> None:
        while True:
            running[0].join()
            if ended.is_set():
                return
            log.error("the %s ended with status %s and is started again", name, running[0].exitcode)
            ended.wait(RESTART_PAUSE_SECONDS)
            with lock:
                if ended.is_set():
                    return
                running[0] = start()

    lock = threading.Lock()
    watcher = threading.Thread(target=watch, name=f"{name} watcher", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        with lock:
            ended.set()
            running[0].terminate()
        watcher.join(END_SECONDS)
        if watcher.is_alive():
            running[0].kill()
            watcher.join()


def _begin(settings: Settings) -> None:
    # A terminal's Ctrl-C is for the server, which ends this process when it has ended itself.
    os.setsid()
    configure_logs(settings.log_level)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(parent_sentinel: int) -> None:
    multiprocessing.connection.wait([parent_sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(END_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _worker(settings: Settings) -> None:
    _begin(settings)
    try:
        asyncio.run(run_worker(settings))
    except DATABASE_AWAY as error:
        # It is started again, and again, until the database is back.
        log.warning("the worker can't begin: %s", type(error).__name__)
        sys.exit(1)


def _stand_in(settings: Settings, listener: socket.socket) -> None:
    _begin(settings)
    assert settings.posting_secret is not None
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    run_tax_ledger(listener, settings.data_dir / FILE_NAME, settings.posting_secret.get_secret_value(), Faults())
