"""Compares operations until so many are done: `python -m tests.gateway.execution.differential [CASES] [SEED]`."""

import secrets
import sys
import time

import anyio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as with_seed

from schema.contract import schema
from tests.gateway.execution.differential.comparing import Comparison
from tests.gateway.execution.differential.documents import Case, cases
from tests.gateway.execution.differential.worlds import stubbed_roots

#: Hypothesis remembers what it has drawn within one run: many short ones need less memory than a long one.
ROUND = 250


def main() -> None:
    """Compare, and print what was compared. A difference ends it with a traceback that has the smallest case."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else secrets.randbelow(2**32)
    print(f"seed {seed}", flush=True)
    core = schema._schema
    comparison = Comparison(core)
    started = time.monotonic()
    with stubbed_roots(core):
        number = 0
        while comparison.compared < wanted:

            @with_seed(seed + number)
            @settings(
                max_examples=ROUND,
                deadline=None,
                database=None,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=cases(core))
            def differential(case: Case) -> None:
                anyio.run(comparison.compare, case)

            try:
                differential()
            except BaseException:
                print(f"a difference after {comparison.differed_after} cases, seed {seed}", file=sys.stderr)
                raise
            number += 1
            print(
                f"{comparison.compared} cases, {comparison.with_errors} with errors, {comparison.not_covered} not "
                f"covered, {time.monotonic() - started:.0f} s",
                flush=True,
            )
    print(f"no difference in {comparison.compared} cases, seed {seed}")


main()
