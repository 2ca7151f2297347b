"""`gateway audit`: the trail of who changed what, and whether it is whole."""

from typing import Annotated

import asyncpg
import typer

from database import audit
from gateway.settings import Settings
from gateway.work import complain, with_connection

app = typer.Typer(help="The audit trail.", no_args_is_help=True)


@app.command("verify")
def verify_command() -> None:
    """Look for entries that were changed, removed, swapped or put in, and name each; exit 1 when there are any."""

    async def work(connection: asyncpg.Connection, _settings: Settings) -> audit.Verdict:
        return await audit.verify(connection)

    verdict = with_connection(work)
    for fault in verdict.faults:
        typer.echo(str(fault))
    more = verdict.fault_count - len(verdict.faults)
    if more:
        typer.echo(f"and {more} more")
    counted = f"{verdict.entries} entries in {verdict.lanes} lanes"
    if verdict.fault_count:
        faults = "1 fault" if verdict.fault_count == 1 else f"{verdict.fault_count} faults"
        complain(f"The audit trail is not whole: {faults}, {counted}.")
        raise typer.Exit(1)
    typer.echo(f"The audit trail is whole: {counted}.")


@app.command("list")
def list_command(
    last: Annotated[int, typer.Option(min=1, max=audit.MAX_LISTED, help="How many of the latest entries.")] = 50,
) -> None:
    """List the latest entries, the newest last: when, who, what, of which thing, and what it is now."""
    for entry in with_connection(lambda connection, _: audit.latest(connection, last)):
        typer.echo(
            f"{entry.at.isoformat(timespec='milliseconds')} {entry.actor} {entry.action} {entry.subject} "
            f"{entry.detail} (lane {entry.lane}, position {entry.position})"
        )
