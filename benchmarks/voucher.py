"""What a voucher costs: CPU of drawing, signing and checking it, and whether the event loop is held meanwhile.

    python -m benchmarks.voucher [VOUCHERS]

The second part asks /healthz of a server in another process while nothing is drawn, while vouchers are drawn one after
another at the desk, and, to compare, while they are drawn on the event loop itself. Exits 1 where a voucher costs
MEDIAN_LIMIT_MILLISECONDS or more at the median, or where an answer waits longer than HELD of what it waits on the loop.
"""

import asyncio
import http.client
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Final

import uvicorn
from cryptography import x509
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from contributions.records import Line
from gateway.endpoints.health import health_routes
from gateway.vouchers.certificates import _self_signed
from gateway.vouchers.checking import check_file
from gateway.vouchers.desk import REASON, VoucherDesk
from gateway.vouchers.drawing import draw
from gateway.vouchers.signing import PageSigner
from resolvers.vouchers import Voucher
from tests.acceptance.gateway import free_port
from tests.gateway.vouchers.sample import FIRST, ISSUED_AT, PUBLIC_URL, VOIDED_AT, a_voucher

#: What a voucher may cost.
MEDIAN_LIMIT_MILLISECONDS: Final = 50.0
#: Drawing beside the loop is a few hundredths; a voucher that was drawn on it would be 1.
HELD: Final = 0.25
VOUCHERS: Final = 200
#: Of one kind in the second part, after some that are not counted.
ASKED: Final = 300
ASKED_BEFORE: Final = 30
START_TIMEOUT_SECONDS: Final = 60.0
STOP_TIMEOUT_SECONDS: Final = 20.0
LOADS: Final = ("nothing", "at the desk", "on the event loop")


def vouchers() -> dict[str, Voucher]:
    """Return a quote of nine months, and a void one of thirty years of arrears at thirty bases."""
    long = tuple(
        Line(FIRST - 360 + month, Decimal(3000 + month // 12), Decimal("0.2000"), Decimal("605.00"))
        for month in range(360)
    )
    return {
        "nine months": a_voucher(),
        "thirty years, void": a_voucher(
            voided_at=VOIDED_AT, lines=long, first_month=FIRST - 360, last_month=FIRST - 1, amount=Decimal("217800.00")
        ),
    }


def milliseconds_of(work: Callable[[int], object], count: int) -> tuple[float, float]:
    """Return the median and the 95th percentile of one call's CPU time, of the thread alone."""
    taken = []
    for number in range(count):
        started = time.thread_time()
        work(number)
        taken.append((time.thread_time() - started) * 1000)
    return statistics.median(taken), statistics.quantiles(taken, n=20)[-1]


def measure(count: int) -> float:
    """Print what each step costs, and return the largest median of a whole voucher."""
    signing = _self_signed()
    started = time.thread_time()
    signer = PageSigner(signing)
    signer.sign(draw(a_voucher(), PUBLIC_URL), REASON.format(number="0" * 18, code="0" * 12), ISSUED_AT)
    print(f"the first one: {(time.thread_time() - started) * 1000:.0f} ms of CPU, imports not counted\n")
    print("| voucher | step | CPU at the median, ms | 95 %, ms |\n| --- | --- | ---: | ---: |")
    wholes = []
    for name, voucher in vouchers().items():
        # No two alike: nothing of one may be kept for the next.
        each = [replace(voucher, number=f"20201116{number:010}") for number in range(count)]
        files = [signer.sign(draw(one, PUBLIC_URL), _reason(one), ISSUED_AT) for one in each]
        for step, work in _steps(each, files, signer, signing.certificate).items():
            median, late = milliseconds_of(work, count)
            print(f"| {name} | {step} | {median:.1f} | {late:.1f} |")
            if step == "both":
                wholes.append(median)
        print(f"| {name} | its size | {len(files[0]) / 1000:.0f} kB | |")
    return max(wholes)


def _steps(
    each: list[Voucher], files: list[bytes], signer: PageSigner, certificate: x509.Certificate
) -> dict[str, Callable[[int], object]]:
    pages = [draw(one, PUBLIC_URL) for one in each]
    reasons = [_reason(one) for one in each]
    return {
        "drawing": lambda number: draw(each[number], PUBLIC_URL),
        "signing": lambda number: signer.sign(pages[number], reasons[number], ISSUED_AT),
        "both": lambda number: signer.sign(draw(each[number], PUBLIC_URL), reasons[number], ISSUED_AT),
        "checking the file": lambda number: check_file(files[number], [certificate]),
    }


def _reason(voucher: Voucher) -> str:
    return REASON.format(number=voucher.number, code=voucher.verification_code)


async def serve(load: str, port: int) -> None:
    """Serve /healthz on this port under one of LOADS, until the process is told to end."""
    server = uvicorn.Server(
        uvicorn.Config(
            Starlette(routes=health_routes(None, CollectorRegistry())),  # /healthz asks no pool
            host="127.0.0.1",
            port=port,
            log_level="error",
            access_log=False,
        )
    )
    with VoucherDesk(PUBLIC_URL, _self_signed()) as desk:

        async def drawing() -> None:
            while load != "nothing":
                if load == "at the desk":
                    await desk.draw(a_voucher())
                else:
                    # Without its signature, which can't be made on an event loop at all.
                    draw(a_voucher(), PUBLIC_URL)
                    await asyncio.sleep(0)

        task = asyncio.create_task(drawing())
        await server.serve()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def ask(load: str) -> list[float]:
    """Return the milliseconds of answers of /healthz under one of LOADS."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.voucher", "serve", load, str(port)]
    process = subprocess.Popen(command)
    try:
        connection = _connected(port)
        taken = []
        for _ in range(ASKED_BEFORE + ASKED):
            started = time.perf_counter()
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            answer.read()
            taken.append((time.perf_counter() - started) * 1000)
            assert answer.status == 200
            # A moment of its own for each: how they fall among the drawings is chance.
            time.sleep(0.003)
        connection.close()
        return taken[ASKED_BEFORE:]
    finally:
        process.terminate()
        process.wait(STOP_TIMEOUT_SECONDS)


def _connected(port: int) -> http.client.HTTPConnection:
    give_up_at = time.monotonic() + START_TIMEOUT_SECONDS
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_TIMEOUT_SECONDS)
        try:
            connection.connect()
        except ConnectionRefusedError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.1)
        else:
            return connection


def main(count: int) -> int:
    """Measure and print; return the exit status."""
    whole = measure(count)
    print(
        "\n| vouchers are drawn | /healthz at the median, of nothing's | 95 %, of nothing's | of the drawing itself |"
    )
    print("| --- | ---: | ---: | ---: |")
    medians = {}
    late_of_nothing = 0.0
    for load in LOADS:
        taken = ask(load)
        medians[load], late = statistics.median(taken), statistics.quantiles(taken, n=20)[-1]
        late_of_nothing = late_of_nothing or late
        of_nothing = medians[load] / medians["nothing"]
        print(f"| {load} | {of_nothing:.1f} × | {late / late_of_nothing:.1f} × | {medians[load] / whole:.2f} × |")
    held = medians["at the desk"] >= HELD * medians["on the event loop"]
    print(f"\na voucher: {whole:.1f} ms of CPU at the median, {MEDIAN_LIMIT_MILLISECONDS:.0f} allowed")
    print("the event loop is held by drawing" if held else "the event loop goes on while vouchers are drawn")
    return 1 if held or whole >= MEDIAN_LIMIT_MILLISECONDS else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(serve(sys.argv[2], int(sys.argv[3])))
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else VOUCHERS))
