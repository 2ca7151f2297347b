"""The records that the rules speak of. Months are numbers (months.py), money is yuan (money.py)."""

from datetime import date
from decimal import Decimal
from typing import Literal

from contributions.plain import record

# 本年自主缴费 / 往年补缴.
PeriodMode = Literal["CURRENT_YEAR", "ARREARS"]


@record
class Tier:
    """缴费档次: one of the amounts a person may choose to pay each month.

    `percent` is that of the average wage, None for a tier that is no percentage of it.
    """

    code: str
    percent: int | None
    monthly_base: Decimal
    monthly_amount: Decimal
    note: str | None


@record
class Schedule:
    """缴费标准: what the authorities publish for one insurance, year and pooling area (统筹地区).

    `rate` is a fraction. `arrears_tier` is the code of the tier at which months of this year are assessed
    when they are paid in a later year.
    """

    insurance: str
    year: int
    pooling_area: str
    rate: Decimal
    average_monthly_wage: Decimal
    arrears_tier: str | None
    tiers: tuple[Tier, ...]

    def tier(self, code: str) -> Tier | None:
        """Return the tier with this code, None when the schedule has none."""
        return next((tier for tier in self.tiers if tier.code == code), None)


@record
class Line:
    """One month of a quote or of an assessed bill."""

    month: int
    monthly_base: Decimal
    rate: Decimal
    amount: Decimal


class RunOfMonths:
    """What has a first and a last month, both included."""

    __slots__ = ()

    first_month: int
    last_month: int

    @property
    def month_count(self) -> int:
        """Return the number of months, both ends counted."""
        return self.last_month - self.first_month + 1


@record
class Period(RunOfMonths):
    """A run of consecutive months, both ends included, that are owed in one pooling area and not yet paid.

    `pay_by` is the last day on which it can be paid in this mode, None for no such day. `tiers` are those to
    choose from: none for arrears, whose amount is assessed.
    """

    insurance: str
    mode: PeriodMode
    first_month: int
    last_month: int
    pooling_area: str
    pay_by: date | None
    tiers: tuple[Tier, ...] = ()
