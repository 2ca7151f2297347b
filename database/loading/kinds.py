"""What tells one kind of file from another."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import asyncpg


@dataclass(frozen=True, slots=True)
class Taken:
    """How many rows a take-over inserted and how many existing ones it replaced."""

    loaded: int
    updated: int = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file, with its columns and its staging table.

    `name` is what the audit trail calls it. `parse` makes of a row's fields those of `staged_columns` in COPY's text
    format, with tabs between them, or raises RowRefused. `judge` sets the verdicts of the rows that have none,
    `take_over` moves those that still have none into the ledger.
    """

    name: str
    columns: tuple[str, ...]
    table: str
    table_sql: str
    staged_columns: tuple[str, ...]
    parse: Callable[[Sequence[str]], str]
    judge: Callable[[asyncpg.Connection], Awaitable[None]]
    take_over: Callable[[asyncpg.Connection], Awaitable[Taken]]
