"""Twenty clients race for the same months: one is accepted, the others are told which months are paid."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from gateway.demo.client import document
from tests.acceptance.gateway import Server
from tests.acceptance.operations import submission
from tests.acceptance.people import SANDBOX, Person

RACERS = 20
ZHAO = {"residentId": "369999198811240073", "name": "赵强"}
WANG = {"residentId": "369999199001010035", "name": "王芳"}
CLIENTS = ("icbc-mobile", "abc-counter", "abc-mobile", "tax-wechat", "ganfutong")


def race(server: Server, submissions: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Submit all at once, each over a connection of its own."""

    def submit(submission: tuple[str, dict[str, Any]]) -> dict[str, Any]:
        client_id, payment = submission
        token = server.client(client_id).token
        response = httpx.post(
            f"{server.base_url}/graphql",
            json={"query": document("submit_payment"), "variables": {"input": payment}},
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
            trust_env=False,
        )
        answer: dict[str, Any] = response.json()["data"]["submitPayment"]
        return answer

    for client_id in CLIENTS:
        server.client(client_id)
    with ThreadPoolExecutor(RACERS) as pool:
        return list(pool.map(submit, submissions))


def test_twenty_quotes_for_the_same_months_are_paid_once(server: Server) -> None:
    submissions = []
    for racer in range(RACERS):
        client_id = CLIENTS[racer % len(CLIENTS)]
        client = server.client(client_id)
        payer = client.run(document("find_payer"), **ZHAO)["payer"]
        run = {"payerId": payer["id"], "firstMonth": "2020-07", "lastMonth": "2020-09", "tier": "60"}
        quote = client.run(document("request_quote"), input=run)["requestQuote"]
        submissions.append((client_id, submission(quote, f"RACE-{racer}")))
    answers = race(server, submissions)
    accepted = [answer for answer in answers if "payment" in answer]
    refused = [answer for answer in answers if "payment" not in answer]
    assert len(accepted) == 1
    assert accepted[0]["replayed"] is False
    assert {answer["code"] for answer in refused} == {"MONTHS_ALREADY_PAID"}
    assert all(answer["months"] == ["2020-07", "2020-08", "2020-09"] for answer in refused)


def test_one_bill_under_twenty_references_is_paid_once(server: Server) -> None:
    submissions = []
    for racer in range(RACERS):
        client_id = CLIENTS[racer % len(CLIENTS)]
        payer = server.client(client_id).run(document("find_payer"), **WANG)["payer"]
        bill = next(e["node"] for e in payer["assessedBills"]["edges"] if e["node"]["insurance"] == "MEDICAL")
        submissions.append((client_id, submission(bill, f"BILL-{racer}")))
    answers = race(server, submissions)
    assert sum("payment" in answer for answer in answers) == 1
    refused = [answer for answer in answers if "payment" not in answer]
    assert {answer["code"] for answer in refused} == {"MONTHS_ALREADY_PAID"}
    assert all(len(answer["months"]) == 12 for answer in refused)


def test_one_reference_sent_twenty_times_is_one_payment(server: Server) -> None:
    client = server.client("icbc-mobile")
    payer = client.run(document("find_payer"), **ZHAO)["payer"]
    run = {"payerId": payer["id"], "firstMonth": "2020-10", "lastMonth": "2020-12", "tier": "60"}
    quote = client.run(document("request_quote"), input=run)["requestQuote"]
    answers = race(server, [("icbc-mobile", submission(quote, "TWENTY-TIMES"))] * RACERS)
    assert sum(answer["replayed"] is False for answer in answers) == 1
    assert len({answer["payment"]["receipt"]["number"] for answer in answers}) == 1


def test_one_reference_for_many_payables_at_once_is_one_payment(server: Server) -> None:
    client = server.client("abc-counter")
    people = [
        {"residentId": "369999197809250024", "name": "刘建国"},
        {"residentId": "369999198503120010", "name": "陈晓兰"},
    ]
    quotes = []
    for person in people:
        payer = client.run(document("find_payer"), **person)["payer"]
        run = {"payerId": payer["id"], "firstMonth": "2020-05", "lastMonth": "2020-05", "tier": "60"}
        quotes.append(client.run(document("request_quote"), input=run)["requestQuote"])
    answers = race(server, [("abc-counter", submission(quotes[i % 2], "ONE-REFERENCE")) for i in range(RACERS)])
    accepted = [answer for answer in answers if "payment" in answer]
    assert sum(answer["replayed"] is False for answer in accepted) == 1
    assert len({answer["payment"]["receipt"]["number"] for answer in accepted}) == 1
    assert {a["code"] for a in answers if "payment" not in a} == {"BANK_REFERENCE_REUSED"}


def test_a_hundred_look_for_people_at_once_and_each_gets_the_own_person(server: Server) -> None:
    """The gateway asks for those together who come together; nobody is told of anybody else."""
    clients = ("icbc-mobile", "abc-counter")
    text = document("find_payer")
    expected = {
        (client_id, person): server.client(client_id).run(text, **person.variables)["payer"]
        for client_id in clients
        for person in SANDBOX
    }
    assert len({answer["id"] for answer in expected.values()}) == len(expected), "each bank has ids of its own"

    def ask(asked: tuple[str, Person]) -> None:
        client_id, person = asked
        with httpx.Client(base_url=server.base_url, timeout=60, trust_env=False) as http:
            for _ in range(5):
                response = http.post(
                    "/graphql",
                    json={"query": text, "variables": person.variables},
                    headers={"Authorization": f"Bearer {server.client(client_id).token}"},
                )
                assert response.json()["data"]["payer"] == expected[asked]

    with ThreadPoolExecutor(RACERS) as pool:
        list(pool.map(ask, list(expected) * 9))
