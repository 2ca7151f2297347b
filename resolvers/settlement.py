"""Settlement: an institution's business day, and its reconciliation (日终对账) with the bank's own list."""

import base64
import binascii
import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from contributions.problems import BadInput, DayNotReconcilable
from resolvers.asking import Ask, Asked
from resolvers.call import Call
from resolvers.pages import page_column, page_size
from resolvers.reading import Column, Reading, Row, Shape, Statement, composed, institution_id, with_answers
from resolvers.records import Answers, SettlementDay, SettlementDifference, SettlementTotal

#: The bank's list of a small day as GraphQL input: what a request body of the endpoint's size can carry.
MAX_ENTRIES = 10_000

#: Makes the reconciliations of one day ($2) of an institution ($1) take turns; payments don't wait for it. The keys
#: are those of lock_settlement_day, on the side below zero, where no institution is.
LOCK_LISTS = "pg_advisory_xact_lock(-$1::integer, greatest($2::date, date '1900-01-01') - date '2000-01-01')"


@dataclass(frozen=True, slots=True)
class BankEntry:
    """One payment as the bank holds it."""

    bank_reference: str
    amount: Decimal
    reversed: bool


async def settlement_day(call: Call, date: datetime.date, asked: Asked) -> SettlementDay:
    """Return one business day of the caller's institution, OPEN until the bank has sent a list."""
    # An aggregate has one row.
    return await _day(asked).get(call, date)


@composed
def _day(asked: Asked) -> Statement[SettlementDay]:
    reading = Reading()
    institution = reading.of_call(institution_id, "integer")
    day = reading.given("date")
    answers = [_differences(reading, institution, day, ask) for ask in asked if ask.name == "differences"]
    columns = (
        "t.accepted_count",
        "t.accepted_amount",
        "t.reversed_count",
        "t.reversed_amount",
        f"""(
            SELECT s.reconciled_at FROM settlement_days AS s
            WHERE s.institution_id = {institution} AND s.business_date = {day}
        )""",
        f"""EXISTS (
            SELECT 1 FROM settlement_differences AS d
            WHERE d.institution_id = {institution} AND d.business_date = {day}
        )""",
        day,
    )

    def make(row: Row, found: Answers, _call: Call) -> SettlementDay:
        reconciled_at = row[4]
        return SettlementDay(
            date=row[6],
            status="OPEN" if reconciled_at is None else "DIFFERENT" if row[5] else "RECONCILED",
            accepted=SettlementTotal(row[0], row[1]),
            reversed=SettlementTotal(row[2], row[3]),
            reconciled_at=reconciled_at,
            answers=found,
        )

    found = with_answers(columns, answers, make)
    return reading.statement(f"SELECT {', '.join(found.columns)} FROM {totals(institution, day)} AS t", found.read)


def totals(institution_id: str, day: str) -> str:
    """Return SQL of one row: what was accepted on a day, and what of it has been reversed since."""
    return f"""(
        SELECT
            count(*) AS accepted_count,
            coalesce(sum(p.amount), 0.00) AS accepted_amount,
            count(p.reversed_at) AS reversed_count,
            coalesce(sum(p.amount) FILTER (WHERE p.reversed_at IS NOT NULL), 0.00) AS reversed_amount
        FROM payments AS p
        WHERE p.institution_id = {institution_id} AND p.business_date = {day}
    )"""


def _differences(reading: Reading, institution: str, day: str, ask: Ask) -> Column:
    size = page_size(ask.arguments.get("first"), f"{ask.name}.first")
    after = ask.arguments.get("after")
    conditions = [f"d.institution_id = {institution}", f"d.business_date = {day}"]
    if after is not None:
        bank_reference, kind = _read_cursor(after, f"{ask.name}.after")
        position = f"({reading.fixed(bank_reference, 'text')}, {reading.fixed(kind, 'text')})"
        conditions.append(f"(d.bank_reference, d.kind) > {position}")
    difference: Shape[SettlementDifference] = Shape(
        ("d.kind", "d.bank_reference", "d.gateway_amount", "d.bank_amount"),
        lambda row, _call: SettlementDifference(*row),
    )
    source = f"""
        FROM settlement_differences AS d
        WHERE {" AND ".join(conditions)}
        ORDER BY d.bank_reference, d.kind
    """
    return page_column(reading, ask, difference, source, size, _cursor)


def _cursor(difference: SettlementDifference) -> str:
    position = f"{difference.bank_reference} {difference.kind}".encode()
    return base64.urlsafe_b64encode(position).decode()


def _read_cursor(cursor: str, field: str) -> tuple[str, str]:
    try:
        position = base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii")
        bank_reference, kind = position.split(" ")
    except (binascii.Error, ValueError) as error:
        raise BadInput(field, "is no cursor of this connection") from error
    return bank_reference, kind


async def reconcile_day(call: Call, date: datetime.date, entries: Sequence[BankEntry], asked: Asked) -> SettlementDay:
    """Compare the bank's list of a day with the ledger, in place of any list before it.

    Raises DayNotReconcilable for a day that has not come, BadInput for a list that names a payment twice.
    """
    if date > call.business_date:
        raise DayNotReconcilable
    if len(entries) > MAX_ENTRIES:
        raise BadInput("input.entries", f"must be at most {MAX_ENTRIES} entries")
    first_at: dict[str, int] = {}
    for index, entry in enumerate(entries):
        if first_at.setdefault(entry.bank_reference, index) != index:
            raise BadInput(
                f"input.entries[{index}].bankReference",
                f"is that of entries[{first_at[entry.bank_reference]}] already",
            )
    await call.pool.execute(
        f"SELECT {LOCK_LISTS}, reconcile_day($1, $2, $3, $4, $5)",
        call.caller.institution_id,
        date,
        [entry.bank_reference for entry in entries],
        [entry.amount for entry in entries],
        [entry.reversed for entry in entries],
    )
    return await settlement_day(call, date, asked)
