"""How many statements an operation takes: one for each tree that is read, one for each that moves money."""

import asyncio
import datetime
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from auth import scopes
from auth.tokens import Caller
from database.pool import InstitutionPool, open_pool
from database.vault import Vault
from gateway.app import word_exception
from gateway.demo.client import document
from gateway.execution.documents import DocumentStore
from gateway.execution.runner import Runner
from resolvers.call import Call
from schema.context import Context
from schema.contract import schema
from schema.scopes import needs_of_field
from tests.databases import fresh_database

pytestmark = pytest.mark.anyio

LIU = {"residentId": "369999197809250024", "name": "刘建国"}
TODAY = datetime.date(2020, 11, 16)


class Desk:
    """Runs operations as ABC's counter, and counts what reaches PostgreSQL."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault, institution_id: int) -> None:
        self.caller = Caller("abc-counter", institution_id, "ABC", "农业银行", "BANK", "COUNTER", scopes.COUNTER)
        self.statements: list[str] = []
        self._pool = pool
        own = InstitutionPool(pool, institution_id)
        self._call = Call(self.caller, own, vault, TODAY, datetime.timedelta(minutes=30))
        core = schema._schema
        self._documents = DocumentStore(core, needs_of_field, hide_suggestions=True, introspectable=False)
        self._runner = Runner(core, word_exception, hide_suggestions=True)

    def count(self, query: Any) -> None:
        # asyncpg asks what an array type is made of, once for each connection.
        # Whom a connection acts for is said once, as long as its requests are of one institution.
        if not any(word in query.query for word in ("typeinfo", "'jit'", "gateway.institution_id")):
            self.statements.append(query.query)

    @property
    def pool(self) -> asyncpg.Pool:
        return self._pool

    @property
    def call(self) -> Call:
        return self._call

    async def institution_id(self, code: str) -> int:
        found: int = await self._call.pool.fetchval("SELECT id FROM institutions WHERE code = $1", code)
        return found

    def become(self, caller: Caller, business_date: datetime.date) -> None:
        own = InstitutionPool(self._pool, caller.institution_id)
        self._call = replace(self._call, caller=caller, pool=own, business_date=business_date)

    async def run(self, text: str, **variables: Any) -> Any:
        # asyncpg tells of a statement at the loop's next turn.
        await asyncio.sleep(0)
        self.statements.clear()
        operation = self._documents.load(text).operation(None)
        context = Context(self._call, "en", "https://gateway.example")
        answer = await self._runner.run(operation, variables, context)
        await asyncio.sleep(0)
        assert "errors" not in answer.body, answer.body["errors"]
        (value,) = answer.body["data"].values()
        return value


@asynccontextmanager
async def counting(url: str, vault_key: bytes) -> AsyncIterator[Desk]:
    pool = await open_pool(url, max_size=1)
    try:
        async with pool.acquire() as connection:
            vault = await Vault.open(connection, vault_key)
            institution_id = await connection.fetchval("SELECT id FROM institutions WHERE code = 'ABC'")
            desk = Desk(pool, vault, institution_id)
            connection.add_query_logger(desk.count)
        yield desk
    finally:
        await pool.close()


@pytest.fixture
def sandbox_copy(postgres_url: str, sandbox_template: str) -> Iterator[str]:
    with fresh_database(postgres_url, sandbox_template) as url:
        yield url


@pytest.fixture
async def desk(sandbox_copy: str, vault_key: bytes) -> AsyncIterator[Desk]:
    async with counting(sandbox_copy, vault_key) as desk:
        yield desk


async def test_a_payer_with_periods_and_bills_is_one_statement_once_named(desk: Desk) -> None:
    await desk.run(document("find_payer"), **LIU)
    assert len(desk.statements) == 2, "the first time, the institution's naming of the person is kept"
    await desk.run(document("find_payer"), **LIU)
    assert len(desk.statements) == 1


async def test_a_payment_is_one_statement_with_the_whole_tree_of_its_answer(desk: Desk) -> None:
    payer = await desk.run(document("find_payer"), **LIU)
    quote = await desk.run(
        document("request_quote"),
        input={"payerId": payer["id"], "firstMonth": "2020-01", "lastMonth": "2020-03", "tier": "60"},
    )
    assert len(desk.statements) == 1
    submission = {
        "payableId": quote["id"],
        "amount": quote["amount"],
        "bankReference": "ONE",
        "collectedAt": "2020-11-16T09:30:00+08:00",
    }
    deep = """
        mutation ($input: SubmitPaymentInput!) {
          submitPayment(input: $input) {
            ... on PaymentAccepted {
              payment {
                receipt { number status poolingArea { name } }
                payable {
                  id
                  ... on Quote { status lines { month } payment { bankReference receipt { number } } }
                }
              }
            }
          }
        }
    """
    answer = await desk.run(deep, input=submission)
    assert len(desk.statements) == 1
    payable = answer["payment"]["payable"]
    assert payable["status"] == "PAID"
    assert payable["payment"] == {"bankReference": "ONE", "receipt": {"number": answer["payment"]["receipt"]["number"]}}

    await desk.run(document("find_payment"), bankReference="ONE")
    assert len(desk.statements) == 1
    await desk.run(document("payments_of_day"), on="2020-11-16")
    assert len(desk.statements) == 1
    await desk.run(document("receipts"), **LIU)
    assert len(desk.statements) == 1
    reversed_ = await desk.run(document("reverse_payment"), input={"bankReference": "ONE", "reason": "test"})
    assert len(desk.statements) == 1
    assert reversed_["payment"]["receipt"]["status"] == "VOID"


async def test_asking_for_a_refund_and_deciding_it_are_one_statement_each(desk: Desk) -> None:
    payer = await desk.run(document("find_payer"), **LIU)
    run = {"payerId": payer["id"], "firstMonth": "2020-01", "lastMonth": "2020-03", "tier": "60"}
    quote = await desk.run(document("request_quote"), input=run)
    await desk.run(
        document("submit_payment"),
        input={
            "payableId": quote["id"],
            "amount": quote["amount"],
            "bankReference": "ONE",
            "collectedAt": "2020-11-16T09:30:00+08:00",
        },
    )
    desk.become(desk.caller, TODAY + datetime.timedelta(days=1))
    deep = """
        mutation ($input: RequestRefundInput!) {
          requestRefund(input: $input) {
            ... on RefundRequested {
              refund { id status }
              payment { refund { id status receiptNumber } receipt { number status } }
            }
          }
        }
    """
    answer = await desk.run(deep, input={"bankReference": "ONE", "reason": "test"})
    assert len(desk.statements) == 1
    told, receipt = answer["payment"]["refund"], answer["payment"]["receipt"]
    assert told == {**answer["refund"], "receiptNumber": receipt["number"]}
    assert (told["status"], receipt["status"]) == ("REQUESTED", "VALID")

    agency_id = await desk.institution_id("SI")
    held = frozenset({scopes.REFUND_DECIDE})
    agency = Caller(
        "social-insurance-refunds", agency_id, "SI", "社会保险经办机构", "SOCIAL_INSURANCE_AGENCY", None, held
    )
    desk.become(agency, TODAY)
    page = await desk.run(document("refunds"), status="REQUESTED")
    assert len(desk.statements) == 1
    (edge,) = page["edges"]
    sent = {"refundId": edge["node"]["id"], "approve": True, "reason": "test"}
    decided = await desk.run(document("decide_refund"), input=sent)
    assert len(desk.statements) == 1
    assert decided["refund"]["status"] == "REFUNDED"


async def test_the_same_tree_under_two_names_is_read_once(desk: Desk) -> None:
    text = """
        query ($residentId: ResidentId!, $name: String!) {
          payer(residentId: $residentId, name: $name) {
            a: payablePeriods(mode: ARREARS) { firstMonth }
            b: payablePeriods(mode: ARREARS) { lastMonth }
            c: payablePeriods(mode: CURRENT_YEAR) { firstMonth tiers { code } }
          }
        }
    """
    await desk.run(text, **LIU)
    payer = await desk.run(text, **LIU)
    (statement,) = desk.statements
    assert statement.count("FROM unpaid_months") == 2
    assert [p["firstMonth"] for p in payer["a"]] == ["2018-03", "2019-07"]
    assert [p["lastMonth"] for p in payer["b"]] == ["2018-03", "2019-10"]
    assert [(p["firstMonth"], len(p["tiers"])) for p in payer["c"]] == [("2020-01", 10)]


async def test_what_is_not_asked_for_is_not_joined(desk: Desk) -> None:
    text = """
        query ($residentId: ResidentId!, $name: String!) {
          payer(residentId: $residentId, name: $name) { maskedName }
        }
    """
    await desk.run(text, **LIU)
    await desk.run(text, **LIU)
    (statement,) = desk.statements
    for table in ("enrolments", "unpaid_months", "bills", "payments"):
        assert table not in statement


async def test_events_with_what_they_are_of_are_one_statement(desk: Desk) -> None:
    text = """
        {
          events(first: 5) {
            edges {
              cursor
              node {
                sequence
                ... on PaymentEvent { payment { receipt { number } payable { id } } }
                ... on BillEvent { bill { billNumber payment { bankReference } } }
              }
            }
          }
        }
    """
    await desk.run(text)
    (statement,) = desk.statements
    assert {"payments", "bills", "receipts"} <= set(statement.split())
    await desk.run("{ events { edges { node { sequence kind } } } }")
    (statement,) = desk.statements
    assert {"payments", "bills"}.isdisjoint(statement.split())
