"""One core, in process: the payer read by graphql-core's executor and by its compiled plan, over ready records.

    python -m benchmarks.execution [SECONDS]

The root resolver returns a person with periods, tiers and bills as it finds them in memory, so what is measured is
the work from variables to response bytes, the document being parsed and validated before. Rounds alternate; printed
are the medians and their ratio. The answers are compared, byte for byte, before the clock starts.
"""

import datetime
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import orjson
import uvloop

from contributions.records import Period, Tier
from gateway.app import word_exception
from gateway.demo.client import document
from gateway.execution.documents import DocumentStore
from gateway.execution.runner import Runner
from resolvers import records
from resolvers.asking import key_of
from resolvers.pages import id_of
from schema.contract import schema
from schema.scopes import needs_of_field
from schema.selection import asked_of

ROUNDS = 9
PERSON = {"residentId": "369999197809250024", "name": "刘建国"}
AREA = records.PoolingArea("360000", "江西省")
TIERS = tuple(
    Tier(str(percent), percent, Decimal("50.40") * percent, Decimal("10.08") * percent, None)
    for percent in range(60, 310, 25)
)


def opaque_id(kind: str, row_id: int) -> str:
    """Return an id without sealing it: what is measured is the execution."""
    return f"{kind}-{row_id}"


def payer() -> records.Payer:
    """Return a person with an enrolment, three periods, of which one has ten tiers, and two bills."""
    year = 2020 * 12
    periods = [
        Period("PENSION", "ARREARS", year - 22, year - 22, "360000", None),
        Period("PENSION", "ARREARS", year - 6, year - 3, "360000", None),
        Period("PENSION", "CURRENT_YEAR", year, year + 11, "360000", datetime.date(2020, 12, 31), TIERS),
    ]
    assessed_at = datetime.datetime(2020, 11, 1, 9, 30, tzinfo=datetime.UTC)
    bills = [
        records.AssessedBill(
            opaque_id, number, f"SI-{number}", "AGENCY_COUNTER", "PENSION", year, year + 2, Decimal("1815.00"),
            assessed_at, datetime.date(2020, 12, 31), "PAYABLE", {"lines": (), "payment": None, "pooling_area": AREA},
        )
        for number in range(2)
    ]  # fmt: skip
    page = records.Page(tuple(records.Edge(bill, id_of) for bill in bills), False, False)
    bills_key = key_of("assessed_bills", None, "PAYABLE", None, None)
    answers = {
        "enrolments": (records.Enrolment("PENSION", AREA, year - 30, None),),
        key_of("payable_periods", None, None): periods,
        bills_key: page,
    }
    return records.Payer(opaque_id, 1, "**国", "369***********0024", answers)


def stub_payer() -> None:
    """Let the query `payer` return the same person at once, having worked out what is asked."""
    found = payer()

    async def resolve(_root: object, info: Any, resident_id: str, name: str) -> records.Payer:
        asked_of(info)
        return found

    assert schema._schema.query_type is not None
    definition = schema._schema.query_type.fields["payer"].extensions["strawberry-definition"]
    definition.base_resolver.wrapped_func = resolve


def reader(first_runs: int) -> Callable[[], Awaitable[bytes]]:
    """Return one reading of the payer, compiled after so many runs."""
    core = schema._schema
    documents = DocumentStore(core, needs_of_field, hide_suggestions=True, introspectable=False)
    runner = Runner(core, word_exception, hide_suggestions=True, first_runs=first_runs)
    text = document("find_payer")

    async def read() -> bytes:
        operation = documents.load(text).operation(None)
        answer = await runner.run(operation, PERSON, None)
        return orjson.dumps(answer.body)

    return read


async def rate(read: Callable[[], Awaitable[bytes]], seconds: float) -> float:
    """Return how many times a second it runs."""
    count = 0
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        for _ in range(20):
            await read()
        count += 20
    return count / (time.perf_counter() - started)


async def main(seconds: float) -> None:
    """Measure and print."""
    stub_payer()
    contenders = {"graphql-core": reader(sys.maxsize), "compiled": reader(0)}
    answers = {await read() for read in contenders.values()}
    assert len(answers) == 1, "the two answer differently"
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, read in contenders.items():
            rates[name].append(await rate(read, seconds))
    medians = {name: statistics.median(each) for name, each in rates.items()}
    print(f"{len(answers.pop())} bytes, medians of {ROUNDS} rounds of {seconds} s")
    for name, median in medians.items():
        print(f"{name:>14}  {median:8.0f} requests/s  {1e6 / median:7.1f} µs")
    print(f"{'ratio':>14}  {medians['compiled'] / medians['graphql-core']:8.1f}")


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.5))
