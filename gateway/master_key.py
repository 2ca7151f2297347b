"""Where the master key comes from."""

import base64
import os
import secrets
from pathlib import Path

from gateway.settings import Settings, read_master_key

FILE_NAME = "master.key"


def master_key_of(settings: Settings) -> bytes:
    """Return the configured master key, or that of the data directory, made there the first time.

    Raises ValueError for a key that is not 32 bytes in base64.
    """
    if settings.master_key is not None:
        return read_master_key(settings.master_key.get_secret_value())
    path = settings.data_dir / FILE_NAME
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    try:
        return read_master_key(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        pass
    # Written aside and linked: of several processes that start at once, one file wins, and it is never half.
    fresh = _written_aside(path, secrets.token_bytes(32))
    try:
        path.hardlink_to(fresh)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return read_master_key(path.read_text(encoding="ascii"))


def replace_master_key_file(settings: Settings, key: bytes) -> Path | None:
    """Put the key into the data directory's file, and return its path; None where the setting says the key."""
    if settings.master_key is not None:
        return None
    path = settings.data_dir / FILE_NAME
    _written_aside(path, key).replace(path)
    return path


def _written_aside(path: Path, key: bytes) -> Path:
    fresh = path.with_name(f"{FILE_NAME}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(base64.b64encode(key).decode() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return fresh
