import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.campaign import campaign

SECONDS = 20.0


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gateway-chaos-") as name:
        # Where root runs the tests, the server's own user is to reach its cluster without help.
        Path(name).chmod(0o711)
        yield Path(name)


def test_whatever_is_killed_no_payment_is_lost_or_taken_twice_or_left_in_doubt(directory: Path) -> None:
    outcome = campaign(directory, SECONDS, secrets.randbelow(2**32))
    print(outcome.table())
    assert outcome.clean, outcome.table()
    assert outcome.records.counts["payments acknowledged"] > 0
