"""A whole run: people are enrolled, banks collect, things are killed, and in the end the books are compared."""

import asyncio
import csv
import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from database.embedded import EmbeddedPostgres
from gateway.demo.client import BankClient
from tests.acceptance.gateway import gateway
from tests.acceptance.people import HEADERS, Person, newcomers
from tests.chaos.bank import HOT_PEOPLE, RESOLVE_SECONDS, Bank
from tests.chaos.ledger import Ledger, Verdict, compare, read_ledger, totals
from tests.chaos.line import Line
from tests.chaos.records import Records, State
from tests.chaos.victim import Victim

DAY = "2020-11-16"
COUNTERS = ("ABC", "ABC", "ICBC", "ICBC", "TAX")
SCOPES = (
    "payer:read period:read bill:read quote:write assessment:write payment:read payment:write payment:reverse "
    "receipt:read settlement:read settlement:write"
)
#: Enough for the banks never to run out of months: each person owes some thirty.
PEOPLE_A_SECOND = 4
#: How often each is killed, in proportion. A server that starts takes seconds in which nothing else is tried.
KILLS = {"connection": 9, "worker": 5, "postmaster": 4, "parent": 2, "server": 2}
#: A kill in four falls into the restart after the one before.
AT_ONCE = 0.25
#: Between two others, at the most, once payments are acknowledged again.
PAUSE_SECONDS = 1.0
#: For the first payment after a kill.
PROGRESS_TIMEOUT_SECONDS = 60.0

#: What a run does to its database before it begins: a fault that is to be found.
Plant = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run found."""

    seed: int
    records: Records
    verdict: Verdict
    ledger: Ledger

    @property
    def clean(self) -> bool:
        """Whether every answer was right and the books agree."""
        return self.verdict.clean and not self.records.wrong

    def table(self) -> str:
        """Return the counts, a line each, and the first of whatever was wrong."""
        found = {
            "acknowledged payments lost": self.verdict.lost,
            "payments nobody asked for": self.verdict.unasked,
            "taken twice": self.verdict.twice,
            "records that do not fit together": self.verdict.broken,
            "unresolved": self.verdict.unresolved,
            "wrong answers": self.records.wrong,
        }
        kills = sum(times for name, times in self.records.counts.items() if name.startswith("kills: "))
        counts = {"seed": self.seed, "kills": kills, **dict(sorted(self.records.counts.items()))}
        counts["payments in the ledger"] = len(self.ledger.rows)
        lines = [f"{name:<36} {count:>10}" for name, count in counts.items()]
        lines += [f"{name:<36} {len(faults):>10}" for name, faults in found.items()]
        lines += [f"  {name}: {fault}" for name, faults in found.items() for fault in faults[:20]]
        return "\n".join(lines)


def campaign(
    directory: Path, seconds: float, seed: int, *, kills: Mapping[str, int] = KILLS, plant: Plant | None = None
) -> Outcome:
    """Run for about so many seconds. Fails when the server ends by itself, or does not come back."""
    rng = random.Random(seed)
    records = Records()
    victim = Victim(directory)
    people = list(islice(newcomers(), HOT_PEOPLE + int(seconds * PEOPLE_A_SECOND)))
    try:
        victim.start()
        _enrol(victim, directory, people)
        if plant is not None:
            with EmbeddedPostgres(victim.data_dir) as url:
                plant(url)
        secrets = {code: _register(victim, code) for code in sorted(set(COUNTERS))}
        began = time.monotonic()

        def at_the_counter() -> list[Person]:
            progress = min(1.0, (time.monotonic() - began) / seconds)
            return people[(at := int(progress * (len(people) - HOT_PEOPLE))) : at + HOT_PEOPLE]

        closing = threading.Event()
        banks = []
        for number, code in enumerate(COUNTERS):
            own = random.Random(rng.random())
            line = Line(victim.base_url, secrets[code], own, records)
            banks.append(Bank(f"{code}{number}", code, line, own, records, at_the_counter, closing))
        for bank in banks:
            bank.start()
        try:
            _kill_until(began + seconds, kills, victim, banks, rng, records)
        finally:
            closing.set()
        for bank in banks:
            bank.join(2 * RESOLVE_SECONDS)
            assert not bank.is_alive(), f"{bank.name} did not end"
            assert bank.failed is None, f"{bank.name} failed: {bank.failed!r}"
        settled = {code: _settle(victim, secrets[code], code, records) for code in secrets}
        assert victim.stop() == 0, "the server did not end in order"
        with EmbeddedPostgres(victim.data_dir) as url:
            ledger = asyncio.run(read_ledger(url))
    finally:
        victim.leave_nothing()
    verdict = compare(records.asked, ledger)
    for code, told in settled.items():
        counted = totals([row for row in ledger.rows if row.institution == code])
        if told != counted:
            verdict.broken.append(f"settlement day of {code}: {told} in place of {counted}")
    return Outcome(seed, records, verdict, ledger)


def _kill_until(
    end: float, kills: Mapping[str, int], victim: Victim, banks: list[Bank], rng: random.Random, records: Records
) -> None:
    while time.monotonic() < end:
        kind = rng.choices(list(kills), list(kills.values()))[0]
        if kind == "connection":
            # A bank itself cuts its next mutation, and counts it.
            for bank in rng.sample(banks, 3):
                bank.line.cut_next.set()
        elif _kill(kind, victim, rng):
            records.count(f"kills: {kind}")
        if rng.random() >= AT_ONCE:
            _wait_for_progress(victim, records)
            time.sleep(rng.uniform(0, PAUSE_SECONDS))
    victim.wait_until_ready()


def _kill(kind: str, victim: Victim, rng: random.Random) -> bool:
    match kind:
        case "worker":
            return victim.kill_worker(rng)
        case "postmaster":
            return victim.kill_postmaster()
        case "parent":
            victim.kill_parent()
        case _:
            victim.kill_group()
    victim.start()
    return True


def _wait_for_progress(victim: Victim, records: Records) -> None:
    before = records.counts["payments acknowledged"]
    give_up_at = time.monotonic() + PROGRESS_TIMEOUT_SECONDS
    while records.counts["payments acknowledged"] == before:
        victim.check_alive()
        assert time.monotonic() < give_up_at, "no payment is acknowledged any more"
        time.sleep(0.02)


def _enrol(victim: Victim, directory: Path, people: list[Person]) -> None:
    file = directory / "enrolments.csv"
    with file.open("w", encoding="utf-8", newline="") as output:
        output.write(HEADERS["enrolments"] + "\n")
        rows = ((p.resident_id, p.name, "PENSION", "360000", "2018-01", "") for p in people)
        csv.writer(output, lineterminator="\n").writerows(rows)
    done = gateway("load", "enrolments", str(file), **victim.settings)
    assert done.returncode == 0, done.stdout + done.stderr


def _register(victim: Victim, code: str) -> tuple[str, str]:
    command = ["clients", "register", "--institution", code, "--channel", "COUNTER", "--scope", SCOPES]
    done = gateway(*command, **victim.settings)
    assert done.returncode == 0, done.stdout + done.stderr
    known = json.loads(done.stdout)
    return known["client_id"], known["client_secret"]


def _settle(victim: Victim, client: tuple[str, str], code: str, records: Records) -> dict[str, tuple[int, Decimal]]:
    """Send the bank's own list of the day, which must agree, and return the gateway's totals."""
    held = [asked for asked in records.asked if asked.institution == code and asked.receipt is not None]
    entries = [{"bankReference": a.reference, "amount": a.amount, "reversed": a.state is State.REVERSED} for a in held]
    bank = BankClient(victim.base_url, *client)
    try:
        day: dict[str, Any] = bank.call("reconcile_day", input={"date": DAY, "entries": entries})
    finally:
        bank.close()
    if day["status"] != "RECONCILED":
        records.complain("the day differs:", code, day["differences"]["edges"][:5])
    return {name: (day[name]["count"], Decimal(day[name]["amount"])) for name in ("accepted", "reversed", "net")}
