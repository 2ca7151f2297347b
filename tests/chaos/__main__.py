"""`make chaos`: a long run, and its counts as a table. Exit 1 when anything was lost, taken twice or left in doubt."""

import os
import secrets
import sys
import tempfile
from pathlib import Path

from tests.chaos.campaign import campaign


def main() -> int:
    """Run for CHAOS_SECONDS with CHAOS_SEED, a new one by default."""
    seconds = float(os.environ.get("CHAOS_SECONDS", "600"))
    seed = int(os.environ.get("CHAOS_SEED") or secrets.randbelow(2**32))
    print(f"killing for {seconds:.0f} seconds, CHAOS_SEED={seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="gateway-chaos-") as directory:
        # Where root runs this, the PostgreSQL's own user is to reach its cluster without help.
        Path(directory).chmod(0o711)
        outcome = campaign(Path(directory), seconds, seed)
    print(outcome.table())
    return 0 if outcome.clean else 1


if __name__ == "__main__":
    sys.exit(main())
