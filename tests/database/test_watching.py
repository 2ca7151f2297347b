import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from database import watching
from database.embedded import EmbeddedPostgres
from database.processes import wait_until
from database.watching import kept_running

WAIT_SECONDS = 60.0


def pid_of(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])


def answers(url: str) -> bool:
    async def ask() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval("SELECT 1")
        finally:
            await connection.close()

    try:
        return bool(asyncio.run(ask()) == 1)
    except (OSError, asyncpg.PostgresError):
        return False


@pytest.mark.parametrize("taken_over", [False, True])
def test_a_server_that_was_killed_is_started_again_at_its_port(tmp_path: Path, taken_over: bool) -> None:
    started, server = EmbeddedPostgres(tmp_path), EmbeddedPostgres(tmp_path)
    with started as url, server, kept_running(server if taken_over else started):
        killed = pid_of(tmp_path)
        os.kill(killed, signal.SIGKILL)
        if taken_over:
            # Its own starter is who has to bury it.
            assert started._process is not None
            started._process.wait()
        assert wait_until(lambda: answers(url) and pid_of(tmp_path) != killed, WAIT_SECONDS)
    assert not answers(url)


def test_after_some_failures_in_a_row_it_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watching, "PAUSE_SECONDS", 0.01)
    server = EmbeddedPostgres(tmp_path)
    with server, kept_running(server):
        with (tmp_path / "postgres" / "postgresql.conf").open("a") as configuration:
            configuration.write("\nnonsense = on\n")
        os.kill(pid_of(tmp_path), signal.SIGKILL)
        last = f"({watching.MAX_TRIES} of {watching.MAX_TRIES})"
        assert wait_until(lambda: last in caplog.text, WAIT_SECONDS)
    assert caplog.text.count("could not be started again") == watching.MAX_TRIES
