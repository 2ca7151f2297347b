"""The limit: a hand-written ASGI endpoint with asyncpg and orjson, that does one statement and knows no GraphQL.

It has no token, no scope, no limit and no log. Its ids are the gateway's.
"""

import datetime
import os
import secrets
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import asyncpg
import orjson
from starlette.types import Receive, Scope, Send

from benchmarks.statements import STATEMENTS
from database.pool import connect, open_pool
from database.vault import Vault

#: As the gateway's workers have by default.
POOL_SIZE = 10
CODE_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#: The contract's defaults.
PAGE = 20


class Endpoint:
    """What it answers, by path. Every handler returns what `data` is in the gateway's answer."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault, environment: dict[str, str]) -> None:
        self.pool = pool
        self.vault = vault
        self.business_date = datetime.date.fromisoformat(environment["BENCH_BUSINESS_DATE"])
        self.institution_id = int(environment["BENCH_INSTITUTION_ID"])
        self.client_id = environment["BENCH_CLIENT_ID"]
        self.handlers: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "/payer": self.payer,
            "/bills": self.bills,
            "/quote": self.quote,
            "/payment": self.payment,
        }

    async def payer(self, variables: dict[str, Any]) -> dict[str, Any]:
        """A payer with bills and payable periods."""
        index = self.vault.name_index(variables["residentId"], variables["name"])
        row = await self.pool.fetchrow(STATEMENTS["payer"], index, self.business_date, PAGE)
        if row is None:
            return {"payer": None}
        name, number, bills, periods = row
        return {
            "payer": {
                "maskedName": name,
                "maskedResidentId": number,
                "payablePeriods": [self._period(*period) for period in periods],
                "assessedBills": {"edges": [{"node": _bill(*bill)} for bill in bills[:PAGE]]},
            }
        }

    async def bills(self, variables: dict[str, Any]) -> dict[str, Any]:
        """A payer's bills."""
        index = self.vault.name_index(variables["residentId"], variables["name"])
        size = variables["first"]
        row = await self.pool.fetchrow(STATEMENTS["bills"], index, self.business_date, size)
        if row is None:
            return {"payer": None}
        name, number, bills = row
        return {
            "payer": {
                "maskedName": name,
                "maskedResidentId": number,
                "assessedBills": {
                    "edges": [{"node": _bill(*bill)} for bill in bills[:size]],
                    "pageInfo": {"hasNextPage": len(bills) > size},
                },
            }
        }

    async def quote(self, variables: dict[str, Any]) -> dict[str, Any]:
        """A price."""
        asked = variables["input"]
        kind, payer_id = self.vault.read_opaque_id(asked["payerId"], self.institution_id) or ("", 0)
        assert kind == "Payer"
        first, last = _month(asked["firstMonth"]), _month(asked["lastMonth"])
        row = await self.pool.fetchrow(
            STATEMENTS["quote"],
            self.institution_id,
            self.client_id,
            payer_id,
            first,
            last,
            asked["tier"],
            self.business_date.year,
        )
        if row is None:
            return {"requestQuote": {"__typename": "PeriodNotPayable"}}
        monthly, amount = row
        return {
            "requestQuote": {
                "__typename": "Quote",
                "insurance": "PENSION",
                "firstMonth": _text(first),
                "lastMonth": _text(last),
                "monthCount": last - first + 1,
                "amount": f"{amount:.2f}",
                "status": "OPEN",
                "tier": {"code": asked["tier"], "monthlyAmount": f"{monthly:.2f}"},
                "lines": [{"month": _text(month), "amount": f"{monthly:.2f}"} for month in range(first, last + 1)],
            }
        }

    async def payment(self, variables: dict[str, Any]) -> dict[str, Any]:
        """A payment."""
        asked = variables["input"]
        kind, bill_id = self.vault.read_opaque_id(asked["payableId"], self.institution_id) or ("", 0)
        assert kind == "AssessedBill"
        outcome, amount, channel, business_date = await self.pool.fetchrow(
            STATEMENTS["payment"],
            self.institution_id,
            self.client_id,
            bill_id,
            Decimal(asked["amount"]),
            asked["bankReference"],
            datetime.datetime.fromisoformat(asked["collectedAt"]),
            self.business_date,
            "".join(secrets.choice(CODE_LETTERS) for _ in range(12)),
        )
        if outcome not in ("ACCEPTED", "REPLAYED"):
            return {"submitPayment": {"__typename": outcome}}
        return {
            "submitPayment": {
                "__typename": "PaymentAccepted",
                "replayed": outcome == "REPLAYED",
                "payment": {
                    "amount": f"{amount:.2f}",
                    "status": "ACCEPTED",
                    "channel": channel,
                    "businessDate": business_date,
                    "receipt": {"status": "VALID"},
                },
            }
        }

    def _period(self, insurance: str, mode: str, first: int, last: int) -> dict[str, Any]:
        return {
            "insurance": insurance,
            "mode": mode,
            "firstMonth": _text(first),
            "lastMonth": _text(last),
            "monthCount": last - first + 1,
            "payBy": f"{self.business_date.year}-12-31" if mode == "CURRENT_YEAR" else None,
        }


def _bill(
    number: str,
    origin: str,
    insurance: str,
    first: int,
    last: int,
    amount: Decimal,
    pay_by: datetime.date | None,
    status: str,
) -> dict[str, Any]:
    return {
        "billNumber": number,
        "origin": origin,
        "insurance": insurance,
        "firstMonth": _text(first),
        "lastMonth": _text(last),
        "monthCount": last - first + 1,
        "amount": f"{amount:.2f}",
        "payBy": pay_by,
        "status": status,
    }


def _month(text: str) -> int:
    return int(text[:4]) * 12 + int(text[5:]) - 1


def _text(month: int) -> str:
    return f"{month // 12:04}-{month % 12 + 1:02}"


async def opened() -> Endpoint:
    """Return the endpoint over what the environment says."""
    url = os.environ["BENCH_DATABASE_URL"]
    connection = await connect(url)
    vault = await Vault.open(connection, bytes.fromhex(os.environ["BENCH_MASTER_KEY"]))
    await connection.close()
    return Endpoint(await open_pool(url, max_size=POOL_SIZE), vault, dict(os.environ))


class App:
    """The ASGI app."""

    endpoint: Endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a POST; open and close with the server."""
        if scope["type"] == "lifespan":
            await receive()
            self.endpoint = await opened()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self.endpoint.pool.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
        handler = self.endpoint.handlers.get(scope["path"])
        status, answer = 404, b"{}"
        if handler is not None:
            body = b""
            more = True
            while more:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
            status, answer = 200, orjson.dumps({"data": await handler(orjson.loads(body)["variables"])})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


app = App()
