"""A bank's counter in this process: operations run by the real runner over the real PostgreSQL."""

import asyncio
import datetime
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg

from auth import scopes
from auth.tokens import Caller
from database.pool import InstitutionPool, open_pool
from database.vault import Vault
from gateway.app import word_exception
from gateway.execution.documents import DocumentStore
from gateway.execution.runner import Runner
from resolvers.call import Call
from schema.context import Context
from schema.contract import schema
from schema.scopes import needs_of_field

TODAY = datetime.date(2020, 11, 16)
LIU = {"residentId": "369999197809250024", "name": "刘建国"}


def clerk(institution_id: int, client_id: str = "abc-counter") -> Caller:
    """Return a bank's counter as the caller."""
    return Caller(client_id, institution_id, "ABC", "农业银行", "BANK", "COUNTER", scopes.COUNTER)


class Desk:
    """Runs operations as one caller, over the pool that acts for its institution or, in a test, for another."""

    def __init__(self, pool: InstitutionPool, vault: Vault, caller: Caller) -> None:
        self.call = Call(caller, pool, vault, TODAY, datetime.timedelta(minutes=30))
        core = schema._schema
        self._documents = DocumentStore(core, needs_of_field, hide_suggestions=True, introspectable=False)
        self._runner = Runner(core, word_exception, hide_suggestions=True)

    @property
    def caller(self) -> Caller:
        return self.call.caller

    async def run(self, text: str, **variables: Any) -> Any:
        """Return the value of the operation's one field; fail on errors."""
        operation = self._documents.load(text).operation(None)
        answer = await self._runner.run(operation, variables, Context(self.call, "en", "https://gateway.example"))
        assert "errors" not in answer.body, answer.body["errors"]
        (value,) = answer.body["data"].values()
        return value


class CountingDesk(Desk):
    """A desk that counts what reaches PostgreSQL, over a pool of one connection."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault, caller: Caller) -> None:
        super().__init__(InstitutionPool(pool, caller.institution_id), vault, caller)
        self.pool = pool
        self.statements: list[str] = []

    def count(self, query: Any) -> None:
        # asyncpg asks what an array type is made of, once for each connection.
        # Whom a connection acts for is said once, as long as its requests are of one institution.
        if not any(word in query.query for word in ("typeinfo", "'jit'", "gateway.institution_id")):
            self.statements.append(query.query)

    async def institution_id(self, code: str) -> int:
        found: int = await self.call.pool.fetchval("SELECT id FROM institutions WHERE code = $1", code)
        return found

    def become(self, caller: Caller, business_date: datetime.date) -> None:
        own = InstitutionPool(self.pool, caller.institution_id)
        self.call = replace(self.call, caller=caller, pool=own, business_date=business_date)

    async def run(self, text: str, **variables: Any) -> Any:
        # asyncpg tells of a statement at the loop's next turn.
        await asyncio.sleep(0)
        self.statements.clear()
        value = await super().run(text, **variables)
        await asyncio.sleep(0)
        return value


@asynccontextmanager
async def counting(url: str, vault_key: bytes) -> AsyncIterator[CountingDesk]:
    """Open ABC's counting desk at a database."""
    pool = await open_pool(url, max_size=1)
    try:
        async with pool.acquire() as connection:
            vault = await Vault.open(connection, vault_key)
            institution_id = await connection.fetchval("SELECT id FROM institutions WHERE code = 'ABC'")
            desk = CountingDesk(pool, vault, clerk(institution_id))
            connection.add_query_logger(desk.count)
        yield desk
    finally:
        await pool.close()
