"""PUT /settlements/{date}: the bank's list of a large day as CSV, whole or not at all."""

import asyncio
import datetime
import socket
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import asyncpg
import httpx
import pytest

from tests.acceptance.gateway import Client, Server
from tests.acceptance.operations import Answer, pay, quote, reverse
from tests.acceptance.people import Person
from tests.acceptance.snapshot import snapshot
from tests.settlement_lists import KINDS, amount, bank_list, fill_day, planted, reference

TODAY = "2020-11-16"
HEADER = "bank_reference,amount,reversed\n"
DAY = """query ($date: Date!, $after: String) { settlementDay(date: $date) {
  status accepted { count amount } reversed { count amount } net { count amount } reconciledAt
  differences(first: 100, after: $after) {
    edges { node { kind bankReference gatewayAmount bankAmount } } pageInfo { hasNextPage endCursor }
  }
} }"""
RECONCILE = """mutation ($input: ReconcileDayInput!) {
  reconcileDay(input: $input) { __typename ... on SettlementDay { status } }
}"""
LISTS_UNDER_WAY = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gateway settlement'"
PATIENCE_SECONDS = 30.0

Body = str | bytes | Iterable[bytes]


@pytest.fixture(scope="module")
def bank(server: Server) -> Client:
    return server.client("abc-counter")


def put(client: Client, body: Body, date: str = TODAY, **headers: str) -> httpx.Response:
    """Send a list over a connection of its own."""
    return httpx.put(
        f"{client.base_url}/settlements/{date}",
        content=body,
        headers={"Authorization": f"Bearer {client.token}", "Content-Type": "text/csv", **headers},
        timeout=120,
        trust_env=False,
    )


def compared(client: Client, body: Body, date: str = TODAY) -> Answer:
    response = put(client, body, date)
    assert response.status_code == 200, response.text
    answer: Answer = response.json()
    return answer


def problem(response: httpx.Response, status: int) -> Answer:
    """Return the problem document that a refused list is answered with."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: Answer = response.json()
    assert (document["type"], document["status"], bool(document["detail"])) == ("about:blank", status, True)
    return document


def differences(client: Client, date: str = TODAY) -> dict[str, set[str]]:
    """Walk every page of a day's differences."""
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    walked, after = 0, None
    while True:
        page = client.run(DAY, date=date, after=after)["settlementDay"]["differences"]
        for edge in page["edges"]:
            found[edge["node"]["kind"]].add(edge["node"]["bankReference"])
        walked += len(page["edges"])
        if not page["pageInfo"]["hasNextPage"]:
            assert walked == sum(map(len, found.values()))
            return found
        after = page["pageInfo"]["endCursor"]


def counts(**found: int) -> dict[str, int]:
    return {kind: found.get(kind, 0) for kind in KINDS}


def until(url: str, sql: str, value: object) -> None:
    """Wait until the database answers so."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while (found := asyncio.run(_value(url, sql))) != value:
        assert time.monotonic() < give_up_at, f"{sql}: {found}"
        time.sleep(0.05)


async def _value(url: str, sql: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def _head(client: Client, date: str, length: int) -> str:
    return (
        f"PUT /settlements/{date} HTTP/1.1\r\nHost: {httpx.URL(client.base_url).host}\r\n"
        f"Authorization: Bearer {client.token}\r\nContent-Type: text/csv\r\nContent-Length: {length}\r\n\r\n"
    )


@contextmanager
def half_sent(client: Client, url: str, body: str, date: str) -> Iterator[socket.socket]:
    """Begin an upload and leave it there: its connection is closed at the end of the block."""
    before = asyncio.run(_value(url, LISTS_UNDER_WAY))
    target = httpx.URL(client.base_url)
    with socket.create_connection((target.host, target.port or 80), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall((_head(client, date, len(body) + 1000) + body).encode())
        until(url, LISTS_UNDER_WAY, before + 1)
        yield connection


def test_a_list_that_says_what_the_ledger_has_reconciles_the_day(bank: Client, people: Iterator[Person]) -> None:
    for name in ("A", "B\\,", "C"):
        pay(bank, quote(bank, next(people), "2020-01", "2020-01"), name)
    reverse(bank, "C")
    answer = compared(bank, HEADER + 'A,605.00,false\r\n"B\\,",605,false\nC,605.0,true\n')
    reconciled_at = answer.pop("reconciledAt")
    assert answer == {
        "date": TODAY,
        "status": "RECONCILED",
        "entries": 3,
        "accepted": {"count": 3, "amount": "1815.00"},
        "reversed": {"count": 1, "amount": "605.00"},
        "net": {"count": 2, "amount": "1210.00"},
        "differences": counts(),
        "differencesAt": {"url": f"{bank.base_url}/graphql", "field": "settlementDay.differences"},
    }
    day = bank.run(DAY, date=TODAY)["settlementDay"]
    assert {name: day[name] for name in ("status", "accepted", "reversed", "net")} == {
        name: answer[name] for name in ("status", "accepted", "reversed", "net")
    }
    assert day["reconciledAt"] == reconciled_at
    assert reconciled_at.endswith("+08:00")


def test_each_list_replaces_the_one_before_it_however_it_was_sent(bank: Client) -> None:
    date = "2020-11-01"
    first = compared(bank, HEADER + "X-1,1.00,false\nX-2,2.00,false\nX-3,3.00,false\n", date)
    assert (first["status"], first["differences"]) == ("DIFFERENT", counts(MISSING_AT_GATEWAY=3))
    # One entry as it was, one with another amount, one gone, one new.
    second = compared(bank, HEADER + "X-1,1.00,false\nX-2,2.50,false\nX-4,4.00,true\n", date)
    assert second["differences"] == counts(MISSING_AT_GATEWAY=3)
    assert differences(bank, date)["MISSING_AT_GATEWAY"] == {"X-1", "X-2", "X-4"}
    page = bank.run(DAY, date=date)["settlementDay"]["differences"]
    assert [edge["node"]["bankAmount"] for edge in page["edges"]] == ["1.00", "2.50", "4.00"]
    entries = [{"bankReference": "X-5", "amount": "5.00"}]
    bank.run(RECONCILE, input={"date": date, "entries": entries})
    assert differences(bank, date)["MISSING_AT_GATEWAY"] == {"X-5"}
    empty = compared(bank, HEADER, date)
    assert (empty["status"], empty["entries"], empty["differences"]) == ("RECONCILED", 0, counts())


@pytest.mark.parametrize(
    ("lines", "line", "reason"),
    [
        ("", 1, "must be the header bank_reference,amount,reversed"),
        ("reference,amount,reversed\nA,605.00,false\n", 1, "must be the header bank_reference,amount,reversed"),
        (HEADER + "A,605.00,false\nB,605.001,false\n", 3, "amount must be digits with at most two decimals"),
        (HEADER + "A,605.00,no\n", 2, "reversed must be true or false"),
        (HEADER + "A 1,605.00,false\n", 2, "bank_reference must be 1 to 64 printable ASCII characters"),
        (HEADER + "A,605.00\n", 2, "must have 3 fields"),
        (HEADER + 'A,605.00,false\n"B,605.00,false\n', 3, "is no record of CSV"),
    ],
)
def test_a_wrong_line_rejects_the_list(bank: Client, sandbox_database: str, lines: str, line: int, reason: str) -> None:
    before = snapshot(sandbox_database)
    refused = problem(put(bank, lines), 422)
    assert (refused["code"], refused["line"]) == ("LIST_REJECTED", line)
    assert refused["reason"].startswith(reason)
    assert refused["detail"] == f"line {line}: {refused['reason']}"
    assert snapshot(sandbox_database) == before


def test_a_wrong_line_behind_many_right_ones_is_told_to_a_client_that_sends_on(
    bank: Client, sandbox_database: str
) -> None:
    before = snapshot(sandbox_database)
    right = "".join(f"N-{number},1.00,false\n" for number in range(50_000))
    refused = problem(put(bank, HEADER + right + "WRONG\n" + right * 4), 422)
    assert refused["line"] == 50_002
    assert snapshot(sandbox_database) == before


def test_a_reference_that_is_there_twice_is_named_with_both_lines(bank: Client, sandbox_database: str) -> None:
    before = snapshot(sandbox_database)
    lines = [f"N-{number},1.00,false\n" for number in range(5000)]
    lines[4000] = "N-17,2.00,true\n"
    lines[4500] = "N-16,2.00,true\n"
    refused = problem(put(bank, HEADER + "".join(lines)), 422)
    assert (refused["line"], refused["firstLine"]) == (4002, 19)
    assert refused["detail"] == "line 4002: has the bank_reference of line 19"
    assert snapshot(sandbox_database) == before


def test_a_day_that_has_not_come_is_not_reconcilable(bank: Client, sandbox_database: str) -> None:
    before = snapshot(sandbox_database)
    told = {}
    for language in ("zh-CN", "en"):
        refused = problem(put(bank, HEADER, "2020-11-17", **{"Accept-Language": language}), 409)
        assert (refused["code"], refused["nextAction"]) == ("DAY_NOT_RECONCILABLE", "RETRY_LATER")
        told[language] = refused["detail"]
    assert told["zh-CN"] != told["en"]
    assert snapshot(sandbox_database) == before


def test_who_may_not_is_refused_as_by_graphql(server: Server, bank: Client) -> None:
    for authorization in (None, "Bearer a.b.c", "Basic eDp5"):
        headers = {"Content-Type": "text/csv"} | ({"Authorization": authorization} if authorization else {})
        response = bank.http.put(f"/settlements/{TODAY}", content=HEADER, headers=headers)
        twin = bank.http.post("/graphql", json={"query": "{ x }"}, headers=headers)
        assert response.headers["www-authenticate"] == twin.headers["www-authenticate"]
        assert problem(response, 401)["detail"] == twin.json()["errors"][0]["message"]
    mobile = server.client("abc-mobile")
    response, twin = put(mobile, HEADER), mobile.post(RECONCILE, {"input": {"date": TODAY, "entries": []}})
    assert response.headers["www-authenticate"] == twin.headers["www-authenticate"]
    assert problem(response, 403)["detail"] == twin.json()["errors"][0]["message"]


def test_what_is_no_list_of_a_day_is_refused(bank: Client) -> None:
    for date in ("today", "2020-11-31", "2020-1-1", "20201116"):
        problem(put(bank, HEADER, date), 400)
    for headers in (
        {"Content-Type": "application/json"},
        {"Content-Type": "text/csv; charset=gbk"},
        {"Content-Encoding": "gzip"},
    ):
        problem(put(bank, HEADER, **headers), 415)
    assert put(bank, HEADER, **{"Content-Type": 'Text/CSV; charset="UTF-8"; header=present'}).status_code == 200
    head = {"Authorization": f"Bearer {bank.token}", "Content-Type": "text/csv"}
    answer = bank.http.post(f"/settlements/{TODAY}", content=HEADER, headers=head)
    assert (problem(answer, 405)["status"], answer.headers["allow"]) == (405, "PUT")


def test_a_list_that_says_it_is_too_large_is_refused_before_it_is_sent(bank: Client) -> None:
    target = httpx.URL(bank.base_url)
    with socket.create_connection((target.host, target.port or 80), timeout=PATIENCE_SECONDS) as connection:
        head = _head(bank, TODAY, 128 * 1024 * 1024 + 1)
        connection.sendall(head.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n").encode())
        assert connection.makefile().readline().startswith("HTTP/1.1 413 ")


def test_every_difference_of_a_large_day_is_found_and_none_invented(bank: Client, sandbox_database: str) -> None:
    date, count, each = datetime.date(2020, 11, 10), 20_000, 100
    asyncio.run(fill_day(sandbox_database, bank.client_id, date, count))
    answer = compared(bank, bank_list(date, count, each), date.isoformat())
    assert (answer["status"], answer["entries"]) == ("DIFFERENT", count)
    assert answer["differences"] == dict.fromkeys(KINDS, each)
    assert differences(bank, date.isoformat()) == planted(date, count, each)
    assert answer["accepted"] == {"count": count, "amount": f"{sum(amount(number) for number in range(count))}"}
    held = (
        f"{reference(date, number)},{amount(number)},{'false' if number % 50 else 'true'}\n" for number in range(count)
    )
    whole = compared(bank, HEADER + "".join(held), date.isoformat())
    assert (whole["status"], whole["differences"]) == ("RECONCILED", counts())


def test_two_lists_of_one_day_at_once_do_not_mix(bank: Client) -> None:
    date = "2020-11-03"
    lists = {name: {f"{name}-{number}" for number in range(3000)} for name in ("ONE", "TWO")}
    bodies = {name: HEADER + "".join(f"{ref},1.00,false\n" for ref in sorted(refs)) for name, refs in lists.items()}
    entries = [{"bankReference": f"SMALL-{number}", "amount": "1.00"} for number in range(3000)]
    with ThreadPoolExecutor(3) as pool:
        for _ in range(4):
            answers = {name: pool.submit(compared, bank, body, date) for name, body in bodies.items()}
            small = pool.submit(bank.post, RECONCILE, {"input": {"date": date, "entries": entries}})
            for answer in answers.values():
                assert answer.result()["differences"] == counts(MISSING_AT_GATEWAY=3000)
            assert small.result().json()["data"]["reconcileDay"]["status"] == "DIFFERENT"
            standing = differences(bank, date)["MISSING_AT_GATEWAY"]
            assert standing in (*lists.values(), {entry["bankReference"] for entry in entries})


def test_payments_are_accepted_while_a_list_arrives_and_are_compared(
    bank: Client, people: Iterator[Person], sandbox_database: str
) -> None:
    paid = Event()

    def slowly() -> Iterator[bytes]:
        yield HEADER.encode()
        until(sandbox_database, LISTS_UNDER_WAY, 1)
        pay(bank, quote(bank, next(people), "2020-01", "2020-01"), "MEANWHILE")
        pay(bank, quote(bank, next(people), "2020-01", "2020-01"), "UNKNOWN-TO-BANK")
        paid.set()
        yield b"MEANWHILE,605.00,false\n"

    answer = compared(bank, slowly())
    assert paid.is_set()
    found = differences(bank)
    assert "UNKNOWN-TO-BANK" in found["MISSING_AT_BANK"]
    assert all("MEANWHILE" not in references for references in found.values())
    assert answer["differences"] == {kind: len(references) for kind, references in found.items()}


def test_payments_do_not_wait_for_a_list_that_waits_for_another(
    bank: Client, people: Iterator[Person], sandbox_database: str
) -> None:
    waiting = LISTS_UNDER_WAY + " AND wait_event_type = 'Lock'"

    async def hold_the_lists_lock(body: str) -> Answer:
        other = await asyncpg.connect(sandbox_database)
        try:
            async with other.transaction():
                await other.execute(
                    """
                    SELECT pg_advisory_xact_lock(-institution_id, date '2020-11-16' - date '2000-01-01')
                    FROM clients WHERE id = $1
                    """,
                    bank.client_id,
                )
                upload = asyncio.create_task(asyncio.to_thread(compared, bank, body))
                await asyncio.to_thread(until, sandbox_database, waiting, 1)
                payable = await asyncio.to_thread(quote, bank, next(people), "2020-01", "2020-01")
                await asyncio.to_thread(pay, bank, payable, "BESIDE")
            return await upload
        finally:
            await other.close()

    answer = asyncio.run(hold_the_lists_lock(HEADER + "BESIDE,605.00,false\n"))
    assert answer["status"] == "DIFFERENT"
    assert all("BESIDE" not in references for references in differences(bank).values())


def test_a_client_that_goes_away_leaves_nothing(bank: Client, sandbox_database: str) -> None:
    before = snapshot(sandbox_database)
    # More of them, one after the other, than may be under way at once: each gives its place back.
    for _ in range(4):
        with half_sent(bank, sandbox_database, HEADER + "GONE,1.00,false\n" * 3000, "2020-11-05"):
            pass
        until(sandbox_database, LISTS_UNDER_WAY, 0)
    assert snapshot(sandbox_database) == before
    assert bank.run(DAY, date="2020-11-05")["settlementDay"]["status"] == "OPEN"


def test_beyond_two_lists_at_once_the_next_is_told_to_come_again(bank: Client, sandbox_database: str) -> None:
    with (
        half_sent(bank, sandbox_database, HEADER, "2020-11-06"),
        half_sent(bank, sandbox_database, HEADER, "2020-11-07"),
    ):
        response = put(bank, HEADER + "X,1.00,false\n", "2020-11-08")
        problem(response, 503)
        assert int(response.headers["retry-after"]) > 0
        assert bank.run(DAY, date="2020-11-08")["settlementDay"]["status"] == "OPEN"
    until(sandbox_database, LISTS_UNDER_WAY, 0)
    assert compared(bank, HEADER, "2020-11-08")["status"] == "RECONCILED"


def test_lists_are_counted_under_one_path_whatever_their_day(bank: Client) -> None:
    put(bank, HEADER, "2020-10-01")
    put(bank, "", "2020-10-02")
    counted = bank.http.get("/metrics").text
    for status in ("200", "422"):
        assert f'gateway_http_requests_total{{path="/settlements/{{date}}",status="{status}"}}' in counted
    assert "2020-10-0" not in counted
