"""Where vouchers are drawn: a thread of their own beside the event loop, and a bounded queue before it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Self

from gateway.vouchers.drawing import draw
from resolvers.vouchers import Voucher

#: Vouchers waiting or being drawn in one process. At some 15 ms each the last one waits a quarter of a second.
MAX_DRAWINGS: Final = 16


class DeskBusy(Exception):
    """As many vouchers as MAX_DRAWINGS are being drawn or waiting; nothing was done."""


class VoucherDesk(AbstractContextManager["VoucherDesk"]):
    """Draws vouchers one after another. `public_url` is where the public check is reached.

    One thread: reportlab's font takes one document at a time, and two threads of Python draw no faster.
    """

    def __init__(self, public_url: str, *, draw_page: Callable[[Voucher, str], bytes] = draw) -> None:
        self._public_url = public_url
        self._draw = draw_page
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vouchers")
        self._drawings = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=True)

    def require_place(self) -> None:
        """Raise DeskBusy when another voucher would have to wait too long."""
        if self._drawings >= MAX_DRAWINGS:
            raise DeskBusy

    async def draw(self, voucher: Voucher) -> bytes:
        """Return the voucher's page as PDF. Raises DeskBusy."""
        self.require_place()
        self._drawings += 1
        try:
            drawing = asyncio.get_running_loop().run_in_executor(self._thread, self._draw, voucher, self._public_url)
            return await drawing
        finally:
            self._drawings -= 1
