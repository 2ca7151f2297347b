"""No operation reads a table that grows from end to end, row-level security and all."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from database.pool import act_for
from gateway.demo.client import document
from tests.desk import LIU, CountingDesk, Desk

pytestmark = pytest.mark.anyio

#: Tables whose rows grow with the people and with the days. The others are as large as the province's catalogues.
GROWING = {
    "audit_entries",
    "bill_lines",
    "bills",
    "contributions",
    "deliveries",
    "enrolments",
    "events",
    "lookup_failures",
    "named_payers",
    "payers",
    "payment_signatures",
    "payments",
    "postings",
    "quotes",
    "receipts",
    "refunds",
    "settlement_differences",
    "settlement_entries",
}

EVERYTHING = """
    query ($residentId: ResidentId!, $name: String!) {
      payer(residentId: $residentId, name: $name) {
        enrolments { firstMonth }
        payablePeriods { firstMonth tiers { code } }
        assessedBills { edges { node { status lines { month } payment { bankReference receipt { number } } } } }
        many: assessedBills(first: 100) { edges { node { status } } }
        receipts(year: 2020) { edges { node { number } } }
      }
    }
"""
EVENTS = """
    { events(after: "3") { edges { node {
      sequence ... on PaymentEvent { payment { receipt { number } } } ... on BillEvent { bill { status } }
    } } } }
"""
DAY = """
    query ($on: Date!) {
      settlementDay(date: $on) {
        status accepted { count }
        differences(after: "QSBNSVNTSU5HX0FUX0JBTks=") { edges { node { bankReference } } }
      }
    }
"""
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
RECEIPT = 'query { receipt(number: "202011160000000001") { amount } }'
REFUNDS = "query ($status: RefundStatus) { refunds(status: $status) { edges { node { receiptNumber amount } } } }"


def relations_read_whole(plan: dict[str, Any]) -> Iterator[str]:
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    # An index that nothing says which entries of is read whole as well.
    if plan["Node Type"] in ("Index Scan", "Index Only Scan") and "Index Cond" not in plan:
        yield plan["Relation Name"]
    for below in plan.get("Plans", ()):
        yield from relations_read_whole(below)


@pytest.fixture
async def plans(sandbox_copy: str, vault_key: bytes) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(sandbox_copy)
    # What is planned while an index is empty is kept when it has grown: much has been paid, and nothing by bill.
    await connection.execute(
        """
        INSERT INTO contributions (payer_id, insurance, months, amount, paid_on)
        SELECT p.id, 'MEDICAL', int4range(n, n + 1), 1, '2020-01-01'
        FROM payers AS p CROSS JOIN generate_series(1, 500) AS n
        """
    )
    await connection.execute("VACUUM (ANALYZE) bills, contributions, enrolments, payers")
    # Small tables are read whole whatever their indexes are; so nobody reads them whole who has another way.
    await connection.execute("SET enable_seqscan = off")
    # asyncpg would want the arguments that a generic plan does without.
    await connection.execute(
        """
        CREATE FUNCTION pg_temp.explained(statement text) RETURNS json LANGUAGE plpgsql AS $$
        DECLARE
            plan json;
        BEGIN
            EXECUTE 'EXPLAIN (GENERIC_PLAN, FORMAT JSON) ' || statement INTO plan;
            RETURN plan;
        END
        $$
        """
    )
    yield connection
    await connection.close()


async def payer_id(desk: CountingDesk) -> str:
    payer: dict[str, Any] = await desk.run(document("find_payer"), **LIU)
    return str(payer["id"])


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        (document("find_payer"), LIU),
        (EVERYTHING, LIU),
        (document("find_payment"), {"bankReference": "ONE"}),
        (document("payments_of_day"), {"on": "2020-11-16"}),
        (RECEIPT, {}),
        (DAY, {"on": "2020-11-16"}),
        (EVENTS, {}),
        (REFUNDS, {"status": None}),
        (REFUNDS, {"status": "REQUESTED"}),
    ],
    ids=["find_payer", "everything", "payment", "payments", "receipt", "day", "events", "refunds", "requested refunds"],
)
async def test_a_read_finds_its_rows_by_an_index(
    desk: CountingDesk, plans: asyncpg.Connection, text: str, variables: dict[str, Any]
) -> None:
    await desk.run(text, **variables)
    assert desk.statements
    for statement in desk.statements:
        await assert_by_index(plans, desk, statement)


@pytest.mark.parametrize("text", [document("find_payer"), EVERYTHING], ids=["find_payer", "everything"])
async def test_people_who_are_looked_for_together_are_each_found_by_an_index(
    desk: CountingDesk, plans: asyncpg.Connection, text: str
) -> None:
    await desk.run(text, **LIU)
    desk.statements.clear()
    await asyncio.gather(*(Desk.run(desk, text, **LIU) for _ in range(3)))
    await asyncio.sleep(0)
    (statement,) = desk.statements
    assert "unnest" in statement
    await assert_by_index(plans, desk, statement)


async def test_nodes_of_each_kind_are_found_by_an_index(desk: CountingDesk, plans: asyncpg.Connection) -> None:
    ids = [desk.call.opaque_id(kind, 1) for kind in ("Payer", "Quote", "Payment", "Receipt", "AssessedBill", "Refund")]
    await desk.run(NODES, ids=ids)
    assert len(desk.statements) == len(ids)
    for statement in desk.statements:
        await assert_by_index(plans, desk, statement)


async def test_a_quote_and_an_assessment_find_their_rows_by_an_index(
    desk: CountingDesk, plans: asyncpg.Connection
) -> None:
    payer = await payer_id(desk)
    months = {"payerId": payer, "firstMonth": "2020-01", "lastMonth": "2020-03"}
    await desk.run(document("request_quote"), input={**months, "tier": "60"})
    statements = list(desk.statements)
    arrears = {"payerId": payer, "firstMonth": "2018-03", "lastMonth": "2018-03"}
    await desk.run(document("request_assessment"), input=arrears)
    for statement in statements + desk.statements:
        await assert_by_index(plans, desk, statement)


async def assert_by_index(plans: asyncpg.Connection, desk: CountingDesk, statement: str) -> None:
    async with plans.transaction():
        await act_for(plans, desk.caller.institution_id)
        (explained,) = json.loads(await plans.fetchval("SELECT pg_temp.explained($1)", statement))
    whole = set(relations_read_whole(explained["Plan"])) & GROWING
    assert whole == set(), statement


async def test_a_statement_without_an_index_would_be_seen(desk: CountingDesk, plans: asyncpg.Connection) -> None:
    with pytest.raises(AssertionError):
        await assert_by_index(plans, desk, "SELECT id FROM payments WHERE teller = $1")
