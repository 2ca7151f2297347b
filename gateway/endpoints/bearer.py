"""Who calls: the token of a request, read the same way by every endpoint that needs one.

It is a bearer token (RFC 6750), or bound to a key whose DPoP proof comes with it (RFC 9449).
"""

from collections.abc import Awaitable, Mapping

import asyncpg
import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auth import dpop
from auth.certificates import ClientCertificates
from auth.dpop import InvalidProof, NonceNeeded, ProofVerifier
from auth.tokens import UNBOUND, Caller, Confirmation, InvalidToken, TokenVerifier
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


class Gate:
    """Tells who calls, by the verifiers of tokens and of proofs, and the certificate of the connection."""

    def __init__(self, tokens: TokenVerifier, proofs: ProofVerifier, certificates: ClientCertificates) -> None:
        self._tokens = tokens
        self._proofs = proofs
        self._certificates = certificates

    def known_caller(self, scope: Scope, headers: Headers) -> Caller | None:
        """Return the holder of a bearer token that was verified lately, without waiting. None: ask `caller_of`."""
        given = headers.getlist("authorization")
        if len(given) != 1 or not given[0].startswith("Bearer "):
            return None
        return self._tokens.remembered(given[0][7:], self._held(scope, headers))

    async def caller_of(self, scope: Scope, headers: Headers) -> Caller:
        """Return the holder of the request's token. Raises Refused: 401 for none or a bad one, 400 for two, 503."""
        given = headers.getlist("authorization")
        if len(given) > 1:
            challenge = 'Bearer error="invalid_request"'
            raise Refused(400, "Authorization: must be given once.", {"www-authenticate": challenge})
        scheme, _, token = (given[0] if given else "").partition(" ")
        try:
            match scheme.lower():
                case "bearer" if token:
                    held = self._held(scope, headers)
                    return self._tokens.remembered(token, held) or await self._tokens.verify(token, held)
                case "dpop" if token:
                    return await self._prover_of(scope, headers, token)
        except NonceNeeded:
            raise _refused_proof("use_dpop_nonce", "The DPoP proof must hold the nonce of the header.") from None
        except InvalidProof as error:
            raise _refused_proof("invalid_dpop_proof", f"DPoP: {error}.") from None
        except InvalidToken:
            # The reason is nobody's business but ours: every bad token gets the one answer.
            if scheme.lower() == "dpop":
                raise _refused_proof("invalid_token", "A valid access token is needed.") from None
        except (asyncpg.PostgresError, *DATABASE_AWAY) as error:
            log.error("token not verified", exc_info=error)
            raise Refused(503, "The token can't be verified now. Try again.", {"retry-after": "5"}) from None
        challenge = 'Bearer error="invalid_token"'
        raise Refused(401, "A valid access token is needed.", {"www-authenticate": challenge})

    async def _prover_of(self, scope: Scope, headers: Headers, token: str) -> Caller:
        """Return the holder, who proves it. A proof is used up last: what is no good with it takes no row."""
        if not token.isascii():
            raise InvalidToken("not a JWT in its compact form")
        proof = self._proofs.read(dpop.proofs_of(headers), scope["method"], scope["path"], token)
        held = Confirmation(proof.thumbprint, self._thumbprint(scope, headers))
        caller = self._tokens.remembered(token, held) or await self._tokens.verify(token, held)
        await self._proofs.use(proof)
        return caller

    def _held(self, scope: Scope, headers: Headers) -> Confirmation:
        thumbprint = self._thumbprint(scope, headers)
        return UNBOUND if thumbprint is None else Confirmation(x5t_s256=thumbprint)

    def _thumbprint(self, scope: Scope, headers: Headers) -> str | None:
        if not self._certificates.configured:
            return None
        peer = scope.get("client")
        certificate = self._certificates.certificate_of(headers, peer[0] if peer else None)
        return certificate.thumbprint_s256 if certificate else None


class OfferingNonces:
    """Wraps an endpoint so that each answer to a proof brings the nonce for the next one (RFC 9449, 8.2)."""

    def __init__(self, app: ASGIApp, proofs: ProofVerifier) -> None:
        self._app = app
        self._proofs = proofs

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass the request on, and complete the head of its answer."""
        # A loop: `any` over a generator is ten times the work, for every request there is.
        for name, _ in scope["headers"]:
            if name == b"dpop":
                break
        else:
            return self._app(scope, receive, send)

        async def completed(message: Message) -> None:
            if message["type"] == "http.response.start":
                nonce = (dpop.NONCE_HEADER.lower().encode(), self._proofs.nonce().encode())
                message = {**message, "headers": [*message["headers"], nonce]}
            await send(message)

        return self._app(scope, receive, completed)


def _refused_proof(error: str, message: str) -> Refused:
    challenge = f'DPoP error="{error}", algs="{" ".join(dpop.ALGORITHMS)}"'
    return Refused(401, message, {"www-authenticate": challenge})


def require_scopes(needs: Needs, caller: Caller) -> None:
    """Raise Refused, 403, when the caller's token lacks any scope that is needed."""
    missing = missing_scope(needs, caller.scopes)
    if missing is not None:
        challenge = f'Bearer error="insufficient_scope", scope="{missing}"'
        raise Refused(403, f"The token lacks the scope {missing}.", {"www-authenticate": challenge})
