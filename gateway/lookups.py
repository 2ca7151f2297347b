"""`gateway lookups`: who is locked out of finding people. And what the server counts and logs of it."""

from typing import Annotated

import asyncpg
import structlog
import typer
from rich.console import Console
from rich.table import Table

from gateway.metrics import Metrics
from gateway.settings import Settings
from gateway.work import with_connection
from resolvers.lookups import Limits, Locked, Lookups

app = typer.Typer(help="Locks on finding people.", no_args_is_help=True)
console = Console()
log = structlog.get_logger("gateway.lookups")

#: Locks that are listed: what somebody reads. There is no telling how many numbers a fisher tries.
MAX_LISTED = 1000
_INDEX_BYTES = 16


def watched_lookups(settings: Settings, metrics: Metrics) -> Lookups:
    """Return a process's look-ups by the settings, counted in its metrics, each lock with a line in the log."""

    def on_failure(client_id: str, locked: Locked | None) -> None:
        metrics.lookup_failures.inc()
        if locked is not None:
            metrics.lookups_locked.labels(locked).inc()
            log.warning("look-ups locked", client_id=client_id, of=locked)

    limits = Limits(
        number=settings.lookup_failures_per_number,
        everywhere=settings.lookup_failures_everywhere,
        client=settings.lookup_failures_per_client,
        window=settings.lookup_window,
        lock=settings.lookup_lock,
        delay=settings.lookup_delay,
    )
    return Lookups(limits, on_failure)


@app.command("list")
def list_command() -> None:
    """List the locks there are: the client, the number's blind index or all, failures, until when."""

    async def work(connection: asyncpg.Connection, _settings: Settings) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await connection.fetch(
            """
            SELECT f.client_id, f.resident_id_index, f.failures, f.locked_until
            FROM lookup_failures AS f
            WHERE f.locked_until > now()
            ORDER BY f.locked_until DESC, f.client_id, f.resident_id_index
            LIMIT $1
            """,
            MAX_LISTED,
        )
        return rows

    table = Table("client_id", "number", "failures", "locked until")
    for client_id, number, failures, locked_until in with_connection(work):
        table.add_row(client_id, number.hex() or "all", str(failures), locked_until.isoformat(timespec="seconds"))
    console.print(table)


@app.command("unlock")
def unlock_command(
    client_id: Annotated[str, typer.Argument(metavar="CLIENT")],
    number: Annotated[str | None, typer.Option(help="The number's blind index, as listed; else every lock.")] = None,
) -> None:
    """End a client's locks, and forget the failures that led to them."""
    index = None if number is None else _index(number)

    async def work(connection: asyncpg.Connection, _settings: Settings) -> int:
        count: int = await connection.fetchval("SELECT unlock_lookups($1, $2)", client_id, index)
        return count

    typer.echo(f"{with_connection(work)} locks ended")


def _index(text: str) -> bytes:
    try:
        index = bytes.fromhex("" if text == "all" else text)
    except ValueError:
        index = b"?"
    # Somebody may have put the number itself here: it is not repeated.
    if len(index) not in (0, _INDEX_BYTES):
        raise typer.BadParameter("must be 'all' or the 32 characters that gateway lookups list shows")
    return index
