"""`gateway keys`: the keys of the data at rest and of the tokens over their life."""

import os
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from database import data_keys
from database.vault import Vault
from gateway.master_key import master_key_of, replace_master_key_file
from gateway.settings import Settings, read_master_key
from gateway.signing_keys import rotate_signing_keys, signing_keys_table
from gateway.work import complain, with_connection

app = typer.Typer(help="The keys of the data at rest, and those that sign tokens.", no_args_is_help=True)
console = Console()

#: Read from the environment alone: an option would show in the list of processes.
NEW_MASTER_KEY = "GATEWAY_NEW_MASTER_KEY"


@app.command("list")
def list_command() -> None:
    """List the keys that sign tokens, and the data keys with how many rows each seals. No key itself is shown."""
    console.print(signing_keys_table())
    table = Table("id", "purpose", "made", "state", "rows")
    for key in with_connection(lambda connection, _: data_keys.list_keys(connection)):
        state = "current" if key.retired_at is None else f"retired {key.retired_at.isoformat(timespec='seconds')}"
        # The other keys index and number: nothing is sealed under them.
        rows = str(key.rows) if key.purpose == "IDENTITY" else ""
        table.add_row(str(key.id), key.purpose, key.created_at.isoformat(timespec="seconds"), state, rows)
    console.print(table)


@app.command("rotate")
def rotate_command(
    identity: Annotated[
        bool, typer.Option("--identity", help="The key that seals names, identity numbers and secrets.")
    ] = False,
    signing: Annotated[bool, typer.Option("--signing", help="The key that signs access tokens and answers.")] = False,
) -> None:
    """Make a new key in place of the current one, which goes on opening what it sealed or proving what it signed."""
    if identity == signing:
        complain("Say which key: --identity or --signing")
        raise typer.Exit(2)
    if signing:
        typer.echo(rotate_signing_keys())
        return
    made = with_connection(lambda connection, settings: data_keys.rotate(connection, master_key_of(settings)))
    typer.echo(f"data key {made} is current; gateway keys reencrypt seals the rows of before under it")


@app.command("reencrypt")
def reencrypt_command() -> None:
    """Seal every row under the current key, while the servers serve. Safe to end and to run again."""

    async def work(connection: asyncpg.Connection, settings: Settings) -> int:
        vault = await Vault.open(connection, master_key_of(settings))
        return await data_keys.reencrypt(connection, vault)

    typer.echo(f"{with_connection(work)} rows sealed anew")


@app.command("prune")
def prune_command() -> None:
    """Remove retired keys that seal nothing any more: what they sealed in old copies opens no more."""
    removed = with_connection(lambda connection, _: data_keys.prune(connection))
    for key_id in removed:
        typer.echo(f"removed data key {key_id}")
    if not removed:
        typer.echo(
            f"No key to remove: it must seal no row and be retired for {data_keys.PRUNE_AFTER_SECONDS:.0f} seconds."
        )


@app.command("rewrap")
def rewrap_command(
    new_master_key: Annotated[
        bool, typer.Option("--new-master-key", help=f"The one in the environment variable {NEW_MASTER_KEY}.")
    ] = False,
) -> None:
    """Wrap the data keys by a new master key. Safe to run again."""
    if not new_master_key:
        complain("Say by what: --new-master-key")
        raise typer.Exit(2)

    async def work(connection: asyncpg.Connection, settings: Settings) -> tuple[int, Path | None]:
        text = os.environ.get(NEW_MASTER_KEY)
        if text is None:
            raise ValueError(f"{NEW_MASTER_KEY} is not set: 32 random bytes in base64")
        new = read_master_key(text, NEW_MASTER_KEY)
        wrapped = await data_keys.rewrap(connection, master_key_of(settings), new)
        # After the commit: ended in between, the next run finds all wrapped and only writes the file.
        return wrapped, replace_master_key_file(settings, new)

    wrapped, file = with_connection(work)
    typer.echo(f"{wrapped} data keys wrapped by the new master key")
    if file is None:
        typer.echo("Set GATEWAY_MASTER_KEY to it and restart the servers, one by one: those that run go on meanwhile.")
    else:
        typer.echo(f"It is in {file} from now on. Restart the servers: those that run go on meanwhile.")
