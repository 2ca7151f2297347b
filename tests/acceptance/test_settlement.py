"""日终对账: the bank's list of a day against the ledger."""

import json
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import pytest

from tests.acceptance.gateway import Client, Server, gateway
from tests.acceptance.operations import Answer, pay, quote, reverse
from tests.acceptance.people import Office, Person
from tests.acceptance.snapshot import snapshot

DAY = "2020-11-16"
BANKS = ("CCB", "BOC", "CMB", "CEB", "CIB", "PSBC", "JXB")
COUNTER = (
    "payer:read period:read bill:read quote:write assessment:write payment:read payment:write receipt:read "
    "payment:reverse settlement:read settlement:write"
)
SETTLEMENT_DAY = """
  date status accepted { count amount } reversed { count amount } net { count amount } reconciledAt
  differences(first: $first, after: $after) {
    edges { cursor node { kind bankReference gatewayAmount bankAmount } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
"""
READ = f"query ($date: Date!, $first: Int, $after: String) {{ settlementDay(date: $date) {{ {SETTLEMENT_DAY} }} }}"
RECONCILE = f"""mutation ($input: ReconcileDayInput!, $first: Int, $after: String) {{
  reconcileDay(input: $input) {{
    __typename ... on SettlementDay {{ {SETTLEMENT_DAY} }} ... on Problem {{ code message nextAction }}
  }}
}}"""


@pytest.fixture(scope="module")
def banks(server: Server, office: Office) -> Iterator[str]:
    """Codes of banks that have no client yet: every test settles with a bank of its own."""
    return cycle(BANKS)


@pytest.fixture
def bank(server: Server, office: Office, banks: Iterator[str]) -> Client:
    registered = gateway(
        "clients",
        "register",
        "--institution",
        next(banks),
        "--channel",
        "COUNTER",
        "--scope",
        COUNTER,
        **office.settings,
    )
    assert registered.returncode == 0, registered.stderr
    credentials = json.loads(registered.stdout)
    token = server.token(credentials["client_id"], credentials["client_secret"])
    return Client(server.base_url, credentials["client_id"], token.json()["access_token"], server.http)


def day(bank: Client, date: str = DAY, **page: Any) -> Answer:
    found: Answer = bank.run(READ, date=date, **page)["settlementDay"]
    return found


def reconcile(bank: Client, *entries: Answer, date: str = DAY, **page: Any) -> Answer:
    answer: Answer = bank.run(RECONCILE, input={"date": date, "entries": list(entries)}, **page)["reconcileDay"]
    return answer


def differences(settled: Answer) -> set[tuple[str, str, str | None, str | None]]:
    nodes = [edge["node"] for edge in settled["differences"]["edges"]]
    return {(n["kind"], n["bankReference"], n["gatewayAmount"], n["bankAmount"]) for n in nodes}


def entry(reference: str, amount: str = "605.00", **more: bool) -> Answer:
    return {"bankReference": reference, "amount": amount, **more}


def paid(bank: Client, people: Iterator[Person], *references: str) -> None:
    for reference in references:
        pay(bank, quote(bank, next(people), "2020-01", "2020-01"), reference)


def total(count: int, amount: str) -> Answer:
    return {"count": count, "amount": amount}


def test_a_day_is_open_until_its_first_list_then_reconciled(bank: Client, people: Iterator[Person]) -> None:
    empty = day(bank)
    assert (empty["date"], empty["status"], empty["reconciledAt"]) == (DAY, "OPEN", None)
    assert empty["accepted"] == empty["reversed"] == empty["net"] == total(0, "0.00")
    paid(bank, people, "A", "B", "C")
    reverse(bank, "C")
    opened = day(bank)
    assert (opened["status"], opened["reconciledAt"], differences(opened)) == ("OPEN", None, set())
    assert opened["accepted"] == total(3, "1815.00")
    assert opened["reversed"] == total(1, "605.00")
    assert opened["net"] == total(2, "1210.00")
    settled = reconcile(bank, entry("A"), entry("B", "605"), entry("C", reversed=True))
    assert (settled["__typename"], settled["status"], differences(settled)) == ("SettlementDay", "RECONCILED", set())
    assert settled["reconciledAt"].endswith("+08:00")
    assert settled["net"] == total(2, "1210.00")
    assert day(bank) == {name: settled[name] for name in settled if name != "__typename"}


def test_every_kind_of_difference_is_listed_and_a_better_list_replaces_it(
    bank: Client, people: Iterator[Person]
) -> None:
    paid(bank, people, "RIGHT", "AMOUNT", "LOST", "REVERSED-HERE", "REVERSED-THERE")
    reverse(bank, "REVERSED-HERE")
    wrong = [
        entry("RIGHT"),
        entry("AMOUNT", "606.00"),
        entry("REVERSED-HERE"),
        entry("REVERSED-THERE", reversed=True),
        entry("NEVER", "1.00"),
    ]
    settled = reconcile(bank, *wrong)
    assert settled["status"] == "DIFFERENT"
    assert differences(settled) == {
        ("AMOUNT_DIFFERS", "AMOUNT", "605.00", "606.00"),
        ("MISSING_AT_BANK", "LOST", "605.00", None),
        ("STATUS_DIFFERS", "REVERSED-HERE", "605.00", "605.00"),
        ("STATUS_DIFFERS", "REVERSED-THERE", "605.00", "605.00"),
        ("MISSING_AT_GATEWAY", "NEVER", None, "1.00"),
    }
    assert differences(day(bank)) == differences(settled)
    right = [entry("RIGHT"), entry("AMOUNT"), entry("LOST"), entry("REVERSED-HERE", reversed=True)]
    settled = reconcile(bank, *right)
    assert (settled["status"], differences(settled)) == (
        "DIFFERENT",
        {("MISSING_AT_BANK", "REVERSED-THERE", "605.00", None)},
    )
    settled = reconcile(bank, *right, entry("REVERSED-THERE"))
    assert (settled["status"], differences(settled)) == ("RECONCILED", set())
    # And back: a list can be wrong after a right one.
    assert reconcile(bank)["status"] == "DIFFERENT"
    assert len(differences(day(bank))) == 5


def test_the_differences_are_paged(bank: Client, people: Iterator[Person]) -> None:
    paid(bank, people, "P-1", "P-2")
    first = reconcile(bank, *(entry(f"P-{number}") for number in range(3, 8)), first=3)
    assert len(first["differences"]["edges"]) == 3
    seen, page = differences(first), first
    walked = 3
    while page["differences"]["pageInfo"]["hasNextPage"]:
        page = day(bank, first=3, after=page["differences"]["pageInfo"]["endCursor"])
        assert page["differences"]["pageInfo"]["hasPreviousPage"] is True
        seen |= differences(page)
        walked += len(page["differences"]["edges"])
    assert walked == len(seen) == 7
    for bad in (0, 101, -1):
        assert "first" in bank.post(READ, {"date": DAY, "first": bad}).json()["errors"][0]["message"]
    assert "after" in bank.post(READ, {"date": DAY, "after": "nonsense"}).json()["errors"][0]["message"]


def test_what_happens_after_the_list_makes_the_day_differ(bank: Client, people: Iterator[Person]) -> None:
    paid(bank, people, "EARLY", "GOES")
    assert reconcile(bank, entry("EARLY"), entry("GOES"))["status"] == "RECONCILED"
    reverse(bank, "GOES")
    after_reversal = day(bank)
    assert after_reversal["status"] == "DIFFERENT"
    assert differences(after_reversal) == {("STATUS_DIFFERS", "GOES", "605.00", "605.00")}
    paid(bank, people, "LATE")
    after_payment = day(bank)
    assert ("MISSING_AT_BANK", "LATE", "605.00", None) in differences(after_payment)
    assert after_payment["accepted"] == total(3, "1815.00")
    settled = reconcile(bank, entry("EARLY"), entry("GOES", reversed=True), entry("LATE"))
    assert settled["status"] == "RECONCILED"


@pytest.mark.parametrize("other", [entry("TWICE"), entry("TWICE", "606.00"), entry("TWICE", reversed=True)], ids=str)
def test_a_list_that_holds_a_payment_twice_does_not_reconcile(
    server: Server, sandbox_database: str, other: Answer
) -> None:
    tax = server.client("tax-window")
    before = snapshot(sandbox_database)
    request = {"date": "2020-11-10", "entries": [entry("TWICE"), other]}
    response = tax.post(RECONCILE, {"input": request})
    assert response.status_code < 500
    answer = response.json()
    if "errors" in answer:
        message = answer["errors"][0]["message"]
        assert "entries" in message or "bankReference" in message
        assert snapshot(sandbox_database) == before
    else:
        assert answer["data"]["reconcileDay"]["__typename"] == "DayNotReconcilable"


def test_a_day_in_the_future_is_not_reconcilable(server: Server, sandbox_database: str) -> None:
    tax = server.client("tax-window")
    before = snapshot(sandbox_database)
    for date in ("2020-11-17", "2021-01-01", "9999-12-31"):
        refused = reconcile(tax, entry("FUTURE"), date=date)
        assert (refused["__typename"], bool(refused["message"])) == ("DayNotReconcilable", True)
        assert day(tax, date)["status"] == "OPEN"
    assert snapshot(sandbox_database) == before


def test_a_day_gone_by_without_payments(server: Server) -> None:
    tax = server.client("tax-window")
    assert day(tax, "2020-11-13")["status"] == "OPEN"
    assert reconcile(tax, date="2020-11-13")["status"] == "RECONCILED"
    assert day(tax, "2020-11-13")["status"] == "RECONCILED"
    settled = reconcile(tax, entry("GHOST"), date="2020-11-13")
    assert differences(settled) == {("MISSING_AT_GATEWAY", "GHOST", None, "605.00")}
    assert day(tax, "2020-11-12")["status"] == "OPEN"


def test_the_first_day_that_there_is_has_no_payments(server: Server) -> None:
    # Python's first day reaches PostgreSQL as -infinity.
    assert reconcile(server.client("tax-window"), date="0001-01-01")["status"] == "RECONCILED"


def test_a_day_is_an_institutions_own(server: Server, people: Iterator[Person]) -> None:
    abc, mobile, tax = (server.client(name) for name in ("abc-counter", "abc-mobile", "tax-window"))
    paid(mobile, people, "OWN-DAY")
    paid(tax, people, "OWN-DAY", "TAX-DAY")
    settled = reconcile(abc, entry("OWN-DAY"))
    assert (settled["status"], settled["accepted"]) == ("RECONCILED", total(1, "605.00"))
    assert day(tax)["status"] == "OPEN"
    assert day(tax)["accepted"] == total(2, "1210.00")


def test_a_list_of_ten_thousand_entries(server: Server) -> None:
    tax = server.client("tax-window")
    settled = reconcile(tax, *(entry(f"BULK-{number:05}", "1.00") for number in range(10_000)), date="2020-11-09")
    assert settled["status"] == "DIFFERENT"
    assert settled["differences"]["pageInfo"]["hasNextPage"] is True
    assert len(settled["differences"]["edges"]) == 20
    assert reconcile(tax, date="2020-11-09")["status"] == "RECONCILED"
