"""Where vouchers are drawn: beside the event loop, and not more at once than are drawn soon."""

import asyncio
import sys
import threading

import pytest

from gateway.vouchers.desk import MAX_DRAWINGS, TURN_SECONDS, DeskBusy, VoucherDesk
from resolvers.vouchers import Voucher
from tests.gateway.vouchers.sample import PUBLIC_URL, a_voucher

pytestmark = pytest.mark.anyio


async def test_the_event_loop_goes_on_while_a_voucher_is_drawn() -> None:
    drawn = threading.Event()

    def draw_page(_voucher: Voucher, _url: str) -> bytes:
        assert drawn.wait(30)
        return threading.current_thread().name.encode()

    with VoucherDesk(PUBLIC_URL, draw_page=draw_page) as desk:
        drawing = asyncio.create_task(desk.draw(a_voucher()))
        await asyncio.sleep(0)
        # The loop, not the thread, lets the drawing end.
        drawn.set()
        assert (await drawing).startswith(b"vouchers")


async def test_more_vouchers_than_are_drawn_soon_are_refused() -> None:
    go = threading.Event()

    def draw_page(_voucher: Voucher, _url: str) -> bytes:
        assert go.wait(30)
        return b""

    with VoucherDesk(PUBLIC_URL, draw_page=draw_page) as desk:
        drawings = [asyncio.create_task(desk.draw(a_voucher())) for _ in range(MAX_DRAWINGS)]
        await asyncio.sleep(0)
        with pytest.raises(DeskBusy):
            desk.require_place()
        with pytest.raises(DeskBusy):
            await desk.draw(a_voucher())
        go.set()
        await asyncio.gather(*drawings)
        assert await desk.draw(a_voucher()) == b""


def test_the_event_loop_gets_its_turn_soon_while_a_desk_is_open() -> None:
    before = sys.getswitchinterval()
    with VoucherDesk(PUBLIC_URL):
        assert sys.getswitchinterval() == pytest.approx(TURN_SECONDS)
    assert sys.getswitchinterval() == pytest.approx(before)
