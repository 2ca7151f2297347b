"""Blind indexes: keyed hashes by which a row is found, and which tell nothing without the key."""

import hashlib
import hmac
from typing import Final

INDEX_BYTES: Final = 16


class BlindIndexes:
    """The indexes of one key: HMAC-SHA256 (RFC 2104), cut to INDEX_BYTES.

    The module hmac takes twice as long for the same, most of it for itself, and a file has a million people. So the
    inner and the outer hash are begun with the key here, once, and copied for each message.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        block_bytes = hashlib.sha256().block_size
        assert len(key) <= block_bytes, "a longer key is hashed first, and none of ours is"
        block = key.ljust(block_bytes, b"\0")
        self._inner = hashlib.sha256(block.translate(hmac.trans_36))
        self._outer = hashlib.sha256(block.translate(hmac.trans_5C))

    def of(self, message: bytes) -> bytes:
        """Return the index of a message."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()[:INDEX_BYTES]
