"""The published schedules: rates, wages, tiers."""

import re
from typing import Any

from contributions.records import Schedule, Tier
from resolvers.call import Call
from resolvers.reading import Reading, Row, Statement, composed_once
from resolvers.records import PoolingArea, ScheduleInArea

#: GB/T 2260.
_AREA_CODE = re.compile(r"[0-9]{6}")

TIER_COLUMNS = "t.code, t.percent, t.monthly_base, t.monthly_amount, t.note"


def schedule_id_of(insurance: str, year: str, pooling_area: str, *, and_rate: bool = False) -> str:
    """Return the SQL that finds a schedule: the pooling area's own, else its province's.

    The arguments are SQL expressions. NULL when neither has published one; no row with `and_rate`, for FROM.
    """
    return f"""(
        SELECT s.id{", s.rate" if and_rate else ""}
        FROM schedules AS s
        INNER JOIN pooling_areas AS a ON s.pooling_area IN (a.code, a.province_code)
        WHERE s.insurance = {insurance} AND s.year = {year} AND a.code = {pooling_area}
        ORDER BY s.pooling_area = a.code DESC
        LIMIT 1
    )"""


def tiers_of(schedule_id: str) -> str:
    """Return the SQL of a schedule's tiers as an array in their published order."""
    return f"""ARRAY(
        SELECT ROW({TIER_COLUMNS})
        FROM schedule_tiers AS t
        WHERE t.schedule_id = {schedule_id}
        ORDER BY t.position
    )"""


def read_tiers(rows: Any) -> tuple[Tier, ...]:
    """Make tiers of rows of TIER_COLUMNS."""
    return tuple(Tier(*row) for row in rows)


def schedule_row(schedule_id: str) -> str:
    """Return the SQL of a whole schedule as one ROW; NULL when there is none."""
    return f"""(
        SELECT
            ROW(
                h.insurance, h.year, h.pooling_area, h.rate, h.average_monthly_wage, h.arrears_tier,
                {tiers_of("h.id")}
            )
        FROM schedules AS h
        WHERE h.id = {schedule_id}
    )"""


def read_schedule(row: Row | None) -> Schedule | None:
    """Make a schedule of the value of `schedule_row`."""
    if row is None:
        return None
    insurance, year, pooling_area, rate, average_monthly_wage, arrears_tier, tiers = row
    return Schedule(insurance, year, pooling_area, rate, average_monthly_wage, arrears_tier, read_tiers(tiers))


async def schedule_in_area(call: Call, insurance: str, year: int, pooling_area: str | None) -> ScheduleInArea | None:
    """Return the schedule of a year for a pooling area, or for the province when none is named."""
    if pooling_area is not None and _AREA_CODE.fullmatch(pooling_area) is None:
        return None
    if pooling_area is None:
        return await _schedule(False).find(call, insurance, year)
    return await _schedule(True).find(call, insurance, year, pooling_area)


@composed_once
def _schedule(of_area: bool) -> Statement[ScheduleInArea]:
    reading = Reading()
    insurance, year = reading.given("text"), reading.given("integer")
    area = "(SELECT p.code FROM pooling_areas AS p WHERE p.province_code IS NULL)"
    if of_area:
        area = reading.given("text")
    sql = f"""
        SELECT {schedule_row("found.id")}, a.code, a.name
        FROM (SELECT {schedule_id_of(insurance, year, area)} AS id) AS found
        INNER JOIN schedules AS s ON found.id = s.id
        INNER JOIN pooling_areas AS a ON s.pooling_area = a.code
    """

    def read(row: Row, _call: Call) -> ScheduleInArea:
        schedule = read_schedule(row[0])
        assert schedule is not None  # the join found it
        return ScheduleInArea(schedule, PoolingArea(row[1], row[2]))

    return reading.statement(sql, read)
