"""Institutions: the collecting banks, the tax authority and the agencies."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

KINDS: Final = ("BANK", "TAX", "SOCIAL_INSURANCE_AGENCY", "MEDICAL_INSURANCE_AGENCY")

# The column's own check (0001_ledger.sql), told here first so that the message names the field.
_CODE: Final = re.compile(r"[A-Z0-9_-]{1,20}")
_NAME_LENGTH_MAX: Final = 100


class FieldError(ValueError):
    """A value that a command cannot take: which field, and why. Its text is `field: reason`."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Institution:
    """One institution, as the commands list it."""

    id: int
    code: str
    name: str
    kind: str
    created_at: datetime


async def add(connection: asyncpg.Connection, code: str, name: str, kind: str) -> Institution:
    """Add an institution. `kind` is one of KINDS.

    Raises FieldError for a code that is malformed or taken, a name that is empty or too long, an unknown
    kind.
    """
    if not _CODE.fullmatch(code):
        raise FieldError("code", "must be 1 to 20 of the characters A-Z, 0-9, _ and -")
    if not 1 <= len(name) <= _NAME_LENGTH_MAX or not name.isprintable() or name.isspace():
        raise FieldError("name", f"must be 1 to {_NAME_LENGTH_MAX} printable characters")
    if kind not in KINDS:
        raise FieldError("kind", f"must be one of {', '.join(KINDS)}")
    try:
        row = await connection.fetchrow(
            """
            INSERT INTO institutions (code, name, kind) VALUES ($1, $2, $3)
            RETURNING id, code, name, kind, created_at
            """,
            code,
            name,
            kind,
        )
    except asyncpg.UniqueViolationError as error:
        raise FieldError("code", f"the institution {code} is there already") from error
    return Institution(**row)


async def list_institutions(connection: asyncpg.Connection) -> list[Institution]:
    """List the institutions by their codes."""
    rows = await connection.fetch("SELECT id, code, name, kind, created_at FROM institutions ORDER BY code")
    return [Institution(**row) for row in rows]


async def require_strong(connection: asyncpg.Connection, code: str, *, required: bool = True) -> list[str]:
    """Limit an institution to the strong methods of authentication, or undo it, and return its clients with secrets.

    Those get no token from then on, and their tokens end. Raises FieldError for an unknown institution.
    """
    row = await connection.fetchrow(
        """
        UPDATE institutions AS i SET strong_authentication = $2 WHERE i.code = $1
        RETURNING ARRAY(
            SELECT c.id FROM clients AS c
            WHERE c.institution_id = i.id AND c.secret_hash IS NOT NULL AND c.revoked_at IS NULL
            ORDER BY c.id
        ) AS clients
        """,
        code,
        required,
    )
    if row is None:
        raise FieldError("code", f"no institution has the code {code[:20]!r}")
    return list(row["clients"])
