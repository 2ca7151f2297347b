"""Quotes: 本年自主缴费, a price for a run of months inside one payable period of the current year."""

from dataclasses import replace

from contributions.problems import BadInput, PayerNotFound, PeriodNotPayable
from contributions.records import Line, Period, Schedule, Tier
from contributions.schedule import period_containing, quote_lines
from resolvers import periods
from resolvers.asking import Asked
from resolvers.call import Call
from resolvers.payables import standing_payment
from resolvers.reading import (
    Column,
    Reading,
    Row,
    Shape,
    Statement,
    client_id,
    composed,
    composed_once,
    institution_id,
    shape_of,
    with_answers,
)
from resolvers.records import Answers, Quote
from resolvers.schedules import read_schedule, schedule_id_of, schedule_row

#: What stood against a price may be gone when it is looked for. Twice is no coincidence.
MAX_TRIES = 2


@shape_of("Quote")
def quote_shape(reading: Reading, at: str, asked: Asked, *, new: bool = False) -> Shape[Quote]:
    """Read a quote from the row of `quotes` at this alias; no payment has settled a `new` one yet."""
    is_paid = f"""EXISTS (
        SELECT 1 FROM payments AS w
        WHERE w.quote_id = {at}.id AND w.reversed_at IS NULL AND w.refunded_at IS NULL
    )"""
    columns = (
        f"{at}.id",
        f"{at}.insurance",
        f"lower({at}.months)",
        f"upper({at}.months) - 1",
        f"{at}.amount",
        f"{at}.rate",
        f"{at}.tier_code",
        f"{at}.tier_percent",
        f"{at}.tier_monthly_base",
        f"{at}.tier_monthly_amount",
        f"{at}.tier_note",
        f"{at}.expires_at",
        f"{at}.expires_at <= now()",
        "FALSE" if new else is_paid,
    )

    def make(row: Row, answers: Answers, call: Call) -> Quote:
        tier = Tier(*row[6:11])
        first_month, last_month = row[2], row[3]
        return Quote(
            call.opaque_id,
            row[0],
            insurance=row[1],
            first_month=first_month,
            last_month=last_month,
            amount=row[4],
            tier=tier,
            # One year, one schedule, one tier: the months of a quote cost the same.
            lines=tuple(
                Line(month, tier.monthly_base, row[5], tier.monthly_amount)
                for month in range(first_month, last_month + 1)
            ),
            status="PAID" if row[13] else "EXPIRED" if row[12] else "OPEN",
            expires_at=row[11],
            answers=answers,
        )

    return with_answers(columns, _answers(reading, at, asked), make)


def _answers(reading: Reading, at: str, asked: Asked) -> list[Column]:
    return [standing_payment(reading, "quote_id", at, ask) for ask in asked if ask.name == "payment"]


async def request_quote(
    call: Call, payer_id: str, insurance: str, first_month: int, last_month: int, tier_code: str, asked: Asked
) -> Quote:
    """Price a run of months at one tier, from the schedule of the months' own year.

    Raises PayerNotFound, PeriodNotPayable or TierNotOffered; BadInput for a run that ends before it begins.
    """
    if last_month < first_month:
        raise BadInput("input.lastMonth", "must not be before firstMonth")
    row_id = call.row_id("Payer", payer_id)
    if row_id is None:
        raise PayerNotFound
    if insurance != periods.INSURANCE:
        raise PeriodNotPayable(())
    statement = _priced(asked)
    # PostgreSQL has no text with NUL in it, and so no such tier.
    tier = None if "\0" in tier_code else tier_code
    for _ in range(MAX_TRIES):
        quote = await statement.find(call, row_id, first_month, last_month + 1, tier)
        if quote is not None:
            return quote
        payable = await _refuse(call, row_id, first_month, last_month, tier_code)
    raise PeriodNotPayable(payable)


@composed
def _priced(asked: Asked) -> Statement[Quote]:
    """Keep the price of a run inside one payable period, and read it; no row where something stands against it."""
    reading = Reading()
    payer_id = reading.given("bigint")
    run = f"int4range({reading.given('integer')}, {reading.given('integer')})"
    year = reading.of_call(periods.business_year, "integer")
    quote = quote_shape(reading, "q", asked, new=True)
    sql = f"""
        INSERT INTO quotes AS q (
            institution_id, client_id, payer_id, insurance, pooling_area, months, rate, tier_code,
            tier_percent, tier_monthly_base, tier_monthly_amount, tier_note, amount, expires_at
        )
        SELECT
            {reading.of_call(institution_id, "integer")}, {reading.of_call(client_id, "text")}, u.payer_id,
            u.insurance, u.pooling_area, {run}, s.rate, t.code, t.percent, t.monthly_base, t.monthly_amount, t.note,
            t.monthly_amount * month_count({run}), now() + {reading.of_call(lambda call: call.quote_ttl, "interval")}
        FROM unpaid_months AS u
        CROSS JOIN LATERAL {schedule_id_of("u.insurance", year, "u.pooling_area", and_rate=True)} AS s
        INNER JOIN schedule_tiers AS t ON s.id = t.schedule_id AND t.code = {reading.given("text")}
        WHERE
            u.payer_id = {payer_id} AND u.insurance = '{periods.INSURANCE}'
            AND u.months @> {run} AND {periods.months_of_year(reading)} @> {run}
        RETURNING {", ".join(quote.columns)}
    """
    return reading.statement(sql, quote.read)


async def _refuse(
    call: Call, payer_row_id: int, first_month: int, last_month: int, tier_code: str
) -> tuple[Period, ...]:
    """Raise what stands against a price.

    Nothing does when the months have been freed or the schedule loaded meanwhile: return what is payable then.
    """
    payable, schedules = await _current_year().get(call, payer_row_id)
    period = period_containing(payable, first_month, last_month)
    if period is None:
        raise PeriodNotPayable(payable)
    schedule = schedules.get(period.pooling_area)
    if schedule is None:
        raise PeriodNotPayable(payable, code="SCHEDULE_MISSING")
    quote_lines(schedule, first_month, last_month, tier_code)
    return payable


@composed_once
def _current_year() -> Statement[tuple[tuple[Period, ...], dict[str, Schedule]]]:
    """Read the payable periods of the current year, and the schedule of each pooling area in them."""
    reading = Reading()
    payer_id = reading.given("bigint")
    # The tiers of a period are those of its area's schedule, which is read whole.
    periods_sql, read_periods = periods.periods_of(
        reading, payer_id, periods.INSURANCE, periods.CURRENT_YEAR, with_tiers=False
    )
    insured = f"'{periods.INSURANCE}'"
    schedule_id = schedule_id_of(insured, reading.of_call(periods.business_year, "integer"), "e.pooling_area")
    sql = f"""
        SELECT
            {periods_sql},
            ARRAY(
                SELECT ROW(e.pooling_area, {schedule_row(schedule_id)})
                FROM (
                    SELECT DISTINCT x.pooling_area FROM enrolments AS x
                    WHERE x.payer_id = {payer_id} AND x.insurance = {insured}
                ) AS e
            )
    """

    def read(row: Row, call: Call) -> tuple[tuple[Period, ...], dict[str, Schedule]]:
        found = {area: read_schedule(schedule) for area, schedule in row[1]}
        schedules = {area: schedule for area, schedule in found.items() if schedule is not None}
        payable = [
            replace(period, tiers=schedules[period.pooling_area].tiers) if period.pooling_area in schedules else period
            for period in read_periods(row[0], call)
        ]
        return tuple(payable), schedules

    return reading.statement(sql, read)
