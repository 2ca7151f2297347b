"""`gateway documents`: the documents that a client is trusted with, and whether it may send others."""

from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from auth import documents
from gateway.execution.cost import MAX_OPERATION_COST
from gateway.execution.documents import DocumentStore, InvalidDocument
from gateway.execution.values import without_values
from gateway.settings import Settings
from gateway.work import with_connection
from schema.contract import schema
from schema.scopes import needs_of_field

app = typer.Typer(help="Trusted documents of clients.", no_args_is_help=True)
console = Console()

#: Bytes: four for each character that a document may have. A larger file is not read.
MAX_FILE_BYTES = 4 * documents.MAX_DOCUMENT_LENGTH

ClientId = Annotated[str, typer.Argument(metavar="CLIENT")]


@app.command("register")
def register_command(
    client_id: ClientId,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="GraphQL, of one operation or more.")],
) -> None:
    """Register documents of a client, all or none, and print their ids. Each must fit the schema and its limits."""

    async def work(connection: asyncpg.Connection, settings: Settings) -> list[str]:
        store = DocumentStore(
            schema._schema,
            needs_of_field,
            hide_suggestions=False,
            introspectable=settings.introspectable,
        )
        texts = [_read(store, file) for file in files]
        async with connection.transaction():
            return [await documents.register(connection, client_id, text) for text in texts]

    for id_, file in zip(with_connection(work), files, strict=True):
        typer.echo(f"{id_}  {file}")


def _read(store: DocumentStore, file: Path) -> str:
    """Return the text of a file that may be registered. Raises ValueError that names the file and the reason."""
    if file.stat().st_size > MAX_FILE_BYTES:
        raise ValueError(f"{file}: is larger than {MAX_FILE_BYTES} bytes")
    try:
        # As it stands: its id is the hash of these very bytes.
        text = file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: is not UTF-8") from error
    if len(text) > documents.MAX_DOCUMENT_LENGTH:
        raise ValueError(f"{file}: has more than {documents.MAX_DOCUMENT_LENGTH} characters")
    try:
        document = store.load(text)
    except InvalidDocument as invalid:
        raise ValueError(f"{file}: {without_values(invalid.errors[0].message)}") from invalid
    for name, operation in document.operations.items():
        points = operation.cost.points({})
        if points > MAX_OPERATION_COST:
            raise ValueError(f"{file}: {name or 'the operation'} costs {points} points, at most {MAX_OPERATION_COST}")
    return text


@app.command("list")
def list_command(client_id: ClientId) -> None:
    """List a client's trusted documents, and say whether it may send others."""

    async def work(
        connection: asyncpg.Connection, _settings: Settings
    ) -> tuple[list[tuple[str, object, str]], documents.ClientLimits]:
        kept = await documents.list_documents(connection, client_id)
        return [(id_, at, text) for id_, at, text in kept], await documents.limits_of(connection, client_id)

    kept, limits = with_connection(work)
    store = DocumentStore(schema._schema, needs_of_field, hide_suggestions=False, introspectable=True)
    table = Table("id", "operations", "registered at")
    for id_, at, text in kept:
        table.add_row(id_, _operations(store, text), f"{at:%Y-%m-%d %H:%M}")
    console.print(table)
    typer.echo(f"{client_id} may send {'these only' if limits.trusted_documents_only else 'others as well'}.")


def _operations(store: DocumentStore, text: str) -> str:
    try:
        return ", ".join(name or "(unnamed)" for name in store.load(text).operations)
    except InvalidDocument:
        return "(does not fit this version's schema)"


@app.command("remove")
def remove_command(client_id: ClientId, id_: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Trust a document no more. Servers see it within seconds."""
    with_connection(lambda connection, _: documents.remove(connection, client_id, id_))
    typer.echo(f"removed {id_}")


@app.command("limit")
def limit_command(
    client_id: ClientId, off: Annotated[bool, typer.Option("--off", help="Let it send any document again.")] = False
) -> None:
    """Limit a client to its trusted documents. Servers see it within seconds."""
    with_connection(lambda connection, _: documents.limit_to_trusted(connection, client_id, only=not off))
    typer.echo(f"{client_id} may send {'any document' if off else 'its trusted documents only'}")
