"""Which months can be paid, and what they cost by the published schedules."""

from collections.abc import Iterable, Mapping
from datetime import date

from contributions import months
from contributions.problems import TierNotOffered
from contributions.records import Line, Period, PeriodMode, Schedule, Tier

__all__ = [
    "Line",
    "Period",
    "PeriodMode",
    "Schedule",
    "ScheduleMissing",
    "Tier",
    "arrears_lines",
    "by_mode",
    "pay_by",
    "period_containing",
    "quote_lines",
]


class ScheduleMissing(Exception):
    """A year has no schedule by which its months could be assessed."""

    def __init__(self, year: int) -> None:
        super().__init__(year)
        self.year = year


def by_mode(first: int, last: int, business_year: int) -> tuple[tuple[PeriodMode, int, int], ...]:
    """Return the parts of a run of owed months, each with its mode, its first month and its last, in their order.

    The months of the business date's year are paid as such; those before it are arrears.
    """
    january = months.first_of_year(business_year)
    if last < january:
        return (("ARREARS", first, last),)
    if first >= january:
        return (("CURRENT_YEAR", first, last),)
    return ("ARREARS", first, january - 1), ("CURRENT_YEAR", january, last)


def pay_by(mode: PeriodMode, business_year: int) -> date | None:
    """Return the last day on which months can be paid in a mode.

    The year's own last day for CURRENT_YEAR: from the next day on they are arrears. None for ARREARS, which
    end on no day.
    """
    return date(business_year, 12, 31) if mode == "CURRENT_YEAR" else None


def period_containing(periods: Iterable[Period], first: int, last: int) -> Period | None:
    """Return the period that holds every month from first to last, both included; None when none does.

    None as well for a run that ends before it begins.
    """
    if first > last:
        return None
    return next((p for p in periods if p.first_month <= first and last <= p.last_month), None)


def quote_lines(schedule: Schedule, first: int, last: int, tier_code: str) -> tuple[Tier, tuple[Line, ...]]:
    """Return the tier and the price of each month from first to last at it.

    Raises TierNotOffered; ValueError when the months are no run of the schedule's own year.
    """
    if not months.first_of_year(schedule.year) <= first <= last <= months.last_of_year(schedule.year):
        raise ValueError("the months are no run of the schedule's year")
    tier = schedule.tier(tier_code)
    if tier is None:
        raise TierNotOffered(schedule.tiers)
    return tier, tuple(_line(month, schedule, tier) for month in range(first, last + 1))


def arrears_lines(first: int, last: int, schedules_by_year: Mapping[int, Schedule]) -> tuple[Line, ...]:
    """Return the price of each month from first to last, at the arrears tier of the month's own year.

    Raises ScheduleMissing for the earliest year without a schedule, or whose schedule names no arrears tier;
    ValueError when the run ends before it begins.
    """
    if first > last:
        raise ValueError("the run ends before it begins")
    lines: list[Line] = []
    for year in range(months.year_of(first), months.year_of(last) + 1):
        schedule = schedules_by_year.get(year)
        if schedule is None or schedule.arrears_tier is None:
            raise ScheduleMissing(year)
        tier = schedule.tier(schedule.arrears_tier)
        if tier is None:
            # The schedule's foreign key and parse_policy both hold it: only a broken record comes here.
            raise ValueError("the arrears tier is none of the schedule's tiers")
        of_year = range(max(first, months.first_of_year(year)), min(last, months.last_of_year(year)) + 1)
        lines.extend(_line(month, schedule, tier) for month in of_year)
    return tuple(lines)


def _line(month: int, schedule: Schedule, tier: Tier) -> Line:
    return Line(month, tier.monthly_base, schedule.rate, tier.monthly_amount)
