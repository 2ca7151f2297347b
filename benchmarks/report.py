"""The tables: ratios first, since a machine's own numbers are its own."""

import datetime
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.load import Measured


@dataclass(frozen=True, slots=True)
class Rounds:
    """What was measured of one contender and workload, a run for each round."""

    runs: Sequence[Measured]

    def of(self, what: Callable[[Measured], float]) -> float:
        """Return the median over the rounds."""
        return median(what(run) for run in self.runs)

    def ratio(self, to: "Rounds") -> float:
        """Return this one's rate to another's: the median of the ratios inside each round."""
        return median(own.rate / other.rate for own, other in zip(self.runs, to.runs, strict=True))

    def cpu_ratio(self, to: "Rounds") -> str:
        """Return this one's processor time for each request to another's, as it is written."""
        if self.runs[0].cpu is None:
            return ""
        pairs = zip(self.runs, to.runs, strict=True)
        return f"{median((own.cpu or 0) / (other.cpu or 1) for own, other in pairs):.2f} ×"

    def cells(self) -> list[str]:
        """Return requests a second, p50, p99, and processor time as they are written."""
        cpu = "" if self.runs[0].cpu is None else f"{self.of(lambda run: run.cpu or 0):.0f}"
        postgres = "" if self.runs[0].postgres is None else f"{self.of(lambda run: run.postgres or 0):.0f}"
        rate, p50, p99 = (self.of(what) for what in (lambda r: r.rate, lambda r: r.p50, lambda r: r.p99))
        return [f"{rate:.0f}", f"{p50:.1f}", f"{p99:.1f}", cpu, postgres]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; columns after the first are set to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def workload_table(gateway: str, measured: Mapping[str, Rounds]) -> str:
    """Return one workload's table: how many times as fast as each contender the gateway is."""
    head = ["contender", "gateway is", "by CPU", "requests/s", "p50 ms", "p99 ms", "CPU µs", "PostgreSQL µs"]
    fastest_first = sorted(measured.items(), key=lambda item: -item[1].of(lambda run: run.rate))
    rows = [
        [
            f"**{name}**" if name == gateway else name,
            f"{measured[gateway].ratio(rounds):.2f} ×",
            rounds.cpu_ratio(measured[gateway]),
            *rounds.cells(),
        ]
        for name, rounds in fastest_first
    ]
    return table(head, rows)


def cost_table(rows: Iterable[tuple[str, Rounds, Rounds]]) -> str:
    """Return what each part costs: the rate with it to the rate without, and the processor time that it takes."""
    head = ["", "requests/s ÷", "CPU ÷", "CPU µs", "PostgreSQL µs", "p50 ms"]
    lines = []
    for name, with_it, without in rows:
        pairs = list(zip(with_it.runs, without.runs, strict=True))
        cpu = _more((a.cpu, b.cpu) for a, b in pairs)
        postgres = _more((a.postgres, b.postgres) for a, b in pairs)
        p50 = _more(((a.p50, b.p50) for a, b in pairs), "+.1f")
        lines.append([name, f"{with_it.ratio(without):.2f}", with_it.cpu_ratio(without), cpu, postgres, p50])
    return table(head, lines)


def _more(pairs: Iterable[tuple[float | None, float | None]], written: str = "+.0f") -> str:
    """Return by how much the first are more than the second, at the median; nothing where nobody tells."""
    differences = [a - b for a, b in pairs if a is not None and b is not None]
    return format(median(differences), written) if differences else ""


def write(page: Path, tables: str, command: str = "make bench") -> None:
    """Put the tables into the page between the command's marks, with the day. Raises ValueError without the marks."""
    begin, end = f"<!-- {command} -->", f"<!-- /{command} -->"
    text = page.read_text(encoding="utf-8")
    body = f"{begin}\n\nMeasured on {datetime.datetime.now(datetime.UTC).date()}.\n\n{tables}\n{end}"
    written, count = re.subn(f"{begin}.*{end}", lambda _: body, text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"{page} has no place for the tables")
    page.write_text(written, encoding="utf-8")
