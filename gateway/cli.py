"""The command `gateway`."""

import asyncio
import json
import sys
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from auth import clients, institutions, scopes
from auth import documents as client_documents
from database.migrate import migrate, missing
from database.pool import connect
from database.vault import Vault
from gateway import audit, documents, load, sandbox
from gateway.master_key import master_key_of
from gateway.settings import Settings
from gateway.work import (
    SIGTERM_STATUS,
    complain,
    database_of,
    end_on_sigterm,
    operator,
    told_in_one_line,
    with_connection,
)

console = Console()


def _described_settings() -> str:
    lines = ["Settings, in the environment or a file .env:", ""]
    for name, field in Settings.model_fields.items():
        lines.append(f"`GATEWAY_{name.upper()}` {field.description}\n")
    return "\n".join(lines)


app = typer.Typer(
    help="The gateway through which partner banks collect social insurance contributions.",
    epilog=_described_settings(),
    rich_markup_mode="markdown",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
institutions_app = typer.Typer(help="Banks, agencies and the tax authority.", no_args_is_help=True)
clients_app = typer.Typer(help="OAuth clients of the institutions.", no_args_is_help=True)
app.add_typer(load.app, name="load")
app.add_typer(institutions_app, name="institutions")
app.add_typer(clients_app, name="clients")
app.add_typer(audit.app, name="audit")
app.add_typer(documents.app, name="documents")


@app.callback()
def main() -> None:
    """Run before every command."""
    end_on_sigterm(SIGTERM_STATUS)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes; two for each core at the most.")] = 1,
    sandbox_: Annotated[bool, typer.Option("--sandbox", help="Load and serve the sandbox.")] = False,
) -> None:
    """Serve the API. Ends at SIGTERM with exit 0, its workers and its embedded PostgreSQL with it."""
    from gateway.server import run_server

    end_on_sigterm(status=0)
    with told_in_one_line():
        settings = Settings(sandbox=True) if sandbox_ else Settings()
        if settings.public_url is None:
            reached = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 -- compared, not bound
            settings = settings.model_copy(update={"public_url": f"http://{reached}:{port}"})
        with database_of(settings, keep_running=True) as ready:
            asyncio.run(_prepare(ready))
            typer.echo(f"Serving {'the sandbox ' if ready.sandbox else ''}at {ready.public_url}/graphql")
            run_server(ready, host, port, workers)


async def _prepare(settings: Settings) -> None:
    """Bring the sandbox's database up to date, and check any other."""
    assert settings.database_url is not None
    # PgBouncer takes no actor: a server that may stand behind it changes nothing here.
    actor = operator() if settings.sandbox else None
    connection = await connect(settings.database_url.get_secret_value(), actor=actor)
    try:
        if settings.sandbox:
            await sandbox.prepare(connection, master_key_of(settings))
            return
        behind = await missing(connection)
        if behind:
            complain(f"The database lacks the migrations {', '.join(behind)}. Run: gateway migrate")
            sys.exit(1)
    finally:
        await connection.close()


@app.command("migrate")
def migrate_command() -> None:
    """Bring the database up to date."""

    async def work(connection: asyncpg.Connection, settings: Settings) -> list[str]:
        applied = await migrate(connection)
        await Vault.open(connection, master_key_of(settings))
        return applied

    applied = with_connection(work)
    for name in applied:
        typer.echo(f"applied {name}")
    if not applied:
        typer.echo("The database is up to date.")


@institutions_app.command("add")
def add_institution(
    code: str, name: str, kind: Annotated[str, typer.Option(help=", ".join(institutions.KINDS))] = "BANK"
) -> None:
    """Add an institution."""
    with_connection(lambda connection, _: institutions.add(connection, code, name, kind))
    typer.echo(f"added {code}")


@clients_app.command("register")
def register_client(
    institution: Annotated[str, typer.Option(help="The institution's code.")],
    scope: Annotated[str, typer.Option(help=f"Separated by spaces, of: {', '.join(scopes.ALL)}")],
    channel: Annotated[str | None, typer.Option(help="Where the payer stands.")] = None,
) -> None:
    """Register a client and print its id and secret as JSON: the secret is shown this once."""

    async def work(connection: asyncpg.Connection, _settings: Settings) -> tuple[str, str]:
        return await clients.register(connection, institution, channel, scope.split())

    client_id, secret = with_connection(work)
    typer.echo(json.dumps({"client_id": client_id, "client_secret": secret}))


@clients_app.command("list")
def list_clients() -> None:
    """List the clients."""
    table = Table("client_id", "institution", "channel", "scopes", "state")
    for client in with_connection(lambda connection, _: clients.list_clients(connection)):
        state = "revoked" if client.revoked_at else "sandbox" if client.sandbox else "active"
        table.add_row(client.id, client.institution_code, client.channel or "", " ".join(client.scopes), state)
    console.print(table)


@clients_app.command("rotate")
def rotate_client(client_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Give a client a new secret and print it as JSON; the old one ends at once."""
    secret = with_connection(lambda connection, _: clients.rotate(connection, client_id))
    typer.echo(json.dumps({"client_id": client_id, "client_secret": secret}))


@clients_app.command("revoke")
def revoke_client(client_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Revoke a client: it gets no more tokens, and those it holds end."""
    with_connection(lambda connection, _: clients.revoke(connection, client_id))
    typer.echo(f"revoked {client_id}")


@clients_app.command("budget")
def budget_client(
    client_id: Annotated[str, typer.Argument(metavar="ID")],
    points: Annotated[
        str, typer.Argument(metavar="N", help="Points a minute; 0 for no limit, default for none of its own.")
    ],
) -> None:
    """Give a client a budget of its own, or `default` for the setting's. Servers see it within seconds."""
    if points != "default" and not points.isdecimal():
        raise typer.BadParameter("must be a number of points a minute, or default")
    budget = None if points == "default" else int(points)
    with_connection(lambda connection, _: client_documents.set_budget(connection, client_id, budget))
    typer.echo(
        f"{client_id}: {'the default' if budget is None else f'{budget:,} points a minute' if budget else 'no limit'}"
    )


@app.command()
def demo() -> None:
    """Play the main job against a real server over HTTP, in a sandbox database of its own."""
    from gateway.demo import play

    with told_in_one_line(), database_of(Settings(sandbox=True)) as settings:
        raise typer.Exit(play(settings))
