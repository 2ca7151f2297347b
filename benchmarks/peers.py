"""The gateway beside its peers: the same rows, the same answers, workload by workload."""

import json
from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks import servers
from benchmarks.bench import GATEWAY, Bench
from benchmarks.ledger import Ledger
from benchmarks.plot import Bars
from benchmarks.report import Rounds, workload_table
from benchmarks.servers import Contender, Running
from benchmarks.workloads import MARKERS, TITLES, WORKLOADS

PEAK_SHARE = 0.7
#: In each round: one run in five or so meets something that the machine does for itself.
PACED_RUNS = 3
NATURAL = "Mercurius JIT, natural resolvers"
#: Where natural resolvers are those of one statement: nothing hangs on what is written.
WRITES = ("quote", "payment")


def beside_peers(bench: Bench, url: str, bars: Bars) -> Iterator[str]:
    """Compare the answers, then measure each workload; yield what is to be printed, and keep what is to be drawn."""
    servers.install_mercurius()
    with ExitStack() as stack:
        contenders = bench.start(stack, *all_contenders(url, bench.ledger))
        compare(bench, contenders)
        print(f"{len(contenders)} contenders give the same answers\n", flush=True)
        for workload in WORKLOADS:
            measured = bench.rounds(
                {
                    server.contender.name: bench.plain(server, workload)
                    for server in contenders
                    if not (workload in WRITES and server.contender.name == NATURAL)
                }
            )
            bars.add(TITLES[workload], {name: rounds.of(lambda run: run.rate) for name, rounds in measured.items()})
            yield f"### {TITLES[workload]}\n\n{workload_table(GATEWAY, measured)}"
            if workload == "payer":
                yield paced(bench, contenders[0], measured[GATEWAY].of(lambda run: run.rate))
    with ExitStack() as stack:
        (nothing,) = bench.start(stack, servers.nothing())
        alone = bench.measure(nothing, "payer", bench.workloads.requests("payer", nothing.dialect()))
    yield f"The load alone, against a server that does nothing: {alone.rate:.0f} requests/s.\n"


def all_contenders(url: str, ledger: Ledger) -> list[Contender]:
    """Return everybody who takes part."""
    return [
        servers.gateway(GATEWAY, url),
        servers.peer("hand-written, asyncpg and orjson", "bare", url, ledger, None),
        servers.mercurius("Mercurius JIT, one statement", "statement", url, ledger),
        servers.mercurius(NATURAL, "natural", url, ledger),
        servers.peer("plain Strawberry, the same resolvers", "plain_strawberry", url, ledger, "/graphql/"),
        servers.peer("Ariadne, one statement", "ariadne_statement", url, ledger, "/"),
    ]


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
            told = json.dumps({name: answer.decode() for name, answer in answers.items()}, indent=2)
            raise SystemExit(f"{workload}: the answers differ: {told}")


def paced(bench: Bench, server: Running, peak: float) -> str:
    """Return how long answers take when there is less to do than the server could."""
    told = f"At {PEAK_SHARE:.0%} of its peak the gateway answers in {_times(bench, server, peak)}"
    with bench.in_front(server) as may:
        if not may:
            return f"{told}.\n"
        return f"{told}; where nothing else of the machine's may run before it, in {_times(bench, server, peak)}.\n"


def _times(bench: Bench, server: Running, peak: float) -> str:
    run = bench.plain(server, "payer", PEAK_SHARE * peak)
    measured = bench.rounds({str(number): run for number in range(PACED_RUNS)})
    taken = Rounds([each for rounds in measured.values() for each in rounds.runs])
    times = f"{taken.of(lambda run: run.p50):.1f} ms (p50) and {taken.of(lambda run: run.p99):.1f} ms (p99)"
    return f"{times}, {taken.of(lambda run: run.p99 / run.p50):.1f} times p50"
