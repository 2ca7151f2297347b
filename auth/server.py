"""The OAuth 2.0 server: client credentials (RFC 6749), revocation (RFC 7009) and introspection (RFC 7662).

Authlib decides (auth/grants.py). It is synchronous, so the client is fetched first, and Authlib then runs in
a thread on what was fetched. No web framework is known here: headers and a form come in, an Answer goes out.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import anyio
import asyncpg
from authlib.common.security import is_secure_transport
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidClientError, InvalidGrantError, InvalidRequestError
from authlib.oauth2.rfc6749.util import extract_basic_authorization

from auth import clients, dpop, scopes, tokens
from auth.clients import Client
from auth.dpop import InvalidProof, NonceNeeded, ProofVerifier
from auth.grants import (
    GRANT_TYPE,
    Answer,
    Credentials,
    FormRequest,
    GrantServer,
    InvalidDPoPProofError,
    TooManyAtOnceError,
    UseDPoPNonceError,
    refusal,
)
from auth.keys import KeyRing
from auth.tokens import Confirmation, InvalidToken, TokenVerifier

# A hash takes 4 MiB and 2 ms of a core: so many at once keep the cores busy and leave the event loop its own.
_HASHES_AT_ONCE: Final = 4

# Some 0.2 s of waiting. Whoever comes on top is told to come back, before the queue outlives its clients.
_HASHES_WAITING_MAX: Final = 200

_UNBOUND: Final = Confirmation()

_Result = TypeVar("_Result")


class OAuthServer:
    """The decisions behind the OAuth endpoints. `issuer` is the public URL without a path or a final slash.

    Raises ValueError for an issuer that is not https (http is for loopback addresses) or has a path.
    """

    def __init__(
        self,
        *,
        issuer: str,
        pool: asyncpg.Pool,
        keys: KeyRing,
        verifier: TokenVerifier,
        proofs: ProofVerifier,
        sandbox: bool,
    ) -> None:
        parts = urlsplit(issuer)
        if not is_secure_transport(issuer) or issuer != f"{parts.scheme}://{parts.netloc}":
            raise ValueError("the public URL must be https://HOST[:PORT], or http on a loopback address")
        self.issuer = issuer
        self._pool = pool
        self._keys = keys
        self._verifier = verifier
        self._proofs = proofs
        self._sandbox = sandbox
        # A secret in a form ends up in the logs of what stands between: that is for trying things out only.
        self._auth_methods = ["client_secret_basic", *(["client_secret_post"] if sandbox else [])]
        self._hashing = anyio.CapacityLimiter(_HASHES_AT_ONCE)

    async def token(self, headers: Mapping[str, str], form: Mapping[str, str]) -> Answer:
        """Issue an access token for client credentials, bound to the key of a DPoP proof if there is one."""
        proofs = dpop.proofs_of(headers)
        try:
            answer = await self._token(headers, form, proofs)
        except OAuth2Error as error:
            answer = refusal(error)
        except NonceNeeded as error:
            answer = refusal(UseDPoPNonceError(str(error)))
        except InvalidProof as error:
            answer = refusal(InvalidDPoPProofError(str(error)))
        if proofs:
            answer.headers[dpop.NONCE_HEADER] = self._proofs.nonce()
        return answer

    async def _token(self, headers: Mapping[str, str], form: Mapping[str, str], proofs: list[str]) -> Answer:
        """Answer; the proof is used up last, and read before the client's assertion is used up for nothing."""
        if "grant_type" not in form:
            raise InvalidRequestError("grant_type is missing")
        proof = self._proofs.read(proofs, "POST", "/oauth/token") if proofs else None
        confirmation = Confirmation(jkt=proof.thumbprint if proof else None)
        request, server = await self._prepare("/oauth/token", headers, form, confirmation)
        answer: Answer = await self._in_thread(server.create_token_response, request)
        if proof and answer.status == 200:
            await self._proofs.use(proof)
        return answer

    async def revoke(self, headers: Mapping[str, str], form: Mapping[str, str]) -> Answer:
        """Revoke the client's own token. What is none, or has ended, gets the same answer (RFC 7009, 2.2).

        This process refuses it at once, the others within tokens.LOOK_UP_AGAIN_SECONDS.
        """
        try:
            client, token = await self._client_and_token("/oauth/revoke", headers, form)
            try:
                access = await self._verifier.read(token)
            except InvalidToken:
                return Answer(200, {})
            if access.client_id != client.id:
                raise InvalidGrantError("the token was issued to another client")
            await tokens.revoke(self._pool, access)
            self._verifier.forget(token)
            return Answer(200, {})
        except OAuth2Error as error:
            return refusal(error)

    async def introspect(self, headers: Mapping[str, str], form: Mapping[str, str]) -> Answer:
        """Tell a client of the token's own institution whether it is alive and what it may do, as of now.

        To other institutions it is as inactive as a token that never was (RFC 7662, 2.2).
        """
        try:
            client, token = await self._client_and_token("/oauth/introspect", headers, form)
            try:
                access = await self._verifier.read(token)
                caller = await self._verifier.look_up(access)
            except InvalidToken:
                return Answer(200, {"active": False})
            if caller.institution_id != client.institution_id:
                return Answer(200, {"active": False})
            body = {
                "active": True,
                "scope": " ".join(scopes.ordered(caller.scopes)),
                "client_id": access.client_id,
                "token_type": access.confirmation.token_type,
                "exp": access.expires_at,
                "iat": access.issued_at,
                "sub": access.client_id,
                "aud": tokens.audience_of(self.issuer),
                "iss": self.issuer,
                "jti": access.id,
            }
            if access.confirmation.cnf:
                body["cnf"] = access.confirmation.cnf
            return Answer(200, body)
        except OAuth2Error as error:
            return refusal(error)

    async def published_keys(self) -> dict[str, Any]:
        """Return the JWK set that verifies access tokens (RFC 7517)."""
        return dict(await self._keys.published())

    def metadata(self) -> dict[str, Any]:
        """Describe this server (RFC 8414). Without an authorization endpoint there are no response types."""
        return {
            "issuer": self.issuer,
            "token_endpoint": f"{self.issuer}/oauth/token",
            "revocation_endpoint": f"{self.issuer}/oauth/revoke",
            "introspection_endpoint": f"{self.issuer}/oauth/introspect",
            "jwks_uri": f"{self.issuer}/.well-known/jwks.json",
            "scopes_supported": list(scopes.ALL),
            "response_types_supported": [],
            "grant_types_supported": [GRANT_TYPE],
            "token_endpoint_auth_methods_supported": self._auth_methods,
            "revocation_endpoint_auth_methods_supported": self._auth_methods,
            "introspection_endpoint_auth_methods_supported": self._auth_methods,
            "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
        }

    async def _client_and_token(
        self, path: str, headers: Mapping[str, str], form: Mapping[str, str]
    ) -> tuple[Client, str]:
        request, server = await self._prepare(path, headers, form)
        credentials = await self._in_thread(server.authenticated, request)
        if "token" not in form:
            raise InvalidRequestError("token is missing")
        return credentials.client, form["token"]

    async def _prepare(
        self,
        path: str,
        headers: Mapping[str, str],
        form: Mapping[str, str],
        confirmation: Confirmation = _UNBOUND,
    ) -> tuple[FormRequest, GrantServer]:
        """Fetch what Authlib is going to ask for. A client that may do nothing is like one that never was."""
        client = await clients.find(self._pool, _claimed_client_id(headers, form))
        if client and not client.usable(sandbox=self._sandbox):
            client = None
        signing_key = (await self._keys.keys()).signing
        generator = tokens.AccessTokenGenerator(self.issuer, signing_key, confirmation)
        request = FormRequest(self.issuer + path, headers, form)
        return request, GrantServer(Credentials(client), generator, self._auth_methods)

    async def _in_thread(self, work: Callable[..., _Result], *arguments: object) -> _Result:
        if self._hashing.statistics().tasks_waiting >= _HASHES_WAITING_MAX:
            raise TooManyAtOnceError
        return await anyio.to_thread.run_sync(work, *arguments, limiter=self._hashing)


def _claimed_client_id(headers: Mapping[str, str], form: Mapping[str, str]) -> str:
    """Read who the client says it is, before anything is proved; empty when it does not say.

    Raises InvalidClientError for a Basic header that is not UTF-8 in base64, and InvalidRequestError for two
    ways of authentication (RFC 6749, 2.3) or two clients in one request.
    """
    try:
        basic_id, _ = extract_basic_authorization(headers)
    except ValueError as error:
        raise InvalidClientError from error
    form_id = form.get("client_id")
    if "Authorization" in headers and "client_secret" in form:
        raise InvalidRequestError("one way of client authentication at a time")
    if basic_id and form_id and basic_id != form_id:
        raise InvalidRequestError("client_id is not the client of the Authorization header")
    return basic_id or form_id or ""
