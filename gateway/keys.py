"""The commands `gateway keys`."""

from typing import Annotated

import typer
from rich.console import Console

from gateway.signing_keys import rotate_signing_keys, signing_keys_table

console = Console()
app = typer.Typer(help="The keys that sign access tokens.", no_args_is_help=True)


@app.command("list")
def list_command() -> None:
    """List the keys: the next one, the one that signs, and those of before."""
    console.print(signing_keys_table())


@app.command("rotate")
def rotate_command(
    signing: Annotated[bool, typer.Option("--signing", help="Those that sign tokens; so far the only kind.")] = True,
) -> None:
    """Publish a new signing key now; it signs once every copy of the published keys holds it, in 20 minutes."""
    typer.echo(rotate_signing_keys())
