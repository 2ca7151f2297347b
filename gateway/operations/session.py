"""The session of an operator's browser: its access token, sealed into a cookie.

The token is the session: it ends with it after ten minutes, at sign-out, which revokes it, and at once when its client
is revoked or loses the scope, in every process, since each request has the token verified like any other's. It is not
prolonged: a page that renews itself would never end. The seal keeps the token out of the browser's hands, so that a
copied cookie opens this page and is no bearer token; every process has the key.
"""

import base64
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from starlette.responses import Response

from auth.tokens import LIFETIME_SECONDS
from database.vault import Vault

#: The prefix has browsers take it from this host alone, over a secure connection, for all of its paths (RFC 6265bis,
#: 4.1.3.2). Browsers count http on 127.0.0.1 as secure; Safari does not, and can't sign in to a sandbox without TLS.
COOKIE: Final = "__Host-operator"
#: What browsers keep of a cookie, name and attributes included (RFC 6265, 6.1).
MAX_COOKIE_LENGTH: Final = 4096


class Sessions:
    """Seals tokens into cookies, and opens them."""

    def __init__(self, vault: Vault) -> None:
        self._seal = Fernet(base64.urlsafe_b64encode(vault.derived_key("operator session")))

    def begin(self, response: Response, token: str) -> None:
        """Have the browser keep the session: for no script to read, and for no request of another site's."""
        sealed = self._seal.encrypt(token.encode()).decode()
        response.set_cookie(
            COOKIE, sealed, max_age=LIFETIME_SECONDS, path="/", secure=True, httponly=True, samesite="strict"
        )

    def end(self, response: Response) -> None:
        """Have the browser forget the session."""
        response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")

    def token(self, cookie: str) -> str | None:
        """Return the token of a cookie; None for what was not sealed here, or is too old."""
        if len(cookie) > MAX_COOKIE_LENGTH or not cookie.isascii():
            return None
        try:
            return self._seal.decrypt(cookie, ttl=LIFETIME_SECONDS).decode()
        except InvalidToken:
            return None
