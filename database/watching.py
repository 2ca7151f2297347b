"""Keeps the embedded PostgreSQL running while it is served from: what was killed is started again."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from database.embedded import EmbeddedPostgres
from database.programs import EmbeddedPostgresError

#: Requests are refused in between, so a killed server is noticed soon; a look costs two system calls.
WATCH_SECONDS = 0.25
#: In a row, each as long as a start may take: what fails so often needs a hand. One success begins the count anew.
MAX_TRIES = 5
#: Between two tries that failed: a full disk or a taken port does not mend within a moment.
PAUSE_SECONDS = 5.0

log = logging.getLogger("gateway.postgres")


@contextmanager
def kept_running(server: EmbeddedPostgres) -> Iterator[None]:
    """Start the entered server again whenever it has died, at its own port, until the block ends.

    Connections of before are lost; their owners find the next one where they found the last.
    """
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(server, ended), name="postgres-watcher", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        # A start under way is waited for: only what is known to run can be stopped.
        watcher.join()


def _watch(server: EmbeddedPostgres, ended: threading.Event) -> None:
    failures = 0
    while not ended.wait(PAUSE_SECONDS if failures else WATCH_SECONDS):
        try:
            if server.revive():
                log.warning("the embedded PostgreSQL had died and was started again")
            failures = 0
        except (EmbeddedPostgresError, OSError) as error:
            failures += 1
            log.error("the embedded PostgreSQL could not be started again (%d of %d): %s", failures, MAX_TRIES, error)
            if failures == MAX_TRIES:
                return
