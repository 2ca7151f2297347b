"""A real Redis, as tests need it: started on a port of its own, killed, and started again."""

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from tests.acceptance.gateway import free_port

START_TIMEOUT_SECONDS = 20.0
#: All that docs/operator.md lets the gateway's user do there.
RULES = "~gateway:budget:* -@all +evalsha +script|load +hmget +hset +pexpire +time +select"


class RedisServer:
    """One redis-server that keeps nothing on disk, with a user `gateway` and a password with signs of URLs in it."""

    def __init__(self, binary: str, directory: Path) -> None:
        self.port = free_port()
        self.password = f"p@ss/{secrets.token_hex(8)}"
        self.url = f"redis://gateway:{self.password.replace('@', '%40').replace('/', '%2F')}@127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None
        # No password on a command line, which everybody may read.
        self._configuration = directory / "redis.conf"
        self._configuration.write_text(
            f"bind 127.0.0.1\nport {self.port}\ndir {directory}\nsave ''\nappendonly no\n"
            f"requirepass {self.password}\nuser gateway on >{self.password} {RULES}\n"
        )
        self._binary = binary

    def administrator(self) -> redis.Redis:
        """Return a client that may do everything, as tests do and the gateway does not."""
        return redis.Redis(host="127.0.0.1", port=self.port, password=self.password, decode_responses=True)

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.process = subprocess.Popen([self._binary, str(self._configuration)], stdout=subprocess.DEVNULL)
        give_up_at = time.monotonic() + START_TIMEOUT_SECONDS
        with self.administrator() as client:
            while True:
                try:
                    client.ping()
                except (redis.ConnectionError, redis.TimeoutError):
                    assert self.process.poll() is None, "redis-server ended"
                    assert time.monotonic() < give_up_at, "redis-server does not answer"
                    time.sleep(0.02)
                else:
                    return

    def kill(self) -> None:
        """End it as a fault does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None


@contextmanager
def redis_server(directory: Path) -> Iterator[RedisServer]:
    """Give a running Redis; skip the test where there is no redis-server, unless the CI lacks it."""
    binary = shutil.which("redis-server")
    if binary is None:
        reason = "no redis-server here: apt-get install redis-server"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    server = RedisServer(binary, directory)
    try:
        server.start()
        yield server
    finally:
        if server.process is not None:
            server.kill()
