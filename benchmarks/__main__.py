"""`make bench`: the gateway beside its peers, and each of its parts beside the gateway without it, in one run.

One core has the server that is measured, the other PostgreSQL and the load. The answers are compared before the clock
starts. Contenders take turns in shuffled rounds; medians are told, and ratios inside a round.
"""

import argparse
import asyncio
import json
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey

from benchmarks import servers
from benchmarks.cores import cores, pinned
from benchmarks.ledger import CLIENT, Ledger, fill
from benchmarks.load import Load, Measured, drive
from benchmarks.report import Rounds, cost_table, workload_table, write
from benchmarks.servers import Contender, Running, running
from benchmarks.signing import Prover, signer
from benchmarks.workloads import MARKERS, SEED, TITLES, WORKLOADS, Workloads
from database.embedded import EmbeddedPostgres
from database.pool import connect
from tests.acceptance.gateway import gateway
from tests.databases import fresh_database

GATEWAY = "gateway"
PEAK_SHARE = 0.7
#: More than any contender pays in a second on one core and a disk; what is not paid is only a row.
PAYMENTS_PER_SECOND = 2500
#: More than can be asked for with a proof or a signature, each of which is made before the clock starts.
SIGNED_PER_SECOND = 3000
KEY_ID = "bench"


class Bench:
    """One run: the rows, the core of the servers and what was asked for on the command line."""

    def __init__(self, options: argparse.Namespace, ledger: Ledger, directory: Path, core: set[int] | None) -> None:
        self.options = options
        self.ledger = ledger
        self.workloads = Workloads(ledger)
        self._directory = directory
        self._core = core
        # The same order in each run: nobody has the first place.
        self._random = random.Random(SEED)  # noqa: S311 -- an order, and no secret

    def start(self, stack: ExitStack, *contenders: Contender) -> list[Running]:
        """Start these, each until the stack is left."""
        log = self._directory / "servers.log"
        return [stack.enter_context(running(one, self.ledger, log, self._core)) for one in contenders]

    def measure(self, server: Running, workload: str, requests: Iterator[bytes], rate: float | None = None) -> Measured:
        """Put the load on one server."""
        options = self.options
        load = Load(requests, MARKERS[workload], options.connections, options.seconds, options.warm_seconds, rate)
        return drive(server.port, load, server.pid)

    def signed_count(self) -> int:
        """Return how many signed requests one run may send."""
        return round(SIGNED_PER_SECOND * (self.options.seconds + self.options.warm_seconds)) + self.options.connections

    def rounds(self, runs: dict[str, Callable[[], Measured]]) -> dict[str, Rounds]:
        """Run each of these once in each round, every time in another order."""
        measured: dict[str, list[Measured]] = {name: [] for name in runs}
        for _ in range(self.options.rounds):
            order = list(runs)
            self._random.shuffle(order)
            for name in order:
                measured[name].append(runs[name]())
        return {name: Rounds(taken) for name, taken in measured.items()}


def beside_peers(bench: Bench, url: str) -> Iterator[str]:
    """Compare the answers, then measure each workload; yield what is to be printed."""
    servers.install_mercurius()
    ledger = bench.ledger
    with ExitStack() as stack:
        contenders = bench.start(
            stack,
            servers.gateway(GATEWAY, url),
            servers.peer("hand-written, asyncpg and orjson", "bare", url, ledger, None),
            servers.mercurius("Mercurius JIT, one statement", "statement", url, ledger),
            servers.mercurius("Mercurius JIT, natural resolvers", "natural", url, ledger),
            servers.peer("plain Strawberry", "plain_strawberry", url, ledger, "/graphql/"),
        )
        compare(bench, contenders)
        for workload in WORKLOADS:
            runs = {
                server.contender.name: lambda server=server: bench.measure(
                    server, workload, bench.workloads.requests(workload, server.dialect())
                )
                for server in contenders
            }
            measured = bench.rounds(runs)
            yield f"### {TITLES[workload]}\n\n{workload_table(GATEWAY, measured)}"
            if workload == "payer":
                yield paced(bench, contenders[0], measured[GATEWAY].of(lambda run: run.rate))
    with ExitStack() as stack:
        (nothing,) = bench.start(stack, servers.nothing())
        alone = bench.measure(nothing, "payer", bench.workloads.requests("payer", nothing.dialect()))
    yield f"The load alone, against a server that does nothing: {alone.rate:.0f} requests/s.\n"


def compare(bench: Bench, contenders: list[Running]) -> None:
    """End the benchmark unless all answer the same, byte for byte, in each workload."""
    for workload in WORKLOADS:
        if workload == "mix":
            continue
        answers = {}
        for server in contenders:
            request = next(bench.workloads.requests(workload, server.dialect()))
            answers[server.contender.name] = server.answer(request)
        if len(set(answers.values())) > 1 or MARKERS[workload] not in answers[GATEWAY].replace(b'": ', b'":'):
            raise SystemExit(
                f"{workload}: the answers differ: {json.dumps({k: v.decode() for k, v in answers.items()}, indent=2)}"
            )
    print(f"{len(contenders)} contenders give the same answers\n", flush=True)


def paced(bench: Bench, server: Running, peak: float) -> str:
    """Return how long answers take when there is less to do than the server could."""
    requests = bench.workloads.requests("payer", server.dialect())
    taken = bench.measure(server, "payer", requests, PEAK_SHARE * peak)
    return (
        f"At {PEAK_SHARE:.0%} of its peak the gateway answers in {taken.p50:.1f} ms (p50) and {taken.p99:.1f} ms (p99): "
        f"p99 is {taken.p99 / taken.p50:.1f} times p50.\n"
    )


def beside_itself(bench: Bench, url: str, open_url: str) -> Iterator[str]:
    """Measure each part of the gateway beside the gateway without it; yield what is to be printed."""
    with ExitStack() as stack:
        whole, open_, unlimited, unsigned = bench.start(
            stack,
            servers.gateway(GATEWAY, url),
            servers.gateway("row-level security off", open_url),
            servers.gateway("without limits", url, without="limits"),
            servers.gateway("without signatures", url, without="signatures"),
        )
        key = _register_key(whole)
        prover = Prover(whole, (CLIENT, "sandbox"))

        def plain(server: Running, workload: str) -> Callable[[], Measured]:
            return lambda: bench.measure(server, workload, bench.workloads.requests(workload, server.dialect()))

        def proved() -> Measured:
            requests = bench.workloads.reads(whole.dialect({}), prover.signing(), bench.signed_count())
            return bench.measure(whole, "payer", requests)

        def signed() -> Measured:
            dialect = whole.dialect()
            sign = signer(key, KEY_ID, whole.url, dialect.headers["authorization"])
            payments = bench.workloads.requests("payment", dialect, sign)
            made = [request for request, _ in zip(payments, range(bench.signed_count()), strict=False)]
            return bench.measure(whole, "payment", iter(made))

        reads = bench.rounds(
            {
                "whole": plain(whole, "payer"),
                "proved": proved,
                "open": plain(open_, "payer"),
                "unlimited": plain(unlimited, "payer"),
            }
        )
        payments = bench.rounds(
            {
                "whole": plain(whole, "payment"),
                "signed": signed,
                "open": plain(open_, "payment"),
                "unsigned": plain(unsigned, "payment"),
            }
        )
    yield cost_table(
        [
            ("payer read: DPoP proof, beside a bearer token", reads["proved"], reads["whole"]),
            ("payer read: row-level security", reads["whole"], reads["open"]),
            ("payer read: limits, cost and budget", reads["whole"], reads["unlimited"]),
            ("payment: row-level security", payments["whole"], payments["open"]),
            ("payment: signed answer", payments["whole"], payments["unsigned"]),
            ("payment: signed request as well, kept", payments["signed"], payments["whole"]),
        ]
    )


def _register_key(server: Running) -> ec.EllipticCurvePrivateKey:
    key = ECKey.generate_key("P-256")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"keys": [key.as_dict(private=False, kid=KEY_ID)]}, file)
        file.flush()
        ours = {k: v for k, v in server.contender.environment.items() if k.startswith("GATEWAY_")}
        done = gateway("clients", "signing-keys", CLIENT, file.name, **ours)
        assert done.returncode == 0, done.stderr
    private = serialization.load_pem_private_key(key.as_pem(private=True), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    return private


async def _open_to_all(url: str) -> None:
    """Turn row-level security off."""
    connection = await connect(url)
    try:
        for (table,) in await connection.fetch("SELECT oid::regclass::text FROM pg_class WHERE relrowsecurity"):
            await connection.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


def main() -> None:
    """Measure, print, and write the page if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each run")
    parser.add_argument("--warm-seconds", type=float, default=0.5, help="before each run, not counted")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--payers", type=int, default=10_000)
    parser.add_argument("--only", choices=("peers", "parts"), help="one half of it")
    parser.add_argument("--write", type=Path, help="the page to put the tables into")
    options = parser.parse_args()
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
            ledger = asyncio.run(fill(url, options.payers, round(10 * runs * PAYMENTS_PER_SECOND)))
            print(f"{len(ledger.readers):,} payers, {len(ledger.bills):,} bills to pay", flush=True)
            bench = Bench(options, ledger, directory, server_core)
            with fresh_database(postgres, urlsplit(url).path.removeprefix("/")) as open_url:
                asyncio.run(_open_to_all(open_url))
                tables = _printed(bench, url, open_url)
    if options.write is not None:
        write(options.write, tables)


def _printed(bench: Bench, url: str, open_url: str) -> str:
    pinned_words = "a core of its own" if cores() else "no core of its own"
    parts = [
        f"{bench.options.payers:,} payers, {bench.options.connections} connections, {bench.options.rounds} rounds of "
        f"{bench.options.seconds:g} s; the server had {pinned_words}.\n"
    ]
    halves = {"peers": lambda: beside_peers(bench, url), "parts": lambda: beside_itself(bench, url, open_url)}
    titles = {"peers": "## Beside its peers\n", "parts": "## What its parts cost\n"}
    for half, tables in halves.items():
        if bench.options.only in (None, half):
            parts.append(titles[half])
            print(titles[half], flush=True)
            for part in tables():
                parts.append(part)
                print(part, flush=True)
    return "\n".join(parts)


if __name__ == "__main__":
    main()
