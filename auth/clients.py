"""OAuth clients: one program of one institution, with its channel, its scopes and its secret."""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import asyncpg
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from auth import scopes as scope_names
from auth.institutions import FieldError

BOUND_TOKENS: Final = ("DPOP", "CERTIFICATE")
"What a client's tokens can be required to be bound to: a key with DPoP (RFC 9449), its certificate (RFC 8705)."

CHANNELS: Final = ("COUNTER", "MOBILE_BANKING", "WECHAT", "MINI_PROGRAM", "TAX_WINDOW")

SANDBOX_SECRET: Final = "sandbox"  # noqa: S105 - public by the contract, and refused outside the sandbox

# The column's own check (0001_ledger.sql). Also what is looked up at all: no other text is a client's id.
_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")

# 256 bits: nothing is gained by guessing, with or without the hashes.
_SECRET_BYTES: Final = 32

# No secret of ours is longer than 43 characters; whatever is, is wrong, and is not worth hashing.
_SECRET_LENGTH_MAX: Final = 128

# argon2id slows down whoever guesses secrets that people chose. These are random, so that no speed of
# guessing helps, and much memory a hash would only let a flood of token requests take the server's own.
# Hence 4 MiB and one pass (2 ms), not the 64 MiB that RFC 9106 has for passwords.
_HASHER: Final = PasswordHasher(time_cost=1, memory_cost=4096, parallelism=1)

# What a secret is compared with when there is no client: nobody has this one, and it takes as long.
_HASH_OF_NOTHING: Final = _HASHER.hash(secrets.token_urlsafe(_SECRET_BYTES))


@dataclass(frozen=True, slots=True)
class Client:
    """One client with its institution. Its hash is kept out of the repr, and so out of logs."""

    id: str
    institution_id: int
    institution_code: str
    institution_name: str
    institution_kind: str
    channel: str | None
    scopes: tuple[str, ...]
    secret_hash: str = field(repr=False)
    sandbox: bool
    created_at: datetime
    secret_rotated_at: datetime | None
    revoked_at: datetime | None
    bound_tokens: str | None
    "One of BOUND_TOKENS: its own rule, else its institution's."

    def usable(self, *, sandbox: bool) -> bool:
        """Whether it may do anything: not revoked, and no sandbox client where the server is none."""
        return self.revoked_at is None and (sandbox or not self.sandbox)

    def is_content_with(self, *, jkt: str | None, x5t_s256: str | None) -> bool:
        """Whether a token that is bound to these, None for not, is bound as it must be."""
        return {None: True, "DPOP": jkt is not None, "CERTIFICATE": x5t_s256 is not None}[self.bound_tokens]


def secret_matches(client: Client | None, secret: str) -> bool:
    """Whether this is the client's secret. Without a client the same work is done, in vain.

    It takes some 2 ms of one core: call it in a thread.
    """
    if len(secret) > _SECRET_LENGTH_MAX:
        return False
    try:
        _HASHER.verify(client.secret_hash if client else _HASH_OF_NOTHING, secret)
    except VerifyMismatchError:
        return False
    return True


def hash_secret(secret: str) -> str:
    """Return the argon2 hash of a secret, as the column `secret_hash` holds it."""
    return _HASHER.hash(secret)


async def register(
    connection: asyncpg.Connection,
    institution_code: str,
    channel: str | None,
    scopes: Iterable[str],
    *,
    client_id: str | None = None,
    secret: str | None = None,
    sandbox: bool = False,
    bound_tokens: str | None = None,
) -> tuple[str, str]:
    """Register a client, and return its id and its secret, which is never shown again.

    An id and a secret of 256 bits are made up unless given. `channel` is one of CHANNELS, or None for an
    agency; `bound_tokens` one of BOUND_TOKENS, or None for the institution's rule. Raises FieldError for an
    institution, channel, scope or way to bind that is unknown, a client id that is malformed or taken, and the
    sandbox's secret outside the sandbox.
    """
    check_bound_tokens(bound_tokens)
    if channel is not None and channel not in CHANNELS:
        raise FieldError("channel", f"must be one of {', '.join(CHANNELS)}")
    try:
        granted = scope_names.ordered(scopes)
    except ValueError as error:
        raise FieldError("scope", str(error)) from error
    if not granted:
        raise FieldError("scope", "a client needs at least one")
    if secret == SANDBOX_SECRET and not sandbox:
        raise FieldError("secret", "this one is public, and for clients of the sandbox only")
    if client_id is None:
        client_id = f"{institution_code.lower()}-{secrets.token_hex(4)}"
    elif not _CLIENT_ID.fullmatch(client_id):
        raise FieldError("client_id", "must be 1 to 64 of the characters A-Z, a-z, 0-9, '.', '_' and '-'")
    secret = secret or secrets.token_urlsafe(_SECRET_BYTES)
    try:
        registered = await connection.fetchval(
            """
            INSERT INTO clients (id, institution_id, channel, scopes, secret_hash, sandbox, bound_tokens)
            SELECT $1, i.id, $3, $4, $5, $6, $7 FROM institutions AS i WHERE i.code = $2
            RETURNING id
            """,
            client_id,
            institution_code,
            channel,
            granted,
            hash_secret(secret),
            sandbox,
            bound_tokens,
        )
    except asyncpg.UniqueViolationError as error:
        raise FieldError("client_id", f"{client_id} is taken") from error
    if registered is None:
        raise FieldError("institution", f"no institution has the code {institution_code[:20]!r}")
    return client_id, secret


async def rotate(connection: asyncpg.Connection, client_id: str) -> str:
    """Give the client a new secret, and return it. The old one is worth nothing from then on.

    Raises FieldError for a client that is unknown or revoked.
    """
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    rotated = await connection.fetchval(
        """
        UPDATE clients SET secret_hash = $2, secret_rotated_at = now()
        WHERE id = $1 AND revoked_at IS NULL
        RETURNING id
        """,
        client_id,
        hash_secret(secret),
    )
    if rotated is None:
        raise FieldError("client_id", f"no client that is not revoked has the id {client_id[:64]!r}")
    return secret


async def revoke(connection: asyncpg.Connection, client_id: str) -> None:
    """Revoke the client for good; again changes nothing.

    Its tokens die with it within tokens.LOOK_UP_AGAIN_SECONDS. Raises FieldError for an unknown client.
    """
    revoked = await connection.fetchval(
        "UPDATE clients SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1 RETURNING id", client_id
    )
    if revoked is None:
        raise FieldError("client_id", f"no client has the id {client_id[:64]!r}")


async def bind_tokens(connection: asyncpg.Connection, client_id: str, bound_tokens: str | None) -> None:
    """Require that the client's tokens are bound from now on; None leaves it to the institution.

    Tokens that are not bound so end like revoked ones. Raises FieldError for an unknown client or way to bind.
    """
    check_bound_tokens(bound_tokens)
    bound = await connection.fetchval(
        "UPDATE clients SET bound_tokens = $2 WHERE id = $1 RETURNING id", client_id, bound_tokens
    )
    if bound is None:
        raise FieldError("client_id", f"no client has the id {client_id[:64]!r}")


async def bind_institution_tokens(connection: asyncpg.Connection, code: str, bound_tokens: str | None) -> None:
    """Require that the tokens of an institution's clients are bound, unless a client has a rule of its own.

    Raises FieldError for an unknown institution or way to bind.
    """
    check_bound_tokens(bound_tokens)
    bound = await connection.fetchval(
        "UPDATE institutions SET bound_tokens = $2 WHERE code = $1 RETURNING code", code, bound_tokens
    )
    if bound is None:
        raise FieldError("institution", f"no institution has the code {code[:20]!r}")


def check_bound_tokens(bound_tokens: str | None) -> None:
    """Raise FieldError for what is neither one of BOUND_TOKENS nor None."""
    if bound_tokens is not None and bound_tokens not in BOUND_TOKENS:
        raise FieldError("bound_tokens", f"must be one of {', '.join(BOUND_TOKENS)}")


_SELECT: Final = """
    SELECT
        c.id, c.institution_id, i.code AS institution_code, i.name AS institution_name,
        i.kind AS institution_kind, c.channel, c.scopes, c.secret_hash, c.sandbox, c.created_at,
        c.secret_rotated_at, c.revoked_at, coalesce(c.bound_tokens, i.bound_tokens) AS bound_tokens
    FROM clients AS c
    INNER JOIN institutions AS i ON c.institution_id = i.id
"""


async def find(connection: asyncpg.Connection | asyncpg.Pool, client_id: str) -> Client | None:
    """Find a client by its id, revoked or not. Any text may be asked for."""
    if not _CLIENT_ID.fullmatch(client_id):
        return None
    row = await connection.fetchrow(_SELECT + "WHERE c.id = $1", client_id)
    return _client(row) if row else None


async def list_clients(connection: asyncpg.Connection) -> list[Client]:
    """List the clients, revoked ones too, by institution and id."""
    return [_client(row) for row in await connection.fetch(_SELECT + "ORDER BY i.code, c.id")]


def _client(row: asyncpg.Record) -> Client:
    return Client(**{**row, "scopes": tuple(row["scopes"])})
