"""The second lock: a request sees no other institution's rows, even when its statement forgets to say whose."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from database.pool import InstitutionPool, open_pool, passes_row_security
from database.vault import Vault
from gateway.demo.client import document
from tests.desk import LIU, TODAY, Desk, clerk

pytestmark = pytest.mark.anyio


#: Tables that name an institution or hang on one's rows, and have no such lock: why not.
UNLOCKED = {
    "clients": "read before it is known who calls",
    "contributions": "what a person has paid, which every institution that names the person may see",
    "postings": "the worker's alone: no statement of a request reads it",
    "callbacks": "a client's own, found by the caller's client alone",
    "deliveries": "the worker's alone: no statement of a request reads it",
    "client_signing_keys": "public keys, read before it is known whether the request stands",
    "client_assertions": "ids of used assertions, written before it is known who calls",
    "signature_requirements": "read before the operation runs",
    "lookup_failures": "counted for each client, whoever asks",
    "client_limits": "read before the operation is known",
    "client_budgets": "counted before the operation runs",
    "trusted_documents": "read before the operation is known",
    "event_sequences": "the worker's alone: a counter, and nobody's data",
}

_OWN = re.compile(r"\w+\.institution_id = (\$\d+)::integer")


class ForgetfulPool(InstitutionPool):
    """The pool of an institution whose statements have lost their conditions on the institution."""

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        return await super().fetch(_OWN.sub(r"\1::integer IS NOT NULL", sql), *arguments)

    async def fetchrow(self, sql: str, *arguments: object) -> asyncpg.Record | None:
        return await super().fetchrow(_OWN.sub(r"\1::integer IS NOT NULL", sql), *arguments)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(url, max_size=2)
    try:
        yield pool
    finally:
        await pool.close()


async def institutions(pool: asyncpg.Pool) -> dict[str, int]:
    return dict(await pool.fetch("SELECT code, id FROM institutions"))


async def paid_by_abc(pool: asyncpg.Pool, vault_key: bytes) -> tuple[Vault, dict[str, int], Any]:
    """Let ABC take a payment and close its day with a difference."""
    async with pool.acquire() as connection:
        vault = await Vault.open(connection, vault_key)
    ids = await institutions(pool)
    abc = Desk(InstitutionPool(pool, ids["ABC"]), vault, clerk(ids["ABC"], "abc-counter"))
    payer = await abc.run(document("find_payer"), **LIU)
    months = {"payerId": payer["id"], "firstMonth": "2020-01", "lastMonth": "2020-01", "tier": "60"}
    quote = await abc.run(document("request_quote"), input=months)
    payment = await abc.run(
        "mutation ($input: SubmitPaymentInput!) { submitPayment(input: $input) { ... on PaymentAccepted "
        "{ payment { bankReference receipt { number } } } } }",
        input={
            "payableId": quote["id"],
            "amount": quote["amount"],
            "bankReference": "ABC-1",
            "collectedAt": f"{TODAY.isoformat()}T09:30:00+08:00",
        },
    )
    await abc.run(
        "mutation ($input: ReconcileDayInput!) { reconcileDay(input: $input) { ... on SettlementDay { status } } }",
        input={"date": TODAY.isoformat(), "entries": []},
    )
    return vault, ids, payment["payment"]


ASKED = {
    "payment": "query ($bankReference: String!) { payment(bankReference: $bankReference) { amount } }",
    "payments": "query ($on: Date!) { payments(on: $on) { edges { node { bankReference } } } }",
    "receipt": "query ($number: String!) { receipt(number: $number) { amount } }",
    "settlementDay": "query ($on: Date!) { settlementDay(date: $on) "
    "{ accepted { count } differences { edges { node { bankReference } } } } }",
}


async def asked_of_all(desk: Desk, payment: Any) -> dict[str, Any]:
    variables = {
        "payment": {"bankReference": payment["bankReference"]},
        "payments": {"on": TODAY.isoformat()},
        "receipt": {"number": payment["receipt"]["number"]},
        "settlementDay": {"on": TODAY.isoformat()},
    }
    return {name: await desk.run(text, **variables[name]) for name, text in ASKED.items()}


NOTHING = {
    "payment": None,
    "payments": {"edges": []},
    "receipt": None,
    "settlementDay": {"accepted": {"count": 0}, "differences": {"edges": []}},
}


async def test_resolvers_without_their_own_conditions_get_nothing_of_another_institution(
    sandbox_copy: str, vault_key: bytes
) -> None:
    async with opened(sandbox_copy) as pool:
        vault, ids, payment = await paid_by_abc(pool, vault_key)
        icbc = Desk(ForgetfulPool(pool, ids["ICBC"]), vault, clerk(ids["ICBC"], "icbc-mobile"))
        assert await asked_of_all(icbc, payment) == NOTHING


async def test_the_conditions_alone_are_a_lock_as_well(sandbox_copy: str, vault_key: bytes) -> None:
    async with opened(sandbox_copy) as pool:
        vault, ids, payment = await paid_by_abc(pool, vault_key)
        # Its connections act for ABC: row-level security shows ABC's rows, and the resolvers ask for ICBC's.
        icbc = Desk(InstitutionPool(pool, ids["ABC"]), vault, clerk(ids["ICBC"], "icbc-mobile"))
        assert await asked_of_all(icbc, payment) == NOTHING
        # Without either lock, everything shows: the test before this one tests something.
        icbc = Desk(ForgetfulPool(pool, ids["ABC"]), vault, clerk(ids["ICBC"], "icbc-mobile"))
        shown = await asked_of_all(icbc, payment)
        assert all(shown[name] != NOTHING[name] for name in ("payment", "payments", "receipt"))


@pytest.mark.parametrize("for_transactions", [False, True])
async def test_a_statement_without_any_condition_reads_the_own_rows_and_no_others(
    sandbox_copy: str, vault_key: bytes, for_transactions: bool
) -> None:
    async with opened(sandbox_copy) as pool:
        _, ids, _ = await paid_by_abc(pool, vault_key)
        async with pool.acquire() as connection:
            locked = [
                row[0]
                for row in await connection.fetch(
                    "SELECT relname::text FROM pg_class WHERE relrowsecurity AND relforcerowsecurity ORDER BY 1"
                )
            ]
        for table in locked:
            seen = {
                code: await InstitutionPool(pool, ids[code], for_transactions=for_transactions).fetchval(
                    f"SELECT count(*) FROM {table}"
                )
                for code in ("ABC", "ICBC")
            }
            assert seen["ICBC"] == 0, table
            if table in ("payments", "receipts", "quotes", "named_payers", "settlement_days", "settlement_differences"):
                assert seen["ABC"] == 1, table


async def test_a_request_can_write_no_row_of_another_institution(sandbox_copy: str, vault_key: bytes) -> None:
    async with opened(sandbox_copy) as pool:
        _, ids, _ = await paid_by_abc(pool, vault_key)
        icbc = InstitutionPool(pool, ids["ICBC"])
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await icbc.execute(
                "INSERT INTO named_payers (institution_id, payer_id) SELECT $1, min(id) FROM payers", ids["ABC"]
            )
        assert await icbc.execute("UPDATE payments SET branch = 'x'") == "UPDATE 0"
        assert await icbc.execute("DELETE FROM settlement_differences") == "DELETE 0"


async def test_every_table_that_knows_an_institution_is_locked_or_says_why_not(sandbox_copy: str) -> None:
    async with opened(sandbox_copy) as pool:
        rows = await pool.fetch(
            """
            SELECT c.relname::text AS name, bool_and(c.relrowsecurity AND c.relforcerowsecurity) AS locked
            FROM pg_class AS c
            INNER JOIN pg_attribute AS a ON c.oid = a.attrelid
            INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
            WHERE
                c.relkind = 'r' AND n.nspname = 'public' AND NOT a.attisdropped
                AND a.attname IN ('institution_id', 'payment_id', 'client_id')
            GROUP BY c.relname
            """
        )
    unlocked = {row["name"] for row in rows if not row["locked"]}
    assert unlocked == set(UNLOCKED)


async def test_the_role_of_the_embedded_server_can_not_pass_the_lock(sandbox_copy: str) -> None:
    async with opened(sandbox_copy) as pool, pool.acquire() as connection:
        assert not await passes_row_security(connection)
