"""`make bench`: the gateway beside its peers, and each of its parts beside the gateway without it, in one run.

One core has the server that is measured, the other PostgreSQL and the load. The answers are compared before the clock
starts. Contenders take turns in shuffled rounds; medians are told, and ratios inside a round.
"""

import argparse
import asyncio
import os
import tempfile
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.bench import Bench
from benchmarks.cores import cores, pinned
from benchmarks.ledger import fill
from benchmarks.parts import beside_itself, open_to_all
from benchmarks.peers import beside_peers
from benchmarks.plot import Bars
from benchmarks.report import write
from database.embedded import EmbeddedPostgres
from tests.databases import fresh_database

#: More than any contender pays in a second on one core and a disk; what is not paid is only a row.
PAYMENTS_PER_SECOND = 2500
#: Of contenders, workloads and parts, so many use up bills in a round, if some only for a tenth of their requests.
PAYING_RUNS = 12
#: As many identity numbers as tests.acceptance.people has, but for those whose bills are listed and paid.
MAX_PAYERS = 20_000


def main() -> None:
    """Measure, print, and write the page if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each run")
    parser.add_argument("--warm-seconds", type=float, default=0.5, help="before each run, not counted")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--payers", type=int, default=10_000)
    parser.add_argument("--only", choices=("peers", "parts"), help="one half of it")
    parser.add_argument("--write", type=Path, help="the page to put the tables into")
    options = parser.parse_args()
    if options.payers > MAX_PAYERS:
        parser.error(f"--payers: at most {MAX_PAYERS:,}")
    load_before = os.getloadavg()[0]
    split = cores()
    server_core, our_core = split or (None, None)
    with (
        tempfile.TemporaryDirectory(prefix="gateway-bench-") as name,
        # Whatever is started from here on stays on the other core: PostgreSQL, and the load.
        pinned(our_core),
    ):
        directory = Path(name)
        if os.geteuid() == 0:
            # PostgreSQL's own user is to reach its cluster.
            directory.chmod(0o711)
        with EmbeddedPostgres(directory) as postgres, fresh_database(postgres) as url:
            runs = options.rounds * (options.seconds + options.warm_seconds)
            ledger = asyncio.run(fill(url, options.payers, round(PAYING_RUNS * runs * PAYMENTS_PER_SECOND)))
            print(f"{len(ledger.readers):,} payers, {len(ledger.bills):,} bills to pay", flush=True)
            bars = Bars()
            # The first line of the file is the pid.
            postmaster = int((directory / "postgres" / "postmaster.pid").read_text(encoding="utf-8").split()[0])
            bench = Bench(options, ledger, directory, server_core, postmaster)
            words = bench.words()
            with fresh_database(postgres, urlsplit(url).path.removeprefix("/")) as open_url:
                asyncio.run(open_to_all(open_url))
                tables = _printed(bench, options.only, url, open_url, bars)
    # What else a machine does, it takes from whoever is being measured.
    words += (
        f" The load average was {load_before:.1f} before the run and {os.getloadavg()[0]:.1f} at its end, on "
        f"{os.cpu_count()} processors."
    )
    print(words)
    if options.write is not None:
        write(options.write, f"{words}\n\n{tables}")
        options.write.with_suffix(".svg").write_text(bars.svg(), encoding="utf-8")


def _printed(bench: Bench, only: str | None, url: str, open_url: str, bars: Bars) -> str:
    parts = []
    # Each measures as it is iterated over.
    halves = {
        "peers": ("## Beside its peers\n", beside_peers(bench, url, bars)),
        "parts": ("## What its parts cost\n", beside_itself(bench, url, open_url)),
    }
    for half, (title, tables) in halves.items():
        if only in (None, half):
            for part in chain([title], tables):
                parts.append(part)
                print(part, flush=True)
    return "\n".join(parts)


if __name__ == "__main__":
    main()
