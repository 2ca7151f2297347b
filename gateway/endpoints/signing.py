"""Signatures over HTTP: a request's is verified before anything runs, and the answer to what moves money has ours."""

from dataclasses import dataclass
from typing import Final

import asyncpg
import structlog
from graphql import OperationType
from joserfc.jwk import ECKey
from starlette.datastructures import Headers
from starlette.types import Scope

from auth.keys import KeyRing
from auth.signature_keys import SignatureKeys
from auth.signatures import (
    REQUEST_COMPONENTS,
    InvalidSignature,
    RequestSignature,
    SignedRequest,
    answer_headers,
    key_id_of,
    verified,
    verify_digest,
)
from auth.tokens import Caller
from database.pool import DATABASE_AWAY
from gateway.endpoints.bearer import Refused
from gateway.execution.documents import Operation

log = structlog.get_logger()

#: The mutations that move money, or decide that it will be.
MOVES_MONEY: Final = frozenset({"submitPayment", "reversePayment", "requestRefund", "decideRefund"})

#: What is signed is kept with each payment for as long as the payment; a payment's document and variables are 2 KB.
MAX_SIGNED_BODY_BYTES: Final = 65_536

#: RFC 9421, 5.1: what the signature that is asked for must be. Sent with every refusal over a signature.
ACCEPT_SIGNATURE: Final = "bank=(" + " ".join(f'"{name}"' for name in REQUEST_COMPONENTS) + ");created;keyid"


class SignatureRefused(Refused):
    """A request that is refused for its signature, for the want of one, or for its digest. Nothing has run."""

    def __init__(self, status: int, code: str, message: str) -> None:
        # 401 must have a challenge (RFC 9110, 15.5.2), and this one says that the token is not what is wrong.
        challenge = {"www-authenticate": 'Bearer error="invalid_request"'} if status == 401 else {}
        super().__init__(status, message, {**challenge, "accept-signature": ACCEPT_SIGNATURE}, code)


@dataclass(slots=True)
class Exchange:
    """One request, with its signature if it has one, and the key that signs its answer once it moves money."""

    request: SignedRequest
    #: Whether the request has a signature, or a digest of its body: something to verify.
    has_proof: bool = False
    signature: RequestSignature | None = None
    _answering: ECKey | None = None

    def answer_with(self, key: ECKey) -> None:
        """Sign the answer by this key."""
        self._answering = key

    @property
    def signs(self) -> bool:
        """Whether the answer is signed: it is that of an operation that moves money."""
        return self._answering is not None

    def sign(self, status: int, content_type: str, body: bytes) -> dict[str, str]:
        """Return the header lines that sign the answer."""
        assert self._answering is not None, "an answer that is signed"
        private_key = self._answering.private_key
        assert private_key is not None  # the key ring's current key signs
        key_id = self._answering.kid or self._answering.thumbprint()
        return answer_headers(self.request, status, content_type, body, key_id, private_key)


class MessageSigning:
    """Verifies and makes the signatures of one endpoint. `url` is the URL by which it is reached from outside."""

    def __init__(self, url: str, client_keys: SignatureKeys, ring: KeyRing) -> None:
        self._url = url
        self._client_keys = client_keys
        self._ring = ring

    def exchange(self, scope: Scope, headers: Headers) -> Exchange:
        """Begin the exchange of a request: what proof it has is to be verified."""
        # What the Host header says is the sender's word: the URL is ours.
        query = scope["query_string"]
        url = f"{self._url}?{query.decode('latin-1')}" if query else self._url
        has_proof = "signature" in headers or "signature-input" in headers or "content-digest" in headers
        return Exchange(SignedRequest(scope["method"], url, headers), has_proof)

    async def verify(self, exchange: Exchange, headers: Headers, caller: Caller, body: bytes) -> None:
        """Verify what the request is signed with. Raises Refused: 401, 400 for a digest alone, 503."""
        if "signature" in headers or "signature-input" in headers:
            exchange.signature = await self._verified(exchange.request, caller, body)
            return
        try:
            verify_digest(headers, body)
        except InvalidSignature as reason:
            raise SignatureRefused(400, "CONTENT_DIGEST_INVALID", f"{reason}.") from None

    async def _verified(self, request: SignedRequest, caller: Caller, body: bytes) -> RequestSignature:
        if len(body) > MAX_SIGNED_BODY_BYTES:
            raise SignatureRefused(
                413, "SIGNATURE_INVALID", f"The body of a signed request is at most {MAX_SIGNED_BODY_BYTES} bytes."
            )
        try:
            key_id = key_id_of(request)
            try:
                signatory = await self._client_keys.of_client(caller.client_id, caller.institution_id)
            except (asyncpg.PostgresError, *DATABASE_AWAY) as error:
                raise _away(error) from None
            key = signatory.keys.get(key_id)
            if key is None:
                raise InvalidSignature("Signature-Input: keyid is no key of this client's")
            return verified(request, body, key)
        except InvalidSignature as reason:
            raise SignatureRefused(401, "SIGNATURE_INVALID", f"{reason}.") from None

    async def admit(self, exchange: Exchange, caller: Caller) -> None:
        """Let an operation that moves money run: it is signed where it must be, and its answer will be.

        The key is fetched now, since nothing may fail between the money's move and the answer. Raises Refused.
        """
        try:
            signatory = await self._client_keys.of_client(caller.client_id, caller.institution_id)
            keys = await self._ring.keys()
        except (asyncpg.PostgresError, *DATABASE_AWAY) as error:
            raise _away(error) from None
        if signatory.required and exchange.signature is None:
            message = "This institution signs what moves money, and the request has no signature."
            raise SignatureRefused(401, "SIGNATURE_REQUIRED", message)
        exchange.answer_with(keys.signing)


def moves_money(operation: Operation) -> bool:
    """Return whether any field at the operation's root moves money, skipped or not."""
    return operation.kind is OperationType.MUTATION and not MOVES_MONEY.isdisjoint(operation.root_fields)


def _away(error: Exception) -> Refused:
    log.error("signature keys not read", exc_info=error)
    return Refused(503, "The signature can't be verified now, and nothing has run. Try again.", {"retry-after": "5"})
