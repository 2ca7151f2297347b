"""The keys that clients sign with: public, few, of the kinds that are verified, and who must use them."""

import json
from typing import Any

import asyncpg
import pytest
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from auth import signature_keys
from auth.institutions import FieldError
from auth.signature_keys import SignatureKeys, register, require
from auth.tokens import LOOK_UP_AGAIN_SECONDS
from tests.auth.conftest import Clock

pytestmark = pytest.mark.anyio

EC = ECKey.generate_key("P-256")
ED = OKPKey.generate_key("Ed25519")
RSA = RSAKey.generate_key(2048)


def jwk(key: Key, **members: Any) -> dict[str, Any]:
    return {**key.as_dict(private=False), **members}


def jwk_set(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


async def one(pool: asyncpg.Pool, client_id: str, *keys: dict[str, Any]) -> list[str]:
    async with pool.acquire() as connection:
        return await register(connection, client_id, jwk_set(*keys))


async def institution_of(pool: asyncpg.Pool, code: str) -> int:
    found: int = await pool.fetchval("SELECT id FROM institutions WHERE code = $1", code)
    return found


async def test_each_kind_of_key_has_its_algorithm_and_a_name(pool: asyncpg.Pool, icbc: tuple[str, str]) -> None:
    kids = await one(pool, "icbc-app", jwk(EC, kid="2020"), jwk(ED, alg="EdDSA"), jwk(RSA, use="sig"))
    assert kids == ["2020", ED.thumbprint(), RSA.thumbprint()]
    signatory = await SignatureKeys(pool).of_client("icbc-app", await institution_of(pool, "ICBC"))
    algorithms = [signatory.keys[kid].algorithm for kid in kids]
    assert algorithms == ["ecdsa-p256-sha256", "ed25519", "rsa-pss-sha512"]
    assert not signatory.required


async def test_a_new_set_takes_the_place_of_the_old_one_and_what_was_there_stays(
    pool: asyncpg.Pool, icbc: tuple[str, str]
) -> None:
    await one(pool, "icbc-app", jwk(EC, kid="a"), jwk(ED, kid="b"))
    before = await pool.fetch("SELECT id, kid FROM client_signing_keys ORDER BY kid")
    # "b" is another key now.
    await one(pool, "icbc-app", jwk(EC, kid="a"), jwk(RSA, kid="b"))
    rows = await pool.fetch("SELECT id, kid, algorithm, retired_at FROM client_signing_keys ORDER BY id")
    assert [(row["kid"], row["algorithm"], row["retired_at"] is None) for row in rows] == [
        ("a", "ecdsa-p256-sha256", True),
        ("b", "ed25519", False),
        ("b", "rsa-pss-sha512", True),
    ]
    assert rows[0]["id"] == before[0]["id"]
    assert await one(pool, "icbc-app") == []
    assert await pool.fetchval("SELECT count(*) FROM client_signing_keys WHERE retired_at IS NULL") == 0


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (jwk_set(EC.as_dict(private=True)), "keys.0.: must be a public key"),
        (jwk_set(RSA.as_dict(private=True)), "keys.0.: must be a public key"),
        (jwk_set(OctKey.generate_key(256).as_dict()), "keys.0.: must be a public key"),
        (jwk_set(jwk(ECKey.generate_key("P-384"))), "must be P-256, Ed25519, or RSA"),
        (jwk_set(jwk(OKPKey.generate_key("X25519"))), "must be P-256, Ed25519, or RSA"),
        (jwk_set(jwk(EC, alg="ES384")), "alg must be ES256"),
        (jwk_set(jwk(RSA, alg="RS256")), "alg must be PS512"),
        (jwk_set(jwk(EC, use="enc")), "is not for signatures"),
        (jwk_set(jwk(EC, kid="a b")), "kid must be"),
        (jwk_set(jwk(EC, kid=1)), "kid must be|can be read"),
        (jwk_set(jwk(EC, kid="a"), jwk(ED, kid="a")), "keys.1.: has the kid of another key"),
        (jwk_set({"kty": "EC"}), "keys.0.: is no JWK"),
        (jwk_set({}), "keys.0.: is no JWK"),
        (jwk_set(*[jwk(EC, kid=str(n)) for n in range(signature_keys.MAX_KEYS + 1)]), "has more than 8 keys"),
        (b"[]", "must be a JWK set"),
        (b"{", "is not JSON"),
        (b" " * (signature_keys.MAX_FILE_BYTES + 1), "is larger than"),
    ],
    # The keys are others in each process that collects the tests.
    ids=range(17),
)
async def test_what_is_no_set_of_public_keys_is_refused_whole(
    pool: asyncpg.Pool, icbc: tuple[str, str], given: bytes, reason: str
) -> None:
    async with pool.acquire() as connection:
        with pytest.raises(FieldError, match=reason) as refusal:
            await register(connection, "icbc-app", given)
    assert EC.as_dict(private=True)["d"] not in str(refusal.value)
    assert await pool.fetchval("SELECT count(*) FROM client_signing_keys") == 0


async def test_an_unknown_client_or_institution_is_told(pool: asyncpg.Pool, icbc: tuple[str, str]) -> None:
    async with pool.acquire() as connection:
        with pytest.raises(FieldError, match="client_id"):
            await register(connection, "nobody", jwk_set(jwk(EC)))
        with pytest.raises(FieldError, match="institution"):
            await require(connection, "NOBODY", required=True)


async def test_a_process_that_hears_nothing_sees_changes_when_its_memory_ends(
    pool: asyncpg.Pool, icbc: tuple[str, str]
) -> None:
    clock = Clock(1000.0)
    keys = SignatureKeys(pool, clock, LOOK_UP_AGAIN_SECONDS)
    icbc_id = await institution_of(pool, "ICBC")
    assert not (await keys.of_client("icbc-app", icbc_id)).required
    async with pool.acquire() as connection:
        await require(connection, "ICBC", required=True)
        await require(connection, "ICBC", required=True)
    assert not (await keys.of_client("icbc-app", icbc_id)).required
    clock.now += LOOK_UP_AGAIN_SECONDS
    assert (await keys.of_client("icbc-app", icbc_id)).required
    assert not (await keys.of_client("abc-desk", await institution_of(pool, "ABC"))).required
    async with pool.acquire() as connection:
        await require(connection, "ICBC", required=False)
    keys.forget()
    assert not (await keys.of_client("icbc-app", icbc_id)).required
    actions = await pool.fetch(
        "SELECT action FROM audit_entries WHERE subject LIKE 'signature_requirement:%' ORDER BY 1"
    )
    assert [row["action"] for row in actions] == ["SIGNATURE_REQUIREMENT_ADDED", "SIGNATURE_REQUIREMENT_REMOVED"]
