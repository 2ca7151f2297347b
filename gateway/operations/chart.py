"""The chart of a day's payments: a bar for each institution, its channels side by side. Geometry, for SVG to draw."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Final

from resolvers.overview import ChannelTotal

#: The width of the longest bar; SVG scales it to the page's.
WIDTH: Final = 1000
#: Between two channels of a bar, so that they can be told apart by more than their colours.
GAP: Final = 4
#: The narrowest that a channel is drawn, or one payment among thousands would not be seen.
MIN_WIDTH: Final = 8

#: Each channel's colour, in the order of the bars; 3:1 and more against white (WCAG 1.4.11).
COLOURS: Final = {
    "MOBILE_BANKING": "#0b4f9e",
    "COUNTER": "#b35c00",
    "WECHAT": "#1a7f37",
    "MINI_PROGRAM": "#8250df",
    "TAX_WINDOW": "#4d5560",
    None: "#8a6d00",
}


@dataclass(frozen=True, slots=True)
class Segment:
    """One channel's part of a bar."""

    channel: str | None
    colour: str
    x: int
    width: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One institution's payments of the day."""

    institution_code: str
    institution_name: str
    count: int
    amount: Decimal
    segments: tuple[Segment, ...]


def bars(totals: Iterable[ChannelTotal]) -> Sequence[Bar]:
    """Return a bar for each institution, in the order of the totals, as long as its payments are many."""
    grouped = [list(group) for _, group in groupby(totals, key=lambda total: total.institution_code)]
    most = max((sum(total.accepted_count for total in group) for group in grouped), default=0)
    # Gaps and channels that are hardly there take their room from the scale, not from beyond the edge.
    scale = WIDTH - max(map(len, grouped), default=0) * (GAP + MIN_WIDTH)
    return [_bar(group, most, scale) for group in grouped]


def _bar(group: list[ChannelTotal], most: int, scale: int) -> Bar:
    order = list(COLOURS)
    segments = []
    x = 0
    for total in sorted(group, key=lambda total: order.index(total.channel)):
        width = MIN_WIDTH + scale * total.accepted_count // most
        segments.append(Segment(total.channel, COLOURS[total.channel], x, width))
        x += width + GAP
    return Bar(
        group[0].institution_code,
        group[0].institution_name,
        sum(total.accepted_count for total in group),
        sum((total.accepted_amount for total in group), Decimal(0)),
        tuple(segments),
    )


def channels_of(totals: Iterable[ChannelTotal]) -> Sequence[str | None]:
    """Return the channels that there are, in the order of the bars: what a legend names."""
    there = {total.channel for total in totals}
    return [channel for channel in COLOURS if channel in there]
