"""Who calls: the bearer token of a request (RFC 6750), read the same way by every endpoint that needs one."""

from collections.abc import Mapping

import asyncpg
import structlog
from starlette.datastructures import Headers

from auth.tokens import Caller, InvalidToken, TokenVerifier
from database.pool import DATABASE_AWAY
from gateway.execution.scopes import Needs, missing_scope

log = structlog.get_logger()


class Refused(Exception):
    """A request that is answered with an HTTP status before any work of its own has begun."""

    def __init__(
        self, status: int, message: str, headers: Mapping[str, str] | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}
        #: For programs, where the status alone does not tell.
        self.code = code


async def caller_of(headers: Headers, verifier: TokenVerifier) -> Caller:
    """Return the holder of the request's token. Raises Refused: 401 for none or a bad one, 400 for two, 503."""
    given = headers.getlist("authorization")
    if len(given) > 1:
        challenge = 'Bearer error="invalid_request"'
        raise Refused(400, "Authorization: must be given once.", {"www-authenticate": challenge})
    scheme, _, token = (given[0] if given else "").partition(" ")
    if scheme.lower() == "bearer" and token:
        remembered = verifier.remembered(token)
        if remembered is not None:
            return remembered
        try:
            return await verifier.verify(token)
        except InvalidToken:
            pass  # The reason is nobody's business but ours: every bad token gets the one answer.
        except (asyncpg.PostgresError, *DATABASE_AWAY) as error:
            log.error("token not verified", exc_info=error)
            raise Refused(503, "The token can't be verified now. Try again.", {"retry-after": "5"}) from None
    challenge = 'Bearer error="invalid_token"'
    raise Refused(401, "A valid access token is needed.", {"www-authenticate": challenge})


def require_scopes(needs: Needs, caller: Caller) -> None:
    """Raise Refused, 403, when the caller's token lacks any scope that is needed."""
    missing = missing_scope(needs, caller.scopes)
    if missing is not None:
        challenge = f'Bearer error="insufficient_scope", scope="{missing}"'
        raise Refused(403, f"The token lacks the scope {missing}.", {"www-authenticate": challenge})
