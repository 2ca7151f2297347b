"""Which core runs what, and what a server's processes have used of it. On Linux; elsewhere nothing is pinned."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PINNABLE = hasattr(os, "sched_setaffinity")
_PROC = Path("/proc")


def cores() -> tuple[set[int], set[int]] | None:
    """Return the server's core, and one for PostgreSQL and the load; None where there are no two to pin to."""
    if not PINNABLE:
        return None
    ours = sorted(os.sched_getaffinity(0))
    return ({ours[0]}, {ours[1]}) if len(ours) > 1 else None


@contextmanager
def pinned(to: set[int] | None) -> Iterator[None]:
    """Keep this process, and all that it starts meanwhile for as long as they live, on these cores."""
    if to is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, to)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def first_in_line() -> Iterator[None]:
    """Let this process run before others of its core, where it may: what it times is not to be its own waiting.

    What is started meanwhile is one of the others.
    """
    if not hasattr(os, "sched_setscheduler"):
        yield
        return
    before = os.sched_getscheduler(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except PermissionError:
        yield
        return
    try:
        yield
    finally:
        os.sched_setscheduler(0, before, os.sched_param(0))


def cpu_seconds(pid: int | None) -> float | None:
    """Return the processor time of a process and its children up to now, those that have ended as well.

    None where nobody tells, or for no process.
    """
    if pid is None or not _PROC.is_dir():
        return None
    parents: dict[int, tuple[int, float]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            try:
                # The name, in parentheses, may hold anything: the fields begin behind it, with the state.
                fields = (entry / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue  # It has ended between our question and our look.
            # Its own time, and that of children which have ended: of a user and of the system each.
            parents[int(entry.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    ticks = sum(used for child, (_, used) in parents.items() if _descends(child, pid, parents))
    return ticks / os.sysconf("SC_CLK_TCK")


def _descends(child: int, pid: int, parents: dict[int, tuple[int, float]]) -> bool:
    while child != pid:
        if child not in parents:
            return False
        child = parents[child][0]
    return True
