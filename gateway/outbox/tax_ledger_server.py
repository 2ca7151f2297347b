"""Runs the stand-in for the tax ledger as a server of one process."""

import socket
from contextlib import closing
from pathlib import Path
from typing import Final

import uvicorn

from gateway.outbox.tax_ledger import Faults, SpoiledProtocol, TaxLedger
from gateway.outbox.tax_ledger_file import LedgerFile

#: What a call under way may still take after SIGTERM; its sender comes again.
DRAIN_SECONDS: Final = 2


def listening_socket(port: int) -> socket.socket:
    """Return a socket bound to 127.0.0.1; port 0 is any that is free. Raises OSError for one that is taken."""
    bound = socket.socket()
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
    except OSError as error:
        bound.close()
        raise OSError(f"Can't listen on 127.0.0.1 port {port}: {error.strerror}") from error
    return bound


def run_tax_ledger(listener: socket.socket, file: Path, secret: str, faults: Faults) -> None:
    """Serve until SIGTERM or SIGINT."""
    with closing(LedgerFile(file)) as ledger:
        config = uvicorn.Config(
            TaxLedger(ledger, secret, faults),
            http=SpoiledProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        uvicorn.Server(config).run(sockets=[listener])
