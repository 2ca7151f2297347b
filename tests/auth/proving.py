"""DPoP proofs as a bank's program makes them, and as a thief would."""

import base64
import hashlib
import secrets
import time
from typing import Any

import orjson
from joserfc import jws
from joserfc.jwk import ECKey, Key

from tests.auth.conftest import GRANT, ISSUER, Process


def hash_of(token: str) -> str:
    return unpadded(hashlib.sha256(token.encode()).digest())


def proof(
    key: Key,
    url: str,
    *,
    method: str = "POST",
    token: str | None = None,
    header: dict[str, Any] | None = None,
    signer: Key | None = None,
    **changed: Any,
) -> str:
    """Make a proof; a claim that is None is left out. `signer` is whose signature it has, if not the key's."""
    whole = {
        "jti": secrets.token_hex(16),
        "htm": method,
        "htu": url,
        "iat": int(time.time()),
        "ath": hash_of(token) if token else None,
    }
    claims = {name: value for name, value in (whole | changed).items() if value is not None}
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)} | (header or {})
    return signed(head, orjson.dumps(claims), signer or key)


def signed(header: dict[str, Any], payload: bytes, key: Any) -> str:
    """Sign by whatever the header says: joserfc itself would refuse what a thief might send."""
    signing_input = f"{unpadded(orjson.dumps(header))}.{unpadded(payload)}"
    signature = jws.JWSRegistry.algorithms[header["alg"]].sign(signing_input.encode(), key)
    return f"{signing_input}.{unpadded(signature)}"


def unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Bank:
    """A client that proves to hold a key, with the nonces that it is given."""

    def __init__(self, process: Process, credentials: tuple[str, str]) -> None:
        self.process = process
        self.credentials = credentials
        self.key = ECKey.generate_key("P-256")
        self.nonce: str | None = None

    async def ask_for_a_token(self, **changed: Any) -> Any:
        made = proof(self.key, f"{ISSUER}/oauth/token", **({"nonce": self.nonce} | changed))
        return await self.process.http.post("/oauth/token", data=GRANT, auth=self.credentials, headers={"DPoP": made})

    async def token(self) -> str:
        """Get a token, with the nonce of the first refusal."""
        answer = await self.ask_for_a_token()
        assert (answer.status_code, answer.json()["error"]) == (400, "use_dpop_nonce")
        self.nonce = answer.headers["DPoP-Nonce"]
        answer = await self.ask_for_a_token()
        assert answer.status_code == 200, answer.text
        assert answer.json()["token_type"] == "DPoP"
        return str(answer.json()["access_token"])

    def proof(self, token: str, **changed: Any) -> str:
        """Make a proof for the endpoint that tells who calls."""
        key = changed.pop("key", self.key)
        url = changed.pop("url", f"{ISSUER}/graphql")
        return proof(key, url, token=token, **({"nonce": self.nonce} | changed))

    async def call(self, token: str, made: str | None = None, process: Process | None = None) -> Any:
        return await call((process or self.process), token, [made or self.proof(token)])


async def call(process: Process, token: str, proofs: list[str], scheme: str = "DPoP") -> Any:
    headers = [("Authorization", f"{scheme} {token}"), *(("DPoP", made) for made in proofs)]
    return await process.http.post("/graphql", headers=headers)


def is_refused_by(answer: Any, error: str) -> None:
    assert answer.status_code == 401, answer.text
    assert answer.headers["WWW-Authenticate"].startswith(f'DPoP error="{error}"'), answer.headers
