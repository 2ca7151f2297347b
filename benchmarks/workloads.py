"""The workloads: the operations as a bank sends them, and the requests that carry them to each contender."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, cycle
from typing import Any

from benchmarks.ledger import AMOUNT, BILLS_LISTED, Ledger

BILL = "billNumber origin insurance firstMonth lastMonth monthCount amount payBy status"
DOCUMENTS = {
    "payer": f"""query Payer($residentId: ResidentId!, $name: String!) {{
  payer(residentId: $residentId, name: $name) {{
    maskedName maskedResidentId
    payablePeriods {{ insurance mode firstMonth lastMonth monthCount payBy }}
    assessedBills {{ edges {{ node {{ {BILL} }} }} }}
  }}
}}""",
    "bills": f"""query Bills($residentId: ResidentId!, $name: String!, $first: Int) {{
  payer(residentId: $residentId, name: $name) {{
    maskedName maskedResidentId
    assessedBills(first: $first) {{ edges {{ node {{ {BILL} }} }} pageInfo {{ hasNextPage }} }}
  }}
}}""",
    "quote": """mutation Quote($input: RequestQuoteInput!) {
  requestQuote(input: $input) {
    __typename
    ... on Quote {
      insurance firstMonth lastMonth monthCount amount status tier { code monthlyAmount } lines { month amount }
    }
  }
}""",
    "payment": """mutation Payment($input: SubmitPaymentInput!) {
  submitPayment(input: $input) {
    __typename
    ... on PaymentAccepted {
      replayed payment { amount status channel businessDate receipt { status } }
    }
  }
}""",
}
#: What each good answer has in it.
MARKERS = {
    "payer": b'"CURRENT_YEAR"',
    "bills": b'"billNumber"',
    "quote": b'"OPEN"',
    "payment": b'"PaymentAccepted"',
    "mix": b'"amount"',
}
TITLES = {
    "payer": "Payer with bills and payable periods",
    "bills": "List of 100 bills",
    "quote": "Quote",
    "payment": "Payment",
    "mix": "Nine payers read for each payment",
}
WORKLOADS = tuple(TITLES)
READS_FOR_EACH_PAYMENT = 9
COLLECTED_AT = "2020-11-16T09:30:00+08:00"
#: The same order of people for every contender.
SEED = 20201116

#: Header lines beside the usual ones, for a body.
Signing = Callable[[bytes], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a contender is spoken to. `ids` makes its id of a row; `documents` is None where no GraphQL is spoken."""

    host: str
    path: str
    documents: dict[str, str] | None
    ids: Callable[[str, int], str]
    headers: dict[str, str]

    def request(self, workload: str, variables: dict[str, Any], signing: Signing | None = None) -> bytes:
        """Return one whole HTTP request."""
        if self.documents is None:
            path = f"/{workload}"
            content: dict[str, Any] = {"variables": variables}
        else:
            path = self.path
            content = {"query": self.documents[workload], "variables": variables}
        body = json.dumps(content, ensure_ascii=False).encode()
        headers = {"host": self.host, "content-type": "application/json", "content-length": str(len(body))}
        headers |= self.headers | (signing(body) if signing else {})
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


class Workloads:
    """Makes the requests. Bills to pay are taken from one stock: none is paid twice, whoever asks."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._stock = iter(ledger.bills)
        self._references = count()

    def requests(self, workload: str, dialect: Dialect, signing: Signing | None = None) -> Iterator[bytes]:
        """Yield requests; those that use up nothing without end."""
        match workload:
            case "mix":
                return self._mixed(dialect)
            case "payment":
                return self._payments(dialect, signing)
            case _:
                made = [dialect.request(workload, variables, signing) for variables in self._reads(workload, dialect)]
                random.Random(SEED).shuffle(made)  # noqa: S311 -- an order, and no secret
                return cycle(made)

    def reads(self, dialect: Dialect, signing: Signing, number: int) -> Iterator[bytes]:
        """Yield so many reads of payers, each signed for itself."""
        reads = cycle(self._reads("payer", dialect))
        return iter([dialect.request("payer", next(reads), signing) for _ in range(number)])

    def _reads(self, workload: str, dialect: Dialect) -> list[dict[str, Any]]:
        match workload:
            case "payer":
                return [person.variables for person, _ in self._ledger.readers]
            case "bills":
                return [person.variables | {"first": BILLS_LISTED} for person, _ in self._ledger.listed]
            case "quote":
                run = {"firstMonth": "2020-04", "lastMonth": "2020-06", "tier": "60"}
                readers = self._ledger.readers
                return [{"input": {"payerId": dialect.ids("Payer", row_id), **run}} for _, row_id in readers]
        raise AssertionError(workload)

    def _payments(self, dialect: Dialect, signing: Signing | None = None) -> Iterator[bytes]:
        for bill in self._stock:
            yield self._payment(dialect, bill, signing)

    def _payment(self, dialect: Dialect, bill: int, signing: Signing | None) -> bytes:
        content = {
            "payableId": dialect.ids("AssessedBill", bill),
            "amount": AMOUNT,
            "bankReference": f"BENCH-{next(self._references):08}",
            "collectedAt": COLLECTED_AT,
        }
        return dialect.request("payment", {"input": content}, signing)

    def _mixed(self, dialect: Dialect) -> Iterator[bytes]:
        reads, payments = self.requests("payer", dialect), self._payments(dialect)
        while True:
            for _ in range(READS_FOR_EACH_PAYMENT):
                yield next(reads)
            payment = next(payments, None)
            if payment is None:
                return
            yield payment
