"""What was paid, told again: payments by reference and by day, receipts, and their amounts in words."""

import re
from collections.abc import Iterator

import pytest

from tests.acceptance.gateway import Client, Server
from tests.acceptance.operations import (
    RECEIPT,
    RECEIPT_OF,
    agency_bill,
    bills,
    pay,
    payment_of,
    quote,
    reverse,
)
from tests.acceptance.people import Person

PAYMENTS = """query ($on: Date!, $status: PaymentStatus, $first: Int, $after: String) {
  payments(on: $on, status: $status, first: $first, after: $after) {
    edges { cursor node { bankReference status channel } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}"""


def references(client: Client, **arguments: object) -> list[str]:
    found = client.run(PAYMENTS, **{"on": "2020-11-16", "first": 100, **arguments})["payments"]["edges"]
    return [edge["node"]["bankReference"] for edge in found]


def test_a_payment_is_found_by_its_own_institution_only(
    server: Server, icbc: Client, abc: Client, people: Iterator[Person]
) -> None:
    payment = pay(icbc, quote(icbc, next(people), "2020-01", "2020-01"), "PAY-OWN")
    assert payment_of(icbc, "PAY-OWN") == payment
    for stranger in (abc, server.client("tax-wechat")):
        assert payment_of(stranger, "PAY-OWN") is None
        assert stranger.run(RECEIPT_OF, number=payment["receipt"]["number"])["receipt"] is None
    assert payment_of(icbc, "PAY-NEVER") is None
    assert icbc.run(RECEIPT_OF, number="0")["receipt"] is None


def test_the_payments_of_a_day(server: Server, tax: Client, people: Iterator[Person]) -> None:
    before = references(tax)
    wechat = server.client("tax-wechat")
    for number in range(5):
        client = (tax, wechat)[number % 2]
        pay(client, quote(client, next(people), "2020-01", "2020-01"), f"PAY-DAY-{number}")
    reverse(tax, "PAY-DAY-2")
    expected = {f"PAY-DAY-{number}" for number in range(5)}
    assert set(references(tax)) - set(before) == expected
    assert references(wechat) == references(tax)
    assert "PAY-DAY-2" in references(tax, status="REVERSED")
    assert set(references(tax, status="ACCEPTED")) & expected == expected - {"PAY-DAY-2"}
    assert references(tax, status="POSTED") == references(tax, status="REFUNDED") == []
    for day in ("2020-11-15", "2020-11-17", "1900-01-01", "9999-12-31", "0001-01-01"):
        assert references(tax, on=day) == []
    walked, after = [], None
    for _ in range(100):
        page = tax.run(PAYMENTS, on="2020-11-16", first=2, after=after)["payments"]
        walked += [edge["node"]["bankReference"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert walked == references(tax)


def test_a_payers_receipts_are_those_of_the_callers_institution(
    icbc: Client, abc: Client, people: Iterator[Person]
) -> None:
    person = next(people)
    mine = pay(icbc, quote(icbc, person, "2020-01", "2020-01"), "PAY-RECEIPT-1")["receipt"]
    also = pay(icbc, quote(icbc, person, "2020-02", "2020-02"), "PAY-RECEIPT-2")["receipt"]
    theirs = pay(abc, quote(abc, person, "2020-03", "2020-03"), "PAY-RECEIPT-1")["receipt"]
    document = f"""query ($residentId: ResidentId!, $name: String!, $year: Int, $first: Int) {{
      payer(residentId: $residentId, name: $name) {{
        receipts(year: $year, first: $first) {{ edges {{ node {{ {RECEIPT} }} }} pageInfo {{ hasNextPage }} }}
      }} }}"""

    def receipts(client: Client, **arguments: int) -> list[str]:
        found = client.run(document, **person.variables, **arguments)["payer"]["receipts"]["edges"]
        return sorted(edge["node"]["number"] for edge in found)

    assert receipts(icbc) == receipts(icbc, year=2020) == sorted([mine["number"], also["number"]])
    assert receipts(abc) == [theirs["number"]]
    assert receipts(icbc, year=2019) == []
    assert len(receipts(icbc, first=1)) == 1


def test_receipt_numbers_and_codes_are_not_to_be_guessed(icbc: Client, people: Iterator[Person]) -> None:
    person = next(people)
    receipts = [
        pay(icbc, quote(icbc, person, f"2020-{m:02}", f"2020-{m:02}"), f"PAY-CODE-{m}")["receipt"] for m in (1, 2, 3)
    ]
    assert len({receipt["number"] for receipt in receipts}) == 3
    assert len({receipt["verificationCode"] for receipt in receipts}) == 3
    assert all(re.fullmatch(r"\S{8,}", receipt["verificationCode"]) for receipt in receipts)


@pytest.mark.parametrize(
    ("tier", "last", "words"),
    [
        ("60", "2020-01", "陆佰零伍元整"),
        ("100", "2020-01", "壹仟零捌元整"),
        ("100", "2020-12", "壹万贰仟零玖拾陆元整"),
        ("250", "2020-12", "叁万零贰佰肆拾元整"),
    ],
)
def test_the_amount_in_words(icbc: Client, people: Iterator[Person], tier: str, last: str, words: str) -> None:
    payment = pay(icbc, quote(icbc, next(people), "2020-01", last, tier), f"PAY-WORDS-{tier}-{last}")
    assert payment["receipt"]["amountInWords"] == words


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("100000.00", "壹拾万元整"),
        ("20.05", "贰拾元零伍分"),
        ("1000000.01", "壹佰万元零壹分"),
        ("100200300.00", "壹亿零贰拾万零叁佰元整"),
        ("999999999999.99", "玖仟玖佰玖拾玖亿玖仟玖佰玖拾玖万玖仟玖佰玖拾玖元玖角玖分"),
        ("3.21", "叁元贰角壹分"),
    ],
)
def test_an_agencys_amount_in_words(
    server: Server, abc: Client, people: Iterator[Person], amount: str, words: str
) -> None:
    person = next(people)
    si = server.client("social-insurance-agency")
    agency_bill(si, f"SI-WORDS-{amount}", person, "2020-01", "2020-01", amount)
    payment = pay(abc, bills(abc, person)[0], f"PAY-WORDS-{amount}")
    assert (payment["amount"], payment["receipt"]["amountInWords"]) == (amount, words)
