"""冲正: on the payment's business date only; it frees the months, the bill and the receipt."""

from collections.abc import Iterator

import pytest

from tests.acceptance.gateway import Client, Server
from tests.acceptance.operations import (
    PAYMENT_OF,
    RECEIPT_OF,
    agency_bill,
    bills,
    node,
    pay,
    quote,
    reverse,
    runs,
    submit,
)
from tests.acceptance.people import Person
from tests.acceptance.snapshot import snapshot

WHOLE_YEAR = [("CURRENT_YEAR", "2020-01", "2020-12")]


def test_a_reversal_frees_the_months_and_voids_the_receipt(abc: Client, people: Iterator[Person]) -> None:
    person = next(people)
    accepted = pay(abc, quote(abc, person, "2020-03", "2020-05"), "REV-FREES")
    assert len(runs(abc, person, mode="CURRENT_YEAR")) == 2
    answer = reverse(abc, "REV-FREES")
    assert (answer["__typename"], answer["replayed"]) == ("PaymentReversed", False)
    payment = answer["payment"]
    assert (payment["status"], payment["receipt"]["status"]) == ("REVERSED", "VOID")
    assert payment["reversedAt"].endswith("+08:00")
    same = ("id", "bankReference", "amount", "channel", "businessDate", "collectedAt", "acceptedAt")
    assert {name: payment[name] for name in same} == {name: accepted[name] for name in same}
    assert runs(abc, person, mode="CURRENT_YEAR") == WHOLE_YEAR
    assert abc.run(PAYMENT_OF, bankReference="REV-FREES")["payment"] == payment
    receipt = abc.run(RECEIPT_OF, number=accepted["receipt"]["number"])["receipt"]
    assert receipt == accepted["receipt"] | {"status": "VOID"}


def test_a_reversal_sent_again_is_told_again(abc: Client, people: Iterator[Person]) -> None:
    pay(abc, quote(abc, next(people), "2020-03", "2020-05"), "REV-AGAIN")
    first = reverse(abc, "REV-AGAIN")
    again = reverse(abc, "REV-AGAIN")
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert again["payment"] == first["payment"]


def test_the_months_can_be_paid_again_under_another_reference(abc: Client, people: Iterator[Person]) -> None:
    person = next(people)
    old = pay(abc, quote(abc, person, "2020-03", "2020-05"), "REV-OLD")
    reverse(abc, "REV-OLD")
    new = pay(abc, quote(abc, person, "2020-04", "2020-06", "100"), "REV-NEW")
    assert new["receipt"]["number"] != old["receipt"]["number"]
    assert (new["status"], new["receipt"]["status"]) == ("ACCEPTED", "VALID")
    # The old one stays reversed, and cannot free the months of the new one.
    assert reverse(abc, "REV-OLD")["replayed"] is True
    assert ("CURRENT_YEAR", "2020-07", "2020-12") in runs(abc, person)


def test_a_bill_is_payable_again(server: Server, abc: Client, people: Iterator[Person]) -> None:
    person = next(people)
    agency_bill(server.client("social-insurance-agency"), "SI-REV", person, "2020-03", "2020-05", "1815.00")
    bill = bills(abc, person)[0]
    pay(abc, bill, "REV-BILL")
    assert bills(abc, person) == []
    reverse(abc, "REV-BILL")
    assert bills(abc, person) == [bill]
    found = node(abc, bill["id"])
    assert found is not None
    assert (found["billStatus"], found["payment"]) == ("PAYABLE", None)
    other = server.client("tax-window")
    paid = pay(other, bills(other, person)[0], "REV-BILL")
    assert paid["amount"] == "1815.00"


def test_a_payment_sent_again_after_its_reversal_is_the_first_answer(abc: Client, people: Iterator[Person]) -> None:
    person = next(people)
    payable = quote(abc, person, "2020-03", "2020-05")
    accepted = pay(abc, payable, "REV-REPLAY")
    reverse(abc, "REV-REPLAY")
    again = submit(abc, payable, "REV-REPLAY")
    assert (again["__typename"], again["replayed"]) == ("PaymentAccepted", True)
    assert again["payment"]["id"] == accepted["id"]
    assert again["payment"]["receipt"]["number"] == accepted["receipt"]["number"]
    assert runs(abc, person, mode="CURRENT_YEAR") == WHOLE_YEAR
    assert submit(abc, payable, "REV-REPLAY", amount="1")["__typename"] == "BankReferenceReused"
    other = quote(abc, person, "2020-03", "2020-05")
    assert submit(abc, other, "REV-REPLAY")["__typename"] == "BankReferenceReused"


def test_colleagues_reverse_but_strangers_do_not(server: Server, abc: Client, people: Iterator[Person]) -> None:
    mobile = server.client("abc-mobile")
    pay(mobile, quote(mobile, next(people), "2020-03", "2020-05"), "REV-STRANGER")
    tax = server.client("tax-window")
    assert reverse(tax, "REV-STRANGER")["__typename"] == "PaymentNotFound"
    found = abc.run(PAYMENT_OF, bankReference="REV-STRANGER")["payment"]
    assert found["status"] == "ACCEPTED"
    assert reverse(abc, "REV-STRANGER")["payment"]["channel"] == "MOBILE_BANKING"


def test_the_same_reference_of_two_banks_is_two_payments(server: Server, abc: Client, people: Iterator[Person]) -> None:
    tax = server.client("tax-window")
    for client in (abc, tax):
        pay(client, quote(client, next(people), "2020-03", "2020-05"), "REV-BOTH")
    reverse(tax, "REV-BOTH")
    assert abc.run(PAYMENT_OF, bankReference="REV-BOTH")["payment"]["status"] == "ACCEPTED"
    assert tax.run(PAYMENT_OF, bankReference="REV-BOTH")["payment"]["status"] == "REVERSED"


@pytest.mark.parametrize("reference", ["REV-NEVER", "' OR '1'='1", "%"])
def test_what_was_never_accepted_is_not_found(abc: Client, reference: str) -> None:
    if " " in reference:
        reference = reference.replace(" ", "+")
    refused = reverse(abc, reference)
    assert refused["__typename"] == "PaymentNotFound"
    assert refused["code"]


def test_on_another_day_it_is_a_refund(
    abc: Client, later: Client, people: Iterator[Person], sandbox_database: str
) -> None:
    person = next(people)
    payable = quote(abc, person, "2020-03", "2020-05")
    accepted = pay(abc, payable, "REV-LATE")
    before = snapshot(sandbox_database)
    for _ in range(2):
        refused = reverse(later, "REV-LATE")
        assert refused["__typename"] == "PaymentNotReversible"
        assert (refused["status"], refused["nextAction"]) == ("ACCEPTED", "REQUEST_REFUND")
    assert snapshot(sandbox_database) == before
    assert later.run(PAYMENT_OF, bankReference="REV-LATE")["payment"]["status"] == "ACCEPTED"
    again = submit(later, payable, "REV-LATE")
    assert (again["replayed"], again["payment"]["businessDate"]) == (True, "2020-11-16")
    assert again["payment"]["id"] == accepted["id"]
    # On its own day it could still be reversed: the day is the payment's, not the first question's.
    assert reverse(abc, "REV-LATE")["replayed"] is False


def test_what_was_reversed_on_its_day_is_told_again_on_the_next(
    abc: Client, later: Client, people: Iterator[Person]
) -> None:
    pay(abc, quote(abc, next(people), "2020-03", "2020-05"), "REV-NEXT-DAY")
    first = reverse(abc, "REV-NEXT-DAY")
    again = reverse(later, "REV-NEXT-DAY")
    assert (again["__typename"], again["replayed"]) == ("PaymentReversed", True)
    for name in ("id", "status", "businessDate", "reversedAt"):
        assert again["payment"][name] == first["payment"][name]


def test_a_payment_of_the_next_day_is_of_that_day(abc: Client, later: Client, people: Iterator[Person]) -> None:
    person = next(people)
    payment = pay(later, quote(later, person, "2020-03", "2020-05"), "REV-TOMORROW")
    assert payment["businessDate"] == "2020-11-17"
    assert reverse(abc, "REV-TOMORROW")["__typename"] == "PaymentNotReversible"
    assert reverse(later, "REV-TOMORROW")["__typename"] == "PaymentReversed"
