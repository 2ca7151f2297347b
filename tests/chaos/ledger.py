"""The ledger, read straight from PostgreSQL when all is quiet, and compared with what the banks were told."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import asyncpg

from tests.chaos.records import Asked, State


@dataclass(frozen=True, slots=True)
class Row:
    """One payment of the ledger, with its receipt and its months."""

    institution: str
    reference: str
    payer: int
    insurance: str
    first: int
    last: int
    amount: Decimal
    reversed: bool
    receipt: str | None
    contribution_first: int | None
    contribution_last: int | None
    contribution_amount: Decimal | None
    standing: bool | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """Everything in the ledger that a run may have put there."""

    rows: list[Row]
    #: A month that stands as paid, for each time that it does: payer, insurance, month.
    standing_months: Counter[tuple[int, str, int]]
    receipts: int


async def read_ledger(url: str) -> Ledger:
    """Read it in one snapshot."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            rows = await connection.fetch(
                """
                SELECT
                    i.code, p.bank_reference, p.payer_id, p.insurance, lower(p.months), upper(p.months) - 1,
                    p.amount, p.reversed_at IS NOT NULL, r.number,
                    lower(c.months), upper(c.months) - 1, c.amount, c.standing
                FROM payments AS p
                INNER JOIN institutions AS i ON p.institution_id = i.id
                LEFT JOIN receipts AS r ON p.id = r.payment_id
                LEFT JOIN contributions AS c ON p.id = c.payment_id
                """
            )
            months = await connection.fetch(
                """
                SELECT c.payer_id, c.insurance, m FROM contributions AS c
                CROSS JOIN LATERAL generate_series(lower(c.months), upper(c.months) - 1) AS m
                WHERE c.standing
                """
            )
            receipts = await connection.fetchval("SELECT count(*) FROM receipts")
    finally:
        await connection.close()
    standing = Counter((row[0], row[1], row[2]) for row in months)
    return Ledger([Row(*row) for row in rows], standing, receipts)


@dataclass
class Verdict:
    """What a comparison found, each in words; all empty when nothing was lost or taken twice."""

    lost: list[str]
    unasked: list[str]
    twice: list[str]
    broken: list[str]
    unresolved: list[str]

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not (self.lost or self.unasked or self.twice or self.broken or self.unresolved)


def compare(asked: Iterable[Asked], ledger: Ledger) -> Verdict:
    """Compare every payment that a bank asked for with the ledger, both ways, and the ledger with itself."""
    verdict = Verdict([], [], [], [], [])
    known = {(a.institution, a.reference): a for a in asked}
    there: dict[tuple[str, str], Row] = {}
    for row in ledger.rows:
        key = (row.institution, row.reference)
        if key in there:
            verdict.twice.append(f"reference {row.reference}")
        there[key] = row
        bank = known.get(key)
        if bank is None:
            verdict.unasked.append(f"{row.reference}: nobody asked for it")
        elif bank.state is State.REFUSED:
            verdict.unasked.append(f"{row.reference}: the bank was told that it was refused")
        elif row.reversed and bank.state not in (State.REVERSING, State.REVERSED):
            verdict.unasked.append(f"{row.reference}: nobody asked for its reversal")
    for key, bank in known.items():
        if bank.state in (State.DOUBT, State.REVERSING):
            verdict.unresolved.append(f"{bank.reference}: {bank.state.value}")
        if bank.receipt is not None:
            verdict.lost.extend(_missing(bank, there.get(key)))
    verdict.twice.extend(
        f"month {month} of {insurance} by payer {payer}, {times} times"
        for (payer, insurance, month), times in ledger.standing_months.items()
        if times > 1
    )
    verdict.broken.extend(_broken(ledger))
    return verdict


def _missing(bank: Asked, row: Row | None) -> list[str]:
    if row is None:
        return [f"{bank.reference}: acknowledged with receipt {bank.receipt}, and not there"]
    differences = []
    if row.receipt != bank.receipt:
        differences.append(f"{bank.reference}: receipt {row.receipt} in place of {bank.receipt}")
    months = (_month(row.first), _month(row.last), row.amount)
    if months != (bank.first_month, bank.last_month, Decimal(bank.amount)):
        differences.append(f"{bank.reference}: {months} in place of what was asked for")
    if bank.state is State.REVERSED and not row.reversed:
        differences.append(f"{bank.reference}: its acknowledged reversal is not there")
    return differences


def _broken(ledger: Ledger) -> Iterable[str]:
    """Yield what does not fit together within the ledger: payment, receipt and months are one."""
    for row in ledger.rows:
        if row.receipt is None:
            yield f"{row.reference}: no receipt"
        months = (row.contribution_first, row.contribution_last, row.contribution_amount)
        if months != (row.first, row.last, row.amount):
            yield f"{row.reference}: its months are not what it paid for"
        if row.standing is row.reversed:
            yield f"{row.reference}: its months stand though it was reversed, or do not though it stands"
    numbers = Counter(row.receipt for row in ledger.rows)
    yield from (f"receipt {number} of {times} payments" for number, times in numbers.items() if times > 1)
    if ledger.receipts != len(ledger.rows):
        yield f"{ledger.receipts} receipts of {len(ledger.rows)} payments"


def totals(rows: Iterable[Row]) -> dict[str, tuple[int, Decimal]]:
    """Return count and amount of what was accepted, reversed, and remains."""
    accepted = [row.amount for row in rows]
    undone = [row.amount for row in rows if row.reversed]
    sums = {"accepted": (len(accepted), sum(accepted, Decimal())), "reversed": (len(undone), sum(undone, Decimal()))}
    sums["net"] = (len(accepted) - len(undone), sums["accepted"][1] - sums["reversed"][1])
    return sums


def _month(number: int) -> str:
    return f"{number // 12}-{number % 12 + 1:02}"
