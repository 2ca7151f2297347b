"""/operator: sign in with a client's id and secret, see the day's numbers, sign out.

Signing in is the client credentials grant of the token endpoint, by the same code, for the scope operations:read alone.
"""

import base64
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import asyncpg
import structlog
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from auth.certificates import Network
from auth.grants import GRANT_TYPE
from auth.scopes import OPERATIONS_READ
from auth.server import OAuthServer
from auth.tokens import Caller, InvalidToken, TokenVerifier
from database.pool import DATABASE_AWAY
from gateway.operations.numbers import NumberReader
from gateway.operations.session import COOKIE, Sessions
from gateway.operations.view import numbers_page, sign_in_page
from gateway.pages import locale_of
from gateway.pages.forms import BadForm, read_form
from gateway.pages.origin import is_own
from gateway.peers import client_of
from gateway.throttle import Throttle, Throttled

PATH: Final = "/operator"
SIGN_IN_PATH: Final = "/operator/sign-in"
SIGN_OUT_PATH: Final = "/operator/sign-out"

#: Sign-ins that fail, of one address in a minute: somebody who mistypes needs fewer. A secret has 256 bits.
FAILURES_PER_MINUTE: Final = 10
#: An id has 64 characters, a secret 43; percent-encoded at the worst, and a language, are less.
MAX_FORM_BYTES: Final = 2048
MAX_FIELDS: Final = 4
#: Where the database is away.
RETRY_AFTER_SECONDS: Final = 5

_STATUSES: Final = {"REFUSED": 403, "NO_SCOPE": 403, "MUST_BE_BOUND": 403, "THROTTLED": 429, "UNAVAILABLE": 503}
#: What the token endpoint says, and what it means to somebody before a form.
_REFUSALS: Final = {
    "invalid_client": "REFUSED",
    "invalid_scope": "NO_SCOPE",
    "invalid_request": "MUST_BE_BOUND",
    "temporarily_unavailable": "UNAVAILABLE",
}

log = structlog.get_logger()


class _Refused(Exception):
    """There is no session; why is one of texts.OUTCOMES, or "" for whoever has not signed in yet."""

    def __init__(self, outcome: str = "", retry_after_seconds: int | None = None) -> None:
        super().__init__(outcome)
        self.outcome = outcome
        self.retry_after_seconds = retry_after_seconds


class OperatorPage:
    """The page, for one process: its throttle is its own."""

    def __init__(
        self,
        oauth: OAuthServer,
        verifier: TokenVerifier,
        sessions: Sessions,
        numbers: NumberReader,
        trusted_proxies: Sequence[Network],
    ) -> None:
        self._oauth = oauth
        self._verifier = verifier
        self._sessions = sessions
        self._numbers = numbers
        self._trusted_proxies = tuple(trusted_proxies)
        self._failures = Throttle(FAILURES_PER_MINUTE)

    def routes(self) -> list[Route]:
        """Return the routes of the page."""
        return [
            Route(PATH, self.show, methods=["GET"]),
            Route(SIGN_IN_PATH, self.sign_in, methods=["POST"]),
            Route(SIGN_OUT_PATH, self.sign_out, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Answer the numbers to whoever is signed in, and the form to everybody else."""
        locale = locale_of(request.query_params.get("lang"), request.headers.get("accept-language"))
        try:
            caller = await self._signed_in(request)
            numbers = await self._numbers.read()
        except _Refused as refused:
            response = sign_in_page(locale, refused.outcome)
            if refused.outcome == "ENDED":
                self._sessions.end(response)
            return response
        except (asyncpg.PostgresError, *DATABASE_AWAY) as error:
            log.error("no numbers for the operator", exc_info=error)
            return _unavailable(locale)
        return numbers_page(locale, caller.client_id, numbers, refreshing="refresh" in request.query_params)

    async def sign_in(self, request: Request) -> Response:
        """Begin a session, if the credentials are those of a client that may have one."""
        locale = locale_of(None, request.headers.get("accept-language"))
        try:
            form = await self._own_form(request)
            locale = locale_of(form.get("lang"), request.headers.get("accept-language"))
            token = await self._token(request, form.get("client_id", ""), form.get("client_secret", ""))
        except BadForm as error:
            return PlainTextResponse("This is no form of /operator.\n", error.status, {"connection": "close"})
        except _Refused as refused:
            more = {"retry-after": str(refused.retry_after_seconds)} if refused.retry_after_seconds else None
            return sign_in_page(locale, refused.outcome, _STATUSES[refused.outcome], more)
        except (asyncpg.PostgresError, *DATABASE_AWAY) as error:
            log.error("an operator could not sign in", exc_info=error)
            return _unavailable(locale)
        response = RedirectResponse(_address(form.get("lang")), 303)
        self._sessions.begin(response, token)
        return response

    async def sign_out(self, request: Request) -> Response:
        """End the session: its token is revoked, in every process."""
        try:
            form = await self._own_form(request)
        except BadForm as error:
            return PlainTextResponse("This is no form of /operator.\n", error.status, {"connection": "close"})
        locale = locale_of(form.get("lang"), request.headers.get("accept-language"))
        token = self._sessions.token(request.cookies.get(COOKIE, ""))
        try:
            if token is not None:
                await self._oauth.end(token)
        except (asyncpg.PostgresError, *DATABASE_AWAY) as error:
            log.error("an operator could not sign out", exc_info=error)
            return _unavailable(locale)
        response = sign_in_page(locale, "SIGNED_OUT")
        self._sessions.end(response)
        return response

    async def _own_form(self, request: Request) -> dict[str, str]:
        """Return the form. Raises BadForm, for another site's as well."""
        if not is_own(request.headers, unsaid=True, public_url=self._oauth.issuer):
            raise BadForm(403)
        return dict(await read_form(request, max_bytes=MAX_FORM_BYTES, max_fields=MAX_FIELDS))

    async def _signed_in(self, request: Request) -> Caller:
        """Return whose session it is. Raises _Refused, and as asyncpg does."""
        cookie = request.cookies.get(COOKIE)
        if cookie is None:
            raise _Refused
        token = self._sessions.token(cookie)
        if token is None:
            raise _Refused("ENDED")
        return await self._operator(token, otherwise="ENDED")

    async def _operator(self, token: str, *, otherwise: str) -> Caller:
        """Return the holder of a token, who may see the operations. Raises _Refused, and as asyncpg does."""
        try:
            caller = self._verifier.remembered(token) or await self._verifier.verify(token)
        except InvalidToken:
            raise _Refused(otherwise) from None
        # No bank's client is registered with the scope; and if one were, its bank would see all the others.
        if OPERATIONS_READ not in caller.scopes or caller.institution_kind == "BANK":
            raise _Refused(otherwise)
        return caller

    async def _token(self, request: Request, client_id: str, secret: str) -> str:
        """Return an access token for the credentials. Raises _Refused, and as asyncpg does."""
        peer = request.client.host if request.client else None
        address = client_of(peer, request.headers, self._trusted_proxies)
        try:
            # Taken before the secret is looked at, so that many at once are no way around it.
            self._failures.take(address)
        except Throttled as throttled:
            raise _Refused("THROTTLED", throttled.retry_after_seconds) from None
        form = {"grant_type": GRANT_TYPE, "scope": OPERATIONS_READ}
        answer = await self._oauth.token(Headers({"authorization": _basic(client_id, secret)}), form, peer)
        if answer.status != 200:
            outcome = _REFUSALS.get(answer.body["error"], "REFUSED")
            raise _Refused(outcome, RETRY_AFTER_SECONDS if outcome == "UNAVAILABLE" else None)
        token = str(answer.body["access_token"])
        caller = await self._operator(token, otherwise="NO_SCOPE")
        self._failures.give_back(address)
        log.info("operator signed in", client_id=caller.client_id)
        return token


def _basic(client_id: str, secret: str) -> str:
    """Write the credentials as the token endpoint reads them (RFC 6749, 2.3.1)."""
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _address(lang: str | None) -> str:
    """Return the page's own address, in the language that was chosen: one of ours, whatever was sent."""
    return f"{PATH}?lang={lang}" if lang in ("zh", "en") else PATH


def _unavailable(locale: str) -> Response:
    return sign_in_page(locale, "UNAVAILABLE", 503, {"retry-after": str(RETRY_AFTER_SECONDS)})
