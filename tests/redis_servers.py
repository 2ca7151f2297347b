"""A real Redis, as tests need it: started on a port of its own, killed, and started again."""

import datetime
import ipaddress
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
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.acceptance.gateway import free_port

START_TIMEOUT_SECONDS = 20.0
#: All that docs/operator.md lets the gateway's user do there.
RULES = "~gateway:budget:* -@all +evalsha +script|load +hmget +hset +pexpire +time +select"


class RedisServer:
    """One redis-server that keeps nothing on disk, with TLS and without.

    Its user `gateway` has a password with the signs of URLs in it.
    """

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
        self._listen_with_tls(directory)

    def _listen_with_tls(self, directory: Path) -> None:
        """Have it listen with TLS as well, before it starts: at `tls_url`, which names no authority to trust.

        Its certificate, `tls_certificate`, is for 127.0.0.1 and its own authority.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name.from_rfc4514_string("CN=redis")
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        (directory / "tls.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (directory / "tls.key").write_bytes(private)
        port = free_port()
        with self._configuration.open("a") as configuration:
            configuration.write(
                f"tls-port {port}\ntls-cert-file {directory}/tls.pem\ntls-key-file {directory}/tls.key\n"
                "tls-auth-clients no\n"
            )
        self.tls_certificate = directory / "tls.pem"
        self.tls_url = self.url.replace("redis://", "rediss://").replace(f":{self.port}/", f":{port}/")

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
