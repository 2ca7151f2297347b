"""Which core runs what, and what a server's processes have used of it. On Linux; elsewhere nothing is pinned."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
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
def in_front(*pids: int) -> Iterator[bool]:
    """Let these processes, with their children and threads, run before the machine's other programs, where they may.

    What a machine does for itself now and then, for some milliseconds, would be told as a server's tail. Yields whether
    they may. What they start meanwhile runs before others as well, until it ends.
    """
    before: dict[int, tuple[int, os.sched_param]] = {}
    is_in_front = hasattr(os, "sched_setscheduler") and _PROC.is_dir()
    try:
        for thread in _threads(pids) if is_in_front else ():
            with suppress(ProcessLookupError):  # It has ended since we looked.
                before[thread] = os.sched_getscheduler(thread), os.sched_getparam(thread)
                os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        is_in_front = False
    try:
        yield is_in_front
    finally:
        for thread, (policy, parameter) in before.items():
            # It has ended meanwhile, or it may not.
            with suppress(ProcessLookupError, PermissionError):
                os.sched_setscheduler(thread, policy, parameter)


def _threads(pids: Iterable[int]) -> Iterator[int]:
    """Yield the threads of these processes and their children."""
    processes = _processes()
    for child in processes:
        if any(_descends(child, pid, processes) for pid in pids):
            with suppress(FileNotFoundError, ProcessLookupError):  # It has ended since we looked.
                yield from (int(task.name) for task in (_PROC / str(child) / "task").iterdir())


def cpu_seconds(pid: int | None) -> float | None:
    """Return the processor time of a process and its children up to now, those that have ended as well.

    None where nobody tells, or for no process.
    """
    if pid is None or not _PROC.is_dir():
        return None
    processes = _processes()
    ticks = sum(used for child, (_, used) in processes.items() if _descends(child, pid, processes))
    return ticks / os.sysconf("SC_CLK_TCK")


#: Processes, each with its parent and the processor time that it and its ended children have used, in ticks.
_Processes = dict[int, tuple[int, float]]


def _processes() -> _Processes:
    processes: _Processes = {}
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            try:
                # The name, in parentheses, may hold anything: the fields begin behind it, with the state.
                fields = (entry / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue  # It has ended between our question and our look.
            # Its own time, and that of children which have ended: of a user and of the system each.
            processes[int(entry.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    return processes


def _descends(child: int, pid: int, processes: _Processes) -> bool:
    while child != pid:
        if child not in processes:
            return False
        child = processes[child][0]
    return True
