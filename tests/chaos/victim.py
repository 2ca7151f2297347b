"""The server that is killed: `gateway serve` with two workers over its own embedded PostgreSQL, and ways to kill it."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.acceptance.gateway import START_TIMEOUT_SECONDS, STOP_TIMEOUT_SECONDS, environment, free_port

WORKERS = 2


class Victim:
    """One data directory and whichever server serves it now, at one port for all of them."""

    def __init__(self, directory: Path) -> None:
        self.data_dir = directory / "data"
        self.log = directory / "server.log"
        self.settings = {
            "GATEWAY_DATA_DIR": str(self.data_dir),
            # Short, so that a run sees statements and locks time out.
            "GATEWAY_STATEMENT_TIMEOUT": "4s",
        }
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, once, and wait until it is ready: a server that was killed starts without a hand's help."""
        command = [sys.executable, "-m", "gateway", "serve", "--sandbox"]
        command += ["--port", str(self.port), "--workers", str(WORKERS)]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env=environment(**self.settings),
                stdout=subprocess.DEVNULL,
                stderr=output,
                start_new_session=True,
            )
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until a worker answers that it can serve. Fails when the server has ended by itself."""
        give_up_at = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < give_up_at:
            self.check_alive()
            try:
                if httpx.get(f"{self.base_url}/readyz", timeout=5, trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                pass  # It does not listen, or lost its worker just now.
            time.sleep(0.05)
        raise AssertionError(f"not ready in time:\n{self._tail()}")

    def check_alive(self) -> None:
        """Fail when the server has ended though nobody killed it."""
        assert self._process is not None
        assert self._process.poll() is None, f"the server ended by itself:\n{self._tail()}"

    def stop(self) -> int:
        """End the server in order and return its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOP_TIMEOUT_SECONDS)

    def leave_nothing(self) -> None:
        """Kill what a run that failed has left of its server and its PostgreSQL."""
        if self._process is not None and self._process.poll() is None:
            self.kill_group()
        postmaster = self._postmaster()
        if postmaster is not None:
            _kill(postmaster)

    def kill_worker(self, rng: random.Random) -> bool:
        """SIGKILL one worker, and say whether there was one."""
        workers = self._workers()
        return bool(workers) and _kill(rng.choice(workers))

    def kill_postmaster(self) -> bool:
        """SIGKILL PostgreSQL's first process, and say whether it was there."""
        postmaster = self._postmaster()
        return postmaster is not None and _kill(postmaster)

    def kill_parent(self) -> None:
        """SIGKILL the process that holds the workers, which are to end by themselves."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def kill_group(self) -> None:
        """SIGKILL the whole server at once, its PostgreSQL excepted, as the out-of-memory killer may."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _workers(self) -> list[int]:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        try:
            found = [int(pid) for pid in children.read_text().split()]
        except FileNotFoundError:
            return []
        return [pid for pid in found if "spawn_main" in _command(pid)]

    def _postmaster(self) -> int | None:
        try:
            pid = int((self.data_dir / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        return pid if str(self.data_dir) in _command(pid) else None

    def _tail(self) -> str:
        return self.log.read_text("utf-8", errors="replace")[-4000:]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
