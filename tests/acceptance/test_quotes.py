"""本年自主缴费: a quote for any run of months inside one payable period, at one tier."""

from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from time import sleep

import pytest

from tests.acceptance.gateway import Client, Server, serving
from tests.acceptance.operations import (
    REQUEST_QUOTE,
    node,
    pay,
    payer_id,
    periods,
    quote,
    reverse,
    runs,
    submit,
)
from tests.acceptance.people import CHEN, LI, LIU, OUYANG, WANG, ZHAO, Person

TIERS = {
    "2019-FLOOR": "568.00",
    "60": "605.00",
    "70": "706.00",
    "80": "806.00",
    "90": "907.00",
    "100": "1008.00",
    "150": "1512.00",
    "200": "2016.00",
    "250": "2520.00",
    "300": "3024.00",
}


@pytest.fixture(scope="module")
def bank(server: Server) -> Client:
    return server.client("icbc-mobile")


def test_april_to_december_is_the_guides_figure(bank: Client) -> None:
    found = quote(bank, CHEN, "2020-04", "2020-12")
    assert found["__typename"] == "Quote"
    assert found["amount"] == "5445.00"
    assert (found["firstMonth"], found["lastMonth"], found["monthCount"]) == ("2020-04", "2020-12", 9)
    assert (found["insurance"], found["status"]) == ("PENSION", "OPEN")
    assert found["tier"]["code"] == "60"
    months = [f"2020-{month:02}" for month in range(4, 13)]
    assert found["lines"] == [
        {"month": month, "monthlyBase": "3024.00", "rate": "0.20", "amount": "605.00"} for month in months
    ]


@pytest.mark.parametrize(("tier", "amount"), TIERS.items())
def test_each_tier_has_the_guides_amount(bank: Client, tier: str, amount: str) -> None:
    found = quote(bank, ZHAO, "2020-06", "2020-06", tier)
    assert (found["amount"], found["monthCount"]) == (amount, 1)
    assert found["tier"]["monthlyAmount"] == amount


@pytest.mark.parametrize(
    ("first", "last", "count", "amount"),
    [
        ("2020-01", "2020-01", 1, "1008.00"),
        ("2020-12", "2020-12", 1, "1008.00"),
        ("2020-01", "2020-03", 3, "3024.00"),
        ("2020-10", "2020-12", 3, "3024.00"),
        ("2020-02", "2020-08", 7, "7056.00"),
        ("2020-01", "2020-12", 12, "12096.00"),
    ],
)
def test_any_run_inside_a_period_can_be_quoted(bank: Client, first: str, last: str, count: int, amount: str) -> None:
    found = quote(bank, LIU, first, last, "100")
    assert (found["monthCount"], found["amount"], len(found["lines"])) == (count, amount, count)


@pytest.mark.parametrize(
    ("person", "first", "last"),
    [
        (CHEN, "2020-03", "2020-03"),
        (CHEN, "2020-03", "2020-04"),
        (CHEN, "2020-12", "2021-01"),
        (CHEN, "2021-01", "2021-01"),
        (CHEN, "1900-01", "2999-12"),
        (CHEN, "2999-12", "2999-12"),
        (CHEN, "1900-01", "1900-01"),
        (ZHAO, "2020-05", "2020-06"),
        (ZHAO, "2020-05", "2020-05"),
        (LIU, "2019-12", "2020-01"),
        (LIU, "2018-03", "2018-03"),
        (LIU, "2019-07", "2019-10"),
        (LI, "2020-01", "2020-12"),
        (OUYANG, "2020-01", "2020-01"),
    ],
)
def test_months_outside_a_period_cannot_be_quoted(bank: Client, person: Person, first: str, last: str) -> None:
    refused = quote(bank, person, first, last)
    assert refused["__typename"] == "PeriodNotPayable"
    assert refused["message"]
    current = [p for p in refused["payable"] if p["mode"] == "CURRENT_YEAR"]
    expected = [r for r in runs(bank, person) if r[0] == "CURRENT_YEAR"]
    assert [(p["mode"], p["firstMonth"], p["lastMonth"]) for p in current] == expected


def test_a_refusal_tells_the_periods_with_their_tiers(bank: Client) -> None:
    told = quote(bank, ZHAO, "2020-05", "2020-05")["payable"]
    assert told == periods(bank, ZHAO, mode="CURRENT_YEAR")
    assert {tier["code"] for tier in told[0]["tiers"]} == set(TIERS)


def test_two_periods_are_not_one_run(bank: Client, people: Iterator[Person]) -> None:
    person = next(people)
    pay(bank, quote(bank, person, "2020-05", "2020-06"), "QUOTES-GAP")
    assert runs(bank, person, mode="CURRENT_YEAR") == [
        ("CURRENT_YEAR", "2020-01", "2020-04"),
        ("CURRENT_YEAR", "2020-07", "2020-12"),
    ]
    refused = quote(bank, person, "2020-04", "2020-07")
    assert refused["__typename"] == "PeriodNotPayable"
    assert len([p for p in refused["payable"] if p["mode"] == "CURRENT_YEAR"]) == 2


def test_a_reversed_run_is_refused(bank: Client) -> None:
    run = {"payerId": payer_id(bank, CHEN), "firstMonth": "2020-07", "lastMonth": "2020-05", "tier": "60"}
    response = bank.post(REQUEST_QUOTE, {"input": run})
    answer = response.json()
    if "errors" in answer:
        assert "Month" in answer["errors"][0]["message"]
    else:
        assert answer["data"]["requestQuote"]["__typename"] == "PeriodNotPayable"


def test_medical_is_not_quoted(bank: Client) -> None:
    for first, last in (("2020-01", "2020-12"), ("2021-01", "2021-12")):
        assert quote(bank, WANG, first, last, insurance="MEDICAL")["__typename"] == "PeriodNotPayable"


@pytest.mark.parametrize("tier", ["61", "060", "60 ", "2019-floor", "", "60'; DROP TABLE quotes; --"])
def test_a_tier_that_is_not_offered(bank: Client, tier: str) -> None:
    refused = quote(bank, CHEN, "2020-04", "2020-12", tier)
    assert refused["__typename"] == "TierNotOffered"
    assert {offered["code"]: offered["monthlyAmount"] for offered in refused["offered"]} == TIERS


def test_months_under_a_payable_bill_can_be_quoted_still(bank: Client) -> None:
    assert quote(bank, WANG, "2020-07", "2020-12")["amount"] == "3630.00"


def test_only_ones_own_payer_can_be_quoted(server: Server, bank: Client) -> None:
    run = {"firstMonth": "2020-04", "lastMonth": "2020-04", "tier": "60"}
    foreign = payer_id(server.client("abc-mobile"), CHEN)
    other_kind = quote(bank, CHEN, "2020-04", "2020-04")["id"]
    own = payer_id(bank, CHEN)
    for identity in (foreign, other_kind, "", "x", own[:-1], own + "A", own.swapcase(), CHEN.resident_id, "1"):
        answer = bank.run(REQUEST_QUOTE, input=run | {"payerId": identity})["requestQuote"]
        assert answer["__typename"] == "PayerNotFound", identity


def test_a_quote_lasts_thirty_minutes(bank: Client) -> None:
    run = {"payerId": payer_id(bank, CHEN), "firstMonth": "2020-04", "lastMonth": "2020-04", "tier": "60"}
    response = bank.post(REQUEST_QUOTE, {"input": run})
    expires = datetime.fromisoformat(response.json()["data"]["requestQuote"]["expiresAt"])
    assert response.json()["data"]["requestQuote"]["expiresAt"].endswith("+08:00")
    asked = parsedate_to_datetime(response.headers["date"])
    assert 29 <= (expires - asked).total_seconds() / 60 <= 31


def test_a_second_quote_does_not_spoil_the_first(bank: Client, people: Iterator[Person]) -> None:
    person = next(people)
    first = quote(bank, person, "2020-01", "2020-06")
    second = quote(bank, person, "2020-04", "2020-09", "300")
    same = quote(bank, person, "2020-01", "2020-06")
    assert len({first["id"], second["id"], same["id"]}) == 3
    pay(bank, first, "QUOTES-FIRST")
    refused = submit(bank, second, "QUOTES-SECOND")
    assert (refused["__typename"], refused["months"]) == ("MonthsAlreadyPaid", ["2020-04", "2020-05", "2020-06"])
    assert submit(bank, same, "QUOTES-SAME")["__typename"] == "MonthsAlreadyPaid"


def test_the_later_quote_wins_when_it_is_paid_first(bank: Client, people: Iterator[Person]) -> None:
    person = next(people)
    first = quote(bank, person, "2020-01", "2020-03")
    pay(bank, quote(bank, person, "2020-03", "2020-03", "200"), "QUOTES-LATER")
    assert submit(bank, first, "QUOTES-EARLIER")["months"] == ["2020-03"]


def test_a_quote_is_open_then_paid(bank: Client, people: Iterator[Person]) -> None:
    asked = quote(bank, next(people), "2020-01", "2020-03")
    found = node(bank, asked["id"])
    assert found is not None
    assert (found["status"], found["payment"]) == ("OPEN", None)
    assert {name: found[name] for name in asked if name != "__typename"} == {
        name: asked[name] for name in asked if name != "__typename"
    }
    pay(bank, asked, "QUOTES-PAID")
    found = node(bank, asked["id"])
    assert found is not None
    assert (found["status"], found["payment"]) == ("PAID", {"bankReference": "QUOTES-PAID"})


def test_a_quote_whose_payment_was_reversed_is_not_paid(server: Server, people: Iterator[Person]) -> None:
    counter = server.client("abc-counter")
    asked = quote(counter, next(people), "2020-01", "2020-03")
    pay(counter, asked, "QUOTES-REVERSED")
    assert reverse(counter, "QUOTES-REVERSED")["__typename"] == "PaymentReversed"
    found = node(counter, asked["id"])
    assert found is not None
    assert found["status"] != "PAID"


def test_the_price_stands_until_it_expires(
    settings: dict[str, str], bank: Client, people: Iterator[Person], tmp_path: Path
) -> None:
    with serving(tmp_path / "short.log", GATEWAY_QUOTE_TTL="1", **settings) as running:
        hasty = running.client("icbc-mobile")
        person = next(people)
        paid = quote(hasty, person, "2020-01", "2020-01")
        pay(hasty, paid, "QUOTES-IN-TIME")
        late = quote(hasty, person, "2020-02", "2020-02")
        sleep(1.2)
        found = node(hasty, late["id"])
        assert found is not None
        assert found["status"] == "EXPIRED"
        refused = submit(hasty, late, "QUOTES-LATE")
        assert refused["__typename"] == "QuoteExpired"
        assert refused["expiredAt"] == late["expiresAt"]
        assert refused["nextAction"] in ("REQUOTE", "RETURN_MONEY")
        # What was paid in time stays paid, and is told again for ever.
        found = node(hasty, paid["id"])
        assert found is not None
        assert found["status"] == "PAID"
        assert submit(hasty, paid, "QUOTES-IN-TIME")["replayed"] is True
        assert periods(hasty, person, mode="CURRENT_YEAR")[0]["firstMonth"] == "2020-02"
        # The reference of a payment that was refused is free.
        pay(hasty, quote(hasty, person, "2020-02", "2020-02"), "QUOTES-LATE")
