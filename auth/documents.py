"""What a client may send: its trusted documents, whether it may send others, and its budget."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from auth.institutions import FieldError

#: A bank has some forty operations, each in a few versions.
MAX_TRUSTED_DOCUMENTS: Final = 1_000
#: Characters. A process keeps no longer one prepared, and the column refuses it.
MAX_DOCUMENT_LENGTH: Final = 16_384
#: Points a minute: beyond it a number is a slip of the pen.
MAX_BUDGET: Final = 10**12


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """What an operator has set for one client; `budget` is in points a minute, None where nothing is set."""

    trusted_documents_only: bool = False
    budget: int | None = None


def document_id(document: str) -> str:
    """Return the id of a document: SHA-256 of its UTF-8, in hexadecimal."""
    return hashlib.sha256(document.encode()).hexdigest()


async def register(connection: asyncpg.Connection, client_id: str, document: str) -> str:
    """Keep a document that has been found valid, and return its id; again changes nothing.

    Raises FieldError for an unknown or revoked client, and for one that has MAX_TRUSTED_DOCUMENTS.
    """
    if not 1 <= len(document) <= MAX_DOCUMENT_LENGTH:
        raise FieldError("document", f"must have 1 to {MAX_DOCUMENT_LENGTH} characters")
    await _require(connection, client_id)
    id_ = document_id(document)
    kept = await connection.fetch("SELECT sha256 FROM trusted_documents WHERE client_id = $1", client_id)
    if len(kept) >= MAX_TRUSTED_DOCUMENTS and id_ not in {row["sha256"] for row in kept}:
        raise FieldError("client_id", f"{client_id} has {MAX_TRUSTED_DOCUMENTS} documents, and more are kept of none")
    await connection.execute(
        """
        INSERT INTO trusted_documents (client_id, sha256, document) VALUES ($1, $2, $3)
        ON CONFLICT (client_id, sha256) DO NOTHING
        """,
        client_id,
        id_,
        document,
    )
    return id_


async def remove(connection: asyncpg.Connection, client_id: str, id_: str) -> None:
    """Trust a document of a client's no more. Raises FieldError when there is none of this id."""
    removed = await connection.fetchval(
        "DELETE FROM trusted_documents WHERE client_id = $1 AND sha256 = $2 RETURNING sha256", client_id, id_
    )
    if removed is None:
        raise FieldError("id", "the client has no trusted document of this id")


async def list_documents(connection: asyncpg.Connection, client_id: str) -> list[tuple[str, datetime, str]]:
    """List a client's documents, the first registered first: id, when, text. Raises FieldError for no client."""
    await _require(connection, client_id)
    rows = await connection.fetch(
        """
        SELECT sha256, registered_at, document FROM trusted_documents
        WHERE client_id = $1 ORDER BY registered_at, sha256
        """,
        client_id,
    )
    return [(row["sha256"], row["registered_at"], row["document"]) for row in rows]


async def find(connection: asyncpg.Connection | asyncpg.Pool, client_id: str, id_: str) -> str | None:
    """Find the text of a client's trusted document."""
    text: str | None = await connection.fetchval(
        "SELECT document FROM trusted_documents WHERE client_id = $1 AND sha256 = $2", client_id, id_
    )
    return text


async def limits_of(connection: asyncpg.Connection | asyncpg.Pool, client_id: str) -> ClientLimits:
    """Find what is set for a client."""
    row = await connection.fetchrow(
        "SELECT trusted_documents_only, budget FROM client_limits WHERE client_id = $1", client_id
    )
    return ClientLimits(**row) if row is not None else ClientLimits()


async def limit_to_trusted(connection: asyncpg.Connection, client_id: str, *, only: bool) -> None:
    """Have a client send its trusted documents only, or any. Raises FieldError for an unknown client."""
    await _require(connection, client_id)
    await connection.execute(
        """
        INSERT INTO client_limits (client_id, trusted_documents_only) VALUES ($1, $2)
        ON CONFLICT (client_id) DO UPDATE SET trusted_documents_only = excluded.trusted_documents_only
        """,
        client_id,
        only,
    )


async def set_budget(connection: asyncpg.Connection, client_id: str, budget: int | None) -> None:
    """Give a client a budget of its own, in points a minute: 0 for none, None for the setting's. Raises FieldError."""
    if budget is not None and not 0 <= budget <= MAX_BUDGET:
        raise FieldError("budget", f"must be 0 to {MAX_BUDGET}")
    await _require(connection, client_id)
    await connection.execute(
        """
        INSERT INTO client_limits (client_id, budget) VALUES ($1, $2)
        ON CONFLICT (client_id) DO UPDATE SET budget = excluded.budget
        """,
        client_id,
        budget,
    )


async def _require(connection: asyncpg.Connection, client_id: str) -> None:
    known = await connection.fetchval("SELECT 1 FROM clients WHERE id = $1 AND revoked_at IS NULL", client_id)
    if known is None:
        raise FieldError("client_id", f"no client that is not revoked has the id {client_id[:64]!r}")
