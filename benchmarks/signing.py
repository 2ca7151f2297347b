"""What a bank's program adds to a request: a DPoP proof (RFC 9449), or a signature over it (RFC 9421)."""

import base64
import hashlib
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc.jwk import ECKey

from benchmarks.servers import Running
from benchmarks.workloads import Signing
from tests.auth.proving import proof

COVERED = ("@method", "@target-uri", "content-digest", "content-type", "authorization")


class Prover:
    """A client whose token is bound to a key: each request has a proof of its own, and lives for a minute."""

    def __init__(self, server: Running, credentials: tuple[str, str]) -> None:
        self._server = server
        self._key = ECKey.generate_key("P-256")
        nonce = None
        # The first answer is a refusal that tells the nonce.
        for _ in range(2):
            made = proof(self._key, f"http://127.0.0.1:{server.port}/oauth/token", nonce=nonce)
            form = {"grant_type": "client_credentials"}
            answer = server.http.post("/oauth/token", data=form, auth=credentials, headers={"DPoP": made})
            nonce = answer.headers["DPoP-Nonce"]
        self.token: str = answer.raise_for_status().json()["access_token"]

    def signing(self) -> Signing:
        """Return what makes proofs with the nonce of now."""
        nonce = self._server.http.post("/graphql", headers={"DPoP": "x"}).headers["DPoP-Nonce"]
        url, key, token = self._server.url, self._key, self.token
        return lambda _body: {
            "authorization": f"DPoP {token}",
            "dpop": proof(key, url, token=token, nonce=nonce),
        }


def signer(private_key: ec.EllipticCurvePrivateKey, key_id: str, url: str, authorization: str) -> Signing:
    """Return what signs requests by a P-256 key."""

    def sign(body: bytes) -> dict[str, str]:
        digest = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
        values = ("POST", url, digest, "application/json", authorization)
        names = " ".join(f'"{name}"' for name in COVERED)
        parameters = f'({names});created={int(time.time())};keyid="{key_id}"'
        lines = [f'"{name}": {value}' for name, value in zip(COVERED, values, strict=True)]
        base = "\n".join([*lines, f'"@signature-params": {parameters}'])
        r, s = decode_dss_signature(private_key.sign(base.encode(), ec.ECDSA(hashes.SHA256())))
        signature = base64.b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode()
        return {"content-digest": digest, "signature-input": f"bank={parameters}", "signature": f"bank=:{signature}:"}

    return sign
