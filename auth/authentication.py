"""Client authentication at the three endpoints: by secret, by assertion (RFC 7523), by certificate (RFC 8705).

Secrets are compared by Authlib, in a thread; here it is found out which way the client has chosen, and what needs the
database or the network is done. Whatever fails is one and the same InvalidClientError.
"""

from collections.abc import Mapping

import asyncpg
import structlog
from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError
from authlib.oauth2.rfc6749.util import extract_basic_authorization

from auth import assertions, client_keys, clients, methods
from auth.assertions import Assertion, AssertionVerifier, InvalidAssertion
from auth.certificates import Certificate, ClientCertificates
from auth.client_keys import PublicKey
from auth.clients import Client
from auth.grants import Credentials
from auth.published_keys import PublishedKeys

log = structlog.get_logger()


class ClientAuthenticator:
    """Finds out who a request says it is from, and proves it unless it is by a secret."""

    def __init__(
        self,
        *,
        pool: asyncpg.Pool,
        sandbox: bool,
        certificates: ClientCertificates,
        published_keys: PublishedKeys,
        assertion_verifier: AssertionVerifier,
    ) -> None:
        self._pool = pool
        self._sandbox = sandbox
        self._certificates = certificates
        self._published_keys = published_keys
        self._verifier = assertion_verifier

    async def credentials(self, headers: Mapping[str, str], form: Mapping[str, str], peer: str | None) -> Credentials:
        """Return the credentials of the client; those with a secret are still to be proved.

        `peer` is the address at the other end of the connection. Raises InvalidClientError, and InvalidRequestError
        for two ways of authentication (RFC 6749, 2.3) or two clients in one request.
        """
        by_secret = ("authorization" in headers) + ("client_secret" in form)
        by_assertion = "client_assertion" in form or "client_assertion_type" in form
        if by_secret + by_assertion > 1:
            raise InvalidRequestError("one way of client authentication at a time")
        if by_assertion:
            return Credentials(await self._by_assertion(form), proved=True)
        if by_secret:
            client = await self._find(_claimed_client_id(headers, form), methods.CLIENT_SECRET_BASIC)
            return Credentials(client)
        client = await self._find(form.get("client_id", ""), methods.TLS_CLIENT_AUTH)
        certificate = self._certificates.certificate_of(headers, peer)
        if client is None or certificate is None or not certificate_matches(client, certificate):
            raise InvalidClientError
        return Credentials(client, proved=True, certificate=certificate)

    async def _find(self, client_id: str, auth_method: str) -> Client | None:
        """Find a client with that method. One that may do nothing is like one that never was."""
        client = await clients.find(self._pool, client_id)
        if client and client.usable(sandbox=self._sandbox) and client.auth_method == auth_method:
            return client
        return None

    async def _by_assertion(self, form: Mapping[str, str]) -> Client:
        try:
            if form.get("client_assertion_type") != assertions.ASSERTION_TYPE:
                raise InvalidAssertion("not a JWT by its type")
            assertion = assertions.peek(form.get("client_assertion", ""))
            if form.get("client_id", assertion.client_id) != assertion.client_id:
                raise InvalidAssertion("client_id is another client's")
            client = await self._find(assertion.client_id, methods.PRIVATE_KEY_JWT)
            if client is None:
                assertions.verify_in_vain(assertion)
                raise InvalidAssertion("no such client of private_key_jwt")
            used = self._verifier.verify(assertion, await self._keys(client, assertion))
            if not await assertions.use_once(self._pool, used):
                raise InvalidAssertion("used before")
        except InvalidAssertion as error:
            # The reason is for the operator whom a bank asks; the bank is told that it failed.
            log.info("client assertion refused", reason=str(error))
            raise InvalidClientError from error
        return client

    async def _keys(self, client: Client, assertion: Assertion) -> list[PublicKey]:
        if client.jwks is not None:
            return client_keys.usable_keys(client.jwks)
        assert client.jwks_uri is not None
        return await self._published_keys.keys(client.id, client.jwks_uri, assertion.algorithm, assertion.key_id)


def certificate_matches(client: Client, certificate: Certificate) -> bool:
    """Whether the certificate names the client as it is registered (RFC 8705, 2.1.2)."""
    name = client.certificate_name
    if name is None:
        return False
    match client.certificate_name_type:
        case methods.SUBJECT_DN:
            return methods.subject_of(name) == certificate.subject
        case methods.SAN_DNS:
            return name.lower() in (dns_name.lower() for dns_name in certificate.dns_names)
        case methods.SAN_URI:
            return name in certificate.uris
    return False


def _claimed_client_id(headers: Mapping[str, str], form: Mapping[str, str]) -> str:
    """Read whose secret is sent; empty when it does not say.

    Raises InvalidClientError for a Basic header that is not UTF-8 in base64, and InvalidRequestError for two clients
    in one request.
    """
    try:
        basic_id, _ = extract_basic_authorization(headers)
    except ValueError as error:
        raise InvalidClientError from error
    form_id = form.get("client_id")
    if basic_id and form_id and basic_id != form_id:
        raise InvalidRequestError("client_id is not the client of the Authorization header")
    return basic_id or form_id or ""
