"""The plot: a bar for each contender and workload, as a share of the fastest. SVG, written by hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

WIDTH, LEFT, RIGHT = 820, 260, 70
BAR, GAP, TITLE = 16, 4, 30
#: For each contender its own, readable on white; the gateway comes first.
COLOURS = ("#c2410c", "#475569", "#0f766e", "#5eead4", "#7c3aed", "#c4b5fd", "#a16207")


@dataclass(slots=True)
class Bars:
    """What is drawn: requests a second of each contender, by workload."""

    workloads: dict[str, Mapping[str, float]] = field(default_factory=dict)

    def add(self, title: str, rates: Mapping[str, float]) -> None:
        """Add a workload below the others."""
        self.workloads[title] = rates

    def svg(self) -> str:
        """Return the drawing."""
        names = list(dict.fromkeys(name for rates in self.workloads.values() for name in rates))
        colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
        parts: list[str] = []
        y = 0
        for title, rates in self.workloads.items():
            y += TITLE
            parts.append(_text(LEFT, y - 8, title, "start", "bold"))
            fastest = max(rates.values())
            for name, rate in sorted(rates.items(), key=lambda item: -item[1]):
                share = rate / fastest
                length = share * (WIDTH - LEFT - RIGHT)
                parts.append(_text(LEFT - 8, y + BAR - 4, name, "end", "normal"))
                parts.append(f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{colours[name]}"/>')
                parts.append(_text(LEFT + length + 6, y + BAR - 4, f"{share:.2f}", "start", "normal"))
                y += BAR + GAP
        height = y + GAP
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img">'
        title = "<title>Requests a second of each contender, as a share of the fastest</title>"
        background = f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
        return "\n".join([head, title, background, *parts, "</svg>", ""])


def _text(x: float, y: float, words: str, anchor: str, weight: str) -> str:
    style = f'text-anchor="{anchor}" font-weight="{weight}" font-family="sans-serif" font-size="12" fill="#1e293b"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>'
