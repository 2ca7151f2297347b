"""The command `gateway`."""

import asyncio
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.table import Column, Table

from auth import clients, institutions, methods, scopes
from auth import documents as client_documents
from database.migrate import migrate, missing
from database.pool import connect
from database.vault import Vault
from gateway import audit, documents, keys, load, lookups, sandbox, signatures
from gateway.master_key import master_key_of
from gateway.outbox.commands import postings_app, tax_ledger_command, work_command
from gateway.peers import url_of
from gateway.settings import Settings, read_duration
from gateway.vouchers.command import verify_voucher
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
app.add_typer(postings_app, name="postings")
app.command("work")(work_command)
app.command("tax-ledger")(tax_ledger_command)
app.add_typer(signatures.app, name="payments")
clients_app.command("signing-keys")(signatures.register_keys)
institutions_app.command("require-signatures")(signatures.require)
app.command("verify-voucher")(verify_voucher)
app.add_typer(keys.app, name="keys")
app.add_typer(lookups.app, name="lookups")
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
            settings = settings.model_copy(update={"public_url": url_of(reached, port)})
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


@institutions_app.command("list")
def list_institutions() -> None:
    """List the institutions."""
    table = Table(Column("code", no_wrap=True), "name", "kind", "added")
    for one in with_connection(lambda connection, _: institutions.list_institutions(connection)):
        table.add_row(one.code, one.name, one.kind, one.created_at.isoformat(timespec="seconds"))
    console.print(table)


@institutions_app.command("require-strong")
def require_strong(code: str, off: Annotated[bool, typer.Option("--off", help="Allow secrets again.")] = False) -> None:
    """Limit an institution to private_key_jwt and tls_client_auth: its clients with secrets end at once."""
    ended = with_connection(lambda connection, _: institutions.require_strong(connection, code, required=not off))
    typer.echo(f"{code} may use secrets" if off else f"{code} is limited to {' and '.join(methods.STRONG)}")
    for client_id in [] if off else ended:
        typer.echo(f"ended {client_id}")


@clients_app.command("register")
def register_client(
    institution: Annotated[str, typer.Option(help="The institution's code.")],
    scope: Annotated[str, typer.Option(help=f"Separated by spaces, of: {', '.join(scopes.ALL)}")],
    channel: Annotated[str | None, typer.Option(help="Where the payer stands.")] = None,
    auth_method: Annotated[
        str, typer.Option(help=f"{methods.CLIENT_SECRET_BASIC}, {', '.join(methods.STRONG)}")
    ] = methods.CLIENT_SECRET_BASIC,
    jwks: Annotated[Path | None, typer.Option(help="A file with the client's public keys, a JWK set.")] = None,
    jwks_uri: Annotated[str | None, typer.Option(help="Where the client publishes them.")] = None,
    subject_dn: Annotated[str | None, typer.Option(help="The subject of its certificate (RFC 4514).")] = None,
    san_dns: Annotated[str | None, typer.Option(help="A DNS name of its certificate.")] = None,
    san_uri: Annotated[str | None, typer.Option(help="A URI of its certificate.")] = None,
    bound_tokens: Annotated[str | None, typer.Option(help="Require bound tokens: dpop, certificate.")] = None,
) -> None:
    """Register a client and print its id as JSON, with its secret if it has one: that is shown this once."""

    async def work(connection: asyncpg.Connection, _settings: Settings) -> dict[str, str]:
        bound = _binding(bound_tokens or "none")
        names = {methods.SUBJECT_DN: subject_dn, methods.SAN_DNS: san_dns, methods.SAN_URI: san_uri}
        given = {"jwks": jwks, "jwks-uri": jwks_uri, **names}
        one = [(what, value) for what, value in given.items() if value is not None]
        method: methods.Method | None
        match auth_method, one:
            case methods.CLIENT_SECRET_BASIC, []:
                client_id, secret = await clients.register(
                    connection, institution, channel, scope.split(), bound_tokens=bound
                )
                return {"client_id": client_id, "client_secret": secret}
            case methods.PRIVATE_KEY_JWT, [("jwks", Path() as file)]:
                method = methods.by_keys(file.read_bytes())
            case methods.PRIVATE_KEY_JWT, [("jwks-uri", str() as uri)]:
                sandbox = await connection.fetchval("SELECT sandbox FROM installation")
                method = methods.by_keys_at(uri, sandbox=bool(sandbox))
            case methods.TLS_CLIENT_AUTH, [(str() as name_type, str() as name)] if name_type in names:
                method = methods.by_certificate(name_type, name)
            case _:
                raise institutions.FieldError(
                    "auth-method",
                    f"{methods.CLIENT_SECRET_BASIC} alone, {methods.PRIVATE_KEY_JWT} with --jwks or --jwks-uri, or "
                    f"{methods.TLS_CLIENT_AUTH} with --subject-dn, --san-dns or --san-uri",
                )
        client_id = await clients.register_strong(
            connection, institution, channel, scope.split(), method, bound_tokens=bound
        )
        return {"client_id": client_id}

    typer.echo(json.dumps(with_connection(work)))


@clients_app.command("bind")
def bind_client(
    client_id: Annotated[str, typer.Argument(metavar="ID")],
    to: Annotated[str, typer.Argument(help="dpop, certificate; none for the institution's rule.")],
) -> None:
    """Require that a client's tokens are bound; those that are not end."""
    with_connection(lambda connection, _: clients.bind_tokens(connection, client_id, _binding(to)))
    typer.echo(f"tokens of {client_id} are bound to: {to}")


@institutions_app.command("bind")
def bind_institution(
    code: str, to: Annotated[str, typer.Argument(help="dpop, certificate; none for no rule.")]
) -> None:
    """Require that the tokens of an institution's clients are bound; those that are not end."""
    with_connection(lambda connection, _: clients.bind_institution_tokens(connection, code, _binding(to)))
    typer.echo(f"tokens of {code} are bound to: {to}")


def _binding(to: str) -> str | None:
    return None if to == "none" else to.upper()


@clients_app.command("list")
def list_clients() -> None:
    """List the clients."""
    table = Table(Column("client_id", no_wrap=True), "institution", "channel", "method", "scopes", "state")
    for client in with_connection(lambda connection, _: clients.list_clients(connection)):
        state = "sandbox" if client.sandbox else "active"
        if not client.usable(sandbox=True):
            state = "revoked" if client.revoked_at else "ended: strong methods only"
        scopes_ = " ".join(client.scopes)
        table.add_row(client.id, client.institution_code, client.channel or "", client.auth_method, scopes_, state)
    console.print(table)


@clients_app.command("rotate")
def rotate_client(
    client_id: Annotated[str, typer.Argument(metavar="ID")],
    overlap: Annotated[
        timedelta,
        typer.Option(parser=read_duration, metavar="DURATION", help="How long the old one still opens: 24h."),
    ] = timedelta(0),
) -> None:
    """Give a client a new secret and print it as JSON; the old one ends at once, or after the overlap."""
    secret = with_connection(lambda connection, _: clients.rotate(connection, client_id, overlap=overlap))
    typer.echo(json.dumps({"client_id": client_id, "client_secret": secret}))


@clients_app.command("keys")
def replace_keys(
    client_id: Annotated[str, typer.Argument(metavar="ID")], file: Annotated[Path, typer.Argument(metavar="FILE")]
) -> None:
    """Replace the keys of a client of private_key_jwt by those of a JWK set."""

    async def work(connection: asyncpg.Connection, _settings: Settings) -> None:
        await clients.replace_keys(connection, client_id, file.read_bytes())

    with_connection(work)
    typer.echo(f"replaced the keys of {client_id}")


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
