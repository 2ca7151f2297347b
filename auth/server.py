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
from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError

from auth import client_keys, dpop, methods, scopes, tokens
from auth.assertions import AssertionVerifier
from auth.authentication import ClientAuthenticator
from auth.certificates import ClientCertificates
from auth.changes import Changes
from auth.clients import Client
from auth.dpop import InvalidProof, NonceNeeded, ProofVerifier
from auth.grants import (
    GRANT_TYPE,
    Answer,
    FormRequest,
    GrantServer,
    InvalidDPoPProofError,
    TooManyAtOnceError,
    UseDPoPNonceError,
    refusal,
)
from auth.keys import KeyRing
from auth.published_keys import PublishedKeys
from auth.tokens import AccessToken, Confirmation, InvalidToken, TokenVerifier

# A hash takes 4 MiB and 2 ms of a core, and a wrong secret two hashes: so many at once keep the cores busy and leave
# the event loop its own.
_HASHES_AT_ONCE: Final = 4

# Some 0.2 s of waiting, 0.4 s behind wrong secrets alone. Whoever comes on top is told to come back, before the queue
# outlives its clients.
_HASHES_WAITING_MAX: Final = 200

# Whose metadata (RFC 8414, 2) name the ways of client authentication.
_ENDPOINTS: Final = ("token_endpoint", "revocation_endpoint", "introspection_endpoint")

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
        published_keys: PublishedKeys,
        certificates: ClientCertificates | None = None,
        changes: Changes | None = None,
    ) -> None:
        parts = urlsplit(issuer)
        if not is_secure_transport(issuer) or issuer != f"{parts.scheme}://{parts.netloc}":
            raise ValueError("the public URL must be https://HOST[:PORT], or http on a loopback address")
        self.issuer = issuer
        self._pool = pool
        self._keys = keys
        self._verifier = verifier
        self._proofs = proofs
        self._changes = changes
        certificates = certificates or ClientCertificates()
        self._authenticator = ClientAuthenticator(
            pool=pool,
            sandbox=sandbox,
            certificates=certificates,
            published_keys=published_keys,
            assertion_verifier=AssertionVerifier([issuer, f"{issuer}/oauth/token"]),
        )
        # A secret in a form ends up in the logs of what stands between: that is for trying things out only.
        self._secret_methods = [methods.CLIENT_SECRET_BASIC, *([methods.CLIENT_SECRET_POST] if sandbox else [])]
        self._auth_methods = [
            *self._secret_methods,
            methods.PRIVATE_KEY_JWT,
            *([methods.TLS_CLIENT_AUTH] if certificates.configured else []),
        ]
        self._binds_to_certificates = certificates.configured
        self._hashing = anyio.CapacityLimiter(_HASHES_AT_ONCE)

    async def token(self, headers: Mapping[str, str], form: Mapping[str, str], peer: str | None = None) -> Answer:
        """Issue an access token for client credentials, bound to the key of a DPoP proof if there is one.

        A client that authenticates by its certificate gets one that is bound to that. `peer` is the address at the
        connection's other end.
        """
        proofs = dpop.proofs_of(headers)
        try:
            answer = await self._token(headers, form, peer, proofs)
        except OAuth2Error as error:
            answer = refusal(error)
        except NonceNeeded as error:
            answer = refusal(UseDPoPNonceError(str(error)))
        except InvalidProof as error:
            answer = refusal(InvalidDPoPProofError(str(error)))
        if proofs:
            answer.headers[dpop.NONCE_HEADER] = self._proofs.nonce()
        return answer

    async def _token(
        self, headers: Mapping[str, str], form: Mapping[str, str], peer: str | None, proofs: list[str]
    ) -> Answer:
        """Answer; the proof is used up last, and read before the client's assertion is used up for nothing."""
        if "grant_type" not in form:
            raise InvalidRequestError("grant_type is missing")
        proof = self._proofs.read(proofs, "POST", "/oauth/token") if proofs else None
        jkt = proof.thumbprint if proof else None
        request, server = await self._prepare("/oauth/token", headers, form, peer, jkt)
        answer: Answer = await self._in_thread(server.create_token_response, request)
        if proof and answer.status == 200:
            await self._proofs.use(proof)
        return answer

    async def revoke(self, headers: Mapping[str, str], form: Mapping[str, str], peer: str | None = None) -> Answer:
        """Revoke the client's own token. What is none, or has ended, gets the same answer (RFC 7009, 2.2).

        When it is answered, every process that hears changes (auth/changes.py) refuses the token.
        """
        try:
            client, token = await self._client_and_token("/oauth/revoke", headers, form, peer)
            try:
                access = await self._verifier.read(token)
            except InvalidToken:
                return Answer(200, {})
            if access.client_id != client.id:
                raise InvalidGrantError("the token was issued to another client")
            await self._revoke(access)
            return Answer(200, {})
        except OAuth2Error as error:
            return refusal(error)

    async def introspect(self, headers: Mapping[str, str], form: Mapping[str, str], peer: str | None = None) -> Answer:
        """Tell a client of the token's own institution whether it is alive and what it may do, as of now.

        To other institutions it is as inactive as a token that never was (RFC 7662, 2.2).
        """
        try:
            client, token = await self._client_and_token("/oauth/introspect", headers, form, peer)
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
            **{f"{endpoint}_auth_methods_supported": self._auth_methods for endpoint in _ENDPOINTS},
            **{
                f"{endpoint}_auth_signing_alg_values_supported": list(client_keys.ALGORITHMS) for endpoint in _ENDPOINTS
            },
            "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
            "tls_client_certificate_bound_access_tokens": self._binds_to_certificates,
        }

    async def end(self, token: str) -> None:
        """Revoke a token that this server keeps for its holder's browser; one that has ended is let be.

        Every process that hears changes refuses it then.
        """
        try:
            access = await self._verifier.read(token)
        except InvalidToken:
            return
        await self._revoke(access)

    async def _revoke(self, access: AccessToken) -> None:
        change = f"token:{access.id}"
        if self._changes is None:
            await tokens.revoke(self._pool, access)
        else:
            async with self._changes.awaited(change) as heard:
                if not await tokens.revoke(self._pool, access):
                    # Whoever revoked it first has been heard of, or will be.
                    heard.set()
        self._verifier.forget(change)

    async def _client_and_token(
        self, path: str, headers: Mapping[str, str], form: Mapping[str, str], peer: str | None
    ) -> tuple[Client, str]:
        request, server = await self._prepare(path, headers, form, peer)
        credentials = await self._in_thread(server.authenticated, request)
        if "token" not in form:
            raise InvalidRequestError("token is missing")
        return credentials.client, form["token"]

    async def _prepare(
        self,
        path: str,
        headers: Mapping[str, str],
        form: Mapping[str, str],
        peer: str | None,
        jkt: str | None = None,
    ) -> tuple[FormRequest, GrantServer]:
        """Authenticate the client, or fetch what Authlib is going to compare its secret with."""
        credentials = await self._authenticator.credentials(headers, form, peer)
        certificate = credentials.certificate
        confirmation = Confirmation(jkt, certificate.thumbprint_s256 if certificate else None)
        signing_key = (await self._keys.keys()).signing
        generator = tokens.AccessTokenGenerator(self.issuer, signing_key, confirmation)
        request = FormRequest(self.issuer + path, headers, form)
        return request, GrantServer(credentials, generator, self._secret_methods)

    async def _in_thread(self, work: Callable[..., _Result], *arguments: object) -> _Result:
        if self._hashing.statistics().tasks_waiting >= _HASHES_WAITING_MAX:
            raise TooManyAtOnceError
        return await anyio.to_thread.run_sync(work, *arguments, limiter=self._hashing)
