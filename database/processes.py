"""Other processes of this machine, and waiting for what they do."""

import fcntl
import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

POLL_SECONDS = 0.05


def wait_until(done: Callable[[], bool], timeout_seconds: float) -> bool:
    """Ask until it is so, and whether it was in time."""
    deadline = time.monotonic() + timeout_seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def lock_exclusively(lock: int) -> bool:
    """Take a flock if nobody else holds it, and say whether it was taken."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def exists(pid: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def command_line(pid: int) -> str:
    """The arguments of a living process, each followed by a space; otherwise nothing."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    listed = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)
    return listed.stdout.decode(errors="replace").strip() + " "


def free_port(preferred: int | None) -> int:
    """A port of 127.0.0.1 that nothing listens on: the preferred one if it is free."""
    with socket.socket() as listener:
        # As PostgreSQL itself binds: a port is free while connections of before are still being forgotten.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", preferred or 0))
        except OSError:
            listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
