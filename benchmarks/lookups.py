"""How long a look-up in vain takes: unknown, misnamed and locked out, interleaved in one run over one connection.

Run by `python -m benchmarks.lookups`. Prints the median of each and its ratio to the unknown one.
"""

import asyncio
import datetime
import statistics
import tempfile
import time
from itertools import islice
from pathlib import Path

from auth import scopes
from auth.tokens import Caller
from database.embedded import EmbeddedPostgres
from database.pool import connect, open_pool
from database.vault import Vault
from gateway.sandbox import prepare
from resolvers import payers
from resolvers.asking import Asked
from resolvers.call import Call
from resolvers.lookups import Limits, Lookups
from tests.acceptance.people import CHEN, LIU, newcomers
from tests.databases import fresh_database

ROUNDS = 3000
MASTER_KEY = bytes(range(32))
#: No answer is held back, and no lock comes but the planted one: what is measured is the work itself.
LIMITS = Limits(number=10**8, everywhere=10**8, client=10**8, delay=datetime.timedelta(0))
NEVER_NAMED = "王芳"


async def measure(url: str) -> dict[str, float]:
    """Return the medians in microseconds."""
    connection = await connect(url)
    await prepare(connection, MASTER_KEY)
    vault = await Vault.open(connection, MASTER_KEY)
    await connection.execute(
        """
        INSERT INTO lookup_failures (client_id, resident_id_index, failures, ends_at, locked_until)
        VALUES ('abc-counter', $1, 1, now() + interval '1 hour', now() + interval '1 hour')
        """,
        vault.resident_id_index(LIU.resident_id),
    )
    await connection.close()
    pool = await open_pool(url, max_size=1)
    caller = Caller("abc-counter", 2, "ABC", "中国农业银行", "BANK", "COUNTER", scopes.COUNTER)
    call = Call(
        caller, pool, vault, datetime.date(2020, 11, 16), datetime.timedelta(minutes=30), lookups=Lookups(LIMITS)
    )
    unknown = next(islice(newcomers(), 7, None))
    paths = {
        "unknown": (unknown.resident_id, unknown.name),
        "misnamed": (CHEN.resident_id, NEVER_NAMED),
        "locked out": (LIU.resident_id, LIU.name),
    }
    taken: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(ROUNDS):
        for name, (resident_id, person) in paths.items():
            begun = time.perf_counter()
            found = await payers.payer(call, resident_id, person, Asked())
            taken[name].append(time.perf_counter() - begun)
            assert found is None
    await pool.close()
    return {name: statistics.median(times) * 1e6 for name, times in taken.items()}


def main() -> None:
    """Measure, and print the table."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as directory:
        Path(directory).chmod(0o711)
        with EmbeddedPostgres(Path(directory)) as postgres, fresh_database(postgres) as url:
            medians = asyncio.run(measure(url))
    for name, microseconds in medians.items():
        print(f"{name:12} {microseconds:8.0f} µs  {microseconds / medians['unknown']:.3f}")


if __name__ == "__main__":
    main()
