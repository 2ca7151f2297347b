"""The commands of HTTP message signatures: by which keys clients sign, who must, and what proves a payment."""

import json
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import typer
from cryptography.exceptions import InvalidTag

from auth import signature_keys
from auth.signatures import InvalidSignature, verify_again
from database.vault import Vault
from gateway.master_key import master_key_of
from gateway.settings import Settings
from gateway.work import complain, with_connection
from resolvers import signatures

app = typer.Typer(help="What is kept of payments.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Keep the group a group, while it has one command."""


def register_keys(
    client_id: Annotated[str, typer.Argument(metavar="CLIENT")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A JWK set of public keys.")],
) -> None:
    """Give a client the keys that it signs requests with, in place of those before; an empty set takes them away."""
    with file.open("rb") as opened:
        jwk_set = opened.read(signature_keys.MAX_FILE_BYTES + 1)
    kids = with_connection(lambda connection, _: signature_keys.register(connection, client_id, jwk_set))
    for kid in kids:
        typer.echo(f"{client_id} signs with {kid}")
    if not kids:
        typer.echo(f"{client_id} signs with no key")


def require(
    code: Annotated[str, typer.Argument(metavar="CODE")],
    off: Annotated[bool, typer.Option("--off", help="No longer.")] = False,
) -> None:
    """Have all clients of an institution sign what moves money; without a signature it is refused."""
    with_connection(lambda connection, _: signature_keys.require(connection, code, required=not off))
    typer.echo(f"{code} {'may' if off else 'must'} sign what moves money")


@app.command("signature")
def show_signature(institution: str, bank_reference: str) -> None:
    """Print what proves who asked for a payment, for its reversal and its refund, as JSON; and verify it again.

    Exit 1 when there is none, or one does not verify. The base holds the access token of the request.
    """

    async def work(connection: asyncpg.Connection, settings: Settings) -> list[signatures.KeptSignature] | None:
        vault = await Vault.open(connection, master_key_of(settings))
        try:
            return await signatures.kept(connection, vault, institution, bank_reference)
        except InvalidTag:
            raise LookupError("what was kept is not what was sealed: the row has been changed") from None

    kept = with_connection(work)
    if kept is None:
        complain("The institution has no payment under this reference.")
        raise typer.Exit(1)
    proofs = [_proof(signature) for signature in kept]
    typer.echo(json.dumps(proofs, ensure_ascii=False, indent=2))
    if not proofs:
        complain("The payment was not signed.")
    if not proofs or not all(proof["verified"] for proof in proofs):
        raise typer.Exit(1)


def _proof(kept: signatures.KeptSignature) -> dict[str, Any]:
    try:
        verify_again(kept.signature, kept.algorithm, signature_keys.public_key_of(kept.jwk))
        verified = True
    except InvalidSignature as reason:
        complain(f"{kept.event}: {reason}")
        verified = False
    return {
        "event": kept.event,
        "keptAt": kept.kept_at.isoformat(),
        "client": kept.client_id,
        "keyid": kept.kid,
        "algorithm": kept.algorithm,
        "thumbprint": kept.thumbprint,
        "key": json.loads(kept.jwk),
        "signature": kept.signature.value.hex(),
        "signatureBase": kept.signature.base.decode("ascii"),
        "body": kept.signature.body.decode("utf-8"),
        "verified": verified,
    }
