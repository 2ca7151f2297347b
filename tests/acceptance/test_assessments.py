"""往年核定: arrears, each month at the arrears tier of its own year."""

from collections.abc import Iterator
from itertools import islice

import pytest

from tests.acceptance.gateway import Client, Server
from tests.acceptance.operations import (
    REQUEST_ASSESSMENT,
    agency_bill,
    assess,
    bills,
    node,
    pay,
    payer_id,
    reverse,
    runs,
    submit,
)
from tests.acceptance.people import CHEN, LIU, WANG, Office, Person, newcomers

# Enrolled before the first schedule, and not one of the crowd.
OLD = next(islice(newcomers(), 900, None))
LATER = "ARREARS"


@pytest.fixture(scope="module")
def people(office: Office) -> Iterator[Person]:
    office.load("enrolments", [(OLD.resident_id, OLD.name, "PENSION", "360000", "2017-11", "")])
    return office.crowd(20)


@pytest.fixture(scope="module")
def bank(server: Server, people: Iterator[Person]) -> Client:
    return server.client("abc-counter")


def statuses(bank: Client, person: Person) -> dict[str, str]:
    return {bill["billNumber"]: bill["status"] for bill in bills(bank, person, status=None)}


def test_each_month_is_assessed_at_the_tier_of_its_own_year(bank: Client, people: Iterator[Person]) -> None:
    person = next(people)
    bill = assess(bank, person, "2018-11", "2019-02")
    assert bill["__typename"] == "AssessedBill"
    assert [(line["month"], line["monthlyBase"], line["rate"], line["amount"]) for line in bill["lines"]] == [
        ("2018-11", "2640.00", "0.20", "528.00"),
        ("2018-12", "2640.00", "0.20", "528.00"),
        ("2019-01", "2840.00", "0.20", "568.00"),
        ("2019-02", "2840.00", "0.20", "568.00"),
    ]
    assert (bill["amount"], bill["monthCount"]) == ("2192.00", 4)
    assert (bill["origin"], bill["status"], bill["insurance"]) == ("PAYER_ARREARS", "PAYABLE", "PENSION")
    assert bill["poolingArea"]["code"] == "360000"
    assert bill["billNumber"]
    assert bill["assessedAt"].endswith("+08:00")
    assert bills(bank, person) == [{k: v for k, v in bill.items() if k != "__typename"}]


def test_lius_gaps_are_assessed(bank: Client) -> None:
    assert assess(bank, LIU, "2018-03", "2018-03")["amount"] == "528.00"
    assert assess(bank, LIU, "2019-07", "2019-10")["amount"] == "2272.00"
    assert assess(bank, LIU, "2019-08", "2019-09")["amount"] == "1136.00"


def test_the_same_run_has_the_same_bill(server: Server, bank: Client, people: Iterator[Person]) -> None:
    person = next(people)
    bill = assess(bank, person, "2018-01", "2018-12")
    assert assess(bank, person, "2018-01", "2018-12") == bill
    assert assess(server.client("abc-mobile"), person, "2018-01", "2018-12") == bill
    elsewhere = assess(server.client("tax-wechat"), person, "2018-01", "2018-12")
    assert elsewhere["billNumber"] == bill["billNumber"]
    assert len(bills(bank, person, status=None)) == 1


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2018-01", "2018-05"),
        ("2018-03", "2018-04"),
        ("2018-05", "2018-08"),
        ("2018-02", "2018-09"),
        ("2018-06", "2018-06"),
    ],
)
def test_a_different_run_that_overlaps_withdraws_the_unpaid_one(
    bank: Client, people: Iterator[Person], first: str, last: str
) -> None:
    person = next(people)
    old = assess(bank, person, "2018-03", "2018-06")
    new = assess(bank, person, first, last)
    assert new["billNumber"] != old["billNumber"]
    assert statuses(bank, person) == {old["billNumber"]: "WITHDRAWN", new["billNumber"]: "PAYABLE"}
    found = node(bank, old["id"])
    assert found is not None
    assert found["billStatus"] == "WITHDRAWN"
    refused = submit(bank, old, f"WITHDRAWN-{first}-{last}")
    assert (refused["__typename"], refused["status"]) == ("BillNotPayable", "WITHDRAWN")
    again = assess(bank, person, "2018-03", "2018-06")
    assert again["billNumber"] not in (old["billNumber"], new["billNumber"])
    assert again["status"] == "PAYABLE"


def test_runs_that_do_not_overlap_stand_side_by_side(bank: Client, people: Iterator[Person]) -> None:
    person = next(people)
    numbers = [assess(bank, person, f"2019-{m:02}", f"2019-{m + 2:02}")["billNumber"] for m in (1, 4, 7)]
    assert statuses(bank, person) == dict.fromkeys(numbers, "PAYABLE")


def test_a_month_of_a_year_without_a_schedule(bank: Client) -> None:
    assert runs(bank, OLD, mode="ARREARS") == [("ARREARS", "2017-11", "2019-12")]
    for first, last in (("2017-12", "2018-01"), ("2017-11", "2017-11"), ("2017-11", "2019-12")):
        refused = assess(bank, OLD, first, last)
        assert (refused["__typename"], refused["code"]) == ("PeriodNotPayable", "SCHEDULE_MISSING")
    assert assess(bank, OLD, "2018-01", "2018-01")["amount"] == "528.00"
    # What cannot be assessed withdraws nothing.
    assert assess(bank, OLD, "2017-12", "2018-01")["code"] == "SCHEDULE_MISSING"
    assert [bill["status"] for bill in bills(bank, OLD, status=None)] == ["PAYABLE"]


@pytest.mark.parametrize(
    ("person", "first", "last"),
    [
        (LIU, "2018-02", "2018-03"),
        (LIU, "2018-03", "2018-04"),
        (LIU, "2018-03", "2019-07"),
        (LIU, "2019-11", "2019-11"),
        (LIU, "2020-01", "2020-01"),
        (LIU, "2019-10", "2020-01"),
        (CHEN, "2018-12", "2018-12"),
        (CHEN, "2020-04", "2020-12"),
    ],
)
def test_months_outside_arrears_cannot_be_assessed(bank: Client, person: Person, first: str, last: str) -> None:
    refused = assess(bank, person, first, last)
    assert refused["__typename"] == "PeriodNotPayable"
    assert refused["code"] != "SCHEDULE_MISSING"
    arrears = [(p["mode"], p["firstMonth"], p["lastMonth"]) for p in refused["payable"] if p["mode"] == "ARREARS"]
    assert arrears == runs(bank, person, mode="ARREARS")


def test_a_run_through_new_year_is_not_arrears(bank: Client, people: Iterator[Person]) -> None:
    assert assess(bank, next(people), "2019-12", "2020-01")["__typename"] == "PeriodNotPayable"


def test_medical_is_not_assessed_for_the_payer(bank: Client) -> None:
    assert runs(bank, WANG, insurance="MEDICAL") == []
    for first, last in (("2021-01", "2021-12"), ("2020-01", "2020-12")):
        assert assess(bank, WANG, first, last, insurance="MEDICAL")["__typename"] == "PeriodNotPayable"


def test_a_reversed_run_is_refused(bank: Client) -> None:
    run = {"payerId": payer_id(bank, LIU), "firstMonth": "2019-09", "lastMonth": "2019-07"}
    answer = bank.post(REQUEST_ASSESSMENT, {"input": run}).json()
    if "errors" in answer:
        assert "Month" in answer["errors"][0]["message"]
    else:
        assert answer["data"]["requestAssessment"]["__typename"] == "PeriodNotPayable"


def test_only_ones_own_payer_is_assessed(server: Server, bank: Client) -> None:
    run = {"firstMonth": "2019-07", "lastMonth": "2019-10"}
    for identity in (payer_id(server.client("icbc-mobile"), LIU), "", "nobody"):
        answer = bank.run(REQUEST_ASSESSMENT, input=run | {"payerId": identity})["requestAssessment"]
        assert answer["__typename"] == "PayerNotFound"


def test_paid_and_reversed(bank: Client, people: Iterator[Person]) -> None:
    person = next(people)
    bill = assess(bank, person, "2018-06", "2018-07")
    pay(bank, bill, "ARREARS-PAID")
    found = node(bank, bill["id"])
    assert found is not None
    assert (found["billStatus"], found["payment"]) == ("PAID", {"bankReference": "ARREARS-PAID"})
    assert bills(bank, person) == []
    assert runs(bank, person, mode="ARREARS") == [
        ("ARREARS", "2018-01", "2018-05"),
        ("ARREARS", "2018-08", "2019-12"),
    ]
    assert assess(bank, person, "2018-06", "2018-07")["__typename"] == "PeriodNotPayable"
    assert assess(bank, person, "2018-07", "2018-08")["__typename"] == "PeriodNotPayable"
    assert submit(bank, bill, "ARREARS-TWICE")["__typename"] in ("MonthsAlreadyPaid", "BillNotPayable")
    assert reverse(bank, "ARREARS-PAID")["__typename"] == "PaymentReversed"
    assert runs(bank, person, mode="ARREARS") == [("ARREARS", "2018-01", "2019-12")]
    again = assess(bank, person, "2018-06", "2018-07")
    assert (again["billNumber"], again["status"]) == (bill["billNumber"], "PAYABLE")
    pay(bank, bill, "ARREARS-AGAIN")


def test_a_paid_bill_is_not_withdrawn_by_its_neighbour(bank: Client, people: Iterator[Person]) -> None:
    person = next(people)
    bill = assess(bank, person, "2018-06", "2018-07")
    pay(bank, bill, "ARREARS-NEIGHBOUR")
    other = assess(bank, person, "2018-08", "2018-09")
    assert statuses(bank, person) == {bill["billNumber"]: "PAID", other["billNumber"]: "PAYABLE"}


def test_bills_of_overlapping_runs_of_agency_and_payer_are_paid_once(
    server: Server, bank: Client, people: Iterator[Person]
) -> None:
    person = next(people)
    agencys = agency_bill(
        server.client("social-insurance-agency"), "SI-OVERLAP", person, "2019-03", "2019-04", "1136.00"
    )
    own = assess(bank, person, "2019-04", "2019-05")
    assert own["__typename"] == "AssessedBill"
    pay(bank, own, "ARREARS-OWN")
    mine = next(b for b in bills(bank, person, status=None) if b["billNumber"] == agencys["billNumber"])
    assert submit(bank, mine, "ARREARS-AGENCYS")["__typename"] in ("MonthsAlreadyPaid", "BillNotPayable")
