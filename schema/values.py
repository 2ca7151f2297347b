"""Types without identity: what objects are made of."""

import datetime
from collections.abc import Sequence

import strawberry
from strawberry import Parent

from contributions import money
from contributions.records import Line, Tier
from resolvers import records
from schema.enums import Channel, DifferenceKind, Insurance, PeriodMode
from schema.scalars import YearMonth, Yuan


@strawberry.type(description="A collecting bank, an agency, or the tax authority.")
class Institution:
    code: str
    name: str


@strawberry.type(description="The OAuth client that holds the token.")
class Viewer:
    client_id: str
    institution: Institution
    channel: Channel | None = strawberry.field(description="Empty for clients that take no payments.")
    scopes: list[str]
    business_date: datetime.date = strawberry.field(description="Today, in Asia/Shanghai.")


@strawberry.type(description="统筹地区: the area whose schedule applies, by its GB/T 2260 code.")
class PoolingArea:
    code: str
    name: str


@strawberry.type(description="参保: from its first month on, to its last if it has ended.")
class Enrolment:
    insurance: Insurance
    pooling_area: PoolingArea
    first_month: YearMonth
    last_month: YearMonth | None = strawberry.field(description="Empty while the enrolment goes on.")


@strawberry.type(description="缴费档次: what a month costs at one of the published levels.")
class ContributionTier:
    code: str
    percent: int | None = strawberry.field(description="Of the average monthly wage; empty for a fixed level.")
    monthly_base: Yuan
    monthly_amount: Yuan
    note: str | None


@strawberry.type(description="A run of consecutive months that are owed and not yet paid.")
class PayablePeriod:
    insurance: Insurance
    mode: PeriodMode
    first_month: YearMonth
    last_month: YearMonth
    month_count: int
    pay_by: datetime.date | None = strawberry.field(description="The last day on which it can be paid in this mode.")
    tiers: list[ContributionTier] = strawberry.field(
        description="The tiers to choose from. Empty for arrears: there the agency assesses the amount."
    )


@strawberry.type(description="缴费标准: what was published for one insurance, year and pooling area.")
class ContributionSchedule:
    @strawberry.field
    def insurance(found: Parent[records.ScheduleInArea]) -> Insurance:
        return Insurance(found.schedule.insurance)

    @strawberry.field
    def year(found: Parent[records.ScheduleInArea]) -> int:
        return found.schedule.year

    @strawberry.field(graphql_type=PoolingArea | None, description="The province, or for medical a city.")
    def pooling_area(found: Parent[records.ScheduleInArea]) -> records.PoolingArea:
        return found.pooling_area

    @strawberry.field(description='As a decimal fraction: "0.20".')
    def rate(found: Parent[records.ScheduleInArea]) -> str:
        return money.rate_text(found.schedule.rate)

    @strawberry.field
    def average_monthly_wage(found: Parent[records.ScheduleInArea]) -> Yuan:
        return Yuan(found.schedule.average_monthly_wage)

    @strawberry.field(graphql_type=list[ContributionTier])
    def tiers(found: Parent[records.ScheduleInArea]) -> Sequence[Tier]:
        return found.schedule.tiers


@strawberry.type(description="One month's contribution.")
class ContributionLine:
    month: YearMonth
    monthly_base: Yuan

    @strawberry.field(description='As a decimal fraction: "0.20".')
    def rate(line: Parent[Line]) -> str:
        return money.rate_text(line.rate)

    amount: Yuan


@strawberry.type(description="How many payments, and how much together.")
class SettlementTotal:
    count: int
    amount: Yuan


@strawberry.type(description="One payment that differs between the bank's list and the ledger.")
class SettlementDifference:
    kind: DifferenceKind
    bank_reference: str
    gateway_amount: Yuan | None = strawberry.field(description="Empty when the ledger has no such payment.")
    bank_amount: Yuan | None = strawberry.field(description="Empty when the bank's list has no such payment.")
