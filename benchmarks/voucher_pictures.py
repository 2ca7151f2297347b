"""Draws the pictures of docs/vouchers.md: docs/images/voucher.png, and voucher-void.png.

    python -m benchmarks.voucher_pictures [DIRECTORY]

Needs `pdftoppm` of Debian's poppler-utils. The same drawing gives the same pictures.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from gateway.vouchers.drawing import draw
from tests.gateway.vouchers.sample import VOIDED_AT, a_voucher

IMAGES: Final = Path(__file__).parent.parent / "docs" / "images"
#: An A4 page of 827 by 1170 pixels: its text can be read, and the file stays under 150 kB.
DOTS_PER_INCH: Final = 100
TIMEOUT_SECONDS: Final = 60
URL: Final = "https://pay.example"


def main(directory: Path) -> None:
    """Write the pictures into the directory."""
    for name, voucher in (("voucher", a_voucher()), ("voucher-void", a_voucher(voided_at=VOIDED_AT, prints=2))):
        with tempfile.TemporaryDirectory() as kept:
            page = Path(kept) / "voucher.pdf"
            page.write_bytes(draw(voucher, URL))
            subprocess.run(
                ["pdftoppm", "-png", "-r", str(DOTS_PER_INCH), "-singlefile", str(page), str(directory / name)],
                check=True,
                timeout=TIMEOUT_SECONDS,
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
