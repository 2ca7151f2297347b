"""Authlib's authorization server for one request, on the client that was fetched for it.

Authlib is synchronous and asks for the client in the middle of its work; here it finds the client at hand.
Errors are answered as RFC 6749 section 5.2 has them.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    ClientCredentialsGrant,
    ClientMixin,
    InvalidClientError,
    InvalidRequestError,
    OAuth2Request,
    UnsupportedGrantTypeError,
)
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload

from auth import clients, methods, scopes
from auth.certificates import Certificate
from auth.clients import Client
from auth.tokens import AccessTokenGenerator, Confirmation

GRANT_TYPE: Final = "client_credentials"

# RFC 6749 section 5.1: no cache keeps a token, nor an answer about one.
UNCACHED: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}

# Its lines hold whole tokens, and whatever was sent as a client's id. They are at DEBUG, and never wanted.
logging.getLogger("authlib").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer: status, JSON body, headers. The body may hold a token, and is left out of the repr."""

    status: int
    body: dict[str, Any] = field(repr=False)
    headers: dict[str, str] = field(default_factory=lambda: dict(UNCACHED))


class UseDPoPNonceError(OAuth2Error):  # type: ignore[misc]  # Authlib has no types
    """The proof lacks the nonce of the answer's header (RFC 9449, 8)."""

    error = "use_dpop_nonce"


class InvalidDPoPProofError(OAuth2Error):  # type: ignore[misc]  # Authlib has no types
    """The proof proves nothing (RFC 9449, 5)."""

    error = "invalid_dpop_proof"


_MUST_BE_BOUND: Final = {
    "DPOP": "this client's tokens must be bound to a key: send a DPoP proof",
    "CERTIFICATE": "this client's tokens must be bound to its certificate: send it in the TLS handshake",
}


class TooManyAtOnceError(OAuth2Error):  # type: ignore[misc]  # Authlib has no types
    """More token requests wait than will be answered in time."""

    error = "temporarily_unavailable"
    description = "Too many requests at once."
    status_code = 503


def refusal(error: OAuth2Error) -> Answer:
    """Answer an error.

    Failed client authentication is one and the same answer, whatever failed and whether the client exists.
    """
    body: dict[str, Any] = dict(error.get_body())
    if isinstance(error, InvalidClientError):
        body["error_description"] = "Client authentication failed."
        challenge = 'Basic realm="contribution-gateway", charset="UTF-8"'
        return Answer(401, body, {**UNCACHED, "WWW-Authenticate": challenge})
    if isinstance(error, UnsupportedGrantTypeError):
        # Authlib's own text repeats what was sent.
        body["error_description"] = f"The grant type is {GRANT_TYPE}."
    if isinstance(error, TooManyAtOnceError):
        return Answer(error.status_code, body, {**UNCACHED, "Retry-After": "1"})
    return Answer(error.status_code, body)


class FormRequest(OAuth2Request):  # type: ignore[misc]  # Authlib has no types
    """A request with a form for its body, as Authlib reads one."""

    def __init__(self, uri: str, headers: Mapping[str, str], form: Mapping[str, str]) -> None:
        super().__init__("POST", uri, headers=headers)
        self.payload = BasicOAuth2Payload(form)

    @property
    def form(self) -> Mapping[str, str]:
        """The parameters, each once."""
        form: Mapping[str, str] = self.payload.data
        return form


class Credentials(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    """What Authlib asks of a client. Without a client, every secret is checked in vain.

    `proved`: the client has shown who it is already, by an assertion or by `certificate`.
    """

    def __init__(self, client: Client | None, *, proved: bool = False, certificate: Certificate | None = None) -> None:
        self._client = client
        self.proved = proved and client is not None
        self.certificate = certificate

    @property
    def client(self) -> Client:
        """The client there is; InvalidClientError, should anything but the secret be asked of none."""
        if self._client is None:
            raise InvalidClientError
        return self._client

    def get_client_id(self) -> str:
        """Return the client's id."""
        return self.client.id

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """Return what is granted of the scope asked for: all of it, or None for `invalid_scope`.

        Without a scope asked for, it is all of the client's own (the default of RFC 6749 section 3.3).
        """
        if not scope:
            return " ".join(scopes.ordered(self.client.scopes))
        asked = scopes.parse(scope)
        return " ".join(asked) if asked and set(asked).issubset(self.client.scopes) else None

    def check_client_secret(self, client_secret: str) -> bool:
        """Compare the secret; some 2 ms of work."""
        return clients.secret_matches(self._client, client_secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Every client with a secret may use every method of secrets that the server has."""
        return self.client.auth_method == methods.CLIENT_SECRET_BASIC

    def check_grant_type(self, grant_type: str) -> bool:
        """Every client has the one grant."""
        return grant_type == GRANT_TYPE


class _ClientCredentials(ClientCredentialsGrant):  # type: ignore[misc]  # Authlib has no types
    def authenticate_token_endpoint_client(self) -> Credentials:
        credentials: Credentials = self.server.authenticated(self.request)
        return credentials

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Do what Authlib's does, but log no token; and a token that is signed need not be saved."""
        confirmation: Confirmation = self.server.confirmation
        client: Client = self.request.client.client
        if not client.is_content_with(jkt=confirmation.jkt, x5t_s256=confirmation.x5t_s256):
            raise InvalidRequestError(_MUST_BE_BOUND[client.bound_tokens or ""])
        token = self.generate_token(scope=self.request.payload.scope, include_refresh_token=False)
        return 200, token, []


class GrantServer(AuthorizationServer):  # type: ignore[misc]  # Authlib has no types
    """Authlib's server for one request: which client was fetched for it, and how clients may authenticate."""

    def __init__(self, credentials: Credentials, generator: AccessTokenGenerator, auth_methods: list[str]) -> None:
        super().__init__(scopes_supported=scopes.ALL)
        self._credentials = credentials
        self._auth_methods = auth_methods
        self.confirmation = generator.confirmation
        self.register_token_generator("default", generator)
        self.register_grant(_ClientCredentials)

    def authenticated(self, request: FormRequest) -> Credentials:
        """Return the credentials, once the request has proved them; raises InvalidClientError."""
        if self._credentials.proved:
            return self._credentials
        credentials: Credentials = self.authenticate_client(request, self._auth_methods)
        return credentials

    def query_client(self, client_id: str) -> Credentials:
        """Return what was fetched: the same for Authlib whether there is a client or not."""
        return self._credentials

    def create_oauth2_request(self, request: FormRequest) -> FormRequest:
        """Return the request, which is of Authlib's kind already."""
        return request

    def handle_response(self, status: int, body: dict[str, Any], headers: object) -> Answer:
        """Return our own answer; Authlib's headers are those that every Answer has."""
        return Answer(status, body)

    def handle_error_response(self, request: object, error: OAuth2Error) -> Answer:
        """Return our own refusal."""
        return refusal(error)
