"""Every payment and reversal reaches the tax ledger, is posted once by it, in order, whatever fails or is killed."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.acceptance.gateway import Server, gateway, serving
from tests.acceptance.operations import PAYMENT_OF, pay, quote, reverse
from tests.acceptance.people import Office, Person
from tests.acceptance.posting import Process, TaxOffice, until
from tests.databases import fresh_database

PEOPLE = 40
#: Two payments of each person, and every fourth person's first one reversed.
PAYMENTS = 2 * PEOPLE
KILLS = 3

LEDGER = """
    SELECT r.number, o.kind, p.amount::text AS amount, o.idempotency_key::text AS idempotency_key
    FROM postings AS o
    INNER JOIN payments AS p ON o.payment_id = p.id
    INNER JOIN receipts AS r ON p.id = r.payment_id
"""


@pytest.fixture
def database(postgres_url: str, sandbox_template: str) -> Iterator[str]:
    """Each test's own sandbox: what one leaves waiting is not posted in another."""
    with fresh_database(postgres_url, sandbox_template) as url:
        yield url


@pytest.fixture
def office(database: str, master_key: str, tmp_path_factory: pytest.TempPathFactory) -> TaxOffice:
    return TaxOffice(database, master_key, tmp_path_factory.mktemp("office"))


@pytest.fixture
def server(office: TaxOffice) -> Iterator[Server]:
    """A server without a worker beside it."""
    settings = {name: value for name, value in office.settings.items() if "POSTING" not in name}
    with serving(office.directory / "server.log", **settings) as running:
        yield running


@pytest.fixture
def people(office: TaxOffice) -> list[Person]:
    return list(Office(office.database_url, office.master_key, office.directory).crowd(PEOPLE))


def status(server: Server, reference: str) -> str:
    answer: str = server.client("abc-counter").run(PAYMENT_OF, bankReference=reference)["payment"]["status"]
    return answer


def pay_month(server: Server, person: Person, month: str, reference: str) -> None:
    client = server.client("abc-counter")
    pay(client, quote(client, person, month, month, insurance="PENSION"), reference)


def pay_all(server: Server, people: list[Person]) -> None:
    for number, person in enumerate(people):
        pay_month(server, person, "2020-01", f"FIRST-{number}")
        pay_month(server, person, "2020-02", f"SECOND-{number}")
        if number % 4 == 0:
            assert reverse(server.client("abc-counter"), f"FIRST-{number}")["__typename"] == "PaymentReversed"


def make_due(office: TaxOffice) -> None:
    """Let the pauses before the next tries have passed."""
    office.rows("UPDATE pgqueuer SET execute_after = now() WHERE status = 'queued'")


def assert_posted_once(office: TaxOffice) -> None:
    """Both ledgers hold the same, each posting once, and an acceptance before what undoes it."""
    posted = office.posted()
    assert sorted(posted) == sorted(map(tuple, office.rows(LEDGER)))
    places = {(number, kind): place for place, (number, kind, _, _) in enumerate(posted)}
    assert len(places) == len(posted)
    undone = [number for number, kind in places if kind != "ACCEPTED"]
    assert all(places[number, "ACCEPTED"] < places[number, "REVERSED"] for number in undone)


def test_all_is_posted_once_by_a_ledger_that_fails_and_repeats_itself_and_by_workers_that_are_killed(
    server: Server, office: TaxOffice, people: list[Person]
) -> None:
    pay_all(server, people)
    total = PAYMENTS + PEOPLE // 4
    assert office.waiting() == total
    with (
        office.open("--fail", "0.3", "--twice", "0.1", "--slow-seconds", "0.3", "--seed", "20201116"),
        ExitStack() as s,
    ):
        worker: Process = s.enter_context(office.worker())
        for kill in range(1, KILLS + 1):
            until(lambda left=total - kill * 10: office.waiting() <= left, "more are acknowledged")  # type: ignore[misc]
            assert office.waiting(), "there was something to lose"
            worker.kill()
            worker = s.enter_context(office.worker())
        until(lambda: office.waiting() == 0, "all are acknowledged")
        counts = office.counts()
        assert worker.end() == 0
    assert office.value("SELECT count(*) FROM payments WHERE posted_at IS NULL") == 0
    assert_posted_once(office)
    assert counts["POSTED"] == total
    assert min(counts[fault] for fault in ("FAILED_BEFORE", "FAILED_AFTER", "ANSWERED_TWICE", "REPEATED")) > 0
    assert (status(server, "SECOND-0"), status(server, "FIRST-0")) == ("POSTED", "REVERSED")
    assert status(server, "FIRST-1") == "POSTED"
    assert gateway("audit", "verify", **office.settings).returncode == 0
    assert office.value("SELECT count(*) FROM audit_entries WHERE action = 'PAYMENT_POSTED'") == PAYMENTS
    assert office.rows("SELECT DISTINCT actor FROM audit_entries WHERE action = 'PAYMENT_POSTED'") == [
        ("worker:posting",)
    ]
    said = office.directory.joinpath("worker.log").read_text()
    assert not any(person.name in said or person.resident_id in said for person in people)
