"""Payable periods: what a person owes and has not paid, cut to the mode in which it is paid."""

from collections.abc import Sequence

from contributions import months
from contributions.records import Period
from contributions.schedule import pay_by
from resolvers.asking import Ask, asks
from resolvers.call import Call
from resolvers.reading import Column, Read, Reading, Row
from resolvers.schedules import TIER_COLUMNS, read_tiers, schedule_id_of

CURRENT_YEAR = "CURRENT_YEAR"
ARREARS = "ARREARS"

#: Medical is paid only by assessed bill: it has no payable periods.
INSURANCES_WITH_PERIODS = frozenset({"PENSION"})


def periods_of(
    reading: Reading, payer_id: str, insurance: str | None, mode: str | None, *, with_tiers: bool
) -> tuple[str, Read[tuple[Period, ...]]]:
    """Return the SQL of a payer's periods as an array in the order of their months, and its reader.

    `payer_id` is an SQL expression. CURRENT_YEAR is January to December of the business date's year, at a
    tier of the payer's choice; ARREARS the years before, which the agency assesses: their tiers are empty.
    """
    january = reading.of_call(lambda call: months.first_of_year(call.business_date.year), "integer")
    windows = []
    if mode in (None, ARREARS):
        windows.append(f"('{ARREARS}', int4range(NULL, {january}))")
    if mode in (None, CURRENT_YEAR):
        next_january = reading.of_call(lambda call: months.last_of_year(call.business_date.year) + 1, "integer")
        windows.append(f"('{CURRENT_YEAR}', int4range({january}, {next_january}))")
    wanted = [i for i in sorted(INSURANCES_WITH_PERIODS) if insurance in (None, i)]
    tiers = "NULL"
    if with_tiers:
        schedule_id = schedule_id_of("u.insurance", reading.of_call(business_year, "integer"), "u.pooling_area")
        tiers = f"""(
            SELECT ARRAY(
                SELECT ROW({TIER_COLUMNS}) FROM schedule_tiers AS t
                WHERE t.schedule_id = {schedule_id} ORDER BY t.position
            )
            WHERE w.mode = '{CURRENT_YEAR}'
        )"""
    sql = f"""ARRAY(
        SELECT ROW(u.insurance, w.mode, lower(run), upper(run) - 1, u.pooling_area, {tiers})
        FROM unpaid_months AS u
        CROSS JOIN (VALUES {", ".join(windows)}) AS w (mode, months)
        CROSS JOIN unnest(u.months * int4multirange(w.months)) AS run
        WHERE u.payer_id = {payer_id} AND u.insurance = ANY({reading.fixed(wanted, "text[]")})
        ORDER BY lower(run)
    )"""

    def read(rows: Sequence[Row], call: Call) -> tuple[Period, ...]:
        year = business_year(call)
        return tuple([_period(row, year) for row in rows])

    return sql, read


def business_year(call: Call) -> int:
    """Return the year of the business date, whose months are paid in the current year's mode."""
    return call.business_date.year


def _period(row: Row, business_year: int) -> Period:
    insurance, mode, first_month, last_month, pooling_area, tiers = row
    return Period(
        insurance=insurance,
        mode=mode,
        first_month=first_month,
        last_month=last_month,
        pooling_area=pooling_area,
        pay_by=pay_by(mode, business_year),
        tiers=read_tiers(tiers or ()),
    )


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
