"""Every change of money, client, key and policy leaves who made it and what it is now, and nothing of the person."""

import hashlib
import json
import os
import pwd
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.acceptance.gateway import Client, Server, gateway, serving
from tests.acceptance.operations import (
    agency_bill,
    assess,
    assess_bills,
    billed,
    pay,
    quote,
    reverse,
    submit,
    withdraw,
)
from tests.acceptance.people import CHEN, HEADERS, LIU, SANDBOX, Office, Person, newcomers
from tests.databases import fetch

OPERATOR = f"operator:{pwd.getpwuid(os.getuid()).pw_name}"
PAYERS = 20
POLICY = """insurance = "PENSION"
year = 2017
pooling_area = "360000"
rate = "0.20"
average_monthly_wage = "{wage}"
arrears_tier = "60"
[[tiers]]
code = "60"
percent = 60
monthly_base = "2400.00"
monthly_amount = "480.00"
"""

Entry = tuple[str, str, str, dict[str, Any]]
Added = Callable[[], list[Entry]]


@pytest.fixture
def added(sandbox_database: str, server: Server, people: Iterator[Person]) -> Added:
    """Return the entries that came since the last call (or since the test began): actor, action, subject, detail."""
    seen: set[tuple[int, int]] = set()

    def new() -> list[Entry]:
        query = "SELECT lane, position, actor, action, subject, detail::text FROM audit_entries ORDER BY at"
        rows = [row for row in fetch(sandbox_database, query) if (row[0], row[1]) not in seen]
        seen.update((row[0], row[1]) for row in rows)
        return [(row[2], row[3], row[4], json.loads(row[5])) for row in rows]

    new()
    return new


def heads(entries: list[Entry]) -> list[tuple[str, str]]:
    return [(actor, action) for actor, action, _, _ in entries]


def test_a_payment_and_its_reversal_name_the_client(abc: Client, people: Iterator[Person], added: Added) -> None:
    price = quote(abc, next(people), "2020-01", "2020-03")
    assert added() == []
    pay(abc, price, "AUDIT-1")
    ((actor, action, subject, detail),) = added()
    assert (actor, action) == ("client:abc-counter", "PAYMENT_ACCEPTED")
    shown = {key: detail[key] for key in ("bank_reference", "amount", "months", "business_date", "channel")}
    assert shown == {
        "bank_reference": "AUDIT-1",
        "amount": float(price["amount"]),
        "months": "[24240,24243)",
        "business_date": "2020-11-16",
        "channel": "COUNTER",
    }
    pay(abc, price, "AUDIT-1")
    assert submit(abc, price, "AUDIT-2")["__typename"] == "MonthsAlreadyPaid"
    assert added() == []
    for _ in range(2):
        assert reverse(abc, "AUDIT-1")["__typename"] == "PaymentReversed"
    ((actor, action, again, detail),) = added()
    assert (actor, action, again) == ("client:abc-counter", "PAYMENT_REVERSED", subject)
    assert detail["reversed_by"] == "abc-counter"
    assert detail["reversed_at"]


def test_arrears_and_the_bill_they_replace_name_the_client(
    server: Server, people: Iterator[Person], added: Added
) -> None:
    bank, person = server.client("icbc-mobile"), next(people)
    for _ in range(2):
        first = assess(bank, person, "2019-01", "2019-03")
    ((actor, action, subject, detail),) = added()
    assert (actor, action, subject) == ("client:icbc-mobile", "BILL_ASSESSED", f"bill:PENSION/{first['billNumber']}")
    assert detail["amount"] == float(first["amount"])
    assess(bank, person, "2019-02", "2019-04")
    assert heads(added()) == [("client:icbc-mobile", "BILL_WITHDRAWN"), ("client:icbc-mobile", "BILL_ASSESSED")]


def test_a_batch_is_one_entry_that_names_the_agency(si: Client, people: Iterator[Person], added: Added) -> None:
    sent = [billed(next(people), f"AUDIT-B{number}", "2019-01", "2019-02", "100.25") for number in range(3)]
    for _ in range(2):
        assert assess_bills(si, "AUDIT-BATCH", *sent)["__typename"] == "BillsAssessed"
    ((actor, action, _, detail),) = added()
    assert (actor, action) == ("client:social-insurance-agency", "BATCH_ASSESSED")
    assert (detail["bills"], detail["amount"]) == (3, 300.75)
    wrong = billed(CHEN, "AUDIT-WRONG", "2019-02", "2019-03", "100.00") | {"name": "某某"}
    assert assess_bills(si, "AUDIT-WRONG", wrong)["__typename"] == "BillsRejected"
    assert added() == []


def test_a_withdrawal_names_the_agency(si: Client, people: Iterator[Person], added: Added) -> None:
    agency_bill(si, "AUDIT-W", next(people), "2019-01", "2019-02", "100.00")
    added()
    withdraw(si, "AUDIT-W")
    ((actor, action, subject, detail),) = added()
    assert (actor, action, subject) == ("client:social-insurance-agency", "BILL_WITHDRAWN", "bill:PENSION/AUDIT-W")
    assert detail["withdrawn_at"]
    assert withdraw(si, "AUDIT-W")["__typename"] == "BillNotPayable"
    assert added() == []


def test_institutions_and_clients_name_the_operator_and_show_no_secret(office: Office, added: Added) -> None:
    def command(*arguments: str) -> str:
        done = gateway(*arguments, **office.settings)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    command("institutions", "add", "AUDITED", "审计银行")
    registered = json.loads(
        command("clients", "register", "--institution", "AUDITED", "--channel", "COUNTER", "--scope", "payer:read")
    )
    client_id = registered["client_id"]
    rotated = json.loads(command("clients", "rotate", client_id))
    command("clients", "revoke", client_id)
    command("clients", "revoke", client_id)
    entries = added()
    assert [(actor, action, subject) for actor, action, subject, _ in entries] == [
        (OPERATOR, "INSTITUTION_ADDED", "institution:AUDITED"),
        (OPERATOR, "CLIENT_ADDED", f"client:{client_id}"),
        (OPERATOR, "CLIENT_ROTATED", f"client:{client_id}"),
        (OPERATOR, "CLIENT_REVOKED", f"client:{client_id}"),
    ]
    assert entries[1][3]["scopes"] == ["payer:read"]
    for secret in ("argon2", registered["client_secret"], rotated["client_secret"]):
        assert secret not in str(entries)


def test_a_policy_leaves_its_figures_and_the_same_policy_again_nothing(
    office: Office, tmp_path: Path, added: Added
) -> None:
    file = tmp_path / "policy.toml"

    def load(wage: str) -> list[Entry]:
        file.write_text(POLICY.format(wage=wage), encoding="utf-8")
        assert gateway("load", "policy", str(file), **office.settings).returncode == 0
        return added()

    entries = load("4000.00")
    assert heads(entries) == [(OPERATOR, "SCHEDULE_ADDED"), (OPERATOR, "SCHEDULE_TIER_ADDED")]
    assert entries[0][2] == "schedule:PENSION/2017/360000"
    assert entries[1][3]["monthly_amount"] == 480.0
    assert load("4000.00") == []
    changed = load("4100.00")
    assert heads(changed)[0] == (OPERATOR, "SCHEDULE_CHANGED")
    assert changed[0][3]["average_monthly_wage"] == 4100.0


def test_a_file_is_one_entry_with_its_counts_and_its_hash(office: Office, tmp_path: Path, added: Added) -> None:
    people = list(zip(newcomers(), range(1000), strict=False))[-3:]
    rows = [f"{person.resident_id},{person.name},PENSION,360000,2018-01," for person, _ in people]
    file = tmp_path / f"{people[0][0].resident_id}.csv"
    file.write_text("\n".join([HEADERS["enrolments"], *rows, ""]), encoding="utf-8")
    for _ in range(2):
        assert gateway("load", "enrolments", str(file), **office.settings).returncode == 0
    counts = {"rows_read": 3, "loaded": 3, "updated": 0, "unchanged": 0, "rejected": 0}
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert added() == [(OPERATOR, "FILE_LOADED", "file:enrolments", counts | {"sha256": digest})]

    bad = f"{people[0][0].resident_id},PENSION,2018-01,2018-01,100.00,2018-02-30"
    good = f"{people[0][0].resident_id},PENSION,2018-01,2018-01,100.00,2018-02-01"
    file.write_text("\n".join([HEADERS["contributions"], bad, good, ""]), encoding="utf-8")
    assert gateway("load", "contributions", str(file), **office.settings).returncode == 1
    assert added() == []
    assert gateway("load", "contributions", str(file), "--accept-valid", **office.settings).returncode == 0
    ((actor, _, subject, detail),) = added()
    assert (actor, subject, detail["loaded"], detail["rejected"]) == (OPERATOR, "file:contributions", 1, 1)


def test_keys_name_who_had_them_made_and_show_nothing_of_themselves(
    empty_database: str, master_key: str, tmp_path: Path
) -> None:
    settings = {"GATEWAY_DATABASE_URL": empty_database, "GATEWAY_MASTER_KEY": master_key}
    assert gateway("migrate", **settings).returncode == 0
    with serving(tmp_path / "server.log", sandbox=False, **settings):
        rows = fetch(empty_database, "SELECT actor, action, detail::text FROM audit_entries ORDER BY at")
    assert [(row[0], row[1]) for row in rows] == [
        *[(OPERATOR, "DATA_KEY_ADDED")] * 3,
        (f"database:{urlsplit(empty_database).username}", "SIGNING_KEY_ADDED"),
    ]
    keys = [set(json.loads(row[2])) for row in rows]
    assert keys == [{"purpose"}] * 3 + [{"algorithm", "data_key_id", "signs_from"}]


def test_payments_at_once_keep_the_chain_whole(
    server: Server, office: Office, people: Iterator[Person], added: Added
) -> None:
    client = server.client("tax-window")
    prices = [quote(client, next(people), "2020-01", "2020-02") for _ in range(PAYERS)]

    def submit_one(number: int) -> str:
        with httpx.Client(base_url=server.base_url, timeout=60, trust_env=False) as http:
            own = Client(server.base_url, client.client_id, client.token, http)
            return str(submit(own, prices[number], f"AT-ONCE-{number}")["__typename"])

    with ThreadPoolExecutor(PAYERS) as pool:
        assert set(pool.map(submit_one, range(PAYERS))) == {"PaymentAccepted"}
    entries = added()
    assert {detail["bank_reference"] for *_, detail in entries} == {f"AT-ONCE-{n}" for n in range(PAYERS)}
    assert heads(entries) == [("client:tax-window", "PAYMENT_ACCEPTED")] * PAYERS
    verified = gateway("audit", "verify", **office.settings)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_the_latest_entries_are_listed_one_a_line(office: Office, abc: Client, people: Iterator[Person]) -> None:
    pay(abc, quote(abc, next(people), "2020-01", "2020-03"), "LISTED")
    listed = gateway("audit", "list", "--last", "3", **office.settings)
    assert listed.returncode == 0
    lines = listed.stdout.splitlines()
    assert len(lines) == 3
    assert "client:abc-counter PAYMENT_ACCEPTED payment:" in lines[-1]
    assert '"LISTED"' in lines[-1]
    assert gateway("audit", "list", "--last", "0", **office.settings).returncode == 2


def test_nothing_of_a_person_and_no_free_text_is_in_the_trail(
    abc: Client, si: Client, office: Office, sandbox_database: str, people: Iterator[Person]
) -> None:
    person = next(people)
    price = quote(abc, person, "2020-01", "2020-03")
    assert submit(abc, price, "QUIET", branch="红谷滩支行", teller="柜员张")["__typename"] == "PaymentAccepted"
    reverse(abc, "QUIET")
    pay(abc, assess(abc, LIU, "2019-07", "2019-08"), "QUIET-ARREARS")
    agency_bill(si, "QUIET-BILL", person, "2019-01", "2019-02", "100.00")
    withdraw(si, "QUIET-BILL")
    (row,) = fetch(sandbox_database, "SELECT string_agg(e::text, chr(10)) FROM audit_entries AS e")
    for known in (*SANDBOX, *(someone for someone, _ in zip(newcomers(), range(60), strict=False))):
        assert known.resident_id not in row[0]
        assert known.name not in row[0]
    for text in ("付错了", "误核定", "红谷滩支行", "柜员张"):
        assert text not in row[0]


def test_verify_names_the_entry_of_which_one_byte_was_changed(
    office: Office, abc: Client, sandbox_database: str, people: Iterator[Person]
) -> None:
    pay(abc, quote(abc, next(people), "2020-01", "2020-03"), "TAMPERED")
    fetch(sandbox_database, "GRANT UPDATE ON audit_entries TO CURRENT_USER")
    forge = """
        UPDATE audit_entries SET detail = replace(detail::text, 'TAMPERED', 'TAMPERER')::jsonb
        WHERE detail::text LIKE '%"TAMPERED"%' RETURNING lane, position
    """
    ((lane, position),) = fetch(sandbox_database, forge)
    found = gateway("audit", "verify", **office.settings)
    assert found.returncode == 1
    assert found.stdout.splitlines() == [f"lane {lane}, position {position}: changed"]
    assert "not whole: 1 fault," in found.stderr
