"""The sandbox: fictional people and the guide's figures, in a database that is nothing else."""

import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg

from database.loading import LoadReport, load_bills, load_contributions, load_enrolments, load_policy
from database.vault import Vault

# The contract's business date of the sandbox, in the guide's first month of collection by the tax authority.
BUSINESS_DATE: Final = "2020-11-16"
# Public by the contract, and refused outside the sandbox.
CLIENT_SECRET: Final = "sandbox"  # noqa: S105

# A one-key advisory lock, as the loads' own: of several processes that start at once, one fills the database.
_LOCK: Final = -2

_DIRECTORY: Final = Path(__file__).parent


class NotASandbox(Exception):
    """The database holds something else; nothing of it was changed."""


async def load_sandbox(connection: asyncpg.Connection, vault: Vault, *, hash_secret: Callable[[str], str]) -> bool:
    """Fill an empty, migrated database with the sandbox, in one transaction; return whether it was filled.

    False means that it is a sandbox already, whatever has been paid in it since. Several processes may call this
    at once. `hash_secret` makes of a client's secret what is stored of it. Raises NotASandbox for a database that
    is in production, or has institutions or payers of another origin.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        sandbox = await connection.fetchval("SELECT sandbox FROM installation")
        if sandbox:
            return False
        if sandbox is not None or await connection.fetchval(
            "SELECT EXISTS (SELECT 1 FROM institutions) OR EXISTS (SELECT 1 FROM payers)"
        ):
            raise NotASandbox(
                "this database is no sandbox: start the server without --sandbox, or give the sandbox another database"
            )
        await connection.execute("INSERT INTO installation (sandbox) VALUES (TRUE)")
        await _add_institutions_and_clients(connection, hash_secret)
        for policy in policies():
            await load_policy(connection, policy)
        for load, name in (
            (load_enrolments, "enrolments"),
            (load_contributions, "contributions"),
            (load_bills, "bills"),
        ):
            report = await load(connection, vault, _DIRECTORY / f"{name}.csv", accept_valid=False)
            _expect_whole(name, report)
    return True


def policies() -> Iterator[dict[str, Any]]:
    """The published schedules of the sandbox, as tomllib reads them."""
    for path in sorted((_DIRECTORY / "policies").glob("*.toml")):
        yield _read_toml(path)


@dataclass(frozen=True, slots=True)
class SandboxClient:
    """A client of the sandbox; its secret is CLIENT_SECRET. `channel` is None for an agency's."""

    id: str
    institution: str
    channel: str | None
    scopes: tuple[str, ...]


def clients() -> Sequence[SandboxClient]:
    """The clients that a sandbox is filled with."""
    document = _read_toml(_DIRECTORY / "institutions.toml")
    return tuple(
        SandboxClient(
            entry["id"], entry["institution"], entry.get("channel"), tuple(document["scopes"][entry["scopes"]])
        )
        for entry in document["clients"]
    )


async def _add_institutions_and_clients(connection: asyncpg.Connection, hash_secret: Callable[[str], str]) -> None:
    document = _read_toml(_DIRECTORY / "institutions.toml")
    await connection.executemany(
        "INSERT INTO institutions (code, name, kind) VALUES ($1, $2, $3)",
        [(entry["code"], entry["name"], entry["kind"]) for entry in document["institutions"]],
    )
    await connection.executemany(
        """
        INSERT INTO clients (id, institution_id, channel, scopes, secret_hash, sandbox)
        SELECT $1, i.id, $3, $4, $5, TRUE FROM institutions AS i WHERE i.code = $2
        """,
        [
            (
                entry["id"],
                entry["institution"],
                entry.get("channel"),
                document["scopes"][entry["scopes"]],
                hash_secret(CLIENT_SECRET),
            )
            for entry in document["clients"]
        ],
    )


def _read_toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _expect_whole(name: str, report: LoadReport) -> None:
    if report.rejected:
        # The sandbox's own files are at fault, or the rules by which they are read.
        raise RuntimeError(f"{name}.csv of the sandbox: {report.rejections[0]}")
