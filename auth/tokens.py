"""Access tokens: RFC 9068 JWTs of ten minutes, issued by Authlib's generator and verified by joserfc."""

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from auth import clients
from auth.keys import ALGORITHM, KeyRing

# Short, because a token that has left cannot be called back everywhere at once.
LIFETIME_SECONDS: Final = 600

# How far the clocks of two of our own servers may be apart.
_CLOCK_SKEW_SECONDS: Final = 5

# What is remembered is forgotten when it changes (auth/changes.py); and after so long in any case.
LOOK_UP_AGAIN_SECONDS: Final = 30

# Where no change can be heard (PgBouncer, in transaction pooling): so long a revoked client may still be answered.
UNHEARD_SECONDS: Final = 1

# Some 10 MB at the most. With ten-minute tokens that is a thousand clients with ten programs each.
_REMEMBERED_MAX: Final = 10_000

# Ours are about 600 characters. What is longer is not hashed, let alone decoded.
_TOKEN_LENGTH_MAX: Final = 2048
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

# RFC 9068 section 4 has a resource server take both spellings.
_TYPES: Final = ("at+jwt", "application/at+jwt")


class InvalidToken(Exception):
    """The token is not to be answered. Its text is the reason, and holds nothing of the token."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who holds the token, and what it may do: the scopes of the token that the client still has."""

    client_id: str
    institution_id: int
    institution_code: str
    institution_name: str
    institution_kind: str
    channel: str | None
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Keys by their thumbprints: those that a token is bound to (RFC 7800), or that its sender has proved to hold.

    As the claim `cnf` writes them: SHA-256, base64url without padding.
    """

    jkt: str | None = None
    "A key that signs DPoP proofs (RFC 9449, 6.1)."
    x5t_s256: str | None = None
    "A client certificate (RFC 8705, 3.1)."

    @property
    def cnf(self) -> dict[str, str]:
        """The claim `cnf`; empty for a token that whoever holds it may use."""
        named = {"jkt": self.jkt, "x5t#S256": self.x5t_s256}
        return {name: value for name, value in named.items() if value is not None}

    @property
    def token_type(self) -> str:
        """How the token is sent: the scheme of the Authorization header."""
        return "DPoP" if self.jkt else "Bearer"

    def proved_by(self, held: "Confirmation") -> bool:
        """Whether a sender who holds these may use the token.

        A proof for a token that is not bound to its key is refused like no proof for one that is: a client that
        proves believes its token to be worthless to others. A certificate comes with every request of its owner's.
        """
        return self.jkt == held.jkt and (self.x5t_s256 is None or self.x5t_s256 == held.x5t_s256)


UNBOUND: Final = Confirmation()


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a token says, once signature and claims are verified. Times are seconds since 1970 (UTC)."""

    id: str
    client_id: str
    scopes: frozenset[str]
    issued_at: int
    expires_at: int
    confirmation: Confirmation


@dataclass(frozen=True, slots=True)
class _Memory:
    caller: Caller
    token_id: str
    confirmation: Confirmation
    until: float


def audience_of(issuer: str) -> str:
    """Name the API that tokens are for: the URL of the GraphQL endpoint under the issuer's."""
    return f"{issuer}/graphql"


class AccessTokenGenerator(JWTBearerTokenGenerator):  # type: ignore[misc]  # Authlib has no types
    """Authlib's RFC 9068 generator with our algorithm, key, audience and lifetime.

    Authlib's own are RS256, the client's id as the audience, and ten days for client credentials.
    """

    def __init__(self, issuer: str, key: ECKey, confirmation: Confirmation = UNBOUND) -> None:
        super().__init__(issuer, alg=ALGORITHM, expires_generator=LIFETIME_SECONDS)
        self._key = key
        self.confirmation = confirmation

    def get_jwks(self) -> KeySet:
        """Return the signing key. In a set, since only then is its id written into the header."""
        return KeySet([self._key])

    def get_audiences(self, client: Any, user: Any, scope: str) -> str:
        """Return the gateway's API, whoever asks."""
        return audience_of(self.issuer)

    def get_extra_claims(self, client: Any, grant_type: str, user: Any, scope: str) -> dict[str, Any]:
        """Return what binds the token."""
        return {"cnf": self.confirmation.cnf} if self.confirmation.cnf else {}

    def generate(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Return the token with how it is sent."""
        token: dict[str, Any] = super().generate(*arguments, **options)
        return token | {"token_type": self.confirmation.token_type}


class TokenVerifier:
    """Tells who holds a token, and remembers the answer for `remember_seconds`: for none, unless it is told.

    Whoever makes it remember longer tells it of every change (auth/changes.py): a revoked client or token, a scope
    taken away. `clock` tells the seconds since 1970 (UTC).
    """

    def __init__(
        self,
        *,
        issuer: str,
        keys: KeyRing,
        pool: asyncpg.Pool,
        sandbox: bool,
        remember_seconds: float = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._remember_seconds = remember_seconds
        # How often something was forgotten: what was looked up before that may be what has changed since.
        self._forgotten = 0
        self._keys = keys
        self._pool = pool
        self._sandbox = sandbox
        self._clock = clock
        # By SHA-256: a copy of this process's memory yields fewer tokens that can be used.
        self._memory: OrderedDict[bytes, _Memory] = OrderedDict()
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(clock()),
            leeway=_CLOCK_SKEW_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience_of(issuer)},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            jti={"essential": True},
            client_id={"essential": True},
            scope={"essential": True},
        )

    def remembered(self, token: str, held: Confirmation = UNBOUND) -> Caller | None:
        """Return the holder of a token that was verified lately, without waiting. None: ask `verify`.

        `held` is what the sender has proved to hold, with this very request.
        """
        if len(token) > _TOKEN_LENGTH_MAX or not token.isascii():
            return None
        digest = _digest(token)
        memory = self._memory.get(digest)
        if memory is None:
            return None
        if memory.until <= self._clock():
            del self._memory[digest]
            return None
        if not memory.confirmation.proved_by(held):
            return None
        self._memory.move_to_end(digest)
        return memory.caller

    async def verify(self, token: str, held: Confirmation = UNBOUND) -> Caller:
        """Return the holder of the token. `held` is what the sender has proved to hold, with this very request.

        Raises InvalidToken when the token is none of ours, not for this API, expired or revoked, bound to what
        the sender does not hold, or when its client is unknown, revoked, or a sandbox client outside the sandbox.
        """
        if caller := self.remembered(token, held):
            return caller
        access = await self.read(token)
        if not access.confirmation.proved_by(held):
            raise InvalidToken("the token is bound to what its sender does not hold")
        forgotten = self._forgotten
        caller = await self.look_up(access)
        if forgotten == self._forgotten and self._remember_seconds > 0:
            until = min(self._clock() + self._remember_seconds, access.expires_at + _CLOCK_SKEW_SECONDS)
            self._memory[_digest(token)] = _Memory(caller, access.id, access.confirmation, until)
            if len(self._memory) > _REMEMBERED_MAX:
                self._memory.popitem(last=False)
        return caller

    async def read(self, token: str) -> AccessToken:
        """Verify the signature and the claims, and nothing beyond: not whether token or client are revoked.

        Raises InvalidToken.
        """
        if len(token) > _TOKEN_LENGTH_MAX or not _TOKEN.fullmatch(token):
            raise InvalidToken("not a JWT in its compact form")
        header = _header(token)
        if header.get("typ") not in _TYPES or header.get("alg") != ALGORITHM:
            raise InvalidToken("not an access token of this server's")
        key = await self._keys.find(str(header.get("kid")))
        if key is None:
            raise InvalidToken("no such signing key")
        try:
            claims = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
            self._claims.validate(claims)
        except (JoseError, ValueError) as error:
            # Only the kind: a message could quote the token.
            raise InvalidToken(type(error).__name__) from error
        return AccessToken(
            id=claims["jti"],
            client_id=claims["client_id"],
            scopes=frozenset(claims["scope"].split()),
            issued_at=claims["iat"],
            expires_at=claims["exp"],
            confirmation=_confirmation(claims.get("cnf", {})),
        )

    async def look_up(self, access: AccessToken) -> Caller:
        """Find the holder of a token that was read, as the database has it now.

        Raises InvalidToken when token or client may not be answered any more.
        """
        client = await clients.find(self._pool, access.client_id)
        if client is None or not client.usable(sandbox=self._sandbox):
            raise InvalidToken("the client is unknown or revoked")
        if not client.is_content_with(jkt=access.confirmation.jkt, x5t_s256=access.confirmation.x5t_s256):
            raise InvalidToken("the client's tokens must be bound")
        if await is_revoked(self._pool, access):
            raise InvalidToken("the token is revoked")
        return Caller(
            client_id=client.id,
            institution_id=client.institution_id,
            institution_code=client.institution_code,
            institution_name=client.institution_name,
            institution_kind=client.institution_kind,
            channel=client.channel,
            scopes=access.scopes.intersection(client.scopes),
        )

    def remember_for(self, seconds: float) -> None:
        """Remember for so long from now on, and forget what is remembered."""
        self._remember_seconds = seconds
        self._forgotten += 1
        self._memory.clear()

    def forget(self, change: str) -> None:
        """Forget what a change makes doubtful: `token:<jti>`, `client:<id>`; everything for any other."""
        self._forgotten += 1
        kind, _, name = change.partition(":")
        if kind not in ("token", "client"):
            self._memory.clear()
            return
        # A walk through the memory, 1 ms at the most, is cheaper than looking up everybody again.
        for digest, memory in list(self._memory.items()):
            if name == (memory.token_id if kind == "token" else memory.caller.client_id):
                del self._memory[digest]


async def revoke(pool: asyncpg.Pool, access: AccessToken) -> bool:
    """Revoke one token (RFC 7009), and drop those whose time is over anyway. False: it was revoked already."""
    revoked = await pool.fetchval(
        """
        WITH ended AS (DELETE FROM revoked_tokens WHERE expires_at < now())
        INSERT INTO revoked_tokens (jti, expires_at) VALUES ($1, $2)
        ON CONFLICT (jti) DO NOTHING
        RETURNING TRUE
        """,
        access.id,
        datetime.fromtimestamp(access.expires_at + 2 * _CLOCK_SKEW_SECONDS, UTC),
    )
    return bool(revoked)


async def is_revoked(pool: asyncpg.Pool, access: AccessToken) -> bool:
    """Whether this token has been revoked."""
    return bool(await pool.fetchval("SELECT EXISTS (SELECT 1 FROM revoked_tokens WHERE jti = $1)", access.id))


def _confirmation(cnf: dict[str, str]) -> Confirmation:
    """Read the claim of a token that we signed; a way to bind that is unknown here binds nobody's token."""
    if unknown := set(cnf) - {"jkt", "x5t#S256"}:
        raise InvalidToken(f"cnf has {len(unknown)} unknown members")
    return Confirmation(cnf.get("jkt"), cnf.get("x5t#S256"))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _header(token: str) -> dict[str, Any]:
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, TypeError, AttributeError) as error:
        # joserfc takes a header that is JSON but no object for an object.
        raise InvalidToken("the header is not a JOSE header") from error
    if not isinstance(header, dict):
        raise InvalidToken("the header is not a JOSE header")
    return header
