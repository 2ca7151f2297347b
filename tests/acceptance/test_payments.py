"""The bank has collected the money: exactly once, at the exact amount, with a receipt, and told again for ever."""

from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.acceptance.gateway import Client, Server
from tests.acceptance.operations import (
    COLLECTED_AT,
    RECEIPT_OF,
    agency_bill,
    bills,
    node,
    pay,
    payer_id,
    payment_of,
    quote,
    runs,
    submit,
)
from tests.acceptance.people import CHEN, OUYANG, Person


def test_a_payment_and_its_receipt_say_what_was_paid(icbc: Client) -> None:
    payable = quote(icbc, CHEN, "2020-04", "2020-12")
    answer = submit(icbc, payable, "PAY-CHEN", branch="南昌分行", teller="0017")
    assert (answer["__typename"], answer["replayed"]) == ("PaymentAccepted", False)
    payment = answer["payment"]
    receipt = payment.pop("receipt")
    assert payment["payable"] == {
        "__typename": "Quote",
        "id": payable["id"],
        "insurance": "PENSION",
        "firstMonth": "2020-04",
        "lastMonth": "2020-12",
        "monthCount": 9,
        "amount": "5445.00",
    }
    assert (payment["bankReference"], payment["amount"], payment["status"]) == ("PAY-CHEN", "5445.00", "ACCEPTED")
    assert (payment["channel"], payment["businessDate"]) == ("MOBILE_BANKING", "2020-11-16")
    assert datetime.fromisoformat(payment["collectedAt"]) == datetime.fromisoformat(COLLECTED_AT)
    assert payment["collectedAt"].endswith("+08:00")
    assert payment["acceptedAt"].endswith("+08:00")
    assert (payment["postedAt"], payment["reversedAt"]) == (None, None)
    assert (receipt["status"], receipt["insurance"]) == ("VALID", "PENSION")
    assert (receipt["maskedName"], receipt["maskedResidentId"]) == ("**兰", "369***********0010")
    assert (receipt["firstMonth"], receipt["lastMonth"]) == ("2020-04", "2020-12")
    assert (receipt["amount"], receipt["amountInWords"]) == ("5445.00", "伍仟肆佰肆拾伍元整")
    assert (receipt["institution"]["code"], receipt["bankReference"]) == ("ICBC", "PAY-CHEN")
    assert receipt["poolingArea"]["code"] == "360000"
    assert receipt["issuedAt"].endswith("+08:00")
    assert receipt["verificationCode"]
    assert receipt["pdfUrl"].endswith(f"/receipts/{receipt['number']}.pdf")
    assert icbc.run(RECEIPT_OF, number=receipt["number"])["receipt"] == receipt
    assert payment_of(icbc, "PAY-CHEN") == payment | {"receipt": receipt}
    assert runs(icbc, CHEN) == []


def test_the_channel_is_the_clients(server: Server, people: Iterator[Person]) -> None:
    channels = {
        "abc-counter": "COUNTER",
        "abc-mobile": "MOBILE_BANKING",
        "tax-wechat": "WECHAT",
        "ganfutong": "MINI_PROGRAM",
        "tax-window": "TAX_WINDOW",
    }
    for client_id, channel in channels.items():
        client = server.client(client_id)
        payment = pay(client, quote(client, next(people), "2020-01", "2020-01"), f"PAY-{client_id}")
        assert payment["channel"] == channel


@pytest.mark.parametrize("amount", ["604.99", "605.01", "0.01", "60500.00", "999999999999.99"])
def test_the_amount_must_be_exact(icbc: Client, people: Iterator[Person], amount: str) -> None:
    person = next(people)
    payable = quote(icbc, person, "2020-01", "2020-01")
    reference = f"PAY-AMOUNT-{amount}"
    refused = submit(icbc, payable, reference, amount=amount)
    assert (refused["__typename"], refused["expected"]) == ("AmountMismatch", "605.00")
    assert payment_of(icbc, reference) is None
    assert runs(icbc, person, mode="CURRENT_YEAR") == [("CURRENT_YEAR", "2020-01", "2020-12")]
    # A reference that was refused was never accepted, and can be used.
    assert submit(icbc, payable, reference)["replayed"] is False


@pytest.mark.parametrize("amount", ["605", "605.0", "605.00"])
def test_equal_amounts_are_equal_however_written(icbc: Client, people: Iterator[Person], amount: str) -> None:
    payable = quote(icbc, next(people), "2020-01", "2020-01")
    reference = f"PAY-WRITTEN-{amount}"
    assert submit(icbc, payable, reference, amount=amount)["payment"]["amount"] == "605.00"
    for again in ("605", "605.0", "605.00"):
        assert submit(icbc, payable, reference, amount=again)["replayed"] is True


def test_the_same_again_is_the_first_answer(server: Server, abc: Client, people: Iterator[Person]) -> None:
    payable = quote(abc, next(people), "2020-01", "2020-02")
    first = submit(abc, payable, "PAY-AGAIN")
    offsets = (COLLECTED_AT, "2020-11-16T01:30:00Z", "2020-11-16T01:30:00.000Z", "2020-11-15T20:30:00-05:00")
    for collected_at in offsets:
        again = submit(abc, payable, "PAY-AGAIN", collectedAt=collected_at)
        assert again["replayed"] is True, collected_at
        assert again["payment"] == first["payment"]
    other_desk = submit(abc, payable, "PAY-AGAIN", branch="别的支行", teller="9")
    assert other_desk["replayed"] is True
    # References belong to the institution, not to one of its clients; the channel stays where the payer stood.
    colleague = submit(server.client("abc-mobile"), payable, "PAY-AGAIN")
    assert colleague["replayed"] is True
    assert colleague["payment"] == first["payment"]
    assert colleague["payment"]["channel"] == "COUNTER"


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "605.01"},
        {"amount": "604.00"},
        {"collectedAt": "2020-11-16T09:30:01+08:00"},
        {"collectedAt": "2020-11-16T09:30:00Z"},
        {"payableId": "other"},
        {"payableId": "nonsense"},
    ],
    ids=str,
)
def test_a_reference_is_not_used_for_anything_else(
    icbc: Client, people: Iterator[Person], change: dict[str, str]
) -> None:
    person = next(people)
    reference = f"PAY-REUSED-{person.resident_id[-6:-1]}"
    payable = quote(icbc, person, "2020-01", "2020-01")
    accepted = pay(icbc, payable, reference)
    if change.get("payableId") == "other":
        change = {"payableId": quote(icbc, person, "2020-02", "2020-02")["id"]}
    refused = submit(icbc, payable, reference, **change)
    assert refused["__typename"] == "BankReferenceReused"
    assert payment_of(icbc, reference) == accepted


def test_two_banks_may_use_the_same_reference(icbc: Client, abc: Client, people: Iterator[Person]) -> None:
    for bank in (icbc, abc):
        pay(bank, quote(bank, next(people), "2020-01", "2020-01"), "PAY-BOTH")
    mine, theirs = payment_of(icbc, "PAY-BOTH"), payment_of(abc, "PAY-BOTH")
    assert mine is not None
    assert theirs is not None
    assert mine["receipt"]["number"] != theirs["receipt"]["number"]
    assert (mine["receipt"]["institution"]["code"], theirs["receipt"]["institution"]["code"]) == ("ICBC", "ABC")


def test_another_institutions_quote_is_not_found(icbc: Client, abc: Client, people: Iterator[Person]) -> None:
    person = next(people)
    payable = quote(icbc, person, "2020-01", "2020-01")
    payer_id(abc, person)
    refused = submit(abc, payable, "PAY-FOREIGN")
    assert refused["__typename"] == "PayableNotFound"
    assert refused["nextAction"] in ("RETURN_MONEY", "CORRECT_REQUEST")
    assert node(abc, payable["id"]) is None


@pytest.mark.parametrize("identity", ["", "x", "UXVvdGU6MQ==", "1", "369999198503120010", "' OR 1=1", "A" * 500])
def test_what_is_no_payable_is_not_found(icbc: Client, identity: str) -> None:
    refused = submit(icbc, {"id": identity, "amount": "605.00"}, "PAY-NOTHING")
    assert refused["__typename"] == "PayableNotFound"


def test_a_node_of_another_kind_is_no_payable(icbc: Client, people: Iterator[Person]) -> None:
    person = next(people)
    payment = pay(icbc, quote(icbc, person, "2020-01", "2020-01"), "PAY-KIND")
    for identity in (payer_id(icbc, person), payment["id"], payment["receipt"]["id"]):
        assert submit(icbc, {"id": identity, "amount": "605.00"}, "PAY-KIND-2")["__typename"] == "PayableNotFound"


def test_a_bill_is_paid_by_any_institution_that_has_named_the_person(
    server: Server, abc: Client, icbc: Client, tax: Client, people: Iterator[Person]
) -> None:
    person = next(people)
    agency_bill(server.client("social-insurance-agency"), "SI-SHARED", person, "2020-01", "2020-01", "605.00")
    banks = bills(abc, person)[0]
    assert submit(tax, banks, "PAY-UNNAMED")["__typename"] == "PayableNotFound"
    assert submit(icbc, bills(icbc, person)[0], "PAY-SHARED")["__typename"] == "PaymentAccepted"
    refused = submit(abc, banks, "PAY-SHARED")
    assert refused["__typename"] in ("MonthsAlreadyPaid", "BillNotPayable")
    assert refused["nextAction"] == "RETURN_MONEY"
    # The other bank sees that it is paid, and nothing of by whom.
    theirs = bills(abc, person, status=None)[0]
    assert theirs["status"] == "PAID"
    found = node(abc, theirs["id"])
    assert found is not None
    assert found["payment"] is None


def test_a_partial_overlap_names_the_paid_months(icbc: Client, abc: Client, people: Iterator[Person]) -> None:
    person = next(people)
    late = quote(icbc, person, "2020-06", "2020-08")
    wide = quote(icbc, person, "2020-01", "2020-12")
    pay(abc, quote(abc, person, "2020-04", "2020-06"), "PAY-PART")
    pay(abc, quote(abc, person, "2020-10", "2020-10"), "PAY-PART-2")
    refused = submit(icbc, late, "PAY-LATE")
    assert (refused["__typename"], refused["months"]) == ("MonthsAlreadyPaid", ["2020-06"])
    assert refused["nextAction"] in ("RETURN_MONEY", "REQUOTE")
    assert submit(icbc, wide, "PAY-WIDE")["months"] == ["2020-04", "2020-05", "2020-06", "2020-10"]
    assert runs(icbc, person, mode="CURRENT_YEAR") == [
        ("CURRENT_YEAR", "2020-01", "2020-03"),
        ("CURRENT_YEAR", "2020-07", "2020-09"),
        ("CURRENT_YEAR", "2020-11", "2020-12"),
    ]


def test_a_quote_and_a_bill_for_the_same_month(server: Server, icbc: Client, people: Iterator[Person]) -> None:
    person = next(people)
    agency_bill(server.client("social-insurance-agency"), "SI-MONTH", person, "2020-07", "2020-12", "3630.00")
    bill = bills(icbc, person)[0]
    pay(icbc, quote(icbc, person, "2020-07", "2020-07"), "PAY-MONTH")
    refused = submit(icbc, bill, "PAY-MONTH-BILL")
    assert (refused["__typename"], refused["months"]) == ("MonthsAlreadyPaid", ["2020-07"])


def test_one_persons_insurances_are_paid_apart(server: Server, icbc: Client) -> None:
    bill = bills(icbc, OUYANG)[0]
    payment = pay(icbc, bill, "PAY-OUYANG")
    assert (payment["receipt"]["insurance"], payment["receipt"]["amount"]) == ("MEDICAL", bill["amount"])
    assert payment["payable"]["__typename"] == "AssessedBill"


@pytest.mark.parametrize("reference", ["A", "x" * 64, "!\"#$%&'()*+,-./", ":;<=>?@[\\]^_`{|}~", "0"])
def test_a_reference_is_any_printable_ascii(icbc: Client, people: Iterator[Person], reference: str) -> None:
    payment = pay(icbc, quote(icbc, next(people), "2020-01", "2020-01"), reference)
    assert payment["bankReference"] == reference
    assert payment_of(icbc, reference) == payment


def test_mutations_of_one_operation_run_one_after_the_other(icbc: Client, people: Iterator[Person]) -> None:
    person = next(people)
    first, second = quote(icbc, person, "2020-01", "2020-02"), quote(icbc, person, "2020-02", "2020-03")
    document = """mutation ($a: SubmitPaymentInput!, $b: SubmitPaymentInput!) {
      one: submitPayment(input: $a) { __typename }
      two: submitPayment(input: $b) { __typename ... on MonthsAlreadyPaid { months } }
      again: submitPayment(input: $a) { __typename ... on PaymentAccepted { replayed } }
    }"""
    a, b = (
        {"payableId": q["id"], "amount": q["amount"], "bankReference": f"PAY-ORDER-{n}", "collectedAt": COLLECTED_AT}
        for n, q in enumerate((first, second))
    )
    assert icbc.run(document, a=a, b=b) == {
        "one": {"__typename": "PaymentAccepted"},
        "two": {"__typename": "MonthsAlreadyPaid", "months": ["2020-02"]},
        "again": {"__typename": "PaymentAccepted", "replayed": True},
    }
