"""RFC 9421 by its own examples (appendix B), so that the implementation is right and not only one with itself."""

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key
from http_message_signatures import ContentDigest, HTTPMessageSigner, algorithms
from joserfc.jwk import ECKey
from starlette.datastructures import Headers

from auth.signature_keys import SignatureKey
from auth.signatures import (
    InvalidSignature,
    RequestSignature,
    SignedRequest,
    answer_headers,
    key_id_of,
    verified,
    verify_again,
    verify_digest,
)

# B.2: the body of test-request, and the digest of the example.
HOST = "example.com"
BODY = b'{"hello": "world"}'
SHA_512 = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"

# B.1.3, B.1.4 and B.2.4, B.2.6.
ECC_P256 = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf
w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==
-----END PUBLIC KEY-----
"""
ED25519 = "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs="
RESPONSE_BASE = '''"@status": 200
"content-type": application/json
"content-digest": sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:
"content-length": 23
"@signature-params": ("@status" "content-type" "content-digest" "content-length")\
;created=1618884473;keyid="test-key-ecc-p256"'''
RESPONSE_SIGNATURE = "wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw=="
REQUEST_BASE = '''"date": Tue, 20 Apr 2021 02:07:55 GMT
"@method": POST
"@path": /foo
"@authority": example.com
"content-type": application/json
"content-length": 18
"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length")\
;created=1618884473;keyid="test-key-ed25519"'''
REQUEST_SIGNATURE = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="


def kept(signature: str, base: str, body: bytes) -> RequestSignature:
    return RequestSignature(1, base64.b64decode(signature), base.encode(), body)


def test_the_response_signed_with_ecdsa_p256_verifies() -> None:
    key: Any = load_pem_public_key(ECC_P256.encode())
    response = b'{"message": "good dog"}'
    verify_again(kept(RESPONSE_SIGNATURE, RESPONSE_BASE, response), "ecdsa-p256-sha256", key)
    changed = kept(RESPONSE_SIGNATURE, RESPONSE_BASE.replace("200", "201"), response)
    with pytest.raises(InvalidSignature, match="does not verify"):
        verify_again(changed, "ecdsa-p256-sha256", key)
    with pytest.raises(InvalidSignature, match="body"):
        verify_again(kept(RESPONSE_SIGNATURE, RESPONSE_BASE, b"{}"), "ecdsa-p256-sha256", key)


def test_the_request_signed_with_ed25519_verifies_with_the_base_made_of_its_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """B.2.6 covers other components than ours: the rules on coverage and age are set aside, nothing else."""
    monkeypatch.setattr("auth.signatures.REQUEST_COMPONENTS", ())
    monkeypatch.setattr("auth.signatures.MAX_AGE_SECONDS", 10**10)
    lines = [
        ("Date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("Content-Type", "application/json"),
        ("Content-Length", "18"),
        (
            "Signature-Input",
            'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")'
            ';created=1618884473;keyid="test-key-ed25519"',
        ),
        ("Signature", f"sig-b26=:{REQUEST_SIGNATURE}:"),
    ]
    headers = Headers(raw=[(name.lower().encode(), value.encode()) for name, value in lines])
    request = SignedRequest("POST", f"https://{HOST}/foo?param=Value&Pet=dog", headers)
    key: Any = load_der_public_key(base64.b64decode(ED25519))
    assert key_id_of(request) == "test-key-ed25519"
    # Without a digest there is no body to speak of.
    found = verified(request, b"", SignatureKey(7, "ed25519", key))
    assert (found.key_id, found.base.decode()) == (7, REQUEST_BASE)
    elsewhere = SignedRequest("POST", "https://gateway.example/foo", headers)
    with pytest.raises(InvalidSignature, match="does not verify"):
        verified(elsewhere, b"", SignatureKey(7, "ed25519", key))


def test_the_digest_of_rfc_9530_is_the_bodys() -> None:
    verify_digest(Headers({"content-digest": SHA_512}), BODY)


@pytest.mark.parametrize(
    "digest", [SHA_512.replace("WZ", "WX"), "md5=:AAAAAAAAAAAAAAAAAAAAAA==:", "sha-256", "", "sha-256=é", "sha-512=:=:"]
)
def test_a_digest_that_is_not_the_bodys_is_refused(digest: str) -> None:
    with pytest.raises(InvalidSignature, match="Content-Digest"):
        verify_digest(Headers(raw=[(b"content-digest", digest.encode("latin-1"))]), BODY)


def test_an_answer_is_bound_to_what_the_request_had() -> None:
    key = ECKey.generate_key("P-256")
    assert key.private_key is not None
    request = SignedRequest("POST", "https://gateway.example/graphql", Headers({"signature": "a=:AA==:"}))
    headers = answer_headers(request, 200, "application/json", b"{}", "k", key.private_key)
    assert '"@method";req "@target-uri";req "signature";req)' in headers["signature-input"]
    bare = SignedRequest("POST", "https://gateway.example/graphql", Headers({}))
    headers = answer_headers(bare, 200, "application/json", b"{}", "k", key.private_key)
    assert '"@method";req "@target-uri";req)' in headers["signature-input"]


@dataclass(frozen=True)
class Answered:
    """An answer as the library sees it."""

    status_code: int
    headers: dict[str, str]
    request: SignedRequest


@pytest.mark.parametrize(
    ("headers", "covered"),
    [
        ({}, ()),
        ({"content-digest": "sha-256=:AA==:"}, ("content-digest",)),
        ({"content-digest": "sha-256=:AA==: ", "signature": "a=:AA==:"}, ("content-digest", "signature")),
    ],
)
def test_an_answer_is_signed_as_the_library_would(headers: dict[str, str], covered: tuple[str, ...]) -> None:
    key = ECKey.generate_key("P-256")
    assert key.private_key is not None
    request = SignedRequest("POST", "https://gateway.example/graphql?a=1", Headers(headers))
    body, key_id = '{"data":"陈"}'.encode(), 'a "k\\'
    ours = answer_headers(request, 200, "application/json; charset=utf-8", body, key_id, key.private_key)
    signature_input, signature = ours["signature-input"], ours["signature"]
    created = re.search(r";created=([0-9]+);", signature_input)
    assert created is not None
    signer = HTTPMessageSigner(signature_algorithm=algorithms.ECDSA_P256_SHA256)
    answer = Answered(
        200, {"content-type": "application/json; charset=utf-8", "content-digest": ContentDigest.create(body)}, request
    )
    prepared = signer.prepare(
        answer,
        key_id=key_id,
        created=datetime.fromtimestamp(int(created[1]), UTC),
        covered_component_ids=(
            "@status",
            "content-digest",
            "content-type",
            *(f'"{name}";req' for name in ("@method", "@target-uri", *covered)),
        ),
        use_existing_digest=True,
    )
    assert ours["content-digest"] == answer.headers["content-digest"]
    assert signature_input == f"gateway={prepared.signature_params}"
    value = base64.b64decode(signature.removeprefix("gateway=:").removesuffix(":"))
    algorithms.ECDSA_P256_SHA256(public_key=key.public_key).verify(value, prepared.signature_base)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"signature-input": "a"},
        {"signature-input": 'a=("@method")'},
        {"signature-input": 'a=("@method");keyid="k", b=("@method");keyid="k"'},
        {"signature-input": "a=1"},
        {"signature-input": "()"},
        {"signature-input": 'a=("@method");keyid=1'},
    ],
)
def test_a_signature_input_that_is_not_one_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(InvalidSignature, match="Signature-Input: "):
        key_id_of(SignedRequest("POST", "https://gateway.example/graphql", Headers(given)))
