"""`gateway load`: the files that agencies send."""

import tomllib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Protocol

import asyncpg
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from database.loading import (
    LoadReport,
    load_bills,
    load_contributions,
    load_enrolments,
    load_policy,
)
from database.vault import Vault
from gateway.master_key import master_key_of
from gateway.settings import Settings
from gateway.work import complain, with_connection

app = typer.Typer(help="Take over a file that an agency sent.", no_args_is_help=True)
#: Where the bar is drawn.
terminal = Console(stderr=True)

#: A policy is a page of amounts.
MAX_POLICY_BYTES = 65_536

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]
AcceptValid = Annotated[
    bool, typer.Option("--accept-valid", help="Load the good rows and write the bad ones to FILE.rejects.csv.")
]


class _Load(Protocol):
    def __call__(
        self,
        connection: asyncpg.Connection,
        vault: Vault,
        file: Path,
        *,
        accept_valid: bool,
        progress: Callable[[int], None] | None,
    ) -> Awaitable[LoadReport]: ...


@app.command("policy")
def policy_command(file: File) -> None:
    """Load the schedule of one insurance, year and pooling area (TOML)."""

    async def work(connection: asyncpg.Connection, _settings: Settings) -> LoadReport:
        if file.stat().st_size > MAX_POLICY_BYTES:
            raise ValueError(f"{file}: a policy is at most {MAX_POLICY_BYTES} bytes")
        try:
            document = tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{file}: {error}") from error
        return await load_policy(connection, document)

    _tell(with_connection(work))


@app.command("enrolments")
def enrolments_command(file: File, accept_valid: AcceptValid = False) -> None:
    """Load who is enrolled in what, from which month to which (CSV)."""
    _load(load_enrolments, file, accept_valid)


@app.command("contributions")
def contributions_command(file: File, accept_valid: AcceptValid = False) -> None:
    """Load months that were paid elsewhere (CSV)."""
    _load(load_contributions, file, accept_valid)


@app.command("bills")
def bills_command(file: File, accept_valid: AcceptValid = False) -> None:
    """Load bills that an agency assessed (CSV)."""
    _load(load_bills, file, accept_valid)


def _load(load: _Load, file: Path, accept_valid: bool) -> None:
    async def work(connection: asyncpg.Connection, settings: Settings) -> LoadReport:
        vault = await Vault.open(connection, master_key_of(settings))
        with _progress(file) as progress:
            return await load(connection, vault, file, accept_valid=accept_valid, progress=progress)

    _tell(with_connection(work))


@contextmanager
def _progress(file: Path) -> Iterator[Callable[[int], None] | None]:
    """Show a bar on a terminal, and nothing elsewhere."""
    if not terminal.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=terminal, transient=True) as bar:
        task = bar.add_task(file.name, total=_rows_about(file))
        yield lambda rows: bar.update(task, completed=rows)


def _rows_about(file: Path) -> int | None:
    """Guess the number of rows from the length of the first of them."""
    sample = 65_536
    with file.open("rb") as source:
        lines = source.read(sample).count(b"\n")
    size = file.stat().st_size
    return max(lines * size // min(size, sample) - 1, 1) if lines else None


def _tell(report: LoadReport) -> None:
    for rejection in report.rejections:
        complain(str(rejection))
    kept = len(report.rejections)
    if report.rejected > kept:
        complain(f"and {report.rejected - kept} more")
    typer.echo(
        f"{report.rows_read} rows read: {report.loaded} loaded, {report.updated} updated, "
        f"{report.unchanged} unchanged, {report.rejected} rejected"
    )
    if report.rejects_file is not None:
        typer.echo(f"The rejected rows are in {report.rejects_file}")
    if not report.taken_over:
        complain("Nothing was loaded. Mend the rows, or load the good ones with --accept-valid.")
        raise typer.Exit(1)
