"""The client's own signature of what moved money: written with it, and read again to prove it."""

import datetime
from dataclasses import dataclass, field

import asyncpg

from auth.signatures import RequestSignature
from database import sealing
from database.vault import Vault
from resolvers.call import Call
from resolvers.reading import Reading

#: The length of the signature base, before base and body in what is sealed.
_LENGTH_BYTES = 4

#: What the functions that move money answer when they have: what is kept under which word. A repetition moved nothing.
_EVENT = """CASE o.outcome
    WHEN 'REQUESTED' THEN 'REFUND_REQUESTED'
    WHEN 'DECIDED' THEN 'REFUND_DECIDED'
    ELSE o.outcome
END"""
_MOVED = "o.outcome IN ('ACCEPTED', 'REVERSED', 'REQUESTED', 'DECIDED')"


@dataclass(frozen=True, slots=True)
class KeptSignature:
    """A signature as it was kept: of which event, when, by which key of which client."""

    event: str
    kept_at: datetime.datetime
    client_id: str
    kid: str
    algorithm: str
    thumbprint: str
    #: The public key, as JSON.
    jwk: str
    signature: RequestSignature = field(repr=False)


def keeping(reading: Reading) -> tuple[str, ...]:
    """Return the CTE that keeps the call's signature beside the CTE `outcome`.

    Part of the statement that moves the money, and so of its transaction: neither is there without the other.
    """
    return (
        f"""signed AS (
            INSERT INTO payment_signatures (payment_id, event, key_id, signature, sealed_message, data_key_id)
            SELECT
                (o.payment).id,
                {_EVENT},
                {reading.of_call(lambda call: _signature(call).key_id, "bigint")},
                {reading.of_call(lambda call: _signature(call).value, "bytea")},
                {reading.of_call(_sealed_message, "bytea")},
                {reading.of_call(lambda call: call.vault.identity_key_id, "integer")}
            FROM outcome AS o
            WHERE {_MOVED}
        )""",
    )


def _signature(call: Call) -> RequestSignature:
    assert call.signature is not None, "composed for a call that has one"
    return call.signature


def _sealed_message(call: Call) -> bytes:
    signature = _signature(call)
    message = len(signature.base).to_bytes(_LENGTH_BYTES) + signature.base + signature.body
    return call.vault.seal(message, sealing.payment_signature(signature.value))


async def kept(
    connection: asyncpg.Connection, vault: Vault, institution_code: str, bank_reference: str
) -> list[KeptSignature] | None:
    """Return the signatures of one payment, the oldest first. None: there is no such payment.

    Raises what Vault.unseal raises.
    """
    payment_id = await connection.fetchval(
        """
        SELECT p.id FROM payments AS p INNER JOIN institutions AS i ON p.institution_id = i.id
        WHERE i.code = $1 AND p.bank_reference = $2
        """,
        institution_code,
        bank_reference,
    )
    if payment_id is None:
        return None
    rows = await connection.fetch(
        """
        SELECT
            s.event, s.kept_at, s.key_id, s.signature, s.sealed_message, s.data_key_id,
            k.client_id, k.kid, k.algorithm, k.thumbprint, k.public_jwk::text AS jwk
        FROM payment_signatures AS s
        INNER JOIN client_signing_keys AS k ON s.key_id = k.id
        WHERE s.payment_id = $1
        ORDER BY s.kept_at
        """,
        payment_id,
    )
    return [_read(row, vault) for row in rows]


def _read(row: asyncpg.Record, vault: Vault) -> KeptSignature:
    message = vault.unseal(row["sealed_message"], row["data_key_id"], sealing.payment_signature(row["signature"]))
    end = _LENGTH_BYTES + int.from_bytes(message[:_LENGTH_BYTES])
    return KeptSignature(
        event=row["event"],
        kept_at=row["kept_at"],
        client_id=row["client_id"],
        kid=row["kid"],
        algorithm=row["algorithm"],
        thumbprint=row["thumbprint"],
        jwk=row["jwk"],
        signature=RequestSignature(row["key_id"], row["signature"], message[_LENGTH_BYTES:end], message[end:]),
    )
