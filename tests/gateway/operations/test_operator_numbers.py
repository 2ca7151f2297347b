"""What the operator's page counts is what the metrics count; its chart and its words have a place for everything."""

from decimal import Decimal
from itertools import pairwise

from prometheus_client import CollectorRegistry

from auth.clients import CHANNELS
from gateway.metrics import Metrics
from gateway.operations import chart
from gateway.operations.numbers import PATHS, counts
from gateway.operations.page import _REFUSALS, _STATUSES
from gateway.operations.texts import OUTCOMES, TEXTS
from resolvers.overview import ChannelTotal


def total(code: str, channel: str | None, count: int) -> ChannelTotal:
    return ChannelTotal(code, code.lower(), channel, count, Decimal(count), 0)


def test_counts_are_those_of_the_metrics() -> None:
    metrics = Metrics(CollectorRegistry())
    for status, times in (("200", 6), ("401", 2), ("403", 1), ("503", 1)):
        metrics.requests.labels("/graphql", status).inc(times)
    metrics.requests.labels("/healthz", "200").inc(9)
    for seconds in (0.003, 0.08, 0.2, 3.0):
        metrics.seconds.labels("/graphql").observe(seconds)
    metrics.lookup_failures.inc(5)
    metrics.lookups_locked.labels("NUMBER").inc(2)
    told = counts(metrics.registry)
    graphql = next(path for path in told.paths if path.path == "/graphql")
    assert (graphql.answered, graphql.refused, graphql.failed, graphql.prompt_share) == (10, 3, 1, 0.5)
    assert (told.lookup_failures, told.numbers_locked, told.clients_locked) == (5, 2, 0)
    idle = next(path for path in told.paths if path.path == "/verify")
    assert (idle.answered, idle.prompt_share) == (0, None)
    assert [path.path for path in told.paths] == list(PATHS)


def test_a_bar_is_as_long_as_its_payments_are_many_and_ends_inside_the_chart() -> None:
    totals = [
        *(total("ABC", channel, 1_000_000) for channel in (*CHANNELS, None)),
        total("ICBC", "COUNTER", 3_000_000),
        total("TAX", "WECHAT", 1),
    ]
    abc, icbc, tax = chart.bars(totals)
    assert (abc.count, abc.amount, abc.institution_name) == (6_000_000, Decimal(6_000_000), "abc")
    for bar in (abc, icbc, tax):
        last = bar.segments[-1]
        assert last.x + last.width <= chart.WIDTH
        assert all(segment.width >= chart.MIN_WIDTH for segment in bar.segments)
        ends = [(segment.x, segment.x + segment.width) for segment in bar.segments]
        assert all(end < begin for (_, end), (begin, _) in pairwise(ends))
    assert abs(2 * icbc.segments[0].width - abc.segments[-1].x - abc.segments[-1].width) <= 60
    assert chart.bars([]) == []


def test_every_channel_has_a_colour_of_its_own_and_a_name_and_every_outcome_its_words() -> None:
    assert set(chart.COLOURS) == {*CHANNELS, None}
    assert len(set(chart.COLOURS.values())) == len(chart.COLOURS)
    names = set(TEXTS["en"])
    assert names >= {f"channel.{channel or 'NONE'}" for channel in chart.COLOURS}
    assert names >= {f"outcome.{outcome}" for outcome in OUTCOMES}
    assert names >= {f"status.{status}" for status in ("OPEN", "RECONCILED", "DIFFERENT")}
    assert {*_STATUSES, "ENDED", "SIGNED_OUT"} == set(OUTCOMES)
    assert set(_REFUSALS.values()) <= set(_STATUSES)


def test_a_colour_can_be_told_from_the_page() -> None:
    """WCAG 2.1, 1.4.11: 3:1 against white."""
    for colour in chart.COLOURS.values():
        linear = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in linear)
        assert 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05) >= 3
