import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg
import pytest

from database.embedded import EmbeddedPostgres, EmbeddedPostgresError

# Where the distributions of Linux and Homebrew put a PostgreSQL's programs; None is the package's own.
INSTALLED = [
    *Path("/usr/lib/postgresql").glob("*/bin"),
    *Path("/usr").glob("pgsql-*/bin"),
    *Path("/opt/homebrew/opt").glob("postgresql@*/bin"),
]
HELPER_TIMEOUT_SECONDS = 120

USER = """
import sys
from pathlib import Path
from database.embedded import EmbeddedPostgres

with EmbeddedPostgres(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a cluster that has been made and stopped, to copy."""
    data_dir = tmp_path_factory.mktemp("made")
    with EmbeddedPostgres(data_dir):
        pass
    return data_dir


@pytest.fixture
def data_dir(made: Path, tmp_path: Path) -> Path:
    """A data directory of the test's own, with a cluster in it that is not running."""
    copy = tmp_path / "data"
    shutil.copytree(made, copy)
    owner = (made / "postgres").stat()
    for path in (copy / "postgres", *(copy / "postgres").rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    return copy


@contextmanager
def another_process(data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that uses the server of `data_dir`, with the URL it was given."""
    process = subprocess.Popen(
        [sys.executable, "-c", USER, data_dir], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
        process.communicate("", timeout=HELPER_TIMEOUT_SECONDS)
    finally:
        process.kill()
        process.communicate()


def ask(url: str, query: str) -> object:
    async def asked() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(asked())


def is_running(url: str) -> bool:
    try:
        ask(url, "SELECT 1")
    except OSError:
        return False
    return True


def server_pid(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])


@pytest.mark.parametrize("bin_dir", [None, *INSTALLED], ids=str)
def test_the_first_user_makes_and_starts_it_and_the_last_one_stops_it(bin_dir: Path | None, tmp_path: Path) -> None:
    for _ in range(2):
        with EmbeddedPostgres(tmp_path / "data", bin_dir) as url:
            assert url.startswith("postgresql://gateway:")
            assert url.endswith("/gateway")
            assert ask(url, "SELECT current_setting('server_encoding')") == "UTF8"
            assert ask(url, "SELECT current_setting('data_checksums')") == "on"
            assert ask(url, "SELECT current_setting('fsync')") == "on"
            assert ask(url, "SELECT current_setting('listen_addresses')") == "127.0.0.1"
            ask(url, "CREATE EXTENSION IF NOT EXISTS btree_gist")
        assert not is_running(url)
        assert not (tmp_path / "data" / "postgres" / "postmaster.pid").exists()


def test_only_the_password_lets_in_and_only_its_owner_reads_it(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as url:
        password = (data_dir / "postgres.password").read_text()
        assert stat.S_IMODE((data_dir / "postgres.password").stat().st_mode) == 0o600
        with pytest.raises(asyncpg.InvalidPasswordError):
            ask(url.replace(password, "another"), "SELECT 1")
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
            ask(url.replace("gateway:", "postgres:"), "SELECT 1")
        assert ask(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False


def test_its_programs_inherit_neither_the_master_key_nor_a_locale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    initdb = tmp_path / "initdb"
    initdb.write_text("#!/bin/sh\nenv\nexit 1\n")
    initdb.chmod(0o755)
    monkeypatch.setenv("GATEWAY_MASTER_KEY", "secret")
    monkeypatch.setenv("LC_ALL", "tlh_KX.UTF-8")
    with pytest.raises(EmbeddedPostgresError, match="LC_ALL=C") as failed:
        EmbeddedPostgres(tmp_path / "data", tmp_path).__enter__()
    assert "GATEWAY_MASTER_KEY" not in str(failed.value)
    assert "tlh_KX" not in str(failed.value)


def test_several_processes_share_one_server_and_the_last_stops_it(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as first:
        with another_process(data_dir) as (_, second):
            assert second == first
            with EmbeddedPostgres(data_dir) as third:
                assert third == first
        assert is_running(first)
    assert not is_running(first)


def test_the_server_stays_for_the_others_when_the_process_that_started_it_leaves(data_dir: Path) -> None:
    with ExitStack() as second:
        with another_process(data_dir) as (_, url):
            assert second.enter_context(EmbeddedPostgres(data_dir)) == url
        assert is_running(url)
    assert not is_running(url)


def test_processes_that_start_together_make_one_cluster_and_one_server(tmp_path: Path) -> None:
    with ExitStack() as others:
        starting = [
            others.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", USER, tmp_path / "data"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(4)
        ]
        urls = {process.stdout.readline().strip() for process in starting if process.stdout is not None}
        (url,) = urls
        assert is_running(url)
        for process in starting:
            process.communicate("", timeout=HELPER_TIMEOUT_SECONDS)
    assert [process.returncode for process in starting] == [0] * 4
    assert not is_running(url)


def test_a_server_whose_owner_was_killed_is_taken_over_and_stopped(data_dir: Path) -> None:
    with another_process(data_dir) as (process, url):
        process.kill()
    assert is_running(url)
    with EmbeddedPostgres(data_dir) as taken_over:
        assert taken_over == url
    assert not is_running(url)


def test_the_server_holds_no_pipe_of_its_starter_and_is_not_in_its_session(data_dir: Path) -> None:
    script = USER.replace("sys.stdin.read()", "import os; os.kill(os.getpid(), 9)")
    # Reads the pipes to their end, which does not come while a process has them open.
    killed = subprocess.run(
        [sys.executable, "-c", script, data_dir],
        capture_output=True,
        text=True,
        timeout=HELPER_TIMEOUT_SECONDS,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert is_running(killed.stdout.strip())
    with EmbeddedPostgres(data_dir):
        assert os.getsid(server_pid(data_dir)) != os.getsid(0)


def test_a_server_that_was_killed_starts_again_at_the_same_port(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as url:
        ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
        os.kill(server_pid(data_dir), signal.SIGKILL)
        # The first user is still there, as the gateway would be, when a command comes.
        with another_process(data_dir) as (_, again):
            assert again == url
            assert ask(url, "SELECT answer FROM kept") == 42
        assert is_running(url)
    assert not is_running(url)


def test_a_stranger_with_the_number_of_a_server_that_was_killed_is_not_taken_for_it(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir):
        pid_file = data_dir / "postgres" / "postmaster.pid"
        pid = server_pid(data_dir)
        os.kill(pid, signal.SIGKILL)
    owner = (data_dir / "postgres").stat()
    as_owner = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    with subprocess.Popen(["sleep", "600"], cwd="/", **as_owner) as stranger:  # type: ignore[call-overload]
        pid_file.write_text(pid_file.read_text().replace(str(pid), str(stranger.pid), 1))
        with EmbeddedPostgres(data_dir) as url:
            assert is_running(url)
        assert stranger.poll() is None
        stranger.kill()


def test_a_cluster_that_was_never_finished_is_made_anew(tmp_path: Path) -> None:
    unfinished = tmp_path / "postgres.new-abandoned"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(tmp_path) as url:
        assert is_running(url)
    assert not unfinished.exists()


def test_what_keeps_it_from_starting_is_said_and_keeps_nobody_waiting(data_dir: Path) -> None:
    configuration = data_dir / "postgres" / "postgresql.conf"
    sound = configuration.read_text()
    configuration.write_text(sound + "\nnonsense = on\n")
    with pytest.raises(EmbeddedPostgresError, match="nonsense"), EmbeddedPostgres(data_dir):
        pass
    configuration.write_text(sound)
    with EmbeddedPostgres(data_dir) as url:
        assert is_running(url)


def test_programs_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="initdb is not in"):
        EmbeddedPostgres(tmp_path / "data", tmp_path / "empty").__enter__()


def test_the_log_keeps_nothing_of_what_statements_carry(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as url, pytest.raises(asyncpg.InvalidDatetimeFormatError):
        ask(url, "SELECT '369999198503120010 陈晓兰'::date")
    written = (data_dir / "postgres.log").read_text()
    assert "ready to accept connections" in written
    assert "369999198503120010" not in written
    assert "陈晓兰" not in written


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what PostgreSQL's own user cannot pass through")
class TestAsRoot:
    def test_it_runs_below_a_directory_that_only_root_may_pass_through(self, tmp_path: Path) -> None:
        private = tmp_path / "private"
        private.mkdir(mode=0o700)
        with EmbeddedPostgres(private / "data") as url:
            assert is_running(url)
            assert (private / "data" / "postgres").stat().st_uid != 0
        assert not is_running(url)

    def test_without_setpriv_it_says_which_directory_to_open(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        private = tmp_path / "private"
        private.mkdir(mode=0o700)
        monkeypatch.setenv("PATH", "/nonexistent")
        with pytest.raises(EmbeddedPostgresError, match=r"may not pass through (/.+): .* \(chmod o\+x \1\)"):
            EmbeddedPostgres(private / "data").__enter__()

    def test_a_cluster_that_was_given_to_root_is_named(self, data_dir: Path) -> None:
        os.chown(data_dir / "postgres", 0, 0)
        with pytest.raises(EmbeddedPostgresError, match="chown -R"):
            EmbeddedPostgres(data_dir).__enter__()
