"""What is sealed, indexed and numbered by key: data at rest, and the ids that banks see.

The keys are rows of `data_keys`, wrapped (RFC 3394) by the master key, which is never in the database.
"""

import base64
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import asyncpg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from database.blind_indexes import BlindIndexes

MASTER_KEY_BYTES = 32
# AES-256-GCM, HMAC-SHA256, and AES-256-SIV, whose key is two.
DATA_KEY_BYTES = {"IDENTITY": 32, "LOOKUP": 32, "OPAQUE_ID": 64}
# SP 800-38D: 96 random bits are safe for 2^32 messages under one key, more than there are people.
_NONCE_BYTES = 12

_KIND_BYTES = {"Payer": 1, "Quote": 2, "Payment": 3, "Receipt": 4, "AssessedBill": 5, "Refund": 6}
_KINDS = {byte: kind for kind, byte in _KIND_BYTES.items()}
# A bill is seen by every institution that could name its payer; any other id is one institution's.
_SHARED = _KIND_BYTES["AssessedBill"]
# Of the kind's byte, the tag's 16 and the row id's 8, in base64 without padding.
_OPAQUE_ID_LENGTH = 34


class WrongMasterKey(Exception):
    """The master key is not the one that this database's keys are wrapped with."""


class UnknownDataKey(LookupError):
    """The data key is newer than what this vault has learned of, or there is none of that id."""


@dataclass(frozen=True, slots=True)
class VaultKeys:
    """What a process beside this one needs to index and seal as it does. For a pipe to that process alone."""

    identity_key_id: int
    identity: bytes = field(repr=False)
    lookup: bytes = field(repr=False)
    opaque_id: bytes = field(repr=False)


class Vault:
    """The keys of one database, unwrapped, with their ciphers. Made by `open`, once for a process."""

    __slots__ = ("_identity", "_identity_key_id", "_indexes", "_lookup_key", "_master_key", "_opaque", "_raw")

    def __init__(
        self,
        identity: dict[int, bytes],
        identity_key_id: int,
        lookup: bytes,
        opaque_id: bytes,
        *,
        master_key: bytes | None = None,
    ) -> None:
        self._identity = {key_id: AESGCM(key) for key_id, key in identity.items()}
        self._identity_key_id = identity_key_id
        self._lookup_key = lookup
        self._indexes = BlindIndexes(lookup)
        self._opaque = AESSIV(opaque_id)
        self._master_key = master_key
        self._raw = (dict(identity), opaque_id)

    @classmethod
    async def open(cls, connection: asyncpg.Connection, master_key: bytes) -> Self:
        """Unwrap the database's keys, making those that it has not yet; several processes may do so at once.

        Raises WrongMasterKey, and ValueError unless `master_key` has 32 bytes.
        """
        if len(master_key) != MASTER_KEY_BYTES:
            raise ValueError(f"a master key has {MASTER_KEY_BYTES} bytes, not {len(master_key)}")
        rows = await _unwrapped(connection, master_key)
        current = {row.purpose: row for row in rows if not row.retired}
        absent = [purpose for purpose in DATA_KEY_BYTES if purpose not in current]
        if absent:
            # One statement, in one order: of two processes, one makes them all and the other waits at the first.
            # Keys that are wrapped by different master keys never stand side by side.
            await connection.execute(
                """
                INSERT INTO data_keys (purpose, wrapped_key)
                SELECT n.purpose, n.wrapped_key
                FROM unnest($1::text [], $2::bytea []) WITH ORDINALITY AS n (purpose, wrapped_key, position)
                ORDER BY n.position
                ON CONFLICT (purpose) WHERE retired_at IS NULL DO NOTHING
                """,
                absent,
                [aes_key_wrap(master_key, os.urandom(DATA_KEY_BYTES[purpose])) for purpose in absent],
            )
            rows = await _unwrapped(connection, master_key)
            current = {row.purpose: row for row in rows if not row.retired}
        return cls(
            {row.id: row.key for row in rows if row.purpose == "IDENTITY"},
            current["IDENTITY"].id,
            current["LOOKUP"].key,
            current["OPAQUE_ID"].key,
            master_key=master_key,
        )

    @classmethod
    def of_keys(cls, keys: VaultKeys) -> Self:
        """Make a vault that indexes and seals as the one whose `keys` these are; it opens nothing older."""
        return cls({keys.identity_key_id: keys.identity}, keys.identity_key_id, keys.lookup, keys.opaque_id)

    @property
    def keys(self) -> VaultKeys:
        """The current keys, in clear: never to be stored or logged."""
        identity, opaque_id = self._raw
        return VaultKeys(self._identity_key_id, identity[self._identity_key_id], self._lookup_key, opaque_id)

    async def learn(self, connection: asyncpg.Connection | asyncpg.Pool) -> None:
        """Learn of data keys that were made since, and seal with the current one from here on.

        What is known is not unwrapped again: a vault outlives a change of the master key, until there is a new
        data key. Raises WrongMasterKey then.
        """
        assert self._master_key is not None, "a vault that was opened has its master key"
        rows = await connection.fetch(
            """
            SELECT
                k.id, k.purpose, k.retired_at IS NOT NULL AS retired,
                CASE WHEN k.id <> ALL($1::integer []) THEN k.wrapped_key END AS wrapped_key
            FROM data_keys AS k
            WHERE k.purpose = 'IDENTITY'
            ORDER BY k.id
            """,
            list(self._identity),
        )
        new = _unwrap([row for row in rows if row["wrapped_key"] is not None], self._master_key)
        self._identity |= {row.id: AESGCM(row.key) for row in new}
        self._raw[0].update((row.id, row.key) for row in new)
        # None is current while somebody replaces it by hand; then the one before it goes on.
        self._identity_key_id = next((row["id"] for row in rows if not row["retired"]), self._identity_key_id)

    def resident_id_index(self, resident_id: str) -> bytes:
        """16 bytes by which a person's row is found, and which tell nothing without the key."""
        return self._indexes.of(b"resident id\0" + resident_id.encode())

    def name_index(self, resident_id: str, name: str) -> bytes:
        """16 bytes by which number and name together are recognised; one name under two numbers gives two."""
        return self._indexes.of(b"name\0" + resident_id.encode() + b"\0" + name.encode())

    def derived_key(self, purpose: str) -> bytes:
        """32 bytes for one purpose, the same in every process, which tell nothing of the key that they come from."""
        return hmac.digest(self._lookup_key, b"derived key\0" + purpose.encode(), "sha256")

    @property
    def identity_key_id(self) -> int:
        """The data key of what `seal` seals; keep it beside the sealed bytes.

        It changes when the vault learns of a new one: take both with no `await` between.
        """
        return self._identity_key_id

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Nonce and AES-256-GCM ciphertext. `context` says where it is kept, and opens it nowhere else."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._identity[self._identity_key_id].encrypt(nonce, plaintext, context)

    def unseal(self, sealed: bytes, data_key_id: int, context: bytes) -> bytes:
        """What was sealed, by the current key or a retired one.

        Raises cryptography's InvalidTag when the bytes, their key or their context are others, and UnknownDataKey
        for a key that is newer than this vault: let it `learn`, or call `unsealed`.
        """
        cipher = self._identity.get(data_key_id)
        if cipher is None:
            raise UnknownDataKey(f"data key {data_key_id} is not in this vault")
        if len(sealed) < _NONCE_BYTES:
            raise InvalidTag
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)

    async def unsealed(
        self, connection: asyncpg.Connection | asyncpg.Pool, sealed: bytes, data_key_id: int, context: bytes
    ) -> bytes:
        """As `unseal`, but for a key that is not known yet learn first. Raises as both."""
        if data_key_id not in self._identity:
            await self.learn(connection)
        return self.unseal(sealed, data_key_id, context)

    def opaque_id(self, kind: str, row_id: int, institution_id: int) -> str:
        """The id of a row as one institution sees it: URL-safe base64, the same each time.

        It is the kind's byte and AES-SIV (RFC 5297) of the row id. An assessed bill's is every institution's.
        """
        byte = _KIND_BYTES[kind]
        sealed = self._opaque.encrypt(row_id.to_bytes(8), [_bound_to(byte, institution_id)])
        return base64.urlsafe_b64encode(bytes((byte,)) + sealed).rstrip(b"=").decode()

    def read_opaque_id(self, text: str, institution_id: int) -> tuple[str, int] | None:
        """The kind and row id; None for what this vault did not give to this institution, to the letter."""
        if len(text) != _OPAQUE_ID_LENGTH or not text.isascii():
            return None
        try:
            given = base64.urlsafe_b64decode(text + "==")
            kind = _KINDS[given[0]]
            row_id = self._opaque.decrypt(given[1:], [_bound_to(given[0], institution_id)])
        except (ValueError, IndexError, KeyError, InvalidTag):
            return None
        # The decoder passes over foreign letters and stray bits: one id has one spelling.
        if base64.urlsafe_b64encode(given).rstrip(b"=").decode() != text:
            return None
        return kind, int.from_bytes(row_id)


def _bound_to(kind_byte: int, institution_id: int) -> bytes:
    if kind_byte == _SHARED:
        return bytes((kind_byte,))
    return bytes((kind_byte,)) + institution_id.to_bytes(4)


@dataclass(frozen=True, slots=True)
class _DataKey:
    id: int
    purpose: str
    retired: bool
    key: bytes = field(repr=False)


async def _unwrapped(connection: asyncpg.Connection, master_key: bytes) -> list[_DataKey]:
    rows = await connection.fetch(
        "SELECT id, purpose, wrapped_key, retired_at IS NOT NULL AS retired FROM data_keys ORDER BY id"
    )
    return _unwrap(rows, master_key)


def _unwrap(rows: Sequence[asyncpg.Record], master_key: bytes) -> list[_DataKey]:
    try:
        return [
            _DataKey(row["id"], row["purpose"], row["retired"], aes_key_unwrap(master_key, row["wrapped_key"]))
            for row in rows
        ]
    except InvalidUnwrap:
        raise WrongMasterKey(
            "GATEWAY_MASTER_KEY is not the master key that this database was set up with: set it to that one; "
            "nothing that the database keeps sealed can be read without it"
        ) from None
