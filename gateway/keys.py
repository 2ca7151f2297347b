"""The commands `gateway keys`: the keys that sign access tokens."""

from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from auth.keys import PUBLISHED_AHEAD_SECONDS, list_signing_keys, rotate_signing_key
from database.vault import Vault
from gateway.master_key import master_key_of
from gateway.settings import SHANGHAI, Settings
from gateway.work import complain, with_connection

console = Console()
app = typer.Typer(help="The keys that sign access tokens.", no_args_is_help=True)


@app.command("list")
def list_keys() -> None:
    """List the keys: the one that signs, the next one, and those of before."""
    table = Table("id", "state", "signs from", "signs until")
    for key in with_connection(lambda connection, _: list_signing_keys(connection)):
        until = f"{key.retired_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}" if key.retired_at else ""
        table.add_row(key.id, key.state, f"{key.signs_from.astimezone(SHANGHAI):%Y-%m-%d %H:%M}", until)
    console.print(table)


@app.command()
def rotate(
    signing: Annotated[bool, typer.Option("--signing", help="Those that sign tokens; so far the only kind.")] = True,
) -> None:
    """Publish a new signing key now; it signs once every copy of the published keys holds it, in 20 minutes."""

    async def work(connection: asyncpg.Connection, settings: Settings) -> bool:
        return await rotate_signing_key(connection, await Vault.open(connection, master_key_of(settings)))

    if with_connection(work):
        typer.echo(f"published a new signing key; it signs in {PUBLISHED_AHEAD_SECONDS // 60} minutes")
        return
    complain("No key signs, or a new one is published already and has not begun to sign: see gateway keys list")
    raise typer.Exit(1)
