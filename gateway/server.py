"""Runs the server: one process, or several workers under one parent; they end together."""

import errno
import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from gateway.headers import StrictHeaders, transport_headers
from gateway.logs import configure_logs
from gateway.metrics import MULTIPROCESS_DIRECTORY
from gateway.protocol import LimitedProtocol
from gateway.settings import Settings

#: What requests under way may still take after SIGTERM: longer than a statement's timeout.
DRAIN_SECONDS = 30
#: A worker that has not ended by itself this long after its parent died.
ORPHAN_SECONDS = DRAIN_SECONDS + 5
#: Workers whose parent was killed close their port at once, but for those that were just starting.
TAKEN_PORT_SECONDS = 10
#: Connections that the kernel keeps waiting while a worker is busy.
BACKLOG = 1024
#: An idle connection of a bank's client: longer than its usual pause between two requests.
KEEP_ALIVE_SECONDS = 75
#: A worker that does not answer its parent for so long is replaced. A start on a busy machine takes seconds; and
#: the parent itself is deaf for so long when a worker ends in the middle of being asked.
WORKER_SILENCE_SECONDS = 10


def run_server(settings: Settings, host: str, port: int, workers: int) -> None:
    """Serve until SIGTERM or SIGINT. `settings` have their database and public URL by now.

    Raises OSError when the address can't be had, SystemExit when a worker can't start.
    """
    from gateway.beside import working_beside  # imports what a worker works with, which no server needs

    _hand_down(settings)
    # What the parent of several workers has to say; each worker does the same for itself.
    configure_logs(settings.log_level)
    with _metrics_directory(workers):
        config = uvicorn.Config(
            "gateway.server:worker_app",
            factory=True,
            host=host,
            port=port,
            workers=workers,
            # Told, since uvicorn takes an app whose call is no coroutine function for one of ASGI 2.
            interface="asgi3",
            loop="uvloop",
            http=LimitedProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            headers=transport_headers(settings.public_url),
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
            timeout_worker_healthcheck=WORKER_SILENCE_SECONDS,
        )
        # Bound here, so that a taken port is told before any worker starts.
        with _bound_socket(host, port) as listener, working_beside(settings):
            if workers > 1:
                parent = Multiprocess(config, sockets=[listener])
                parent.run()
                if any(worker.exitcode == STARTUP_FAILURE for worker in parent.processes):
                    sys.exit(STARTUP_FAILURE)
                return
            server = uvicorn.Server(config)
            server.run(sockets=[listener])
        if not server.started:
            sys.exit(STARTUP_FAILURE)


def _bound_socket(host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        # A server that has just ended leaves connections behind that would keep its port for a minute.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(bound, host, port)
    except OSError as error:
        bound.close()
        raise OSError(f"Can't listen on {host} port {port}: {error.strerror}") from error
    return bound


def _bind(unbound: socket.socket, host: str, port: int) -> None:
    """Bind, waiting for the workers of a server that was killed to let go of the port."""
    give_up_at = time.monotonic() + TAKEN_PORT_SECONDS
    while True:
        try:
            unbound.bind((host, port))
            return
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > give_up_at:
                raise
            time.sleep(0.1)


def _hand_down(settings: Settings) -> None:
    """Give the workers what only this process knows."""
    assert settings.database_url is not None
    assert settings.public_url is not None
    os.environ["GATEWAY_DATABASE_URL"] = settings.database_url.get_secret_value()
    os.environ["GATEWAY_PUBLIC_URL"] = settings.public_url
    os.environ["GATEWAY_SANDBOX"] = "true" if settings.sandbox else "false"


@contextmanager
def _metrics_directory(workers: int) -> Iterator[None]:
    if workers == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="gateway-metrics-") as directory:
        os.environ[MULTIPROCESS_DIRECTORY] = directory
        yield


def worker_app() -> object:
    """Return the app of this process; a worker ends when its parent does, however that ends."""
    from gateway.app import create_app  # imports what counts metrics, which looks at the environment once

    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    return StrictHeaders(create_app())


def _end_with(parent_sentinel: int) -> None:
    multiprocessing.connection.wait([parent_sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
