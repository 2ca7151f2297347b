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


@shape_of("Quote")
def quote_shape(reading: Reading, at: str, asked: Asked) -> Shape[Quote]:
    """Read a quote from the row of `quotes` at this alias."""
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
        f"""EXISTS (
            SELECT 1 FROM payments AS w
            WHERE w.quote_id = {at}.id AND w.reversed_at IS NULL AND w.refunded_at IS NULL
        )""",
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
    payable, schedules = await _current_year(insurance).get(call, row_id)
    period = period_containing(payable, first_month, last_month)
    if period is None:
        raise PeriodNotPayable(payable)
    schedule = schedules.get(period.pooling_area)
    if schedule is None:
        raise PeriodNotPayable(payable, code="SCHEDULE_MISSING")
    tier, lines = quote_lines(schedule, first_month, last_month, tier_code)
    return await _keep(call, row_id, period, schedule, tier, lines, asked)


@composed_once
def _current_year(insurance: str) -> Statement[tuple[tuple[Period, ...], dict[str, Schedule]]]:
    """Read the payable periods of the current year, and the schedule of each pooling area in them."""
    reading = Reading()
    payer_id = reading.given("bigint")
    # The tiers of a period are those of its area's schedule, which is read whole.
    periods_sql, read_periods = periods.periods_of(reading, payer_id, insurance, periods.CURRENT_YEAR, with_tiers=False)
    insured = reading.fixed(insurance, "text")
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


async def _keep(
    call: Call,
    payer_row_id: int,
    period: Period,
    schedule: Schedule,
    tier: Tier,
    lines: tuple[Line, ...],
    asked: Asked,
) -> Quote:
    # The INSERT returns its row.
    return await _kept(asked).get(
        call,
        payer_row_id,
        period.insurance,
        period.pooling_area,
        lines[0].month,
        lines[-1].month + 1,
        schedule.rate,
        tier.code,
        tier.percent,
        tier.monthly_base,
        tier.monthly_amount,
        tier.note,
        sum(line.amount for line in lines),
    )


@composed
def _kept(asked: Asked) -> Statement[Quote]:
    reading = Reading()
    given = reading.given
    values = (
        reading.of_call(institution_id, "integer"),
        reading.of_call(client_id, "text"),
        given("bigint"),
        given("text"),
        given("text"),
        f"int4range({given('integer')}, {given('integer')})",
        given("numeric"),
        given("text"),
        given("integer"),
        given("numeric"),
        given("numeric"),
        given("text"),
        given("numeric"),
        f"now() + {reading.of_call(lambda call: call.quote_ttl, 'interval')}",
    )
    # The new row goes by the table's own name, so that the tree is read from it in the same statement.
    quote = quote_shape(reading, "q", asked)
    sql = f"""
        WITH quotes AS (
            INSERT INTO quotes (
                institution_id, client_id, payer_id, insurance, pooling_area, months, rate, tier_code,
                tier_percent, tier_monthly_base, tier_monthly_amount, tier_note, amount, expires_at
            )
            VALUES ({", ".join(values)})
            RETURNING *
        )
        SELECT {", ".join(quote.columns)} FROM quotes AS q
    """
    return reading.statement(sql, quote.read)
