"""HTTP message signatures (RFC 9421) over Content-Digest (RFC 9530): verified, verified again later, and made."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, Protocol

import http_sf
from cryptography.exceptions import InvalidSignature as NotSigned
from http_message_signatures import (
    ContentDigest,
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    MappingKeyResolver,
    SigningKey,
    VerificationKey,
    algorithms,
)

from auth.signature_keys import SignatureKey
from contributions.plain import record

ALGORITHMS: Final[Mapping[str, type[HTTPSignatureAlgorithm]]] = MappingProxyType(
    {
        algorithm.algorithm_id: algorithm
        for algorithm in (algorithms.ECDSA_P256_SHA256, algorithms.ED25519, algorithms.RSA_PSS_SHA512)
    }
)

#: What a request's signature must cover, and may cover more: who, what, where to, and the body by its digest.
REQUEST_COMPONENTS: Final = ("@method", "@target-uri", "content-digest", "content-type", "authorization")
#: What an answer's signature covers of the request where the request has it, beside its method and URL.
_ANSWERED_HEADERS: Final = ("content-digest", "signature")

#: How old a signature may be: long enough for a request to be tried again, short enough to be of now.
MAX_AGE_SECONDS: Final = 300
#: How far the clocks of a bank and of the gateway may be apart.
CLOCK_SKEW_SECONDS: Final = 30

#: The name of our signature among an answer's; it has no meaning.
_LABEL: Final = "gateway"


class Fields(Protocol):
    """The header lines of a message, each as it came."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Name and value of each line, in order."""


class InvalidSignature(Exception):
    """A signature or a digest that is there and does not hold. Its text is the reason, and repeats no value."""


@record
class SignedRequest:
    """A request as its signature sees it: the method, the URL by which the gateway is known, and the header lines."""

    method: str
    url: str
    headers: Fields = field(repr=False)


@dataclass(frozen=True, slots=True)
class RequestSignature:
    """A verified signature with all that verifies it again: the row of its key, the signature base and the body."""

    key_id: int
    value: bytes = field(repr=False)
    base: bytes = field(repr=False)
    body: bytes = field(repr=False)


class _Verifier(HTTPMessageVerifier):
    max_clock_skew = timedelta(seconds=CLOCK_SKEW_SECONDS)


def key_id_of(request: SignedRequest) -> str:
    """Return the keyid of the request's one signature, of which nothing is verified. Raises InvalidSignature."""
    members = _dictionary(request.headers, "signature-input")
    if len(members) != 1:
        raise InvalidSignature("Signature-Input: must hold one signature")
    _, parameters = next(iter(members.values()))
    key_id = parameters.get("keyid")
    if not isinstance(key_id, str):
        raise InvalidSignature("Signature-Input: keyid is missing")
    return key_id


def verified(request: SignedRequest, body: bytes, key: SignatureKey) -> RequestSignature:
    """Verify the request's one signature by the client's key. `body` is the content as it came.

    The signature covers REQUEST_COMPONENTS and was made no longer than MAX_AGE_SECONDS ago. Raises InvalidSignature.
    """
    verify_digest(request.headers, body)
    parameters, covered = _signature_input(request.headers)
    missing = [name for name in REQUEST_COMPONENTS if name not in covered]
    if missing:
        raise InvalidSignature(f"Signature-Input: {' '.join(missing)} must be covered")
    if type(parameters.get("created")) is not int:
        raise InvalidSignature("Signature-Input: created is missing")
    age_seconds = datetime.now(UTC).timestamp() - parameters["created"]
    if not -CLOCK_SKEW_SECONDS <= age_seconds <= MAX_AGE_SECONDS + CLOCK_SKEW_SECONDS:
        raise InvalidSignature(f"Signature-Input: created must be of the last {MAX_AGE_SECONDS} seconds")
    resolver = MappingKeyResolver(public_keys={parameters["keyid"]: key.public_key}, private_keys={})
    verifier = _Verifier(signature_algorithm=ALGORITHMS[key.algorithm], key_resolver=resolver)
    try:
        (result,) = verifier.verify(
            request,
            max_age=timedelta(seconds=MAX_AGE_SECONDS),
            require_components=REQUEST_COMPONENTS,
            body=body,
        )
    except HTTPMessageSignaturesException:
        # The library's own reasons may repeat a value of the request's.
        raise InvalidSignature("Signature: does not verify") from None
    base = "\n".join(f"{name}: {value}" for name, value in result.covered_components.items())
    (value, _), *_ = _dictionary(request.headers, "signature").values()
    return RequestSignature(key.id, value, base.encode(), body)


def verify_digest(headers: Fields, body: bytes) -> None:
    """Compare the body with the Content-Digest that is there: sha-256, sha-512 or both. Raises InvalidSignature."""
    given = [value for name, value in headers.items() if name.lower() == "content-digest"]
    if not given:
        return
    try:
        ContentDigest.verify(", ".join(given), body)
    except (HTTPMessageSignaturesException, UnicodeEncodeError):
        raise InvalidSignature("Content-Digest: must be sha-256 or sha-512, and the body's own") from None


def verify_again(signature: RequestSignature, algorithm: str, public_key: VerificationKey) -> None:
    """Verify what was kept of a signed request: that the base is signed, and that it has the body's digest.

    Raises InvalidSignature. How old it is, and what it covers, was looked at when it came.
    """
    digest = next(
        (line for line in signature.base.decode("ascii").split("\n") if line.startswith('"content-digest": ')), ""
    )
    try:
        ContentDigest.verify(digest.partition(": ")[2], signature.body)
    except HTTPMessageSignaturesException:
        raise InvalidSignature("the body is not the one that was signed") from None
    try:
        ALGORITHMS[algorithm](public_key=public_key).verify(signature.value, signature.base)
    except (NotSigned, HTTPMessageSignaturesException):
        raise InvalidSignature("the signature does not verify") from None


def answer_headers(
    request: SignedRequest, status: int, content_type: str, body: bytes, key_id: str, private_key: SigningKey
) -> dict[str, str]:
    """Return the header lines that sign an answer: Content-Digest, Signature-Input and Signature.

    The signature is ecdsa-p256-sha256. It is bound to the request's method and URL, and to the digest and the
    signature that the request had.

    Written out here, and not by the library that verifies: what is covered never changes, and the library takes ten
    times as long, which is a third of a payment. A test compares the two, byte for byte.
    """
    digest = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
    covered = {
        '"@status"': str(status),
        '"content-digest"': digest,
        '"content-type"': content_type,
        '"@method";req': request.method,
        '"@target-uri";req': request.url,
    }
    for name in _ANSWERED_HEADERS:
        lines = [value.strip() for given, value in request.headers.items() if given.lower() == name]
        if lines:
            covered[f'"{name}";req'] = ", ".join(lines)
    created = int(datetime.now(UTC).timestamp())
    parameters = f'({" ".join(covered)});created={created};keyid={_quoted(key_id)};alg="ecdsa-p256-sha256"'
    base = "".join(f"{name}: {value}\n" for name, value in covered.items()) + f'"@signature-params": {parameters}'
    value = algorithms.ECDSA_P256_SHA256(private_key=private_key).sign(base.encode())
    return {
        "content-digest": digest,
        "signature-input": f"{_LABEL}={parameters}",
        "signature": f"{_LABEL}=:{base64.b64encode(value).decode()}:",
    }


def _quoted(text: str) -> str:
    """Return a string of structured fields (RFC 9651, 3.3.3)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _signature_input(headers: Fields) -> tuple[dict[str, Any], set[str]]:
    """Return the parameters of the one signature, and the components that it covers without parameters of theirs."""
    ((members, parameters),) = _dictionary(headers, "signature-input").values()
    covered = {name for name, its_parameters in members if not its_parameters}
    return parameters, covered


def _dictionary(headers: Fields, name: str) -> dict[str, Any]:
    """Read a dictionary of structured fields (RFC 9651) whose members are all of the kind that RFC 9421 has there."""
    title = "-".join(part.capitalize() for part in name.split("-"))
    lines = [value for given, value in headers.items() if given.lower() == name]
    if not lines:
        raise InvalidSignature(f"{title}: is missing")
    kind = list if name == "signature-input" else bytes
    try:
        members: Any = http_sf.parse(", ".join(lines).encode(), tltype="dictionary")
    except ValueError:
        raise InvalidSignature(f"{title}: can't be read") from None
    if not members or not all(isinstance(member, kind) for member, _ in members.values()):
        raise InvalidSignature(f"{title}: can't be read")
    return dict(members)
