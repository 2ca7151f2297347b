"""往年核定: arrears are assessed on request, each month at its own year's arrears tier."""

from contributions import months
from contributions.problems import BadInput, PayerNotFound, PeriodNotPayable
from contributions.records import Period, Schedule
from contributions.schedule import ScheduleMissing, arrears_lines, period_containing
from resolvers import periods
from resolvers.asking import Asked
from resolvers.bills import bill_by_row
from resolvers.call import Call
from resolvers.reading import Reading, Row, Statement, composed_once
from resolvers.records import AssessedBill
from resolvers.retrying import retried
from resolvers.schedules import read_schedule, schedule_id_of, schedule_row

#: A working life: nobody pays arrears of more years, and a forged range prices no more of them.
MAX_ARREARS_YEARS = 60


async def request_assessment(
    call: Call, payer_id: str, insurance: str, first_month: int, last_month: int, asked: Asked
) -> AssessedBill:
    """Assess a run of months inside one payable period of arrears.

    The same run again is the same payable bill; a different run that overlaps withdraws the unpaid one.
    Raises PayerNotFound or PeriodNotPayable, BadInput for a run that ends before it begins.
    """
    if last_month < first_month:
        raise BadInput("input.lastMonth", "must not be before firstMonth")
    row_id = call.row_id("Payer", payer_id)
    if row_id is None:
        raise PayerNotFound
    payable, schedules = await _arrears(call, row_id, insurance, first_month, last_month)
    period = period_containing(payable, first_month, last_month)
    if period is None:
        raise PeriodNotPayable(payable)
    by_year = {year: schedule for (area, year), schedule in schedules.items() if area == period.pooling_area}
    try:
        lines = arrears_lines(first_month, last_month, by_year)
    except ScheduleMissing as missing:
        raise PeriodNotPayable(payable, code="SCHEDULE_MISSING") from missing
    bill_id = await retried(
        lambda: call.pool.fetchval(
            "SELECT assess_arrears($1, $2, $3, $4, int4range($5, $6), $7::assessed_line[], $8)",
            call.caller.client_id,
            row_id,
            insurance,
            period.pooling_area,
            first_month,
            last_month + 1,
            [(line.month, line.monthly_base, line.rate, line.amount) for line in lines],
            call.business_date,
        )
    )
    if bill_id is None:
        # Paid between our look and the assessment: answer with what is payable now.
        payable, _ = await _arrears(call, row_id, insurance, first_month, last_month)
        raise PeriodNotPayable(payable)
    return await bill_by_row(call, bill_id, asked)


async def _arrears(
    call: Call, payer_row_id: int, insurance: str, first_month: int, last_month: int
) -> tuple[tuple[Period, ...], dict[tuple[str, int], Schedule]]:
    """Return the payable arrears, and the schedules of the years asked for, by pooling area and year."""
    # Arrears end before the business year: what lies outside is no payable period, and prices nothing.
    first_year = max(months.year_of(first_month), call.business_date.year - MAX_ARREARS_YEARS)
    last_year = min(months.year_of(last_month), call.business_date.year)
    return await _payable_arrears(insurance).get(call, payer_row_id, first_year, last_year)


@composed_once
def _payable_arrears(insurance: str) -> Statement[tuple[tuple[Period, ...], dict[tuple[str, int], Schedule]]]:
    reading = Reading()
    payer_id = reading.given("bigint")
    periods_sql, read_periods = periods.periods_of(reading, payer_id, insurance, periods.ARREARS, with_tiers=False)
    insured = reading.fixed(insurance, "text")
    schedule_id = schedule_id_of(insured, "y.year", "e.pooling_area")
    sql = f"""
        SELECT
            {periods_sql},
            ARRAY(
                SELECT ROW(e.pooling_area, y.year, {schedule_row(schedule_id)})
                FROM (
                    SELECT DISTINCT x.pooling_area FROM enrolments AS x
                    WHERE x.payer_id = {payer_id} AND x.insurance = {insured}
                ) AS e
                CROSS JOIN generate_series({reading.given("integer")}, {reading.given("integer")}) AS y (year)
            )
    """

    def read(row: Row, call: Call) -> tuple[tuple[Period, ...], dict[tuple[str, int], Schedule]]:
        schedules = {(area, year): read_schedule(schedule) for area, year, schedule in row[1]}
        return read_periods(row[0], call), {key: found for key, found in schedules.items() if found is not None}

    return reading.statement(sql, read)
