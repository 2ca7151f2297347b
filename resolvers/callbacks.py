"""Callbacks: where a client has its institution's events sent, and the secret that signs them."""

import base64
import secrets

from contributions import addresses
from contributions.problems import BadInput
from database import sealing
from resolvers.call import Call
from resolvers.event_records import Callback, CallbackRegistered

#: Standard Webhooks asks for 24 to 64 bytes; as many as the hash that they key, SHA-256, gives.
SECRET_BYTES = 32

#: Of the client $1: how many deliveries wait for their next try, and how many have had their last.
_UNDELIVERED = """(
    SELECT count(*) FILTER (WHERE x.failed_at IS NULL) AS waiting, count(x.failed_at) AS failed
    FROM deliveries AS x WHERE x.client_id = $1 AND x.delivered_at IS NULL
)"""


async def register_callback(call: Call, url: str) -> CallbackRegistered:
    """Register the caller's address, in place of the one before, with a new secret, which is shown this once.

    Raises BadInput for an address that is not allowed.
    """
    try:
        addresses.check(url, sandbox=call.sandbox)
    except ValueError as error:
        raise BadInput("input.url", str(error)) from error
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"
    client_id = call.caller.client_id
    row = await call.pool.fetchrow(
        f"""
        SELECT r.registered_at, d.waiting, d.failed
        FROM register_callback($1, $2, $3, $4) AS r (registered_at), {_UNDELIVERED} AS d
        """,
        client_id,
        url,
        call.vault.seal(secret.encode(), sealing.callback_secret(client_id)),
        call.vault.identity_key_id,
    )
    assert row is not None  # the function returns when it registered
    return CallbackRegistered(Callback(url, row["registered_at"], row["waiting"], row["failed"]), secret)


async def remove_callback(call: Call) -> bool:
    """Remove the caller's address and what waits for it. Return whether there was one."""
    removed: bool = await call.pool.fetchval("SELECT remove_callback($1)", call.caller.client_id)
    return removed


async def callback(call: Call) -> Callback | None:
    """Return the caller's own callback, None without one."""
    row = await call.pool.fetchrow(
        f"""
        SELECT k.url, k.registered_at, d.waiting, d.failed
        FROM callbacks AS k, {_UNDELIVERED} AS d
        WHERE k.client_id = $1
        """,
        call.caller.client_id,
    )
    return None if row is None else Callback(*row)
