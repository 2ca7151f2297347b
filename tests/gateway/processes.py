"""Processes as the tests of the server see them."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

WAIT_SECONDS = 30.0


def until(true: Callable[[], bool], what: str) -> None:
    """Wait until something holds; fail when it never does."""
    give_up_at = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < give_up_at, f"never: {what}"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that has ended and is not yet collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def workers_of(pid: int) -> list[int]:
    """Return the worker processes of a server, whichever of its threads started them."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = [child for children in tasks for child in children.read_text().split()]
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def kill(pid: int) -> None:
    """End a process as a fault or an operator's kill -9 does."""
    os.kill(pid, signal.SIGKILL)
