"""Keys of banks, and the assertions that they sign, good ones and others."""

import json
import secrets
import time
from functools import cache
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from auth.assertions import ASSERTION_TYPE
from auth.client_keys import Registry
from tests.auth.conftest import GRANT, ISSUER

Key = ECKey | RSAKey | OKPKey

# Whatever a test wants signed, a signer of ours signs.
_ANY = Registry(algorithms=["ES256", "PS256", "EdDSA", "RS256", "HS256"], strict_check_header=False)


@cache
def bank_key(algorithm: str, kid: str | None = None) -> Key:
    """The same key each time for an algorithm and id: RSA keys take long to make."""
    parameters: Any = {"kid": kid} if kid else None
    match algorithm:
        case "ES256":
            return ECKey.generate_key("P-256", parameters)
        case "EdDSA":
            return OKPKey.generate_key("Ed25519", parameters)
    return RSAKey.generate_key(2048, parameters)


def key_set(*keys: Key, private: bool = False) -> bytes:
    return json.dumps({"keys": [key.as_dict(private=private) for key in keys]}).encode()


def claims(client_id: str, **changed: Any) -> dict[str, Any]:
    now = int(time.time())
    whole = {
        "iss": client_id,
        "sub": client_id,
        "aud": ISSUER,
        "iat": now,
        "exp": now + 60,
        "jti": secrets.token_urlsafe(16),
    }
    return {name: value for name, value in (whole | changed).items() if value is not None}


def signed(key: Any, algorithm: str, said: dict[str, Any], **header: Any) -> str:
    payload = json.dumps(said).encode()
    return jws.serialize_compact({"alg": algorithm, **header}, payload, key, registry=_ANY)


def assertion(client_id: str, key: Key, algorithm: str = "ES256", **changed: Any) -> str:
    header = {"kid": key.kid} if key.kid else {}
    return signed(key, algorithm, claims(client_id, **changed), **header)


def proof(compact: str, **form: str) -> dict[str, str]:
    """The form of a token request that is authenticated by this assertion."""
    return GRANT | {"client_assertion_type": ASSERTION_TYPE, "client_assertion": compact} | form
