"""The operator's page as HTML: the form, and the numbers."""

import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from starlette.responses import Response

from auth.tokens import LIFETIME_SECONDS
from gateway.operations import chart
from gateway.operations.numbers import PROMPT_SECONDS, Numbers, PathHealth
from gateway.operations.texts import TEXTS
from gateway.pages import origin, page_headers, render
from gateway.pages.styles import PAGE, policy, style
from resolvers.overview import DAYS, BankDay

#: How often a page renews itself once somebody has asked for that: nobody is made to (WCAG 2.2.1).
REFRESH_SECONDS: Final = 60

_SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
_STYLE: Final = style("operator.css")
_POLICY: Final = policy(PAGE.source, _STYLE.source)


def sign_in_page(
    locale: str, outcome: str = "", status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return the form, and why it is shown: one of texts.OUTCOMES, or "" for no reason."""
    page = render(
        "operator_sign_in.html",
        locale,
        t=TEXTS[locale],
        css_more=_STYLE.text,
        outcome=outcome,
        minutes=LIFETIME_SECONDS // 60,
        other_url=_url(locale, switched=True),
    )
    return Response(page, status, _headers(locale, headers))


def numbers_page(locale: str, client_id: str, numbers: Numbers, *, refreshing: bool) -> Response:
    """Return the numbers, for the client who is signed in."""
    texts = TEXTS[locale]
    payments = numbers.overview.payments
    dates = [numbers.business_date - datetime.timedelta(days=ago) for ago in range(DAYS)]
    page = render(
        "operator.html",
        locale,
        t=texts,
        css_more=_STYLE.text,
        client_id=client_id,
        refreshing=refreshing,
        refresh_seconds=REFRESH_SECONDS,
        url=_url(locale, refreshing=refreshing),
        refresh_url=_url(locale, refreshing=not refreshing),
        other_url=_url(locale, switched=True, refreshing=refreshing),
        business_date=numbers.business_date.isoformat(),
        taken_at=_time(numbers.taken_at),
        payments=payments,
        total_count=sum(total.accepted_count for total in payments),
        total_amount=sum((total.accepted_amount for total in payments), Decimal(0)),
        total_reversed=sum(total.reversed_count for total in payments),
        bars=chart.bars(payments),
        chart_width=chart.WIDTH,
        legend=[
            (chart.COLOURS[channel], texts[f"channel.{channel or 'NONE'}"]) for channel in chart.channels_of(payments)
        ],
        postings=numbers.postings,
        oldest=texts.seconds.format(round(numbers.postings.oldest_seconds)),
        dates=[date.isoformat()[5:] for date in dates],
        banks=_banks(numbers.overview.days, dates),
        counts=numbers.counts,
        numbers_locked=numbers.overview.numbers_locked,
        failing_clients=[
            (client.client_id, client.failures, _time(client.locked_until) if client.locked_until else "")
            for client in numbers.overview.failing_clients
        ],
        paths=[_told(path) for path in numbers.counts.paths],
        prompt=texts.prompt.format(round(PROMPT_SECONDS * 1000)),
        database=texts.database.format(max(1, round(numbers.read_seconds * 1000))),
    )
    return Response(page, 200, _headers(locale, None))


def _banks(days: Sequence[BankDay], dates: Sequence[datetime.date]) -> list[tuple[str, list[str]]]:
    """Return each institution's name with its status on each date; "" for nothing to reconcile."""
    names = {day.institution_code: day.institution_name for day in days}
    statuses = {(day.institution_code, day.date): day.status for day in days}
    return [(name, [statuses.get((code, date), "") for date in dates]) for code, name in names.items()]


def _told(path: PathHealth) -> tuple[str, int, int, int, str]:
    share = "" if path.prompt_share is None else f"{path.prompt_share:.1%}"
    return path.path, path.answered, path.refused, path.failed, share


def _time(moment: datetime.datetime) -> str:
    return f"{moment.astimezone(_SHANGHAI):%Y-%m-%d %H:%M:%S}"


def _url(locale: str, *, switched: bool = False, refreshing: bool = False) -> str:
    """Return the page's address in this language or the other."""
    lang = "en" if (locale == "en") is not switched else "zh"
    return f"/operator?lang={lang}{'&refresh' if refreshing else ''}"


def _headers(locale: str, more: Mapping[str, str] | None) -> dict[str, str]:
    return page_headers(locale, {"content-security-policy": _POLICY, **origin.SAID, **(more or {})})
