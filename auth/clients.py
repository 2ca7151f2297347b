"""OAuth clients: one program of one institution, with its channel, its scopes and the way it proves who it is."""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import asyncpg
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from auth import client_keys, methods
from auth import scopes as scope_names
from auth.institutions import FieldError
from auth.methods import Method

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

# Programs are given their new secret one after the other, within a week.
OVERLAP_MAX: Final = timedelta(days=7)

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
    auth_method: str
    secret_hash: str | None = field(repr=False)
    previous_secret_hash: str | None = field(repr=False)
    "Of the secret before the last rotation, while that one still opens."
    jwks: str | None = field(repr=False)
    jwks_uri: str | None
    certificate_name_type: str | None
    certificate_name: str | None
    strong_only: bool
    "Whether the institution's clients may not use secrets."
    sandbox: bool
    created_at: datetime
    secret_rotated_at: datetime | None
    revoked_at: datetime | None
    bound_tokens: str | None
    "One of BOUND_TOKENS: its own rule, else its institution's."

    def usable(self, *, sandbox: bool) -> bool:
        """Whether it may do anything: not revoked, its method allowed, no sandbox client where the server is none."""
        allowed = not self.strong_only or self.auth_method in methods.STRONG
        return self.revoked_at is None and allowed and (sandbox or not self.sandbox)

    def is_content_with(self, *, jkt: str | None, x5t_s256: str | None) -> bool:
        """Whether a token that is bound to these, None for not, is bound as it must be."""
        return {None: True, "DPOP": jkt is not None, "CERTIFICATE": x5t_s256 is not None}[self.bound_tokens]


def secret_matches(client: Client | None, secret: str) -> bool:
    """Whether this is one of the client's secrets.

    What is none takes two hashes, some 4 ms of one core, whether the client has two secrets, one, or is none at all.
    The current secret takes one: call it in a thread.
    """
    if len(secret) > _SECRET_LENGTH_MAX:
        return False
    hashes = (client.secret_hash, client.previous_secret_hash) if client else (None, None)
    return any(_verify(secret_hash, secret) for secret_hash in hashes)


def _verify(secret_hash: str | None, secret: str) -> bool:
    try:
        return _HASHER.verify(secret_hash or _HASH_OF_NOTHING, secret) and secret_hash is not None
    except VerifyMismatchError:
        return False


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
    if secret == SANDBOX_SECRET and not sandbox:
        raise FieldError("secret", "this one is public, and for clients of the sandbox only")
    secret = secret or secrets.token_urlsafe(_SECRET_BYTES)
    method = Method(methods.CLIENT_SECRET_BASIC, secret_hash=hash_secret(secret))
    client_id = await _insert(connection, institution_code, channel, scopes, client_id, method, sandbox, bound_tokens)
    return client_id, secret


async def register_strong(
    connection: asyncpg.Connection,
    institution_code: str,
    channel: str | None,
    scopes: Iterable[str],
    method: Method,
    *,
    client_id: str | None = None,
    bound_tokens: str | None = None,
) -> str:
    """Register a client that has no secret, and return its id. Raises FieldError as `register` does."""
    return await _insert(connection, institution_code, channel, scopes, client_id, method, False, bound_tokens)


async def _insert(
    connection: asyncpg.Connection,
    institution_code: str,
    channel: str | None,
    scopes: Iterable[str],
    client_id: str | None,
    method: Method,
    sandbox: bool,
    bound_tokens: str | None,
) -> str:
    check_bound_tokens(bound_tokens)
    if channel is not None and channel not in CHANNELS:
        raise FieldError("channel", f"must be one of {', '.join(CHANNELS)}")
    try:
        granted = scope_names.ordered(scopes)
    except ValueError as error:
        raise FieldError("scope", str(error)) from error
    if not granted:
        raise FieldError("scope", "a client needs at least one")
    if scope_names.OPERATIONS_READ in granted and await _is_bank(connection, institution_code):
        raise FieldError("scope", f"{scope_names.OPERATIONS_READ} shows every bank's numbers, and is for no bank")
    if client_id is None:
        client_id = f"{institution_code.lower()}-{secrets.token_hex(4)}"
    elif not _CLIENT_ID.fullmatch(client_id):
        raise FieldError("client_id", "must be 1 to 64 of the characters A-Z, a-z, 0-9, '.', '_' and '-'")
    try:
        registered = await connection.fetchrow(
            """
            INSERT INTO clients (
                id, institution_id, channel, scopes, secret_hash, sandbox, auth_method, jwks, jwks_uri,
                certificate_name_type, certificate_name, bound_tokens
            )
            SELECT $1, i.id, $3, $4, $5, $6, $7, $8::text::jsonb, $9, $10, $11, $13
            FROM institutions AS i
            WHERE i.code = $2 AND (NOT i.strong_authentication OR $7 = ANY($12::text []))
            RETURNING id
            """,
            client_id,
            institution_code,
            channel,
            granted,
            method.secret_hash,
            sandbox,
            method.auth_method,
            method.jwks,
            method.jwks_uri,
            method.certificate_name_type,
            method.certificate_name,
            methods.STRONG,
            bound_tokens,
        )
    except asyncpg.UniqueViolationError as error:
        raise FieldError("client_id", f"{client_id} is taken") from error
    if registered is None:
        if await connection.fetchval("SELECT EXISTS (SELECT FROM institutions WHERE code = $1)", institution_code):
            raise FieldError("auth-method", f"the institution is limited to {' and '.join(methods.STRONG)}")
        raise FieldError("institution", f"no institution has the code {institution_code[:20]!r}")
    return client_id


async def _is_bank(connection: asyncpg.Connection, institution_code: str) -> bool:
    kind = await connection.fetchval("SELECT kind FROM institutions WHERE code = $1", institution_code)
    return bool(kind == "BANK")


async def rotate(connection: asyncpg.Connection, client_id: str, *, overlap: timedelta = timedelta(0)) -> str:
    """Give the client a new secret, and return it. The one before opens for `overlap` more; any older one is gone.

    Raises FieldError for an overlap below zero or above OVERLAP_MAX, and a client that is unknown, revoked, or has
    no secret.
    """
    if not timedelta(0) <= overlap <= OVERLAP_MAX:
        raise FieldError("overlap", f"must be at most {OVERLAP_MAX.days} days")
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    rotated = await connection.fetchval(
        """
        UPDATE clients
        SET
            previous_secret_hash = CASE WHEN $3::interval > interval '0' THEN secret_hash END,
            previous_secret_ends_at = CASE WHEN $3::interval > interval '0' THEN now() + $3::interval END,
            secret_hash = $2,
            secret_rotated_at = now()
        WHERE id = $1 AND revoked_at IS NULL AND secret_hash IS NOT NULL
        RETURNING id
        """,
        client_id,
        hash_secret(secret),
        overlap,
    )
    if rotated is None:
        raise FieldError("client_id", f"no client that is not revoked and has a secret has the id {client_id[:64]!r}")
    return secret


async def replace_keys(connection: asyncpg.Connection, client_id: str, document: bytes) -> None:
    """Replace the keys of a client of private_key_jwt by those of a JWK set; the old ones end at once.

    Raises FieldError for a set that methods.by_keys refuses, and a client that is unknown, revoked, or has another
    method.
    """
    replaced = await connection.fetchval(
        """
        UPDATE clients SET jwks = $2::text::jsonb, jwks_uri = NULL, keys_replaced_at = now()
        WHERE id = $1 AND revoked_at IS NULL AND auth_method = $3
        RETURNING id
        """,
        client_id,
        client_keys.read_key_set(document),
        methods.PRIVATE_KEY_JWT,
    )
    if replaced is None:
        raise FieldError(
            "client_id", f"no client that is not revoked and of {methods.PRIVATE_KEY_JWT} has the id {client_id[:64]!r}"
        )


async def revoke(connection: asyncpg.Connection, client_id: str) -> None:
    """Revoke the client for good; again changes nothing.

    Its tokens die with it, in every process that hears of it (auth/changes.py). Raises FieldError for an unknown
    client.
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
        i.kind AS institution_kind, c.channel, c.scopes, c.auth_method, c.secret_hash,
        CASE WHEN c.previous_secret_ends_at > now() THEN c.previous_secret_hash END AS previous_secret_hash,
        c.jwks::text AS jwks, c.jwks_uri, c.certificate_name_type, c.certificate_name,
        i.strong_authentication AS strong_only, c.sandbox, c.created_at, c.secret_rotated_at, c.revoked_at,
        coalesce(c.bound_tokens, i.bound_tokens) AS bound_tokens
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
