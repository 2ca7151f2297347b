"""社保核定 and 医保批量核定: bills that agencies send, how they are rejected, withdrawn, and how they lapse."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.acceptance.gateway import Client, Server
from tests.acceptance.operations import (
    ASSESS_BILLS,
    Answer,
    agency_bill,
    assess_bills,
    billed,
    bills,
    node,
    pay,
    quote,
    reverse,
    submit,
    withdraw,
)
from tests.acceptance.people import LI, OUYANG, WANG, Office, Person
from tests.acceptance.snapshot import snapshot

NUMBERS = (f"T-{number:06}" for number in count(1))
BILLS_AT_MOST = 1000


@pytest.fixture(scope="module")
def people(office: Office) -> Iterator[Person]:
    return office.crowd(1100)


@pytest.fixture(scope="module")
def mi(server: Server, people: Iterator[Person]) -> Client:
    return server.client("medical-insurance-agency")


@pytest.fixture(scope="module")
def bank(server: Server) -> Client:
    return server.client("abc-counter")


def medical(person: Person, number: str, amount: str = "5712.00", area: str = "360100") -> Answer:
    return billed(person, number, "2021-01", "2021-12", amount, insurance="MEDICAL", poolingArea=area)


def rejected(answer: Answer, *indexes: int) -> list[Answer]:
    """Check that exactly these bills were rejected, each with a reason that echoes nobody."""
    assert answer["__typename"] == "BillsRejected", answer
    assert answer["code"]
    assert answer["message"]
    rejections: list[Answer] = answer["rejections"]
    assert [rejection["index"] for rejection in rejections] == list(indexes)
    assert all(rejection["reason"] for rejection in rejections)
    return rejections


def test_the_social_insurance_agency_assesses_pension(si: Client, bank: Client, people: Iterator[Person]) -> None:
    person, number = next(people), next(NUMBERS)
    sent = billed(person, number, "2020-01", "2020-03", "1815", payBy="2020-12-31")
    answer = assess_bills(si, "SI-PENSION", sent)
    assert (answer["__typename"], answer["batch"], answer["replayed"]) == ("BillsAssessed", "SI-PENSION", False)
    bill = answer["bills"][0]
    assert (bill["billNumber"], bill["origin"], bill["status"]) == (number, "AGENCY_COUNTER", "PAYABLE")
    assert (bill["insurance"], bill["amount"], bill["monthCount"]) == ("PENSION", "1815.00", 3)
    assert (bill["firstMonth"], bill["lastMonth"], bill["payBy"]) == ("2020-01", "2020-03", "2020-12-31")
    assert bill["poolingArea"]["code"] == "360000"
    assert [b["billNumber"] for b in bills(bank, person)] == [number]


def test_the_medical_agency_assesses_medical(mi: Client, bank: Client, people: Iterator[Person]) -> None:
    person, number = next(people), next(NUMBERS)
    bill = assess_bills(mi, "MI-MEDICAL", medical(person, number))["bills"][0]
    assert (bill["origin"], bill["insurance"], bill["payBy"]) == ("MEDICAL_BATCH", "MEDICAL", None)
    mine = bills(bank, person)[0]
    payment = pay(bank, mine, "BILLS-MEDICAL")
    assert payment["receipt"]["amountInWords"] == "伍仟柒佰壹拾贰元整"
    assert payment["receipt"]["poolingArea"]["code"] == "360100"


def test_an_agency_assesses_only_its_own_insurance(si: Client, mi: Client, people: Iterator[Person]) -> None:
    person = next(people)
    rejected(assess_bills(si, "SI-WRONG", medical(person, next(NUMBERS))), 0)
    rejected(assess_bills(mi, "MI-WRONG", billed(person, next(NUMBERS), "2020-01", "2020-03", "1815.00")), 0)


def test_bills_come_back_in_the_order_they_were_sent(si: Client, people: Iterator[Person]) -> None:
    numbers = [next(NUMBERS) for _ in range(5)][::-1]
    sent = [billed(next(people), number, "2020-01", "2020-01", "605.00") for number in numbers]
    assert [bill["billNumber"] for bill in assess_bills(si, "ORDER", *sent)["bills"]] == numbers


def test_a_batch_sent_again_is_answered_again(si: Client, bank: Client, people: Iterator[Person]) -> None:
    person, other = next(people), next(people)
    sent = [
        billed(person, next(NUMBERS), "2020-01", "2020-01", "605.00"),
        billed(other, next(NUMBERS), "2020-02", "2020-02", "605.00"),
    ]
    first = assess_bills(si, "AGAIN", *sent)
    again = assess_bills(si, "AGAIN", *sent)
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert again["bills"] == first["bills"]
    assert assess_bills(si, "AGAIN", sent[0] | {"amount": "605"}, sent[1])["replayed"] is True
    pay(bank, bills(bank, person)[0], "BILLS-AGAIN")
    withdraw(si, sent[1]["billNumber"])
    later = assess_bills(si, "AGAIN", *sent)
    assert later["replayed"] is True
    assert [bill["id"] for bill in later["bills"]] == [bill["id"] for bill in first["bills"]]
    assert [bill["status"] for bill in later["bills"]] == ["PAID", "WITHDRAWN"]


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "605.01"},
        {"lastMonth": "2020-06"},
        {"payBy": "2020-12-31"},
        {"billNumber": "OTHER-NUMBER"},
    ],
)
def test_a_batch_is_not_used_for_other_content(
    si: Client, bank: Client, people: Iterator[Person], change: dict[str, str]
) -> None:
    person, number = next(people), next(NUMBERS)
    sent = billed(person, number, "2020-05", "2020-05", "605.00")
    assert assess_bills(si, f"USED-{number}", sent)["__typename"] == "BillsAssessed"
    assert assess_bills(si, f"USED-{number}", sent | change)["__typename"] == "BillsRejected"
    assert [b["amount"] for b in bills(bank, person, status=None)] == ["605.00"]


def test_agencies_count_their_batches_and_numbers_apart(si: Client, mi: Client, people: Iterator[Person]) -> None:
    person, number = next(people), next(NUMBERS)
    pension = billed(person, number, "2020-05", "2020-05", "605.00")
    assert assess_bills(si, "APART", pension)["__typename"] == "BillsAssessed"
    assert assess_bills(mi, "APART", medical(person, number))["__typename"] == "BillsAssessed"


def test_a_bill_number_is_used_once(si: Client, people: Iterator[Person]) -> None:
    number = next(NUMBERS)
    agency_bill(si, number, next(people), "2020-05", "2020-05", "605.00")
    person = next(people)
    found = rejected(assess_bills(si, "NUMBER-USED", billed(person, number, "2020-05", "2020-05", "605.00")), 0)
    assert found[0]["billNumber"] == number
    withdraw(si, number)
    rejected(assess_bills(si, "NUMBER-WITHDRAWN", billed(person, number, "2020-05", "2020-05", "605.00")), 0)


def test_a_bill_number_is_used_once_in_a_batch(si: Client, people: Iterator[Person], sandbox_database: str) -> None:
    number = next(NUMBERS)
    sent = [billed(next(people), number, "2020-05", "2020-05", "605.00") for _ in range(2)]
    before = snapshot(sandbox_database)
    answer = assess_bills(si, "NUMBER-TWICE", *sent)
    assert answer["__typename"] == "BillsRejected"
    assert 1 in [rejection["index"] for rejection in answer["rejections"]]
    assert snapshot(sandbox_database) == before


def test_every_bad_bill_is_told_with_its_reason_and_none_is_taken(
    si: Client, bank: Client, people: Iterator[Person], sandbox_database: str
) -> None:
    person, payer = next(people), next(people)
    pay(bank, quote(bank, payer, "2020-04", "2020-06"), "BILLS-BEFORE")
    sent = [
        billed(person, next(NUMBERS), "2020-01", "2020-03", "1815.00"),
        billed(Person(person.resident_id, "别人"), next(NUMBERS), "2020-01", "2020-03", "1815.00"),
        billed(OUYANG, next(NUMBERS), "2020-01", "2020-03", "1815.00"),
        billed(payer, next(NUMBERS), "2020-06", "2020-08", "1815.00"),
        billed(LI, next(NUMBERS), "2020-01", "2020-01", "605.00"),
        billed(person, next(NUMBERS), "2017-11", "2018-02", "1815.00"),
        billed(person, next(NUMBERS), "2020-01", "2020-03", "1815.00", poolingArea="990000"),
    ]
    before = snapshot(sandbox_database)
    bad = rejected(assess_bills(si, "BAD", *sent), 1, 2, 3, 4, 5, 6)
    assert [rejection["billNumber"] for rejection in bad] == [bill["billNumber"] for bill in sent[1:]]
    for rejection in bad:
        for secret in (person, payer, OUYANG, LI):
            assert secret.resident_id not in rejection["reason"]
            assert secret.name not in rejection["reason"]
        assert "别人" not in rejection["reason"]
    assert snapshot(sandbox_database) == before
    # Nothing of it was taken, so the batch and the numbers are free for what is right.
    assert assess_bills(si, "BAD", sent[0])["replayed"] is False


def test_a_reversed_run_is_told_beside_the_other_bad_bills(si: Client, people: Iterator[Person]) -> None:
    person = next(people)
    sent = [
        billed(OUYANG, next(NUMBERS), "2020-01", "2020-03", "1815.00"),
        billed(person, next(NUMBERS), "2020-03", "2020-01", "1815.00"),
    ]
    rejected(assess_bills(si, "REVERSED", *sent), 0, 1)


def test_an_unknown_person_is_rejected(si: Client) -> None:
    stranger = billed(Person("369999194901010014", "无此人"), next(NUMBERS), "2020-01", "2020-03", "1815.00")
    response = si.post(ASSESS_BILLS, {"input": {"batch": "STRANGER", "bills": [stranger]}})
    assert "369999194901010014" not in response.text
    assert "BillsAssessed" not in response.text


def test_a_thousand_bills_are_taken_and_one_more_is_not(
    si: Client, people: Iterator[Person], sandbox_database: str
) -> None:
    sent = [billed(next(people), next(NUMBERS), "2020-01", "2020-12", "7260.00") for _ in range(BILLS_AT_MOST)]
    before = snapshot(sandbox_database)
    one_more = billed(WANG, next(NUMBERS), "2020-07", "2020-07", "605.00")
    response = si.post(ASSESS_BILLS, {"input": {"batch": "THOUSAND", "bills": [*sent, one_more]}})
    assert "BillsAssessed" not in response.text
    assert response.status_code < 500
    if "errors" in response.json():
        assert "bills" in response.json()["errors"][0]["message"]
    else:
        assert response.json()["data"]["assessBills"]["__typename"] == "BillsRejected"
    assert snapshot(sandbox_database) == before
    answer = assess_bills(si, "THOUSAND", *sent)
    assert answer["__typename"] == "BillsAssessed"
    assert [bill["billNumber"] for bill in answer["bills"]] == [bill["billNumber"] for bill in sent]
    assert assess_bills(si, "THOUSAND", *sent)["replayed"] is True


def test_an_agency_withdraws_its_own_bill(si: Client, mi: Client, bank: Client, people: Iterator[Person]) -> None:
    person, number = next(people), next(NUMBERS)
    agency_bill(si, number, person, "2020-05", "2020-06", "1210.00")
    mine = bills(bank, person)[0]
    assert withdraw(mi, number)["__typename"] == "PayableNotFound"
    answer = withdraw(si, number)
    assert (answer["__typename"], answer["status"], answer["billNumber"]) == ("AssessedBill", "WITHDRAWN", number)
    assert bills(bank, person) == []
    refused = submit(bank, mine, "BILLS-WITHDRAWN")
    assert (refused["__typename"], refused["status"]) == ("BillNotPayable", "WITHDRAWN")
    assert refused["nextAction"] == "RETURN_MONEY"


def test_a_bill_that_is_not_there_is_not_withdrawn(si: Client) -> None:
    for number in ("NEVER", "' OR '1'='1", "MI-2021-360100-000001"):
        assert withdraw(si, number)["__typename"] == "PayableNotFound"


def test_a_paid_bill_is_not_withdrawn(si: Client, bank: Client, people: Iterator[Person]) -> None:
    person, number = next(people), next(NUMBERS)
    agency_bill(si, number, person, "2020-05", "2020-06", "1210.00")
    mine = bills(bank, person)[0]
    pay(bank, mine, f"PAID-{number}")
    refused = withdraw(si, number)
    assert (refused["__typename"], refused["notPayable"]) == ("BillNotPayable", "PAID")
    found = node(bank, mine["id"])
    assert found is not None
    assert (found["billStatus"], found["payment"]) == ("PAID", {"bankReference": f"PAID-{number}"})
    reverse(bank, f"PAID-{number}")
    assert withdraw(si, number)["status"] == "WITHDRAWN"


def test_months_paid_by_bill_are_not_billed_again(si: Client, bank: Client, people: Iterator[Person]) -> None:
    person = next(people)
    agency_bill(si, next(NUMBERS), person, "2020-05", "2020-06", "1210.00")
    pay(bank, bills(bank, person)[0], "BILLS-ONCE")
    rejected(assess_bills(si, "ONCE-MORE", billed(person, next(NUMBERS), "2020-06", "2020-07", "1210.00")), 0)
