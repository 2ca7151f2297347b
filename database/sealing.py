"""What sealed bytes are bound to: they open in their own row of their own table, and nowhere else.

Each is the associated data of AES-GCM (database/vault.py), used where something is sealed and where it is sealed anew
under another data key (database/data_keys.py). What was sealed with one opens with no other: none may change.
"""


def signing_key(kid: str) -> bytes:
    """Return what a private key that signs tokens is bound to."""
    return kid.encode()


def callback_secret(client_id: str) -> bytes:
    """Return what the secret of a client's callback is bound to."""
    return b"callback\0" + client_id.encode()


def payment_signature(signature: bytes) -> bytes:
    """Return what the message that a client signed is bound to."""
    return b"payment signature\0" + signature


def voucher_key(fingerprint: str) -> bytes:
    """Return what the private key of a voucher certificate is bound to: its certificate's SHA-256, in hexadecimal."""
    return b"voucher key\0" + fingerprint.encode()
