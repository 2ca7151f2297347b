"""Payable periods: what a person owes and has not paid, cut to the mode in which it is paid."""

from collections.abc import Iterator, Sequence
from operator import attrgetter

from contributions import months
from contributions.records import Period
from contributions.schedule import by_mode, pay_by
from resolvers.asking import Ask, asks
from resolvers.call import Call
from resolvers.reading import Column, Read, Reading, Row
from resolvers.schedules import read_tiers, schedule_id_of, tiers_of

CURRENT_YEAR = "CURRENT_YEAR"
ARREARS = "ARREARS"

#: Medical is paid only by assessed bill: it has no payable periods.
INSURANCE = "PENSION"

_by_first_month = attrgetter("first_month")


def periods_of(
    reading: Reading, payer_id: str, insurance: str | None, mode: str | None, *, with_tiers: bool
) -> tuple[str, Read[tuple[Period, ...]]]:
    """Return the SQL of a payer's payable months as an array, and the reader that makes periods of it, in their order.

    `payer_id` is an SQL expression. CURRENT_YEAR is January to December of the business date's year, at a
    tier of the payer's choice; ARREARS the years before, which the agency assesses: their tiers are empty.
    """
    first = _january(reading) if mode == CURRENT_YEAR else "NULL"
    end = _january(reading) if mode == ARREARS else _next_january(reading)
    tiers = "NULL"
    if with_tiers and mode != ARREARS:
        schedule_id = schedule_id_of("u.insurance", reading.of_call(business_year, "integer"), "u.pooling_area")
        tiers = f"CASE WHEN u.months && {months_of_year(reading)} THEN {tiers_of(schedule_id)} END"
    payable = f"u.insurance = '{INSURANCE}'" if insurance in (None, INSURANCE) else "FALSE"
    # The months of an area are one value: PostgreSQL takes longer to cut it to the modes than is needed here.
    sql = f"""ARRAY(
        SELECT ROW(u.pooling_area, u.months * int4multirange(int4range({first}, {end})), {tiers})
        FROM unpaid_months AS u
        WHERE u.payer_id = {payer_id} AND {payable}
    )"""

    def read(rows: Sequence[Row], call: Call) -> tuple[Period, ...]:
        year = business_year(call)
        periods = [period for row in rows for period in _periods(row, year)]
        # The months of one area are in their order.
        return tuple(periods if len(rows) < 2 else sorted(periods, key=_by_first_month))

    return sql, read


def _january(reading: Reading) -> str:
    return reading.of_call(_first_month, "integer")


def _first_month(call: Call) -> int:
    return months.first_of_year(call.business_date.year)


def _next_january(reading: Reading) -> str:
    return reading.of_call(_month_after, "integer")


def _month_after(call: Call) -> int:
    return months.last_of_year(call.business_date.year) + 1


def months_of_year(reading: Reading) -> str:
    """Return the SQL of the months of the business date's year, as one range."""
    return f"int4range({_january(reading)}, {_next_january(reading)})"


def business_year(call: Call) -> int:
    """Return the year of the business date, whose months are paid in the current year's mode."""
    return call.business_date.year


def _periods(row: Row, business_year: int) -> Iterator[Period]:
    pooling_area, payable, tiers = row
    for run in payable:
        for mode, first_month, last_month in by_mode(run.lower, run.upper - 1, business_year):
            offered = read_tiers(tiers) if tiers and mode == CURRENT_YEAR else ()
            due = pay_by(mode, business_year)
            yield Period(INSURANCE, mode, first_month, last_month, pooling_area, due, offered)


def answer(reading: Reading, payer_id: str, ask: Ask) -> Column:
    """Return the attribute `payable_periods` of a payer."""
    return Column(
        ask.key,
        *periods_of(
            reading,
            payer_id,
            ask.arguments["insurance"],
            ask.arguments["mode"],
            with_tiers=asks(ask.asked_of("PayablePeriod"), "tiers"),
        ),
    )
