"""`gateway verify-voucher`: whether a voucher's file is genuine, offline."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.vouchers.certificates import read_certificates
from gateway.vouchers.faults import NotGenuine
from gateway.work import complain


def verify_voucher(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The PDF.")],
    certificate: Annotated[
        Path,
        typer.Option(exists=True, dir_okay=False, help="What the gateway has at /.well-known/voucher-certificate.pem."),
    ] = Path("voucher-certificate.pem"),
) -> None:
    """Check that a voucher's file is as the gateway signed it; exit 1 if not. /verify says whether it still stands."""
    from gateway.vouchers.checking import MAX_FILE_BYTES, check_file  # takes a quarter of a second

    with file.open("rb") as opened:
        content = opened.read(MAX_FILE_BYTES + 1)
    try:
        found = check_file(content, read_certificates(certificate, str(certificate)))
    except ValueError as error:
        complain(str(error))
        sys.exit(1)
    except NotGenuine as error:
        complain(f"{file} is not genuine: {error}")
        sys.exit(1)
    typer.echo(f"genuine: voucher {found.number}, verification code {found.verification_code}")
