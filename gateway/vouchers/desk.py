"""Where vouchers are drawn and signed: a thread beside the event loop, a bounded queue before it."""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from gateway.vouchers.certificates import SigningCertificate
from gateway.vouchers.drawing import draw
from resolvers.vouchers import Voucher

if TYPE_CHECKING:
    from gateway.vouchers.signing import PageSigner

#: What a signature says of its voucher.
REASON: Final = "Voucher {number} code {code}"
#: Vouchers waiting or being drawn in one process. At some 25 ms each the last one waits less than half a second.
MAX_DRAWINGS: Final = 16
#: How long a thread may keep the interpreter from the event loop. A request takes several turns: at Python's own five
#: milliseconds each, whoever asks anything while a voucher is drawn waits long (benchmarks/voucher.py).
TURN_SECONDS: Final = 0.0005


class DeskBusy(Exception):
    """As many vouchers as MAX_DRAWINGS are being drawn or waiting; nothing was done."""


class VoucherDesk(AbstractContextManager["VoucherDesk"]):
    """Draws vouchers one after another, and signs them if there is a certificate.

    `public_url` is where the public check is reached. One thread: reportlab's font takes one document at a time, and
    two threads of Python draw no faster.
    """

    def __init__(
        self,
        public_url: str,
        certificate: SigningCertificate | None = None,
        *,
        draw_page: Callable[[Voucher, str], bytes] = draw,
    ) -> None:
        self._public_url = public_url
        self._certificate = certificate
        self._signer: PageSigner | None = None
        self._draw_page = draw_page
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vouchers")
        self._drawings = 0
        self._turn_before = sys.getswitchinterval()

    def __enter__(self) -> Self:
        """Open the desk: the whole process takes turns of TURN_SECONDS until it is closed."""
        sys.setswitchinterval(TURN_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=True)
        sys.setswitchinterval(self._turn_before)

    def require_place(self) -> None:
        """Raise DeskBusy when another voucher would have to wait too long."""
        if self._drawings >= MAX_DRAWINGS:
            raise DeskBusy

    async def draw(self, voucher: Voucher) -> bytes:
        """Return the voucher's page as PDF. Raises DeskBusy."""
        self.require_place()
        self._drawings += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._page_of, voucher)
        finally:
            self._drawings -= 1

    def _page_of(self, voucher: Voucher) -> bytes:
        page = self._draw_page(voucher, self._public_url)
        if self._certificate is None:
            return page
        if self._signer is None:
            from gateway.vouchers.signing import PageSigner  # takes a quarter of a second, once

            self._signer = PageSigner(self._certificate)
        reason = REASON.format(number=voucher.number, code=voucher.verification_code)
        return self._signer.sign(page, reason, voucher.voided_at or voucher.issued_at)
