"""`gateway work`, `gateway postings` and `gateway tax-ledger`."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from database.migrate import missing
from database.pool import connect
from gateway.logs import configure_logs
from gateway.outbox import postings
from gateway.settings import Settings
from gateway.work import complain, database_of, end_on_sigterm, told_in_one_line, with_connection

postings_app = typer.Typer(help="Messages to the tax ledger that are not acknowledged.", no_args_is_help=True)
console = Console()


def work_command() -> None:
    """Post payments to the tax ledger and notify banks. Ends at SIGTERM with exit 0, after what is under way."""
    from gateway.outbox.running import run_worker

    end_on_sigterm(status=0)
    with told_in_one_line(), database_of(Settings(), keep_running=True) as settings:
        configure_logs(settings.log_level)
        asyncio.run(_check(settings))
        asyncio.run(run_worker(settings))


async def _check(settings: Settings) -> None:
    assert settings.database_url is not None
    connection = await connect(settings.database_url.get_secret_value())
    try:
        behind = await missing(connection)
    finally:
        await connection.close()
    if behind:
        complain(f"The database lacks the migrations {', '.join(behind)}. Run: gateway migrate")
        sys.exit(1)


@postings_app.command("list")
def list_command(
    failed: Annotated[
        bool, typer.Option("--failed", help="Those alone that are not sent again by themselves.")
    ] = False,
    last: Annotated[int, typer.Option(min=1, max=postings.MAX_LISTED, help="How many of the latest.")] = 50,
) -> None:
    """List what the tax ledger has not acknowledged, the newest last."""

    async def work(connection: asyncpg.Connection, _settings: Settings) -> list[postings.Posting]:
        return await postings.unacknowledged(connection, failed=failed, last=last)

    table = Table("id", "institution", "bank reference", "kind", "since", "tries", "state", "last error")
    for posting in with_connection(work):
        table.add_row(
            str(posting.id),
            posting.institution_code,
            posting.bank_reference,
            posting.kind,
            posting.enqueued_at.isoformat(timespec="seconds"),
            str(posting.attempts),
            "failed" if posting.failed_at else "waiting",
            posting.last_error or "",
        )
    console.print(table)


@postings_app.command("retry")
def retry_command(
    ids: Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="As the list shows them.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that failed.")] = False,
) -> None:
    """Send again what failed: these, each with the other failed ones of its payment, or all."""
    if bool(ids) == everything:
        complain("Name the postings to send again, or --all")
        raise typer.Exit(2)

    async def work(connection: asyncpg.Connection, _settings: Settings) -> int:
        return await postings.retry(connection, None if everything else ids)

    count = with_connection(work)
    typer.echo(f"{count} to be sent again")
    if count == 0 and ids:
        raise typer.Exit(1)


def tax_ledger_command(
    ledger: Annotated[Path, typer.Option(help="The file that it keeps its ledger in.")],
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8100,
    fail: Annotated[float, typer.Option(min=0, max=1, help="Of its calls fail; half of these are posted.")] = 0.0,
    twice: Annotated[float, typer.Option(min=0, max=1, help="Of its calls are answered twice.")] = 0.0,
    slow_seconds: Annotated[float, typer.Option(min=0, max=600, help="Before each answer.")] = 0.0,
    seed: Annotated[int, typer.Option(help="The same makes the same faults.")] = 0,
) -> None:
    """Run the stand-in for the tax ledger at 127.0.0.1, with GATEWAY_POSTING_SECRET. GET / tells its counts."""
    from gateway.outbox.tax_ledger import Faults
    from gateway.outbox.tax_ledger_server import listening_socket, run_tax_ledger

    with told_in_one_line():
        settings = Settings()
        if settings.posting_secret is None:
            raise ValueError("GATEWAY_POSTING_SECRET is not set: nothing could be verified")
        configure_logs(settings.log_level)
        secret: SecretStr = settings.posting_secret
        with listening_socket(port) as listener:
            typer.echo(f"The tax ledger's stand-in is at http://127.0.0.1:{port}/")
            run_tax_ledger(listener, ledger, secret.get_secret_value(), Faults(fail, twice, slow_seconds, seed))
