"""What every command does around its work: settings, the database, and errors told in one line."""

import asyncio
import os
import pwd
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import TypeVar

import asyncpg
import typer
from pydantic import SecretStr, ValidationError

from contributions.problems import BadInput
from database.embedded import EmbeddedPostgres
from database.loading import FileRefused, LedgerChanged
from database.migrate import MigrationChanged
from database.pool import connect
from database.programs import EmbeddedPostgresError
from database.sandbox import NotASandbox
from database.vault import WrongMasterKey
from database.watching import kept_running
from gateway.settings import Settings

Result = TypeVar("Result")

#: What a shell reports of a program that SIGTERM ended.
SIGTERM_STATUS = 128 + signal.SIGTERM


def end_on_sigterm(status: int) -> None:
    """Turn SIGTERM into SystemExit, so that what was started is ended with us, at any moment."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        sys.exit(status)

    signal.signal(signal.SIGTERM, end)


def complain(message: str) -> None:
    """Say on standard error what the operator should know, unwrapped: a line is a line."""
    typer.echo(message, err=True)


#: What the operator can mend: told in one line, without a stack trace.
_EXPECTED = (
    BadInput,
    EmbeddedPostgresError,
    FileRefused,
    LedgerChanged,
    MigrationChanged,
    NotASandbox,
    WrongMasterKey,
    ValueError,
    LookupError,
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.UndefinedTableError,
)


def operator() -> str:
    """Whom the audit trail names for a command: the operating system's user, whatever the environment says."""
    user = os.getuid()
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        # A container's user need not be in /etc/passwd.
        name = str(user)
    return f"operator:{name}"


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """End with status 1 and one line on standard error for what the operator can mend."""
    try:
        yield
    except ValidationError as error:
        for entry in error.errors(include_url=False, include_context=False, include_input=False):
            where = ".".join(str(part) for part in entry["loc"])
            message = entry["msg"].removeprefix("Value error, ")
            complain(f"GATEWAY_{where.upper()}: {message}" if where else message)
        raise typer.Exit(1) from None
    except _EXPECTED as error:
        complain(str(error) or type(error).__name__)
        raise typer.Exit(1) from None


@contextmanager
def database_of(settings: Settings, *, keep_running: bool = False) -> Iterator[Settings]:
    """Return the settings with their database: the configured one, else the embedded one while in use.

    With `keep_running` an embedded one that dies is started again.
    """
    if settings.database_url is not None:
        yield settings
        return
    postgres = EmbeddedPostgres(settings.data_dir, settings.postgres_bin)
    with postgres as url, kept_running(postgres) if keep_running else nullcontext():
        yield settings.model_copy(update={"database_url": SecretStr(url)})


def with_connection(work: Callable[[asyncpg.Connection, Settings], Awaitable[Result]]) -> Result:
    """Run one piece of work over a connection to the configured database."""

    async def run(settings: Settings) -> Result:
        assert settings.database_url is not None
        connection = await connect(settings.database_url.get_secret_value(), actor=operator())
        try:
            return await work(connection, settings)
        finally:
            await connection.close()

    with told_in_one_line(), database_of(Settings()) as settings:
        return asyncio.run(run(settings))
