"""Every payment and reversal reaches the tax ledger, is posted once by it, in order, whatever fails or is killed."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.acceptance.gateway import Server, gateway, serving
from tests.acceptance.operations import PAYMENT_OF, pay, quote, reverse
from tests.acceptance.people import Office, Person
from tests.acceptance.posting import Process, TaxOffice, until
from tests.gateway.processes import is_alive, kill, workers_of

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
def office(sandbox_copy: str, master_key: str, tmp_path_factory: pytest.TempPathFactory) -> TaxOffice:
    """Each test's own, over a sandbox of its own: what one leaves waiting is not posted in another."""
    return TaxOffice(sandbox_copy, master_key, tmp_path_factory.mktemp("office"))


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


def test_what_undoes_a_payment_waits_for_its_acceptance(
    server: Server, office: TaxOffice, people: list[Person]
) -> None:
    pay_month(server, people[0], "2020-01", "ORDER")
    reverse(server.client("abc-counter"), "ORDER")
    # The acceptance's job is lost, and a look for such finds it; the reversal's comes first.
    office.rows("DELETE FROM pgqueuer WHERE id = (SELECT min(id) FROM pgqueuer)")
    make_due(office)
    with office.open(), office.worker():
        until(lambda: office.waiting() == 0, "both are acknowledged")
        assert office.counts() == {"POSTED": 2}
    assert_posted_once(office)


def test_after_the_last_try_a_posting_is_kept_listed_and_sent_again_by_hand(
    server: Server, office: TaxOffice, people: list[Person]
) -> None:
    pay_month(server, people[0], "2020-01", "LAST-TRY")
    reverse(server.client("abc-counter"), "LAST-TRY")
    office.rows("UPDATE postings SET attempts = 17 WHERE kind = 'ACCEPTED'")
    failed = "SELECT last_error FROM postings WHERE failed_at IS NOT NULL ORDER BY id"
    with office.open(secret=f"whsec_{'A' * 44}"), office.worker():
        until(lambda: len(office.rows(failed)) == 2, "both failed")
        # The stand-in refuses what another secret signed.
        assert office.counts() == {"WRONG_SIGNATURE": 1}
    assert office.posted() == []
    assert [row[0] for row in office.rows(failed)] == ["answered 401", "an earlier posting of this payment failed"]
    assert 'gateway_postings{state="failed"} 2.0' in server.http.get("/metrics").text
    listed = gateway("postings", "list", "--failed", **office.settings | {"COLUMNS": "200"})
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.count("LAST-TRY") == 2
    assert gateway("postings", "retry", **office.settings).returncode == 2
    assert gateway("postings", "retry", "999", **office.settings).returncode == 1
    first = office.value("SELECT min(id) FROM postings")
    again = gateway("postings", "retry", str(first), **office.settings)
    assert (again.returncode, again.stdout) == (0, "2 to be sent again\n")
    with office.open(), office.worker():
        until(lambda: office.waiting() == 0, "both are acknowledged")
    assert_posted_once(office)


def test_a_worker_that_is_told_to_end_finishes_what_is_under_way(
    server: Server, office: TaxOffice, people: list[Person]
) -> None:
    pay_month(server, people[0], "2020-01", "DRAINED")
    make_due(office)
    with office.open("--slow-seconds", "3"), office.worker() as worker:
        until(lambda: office.value("SELECT count(*) FROM pgqueuer WHERE status = 'picked'") == 1, "it is under way")
        assert office.waiting() == 1
        assert worker.end() == 0
    assert office.waiting() == 0
    assert office.value("SELECT count(*) FROM pgqueuer") == 0
    assert office.value("SELECT count(*) FROM pgqueuer_log WHERE status = 'canceled'") == 0
    assert status(server, "DRAINED") == "POSTED"


def test_the_sandbox_posts_by_itself_and_leaves_nothing_running(office: TaxOffice, people: list[Person]) -> None:
    settings = {name: value for name, value in office.settings.items() if "POSTING" not in name}
    settings |= {"GATEWAY_WORK": "true", "GATEWAY_DATA_DIR": str(office.directory)}
    for number, end in enumerate((signal.SIGTERM, signal.SIGKILL)):
        with serving(office.directory / "beside.log", **settings) as running:
            beside = workers_of(running.process.pid)
            assert len(beside) == 2
            if number:
                # What dies is started again.
                for pid in beside:
                    kill(pid)
                until(
                    lambda running=running, dead=beside: len(set(workers_of(running.process.pid)) - set(dead)) == 2,  # type: ignore[misc]
                    "both run again",
                )
                beside = workers_of(running.process.pid)
            pay_month(running, people[0], f"2020-0{number + 1}", f"BESIDE-{number}")
            until(lambda running=running, n=number: status(running, f"BESIDE-{n}") == "POSTED", "posted")  # type: ignore[misc]
            running.process.send_signal(end)
            assert running.process.wait(60) == (0 if end == signal.SIGTERM else -signal.SIGKILL)
        until(lambda pids=beside: not any(map(is_alive, pids)), "nothing runs on")  # type: ignore[misc]
    assert_posted_once(office)
