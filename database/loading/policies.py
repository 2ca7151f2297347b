"""A policy: the schedule of one insurance, year and pooling area, taken over whole."""

from collections.abc import Mapping
from typing import Final

import asyncpg

from contributions.policy import parse_policy
from contributions.problems import BadInput
from contributions.records import Schedule
from database.loading.report import LoadReport
from database.loading.staging import LOADS_LOCK

_STORED: Final = """
    SELECT
        s.rate,
        s.average_monthly_wage,
        s.arrears_tier,
        ARRAY(
            SELECT ROW(t.code, t.percent, t.monthly_base, t.monthly_amount, t.note)
            FROM schedule_tiers AS t WHERE t.schedule_id = s.id ORDER BY t.position
        )
    FROM schedules AS s
    WHERE s.insurance = $1 AND s.year = $2 AND s.pooling_area = $3
"""

_PUT_SCHEDULE: Final = """
    INSERT INTO schedules (insurance, year, pooling_area, rate, average_monthly_wage, arrears_tier)
    SELECT $1, $2, a.code, $4, $5, $6 FROM pooling_areas AS a WHERE a.code = $3
    ON CONFLICT (insurance, year, pooling_area) DO UPDATE SET
    rate = excluded.rate,
    average_monthly_wage = excluded.average_monthly_wage,
    arrears_tier = excluded.arrears_tier,
    loaded_at = now()
    RETURNING id
"""

_PUT_TIER: Final = """
    INSERT INTO schedule_tiers (schedule_id, position, code, percent, monthly_base, monthly_amount, note)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


async def load_policy(connection: asyncpg.Connection, document: Mapping[str, object]) -> LoadReport:
    """Take over the schedule that a policy document (what tomllib made of the file) states.

    A schedule of the same insurance, year and pooling area is replaced whole. Quotes that were given keep their
    prices: they have them written down. Raises BadInput, whose field is the key in the file.
    """
    schedule = parse_policy(document)
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOADS_LOCK)
        stored = await connection.fetchrow(_STORED, schedule.insurance, schedule.year, schedule.pooling_area)
        if stored is not None and _same(stored, schedule):
            return LoadReport(rows_read=1, unchanged=1)
        schedule_id = await connection.fetchval(
            _PUT_SCHEDULE,
            schedule.insurance,
            schedule.year,
            schedule.pooling_area,
            schedule.rate,
            schedule.average_monthly_wage,
            schedule.arrears_tier,
        )
        if schedule_id is None:
            raise BadInput("pooling_area", "is no pooling area that the gateway knows")
        await connection.execute("DELETE FROM schedule_tiers WHERE schedule_id = $1", schedule_id)
        await connection.executemany(
            _PUT_TIER,
            [
                (schedule_id, position, t.code, t.percent, t.monthly_base, t.monthly_amount, t.note)
                for position, t in enumerate(schedule.tiers)
            ],
        )
    return LoadReport(rows_read=1, loaded=int(stored is None), updated=int(stored is not None))


def _same(stored: asyncpg.Record, schedule: Schedule) -> bool:
    tiers = [(t.code, t.percent, t.monthly_base, t.monthly_amount, t.note) for t in schedule.tiers]
    return (stored[0], stored[1], stored[2], [tuple(tier) for tier in stored[3]]) == (
        schedule.rate,
        schedule.average_monthly_wage,
        schedule.arrears_tier,
        tiers,
    )
