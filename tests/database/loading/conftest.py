"""An agency that sends files: each test writes rows, loads them and looks at the ledger."""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from contributions.resident_id import check_character
from database.loading import (
    LoadReport,
    bills,
    contributions,
    enrolments,
    load_bills,
    load_contributions,
    load_enrolments,
)
from database.vault import Vault

_KINDS = {
    "enrolments": (enrolments.COLUMNS, load_enrolments),
    "contributions": (contributions.COLUMNS, load_contributions),
    "bills": (bills.COLUMNS, load_bills),
}


def number(sequence: int) -> str:
    """A resident identity number of the region that is assigned to no place."""
    first17 = f"369999{1960 + sequence // 999}0101{sequence % 999 + 1:03d}"
    return first17 + check_character(first17)


class Agency:
    """Writes files and loads them, with a person's usual values where a test does not say others."""

    def __init__(self, connection: asyncpg.Connection, vault: Vault, directory: Path) -> None:
        self.connection = connection
        self.vault = vault
        self.directory = directory

    def write(self, kind: str, rows: Sequence[str], encoding: str = "utf-8") -> Path:
        path = self.directory / f"{kind}.csv"
        path.write_text("".join(f"{line}\n" for line in (",".join(_KINDS[kind][0]), *rows)), encoding=encoding)
        return path

    async def load_path(self, kind: str, path: Path, **options: Any) -> LoadReport:
        return await _KINDS[kind][1](self.connection, self.vault, path, **options)

    async def load(self, kind: str, *rows: str, **options: Any) -> LoadReport:
        return await self.load_path(kind, self.write(kind, rows), **options)

    async def enrol(self, *rows: str, **options: Any) -> LoadReport:
        return await self.load("enrolments", *rows, **options)

    async def contribute(self, *rows: str, **options: Any) -> LoadReport:
        return await self.load("contributions", *rows, **options)

    async def bill(self, *rows: str, **options: Any) -> LoadReport:
        return await self.load("bills", *rows, **options)

    async def enrolments(self) -> list[tuple[Any, ...]]:
        rows = await self.connection.fetch(
            """
            SELECT p.masked_resident_id, e.insurance, e.pooling_area, lower(e.months), upper(e.months) - 1
            FROM enrolments AS e INNER JOIN payers AS p ON e.payer_id = p.id ORDER BY p.id, e.insurance, e.months
            """
        )
        return [tuple(row) for row in rows]

    async def count(self, table: str) -> int:
        counted: int = await self.connection.fetchval(f"SELECT count(*) FROM {table}")
        return counted


def codes(report: LoadReport) -> list[tuple[int, str]]:
    """The line and the reason of each rejection."""
    return [(rejection.line, rejection.code) for rejection in report.rejections]


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def vault(connection: asyncpg.Connection, vault_key: bytes) -> Vault:
    return await Vault.open(connection, vault_key)


@pytest.fixture
def agency(connection: asyncpg.Connection, vault: Vault, tmp_path: Path) -> Agency:
    return Agency(connection, vault, tmp_path)


@pytest.fixture
def connect(database: str) -> Callable[[], Any]:
    """Another connection to the same database, for what happens at the same time."""
    return lambda: asyncpg.connect(database)
