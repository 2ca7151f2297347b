import asyncio
from contextlib import AsyncExitStack

import pytest

from gateway.admission import QUEUE_FACTOR, Admission, Overloaded

pytestmark = pytest.mark.anyio


async def hold(admission: Admission, release: asyncio.Event) -> None:
    async with admission:
        await release.wait()


async def test_who_waits_has_the_next_place_in_turn() -> None:
    admission = Admission(1)
    order: list[int] = []

    async def operation(number: int) -> None:
        async with admission:
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(operation(number) for number in range(1 + QUEUE_FACTOR)))
    assert order == list(range(1 + QUEUE_FACTOR))


async def test_beyond_the_queue_nobody_waits() -> None:
    admission = Admission(2)
    release = asyncio.Event()
    held = [asyncio.create_task(hold(admission, release)) for _ in range(2 + 2 * QUEUE_FACTOR)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        async with admission:
            pass
    release.set()
    await asyncio.gather(*held)
    async with admission:
        pass


async def test_nobody_waits_for_longer_than_the_queue_lasts() -> None:
    admission = Admission(1, queue_timeout_seconds=0.01)
    async with admission:
        with pytest.raises(Overloaded):
            async with admission:
                pass
    async with AsyncExitStack() as places:
        await places.enter_async_context(admission)


async def test_a_place_is_given_back_by_what_failed_and_by_who_gave_up_waiting() -> None:
    admission = Admission(1)
    with pytest.raises(ZeroDivisionError):
        async with admission:
            raise ZeroDivisionError
    release = asyncio.Event()
    async with admission:
        waiting = [asyncio.create_task(hold(admission, release)) for _ in range(QUEUE_FACTOR)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    async with admission:
        pass
