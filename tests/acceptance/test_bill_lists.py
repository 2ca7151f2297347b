"""The lists of a payer's bills: what is in them by default, when a bill lapses, and how to page through them."""

from collections.abc import Iterator

import pytest

from tests.acceptance.gateway import Client, Server
from tests.acceptance.operations import BILLS, Answer, agency_bill, assess, bills, node, pay, quote, submit, withdraw
from tests.acceptance.people import WANG, Office, Person, newcomers

NEW = newcomers()
LATE, MANY, MOVING, MIXED, PAYER = (next(NEW) for _ in range(5))


@pytest.fixture(scope="module")
def bank(server: Server, office: Office) -> Client:
    list(office.crowd(5))
    lapsed = [("LAPSED", "2020-01", "2020-11-15"), ("LAST-DAY", "2020-02", "2020-11-16"), ("NO-DAY", "2020-03", "")]
    office.load(
        "bills",
        [
            (number, LATE.resident_id, LATE.name, "PENSION", "360000", month, month, "605.00", day, "AGENCY_COUNTER")
            for number, month, day in lapsed
        ],
    )
    return server.client("abc-counter")


def numbers(found: list[Answer]) -> list[str]:
    return sorted(bill["billNumber"] for bill in found)


def pages(client: Client, person: Person, **arguments: object) -> Iterator[Answer]:
    """Walk through a payer's bills page by page."""
    after = None
    while True:
        page = client.run(BILLS, **person.variables, after=after, **arguments)["payer"]["assessedBills"]
        yield page
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


def test_a_bill_lapses_after_its_last_day(bank: Client) -> None:
    payable = numbers(bills(bank, LATE, status="PAYABLE"))
    assert "NO-DAY" in payable
    assert "LAPSED" not in payable
    lapsed = bills(bank, LATE, status="EXPIRED")
    assert numbers(lapsed) == ["LAPSED"]
    assert lapsed[0]["status"] == "EXPIRED"
    refused = submit(bank, lapsed[0], "LISTS-LAPSED")
    assert (refused["__typename"], refused["status"]) == ("BillNotPayable", "EXPIRED")
    found = node(bank, lapsed[0]["id"])
    assert found is not None
    assert found["billStatus"] == "EXPIRED"


def test_on_its_last_day_a_bill_can_be_paid(bank: Client) -> None:
    last_day = next(bill for bill in bills(bank, LATE) if bill["billNumber"] == "LAST-DAY")
    pay(bank, last_day, "LISTS-LAST-DAY")


def test_months_of_a_lapsed_bill_are_owed_still(bank: Client) -> None:
    assert quote(bank, LATE, "2020-01", "2020-01")["__typename"] == "Quote"


def test_by_default_only_payable_bills_are_listed(bank: Client, si: Client) -> None:
    agency_bill(si, "MIXED-PAYABLE", MIXED, "2020-01", "2020-01", "605.00")
    agency_bill(si, "MIXED-PAID", MIXED, "2020-02", "2020-02", "605.00")
    agency_bill(si, "MIXED-WITHDRAWN", MIXED, "2020-03", "2020-03", "605.00")
    withdraw(si, "MIXED-WITHDRAWN")
    pay(bank, next(b for b in bills(bank, MIXED) if b["billNumber"] == "MIXED-PAID"), "LISTS-MIXED")
    document = """query ($residentId: ResidentId!, $name: String!) { payer(residentId: $residentId, name: $name) {
      default: assessedBills { edges { node { billNumber } } }
      all: assessedBills(status: null) { edges { node { billNumber } } }
      paid: assessedBills(status: PAID) { edges { node { billNumber } } }
      withdrawn: assessedBills(status: WITHDRAWN) { edges { node { billNumber } } }
      expired: assessedBills(status: EXPIRED) { edges { node { billNumber } } }
      medical: assessedBills(insurance: MEDICAL, status: null) { edges { node { billNumber } } }
      pension: assessedBills(insurance: PENSION) { edges { node { billNumber } } }
    } }"""
    payer = bank.run(document, **MIXED.variables)["payer"]
    found = {name: sorted(edge["node"]["billNumber"] for edge in payer[name]["edges"]) for name in payer}
    assert found == {
        "default": ["MIXED-PAYABLE"],
        "all": ["MIXED-PAID", "MIXED-PAYABLE", "MIXED-WITHDRAWN"],
        "paid": ["MIXED-PAID"],
        "withdrawn": ["MIXED-WITHDRAWN"],
        "expired": [],
        "medical": [],
        "pension": ["MIXED-PAYABLE"],
    }


def test_a_variable_that_is_left_out_leaves_the_default(bank: Client, si: Client) -> None:
    document = """query ($residentId: ResidentId!, $name: String!, $status: BillStatus = WITHDRAWN) {
      payer(residentId: $residentId, name: $name) { assessedBills(status: $status) { edges { node { status } } } } }"""
    edges = bank.run(document, **WANG.variables, status="PAYABLE")["payer"]["assessedBills"]["edges"]
    assert [edge["node"]["status"] for edge in edges] == ["PAYABLE", "PAYABLE"]
    assert bank.run(document, **WANG.variables)["payer"]["assessedBills"]["edges"] == []
    everything = bank.run(BILLS, **WANG.variables)["payer"]["assessedBills"]["edges"]
    assert [edge["node"]["status"] for edge in everything] == ["PAYABLE", "PAYABLE"]


def test_bills_of_a_payer_are_seen_by_everyone_who_can_name_the_payer(server: Server, bank: Client, si: Client) -> None:
    expected = numbers(bills(bank, WANG))
    for client_id in ("icbc-mobile", "tax-wechat", "social-insurance-agency", "medical-insurance-agency"):
        assert numbers(bills(server.client(client_id), WANG)) == expected


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_paging_finds_each_bill_once(bank: Client, si: Client, size: int) -> None:
    for month in range(1, 6):
        # The agency sends the same batch for every size of page: it is answered again.
        agency_bill(si, f"MANY-{month}", MANY, f"2020-{month:02}", f"2020-{month:02}", "605.00")
    found = list(pages(bank, MANY, first=size))
    assert [len(page["edges"]) for page in found[:-1]] == [size] * (len(found) - 1)
    listed = [edge["node"]["billNumber"] for page in found for edge in page["edges"]]
    assert sorted(listed) == [f"MANY-{month}" for month in range(1, 6)]
    assert len(found) == -(-5 // size)
    assert [page["pageInfo"]["hasPreviousPage"] for page in found] == [False] + [True] * (len(found) - 1)
    for page in found:
        cursors = [edge["cursor"] for edge in page["edges"]]
        assert (page["pageInfo"]["startCursor"], page["pageInfo"]["endCursor"]) == (cursors[0], cursors[-1])
    assert listed == [bill["billNumber"] for bill in bills(bank, MANY)]


def test_an_empty_page_has_no_cursors(bank: Client) -> None:
    page = bank.run(BILLS, **MANY.variables, status="EXPIRED")["payer"]["assessedBills"]
    information = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
    assert page == {"edges": [], "pageInfo": information}


def test_a_cursor_outlives_what_it_points_at(bank: Client, si: Client) -> None:
    for month in range(1, 7):
        agency_bill(si, f"MOVING-{month}", MOVING, f"2020-{month:02}", f"2020-{month:02}", "605.00")
    everything = [bill["billNumber"] for bill in bills(bank, MOVING)]
    walk = pages(bank, MOVING, first=2, status="PAYABLE")
    seen = [edge["node"]["billNumber"] for edge in next(walk)["edges"]]
    withdraw(si, seen[-1])
    withdraw(si, everything[0])
    for page in walk:
        seen += [edge["node"]["billNumber"] for edge in page["edges"]]
    assert seen == everything


def test_first_is_twenty_by_default_and_a_hundred_at_most(bank: Client) -> None:
    document = """query ($residentId: ResidentId!, $name: String!, $first: Int) {
      payer(residentId: $residentId, name: $name) { assessedBills(first: $first) { edges { cursor } } } }"""
    assert bank.run(document, **MANY.variables, first=100)["payer"]
    for first in (0, -1, 101, 2**31 - 1):
        response = bank.post(document, {**MANY.variables, "first": first})
        assert "first" in response.json()["errors"][0]["message"], response.text


@pytest.mark.parametrize("after", ["", "x", "AAAA", "' OR 1=1", "bnVsbA==", "0" * 5000, "\u0000", "é", "MANY-1"])
def test_a_cursor_that_is_none_is_refused_by_name(bank: Client, after: str) -> None:
    response = bank.post(BILLS, {**MANY.variables, "first": 1, "after": after})
    assert response.status_code < 500
    assert "after" in response.json()["errors"][0]["message"], response.text


def test_a_cursor_of_another_list_is_no_way_to_other_rows(bank: Client) -> None:
    pay(bank, quote(bank, PAYER, "2020-01", "2020-01"), "LISTS-CURSOR")
    document = '{ payments(on: "2020-11-16", first: 1) { edges { cursor } } }'
    edges = bank.run(document)["payments"]["edges"]
    response = bank.post(BILLS, {**MANY.variables, "after": edges[0]["cursor"]})
    assert response.status_code < 500
    if "errors" not in response.json():
        found = response.json()["data"]["payer"]["assessedBills"]["edges"]
        assert all(edge["node"]["billNumber"].startswith("MANY-") for edge in found)


def test_arrears_that_were_assessed_are_listed_with_the_agencys(bank: Client) -> None:
    bill = assess(bank, LATE, "2019-01", "2019-01")
    assert bill["billNumber"] in numbers(bills(bank, LATE))
