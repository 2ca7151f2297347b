"""The master key: the configured one, else one file of the data directory that is made once."""

import base64
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from gateway.master_key import FILE_NAME, master_key_of
from gateway.settings import Settings, read_master_key
from tests.acceptance.gateway import environment

KEY = bytes(range(32))
TEXT = base64.b64encode(KEY).decode()


def settings(directory: Path, master_key: str | None = None) -> Settings:
    return Settings(data_dir=directory, master_key=None if master_key is None else SecretStr(master_key))


def test_the_configured_key_is_used_and_nothing_is_made(tmp_path: Path) -> None:
    assert master_key_of(settings(tmp_path / "data", TEXT)) == KEY
    assert not (tmp_path / "data").exists()


def test_a_key_is_made_once(tmp_path: Path) -> None:
    key = master_key_of(settings(tmp_path / "new" / "data"))
    assert len(key) == 32
    assert master_key_of(settings(tmp_path / "new" / "data")) == key
    assert master_key_of(settings(tmp_path / "other")) != key


def test_only_its_owner_reads_the_file(tmp_path: Path) -> None:
    master_key_of(settings(tmp_path))
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == [FILE_NAME]


def test_eight_processes_at_once_make_one_key(tmp_path: Path) -> None:
    program = (
        "import sys; from gateway.master_key import master_key_of; from gateway.settings import Settings; "
        "print('up', flush=True); sys.stdin.readline(); print(master_key_of(Settings()).hex())"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env=environment(GATEWAY_DATA_DIR=str(tmp_path / "data")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    keys = {process.communicate(timeout=60)[0] for process in processes}
    assert keys == {master_key_of(settings(tmp_path / "data")).hex() + "\n"}
    assert [entry.name for entry in (tmp_path / "data").iterdir()] == [FILE_NAME]


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="must be 32 bytes in base64"):
        read_master_key(base64.b64encode(bytes(length)).decode())


@pytest.mark.parametrize("text", ["!", TEXT[:-1], TEXT + "x", f"{TEXT[:10]} {TEXT[10:]}"])
def test_what_is_no_base64_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="base64") as caught:
        read_master_key(text)
    assert text not in str(caught.value)


def test_a_damaged_file_is_told_and_never_replaced(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("half", encoding="ascii")
    with pytest.raises(ValueError, match="32 bytes"):
        master_key_of(settings(tmp_path))
    assert (tmp_path / FILE_NAME).read_text(encoding="ascii") == "half"


def test_white_space_around_a_key_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(f" {TEXT}\n\n", encoding="ascii")
    assert master_key_of(settings(tmp_path)) == KEY
