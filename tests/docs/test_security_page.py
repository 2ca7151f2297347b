"""Every attack of docs/security.md is tried by a test that is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

_NAMED = re.compile(r"`(tests/[\w/]+(?:\.py)?)(?:::(\w+))?`")


def test_every_row_names_tests_that_are_there() -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    rows = [
        line for line in page.splitlines() if line.startswith("| ") and not line.startswith(("| attack", "| ---"))
    ]
    assert len(rows) > 30
    for row in rows:
        named = _NAMED.findall(row.rsplit("|", 2)[1])
        assert named, row
        for path, function in named:
            assert (ROOT / path).exists(), path
            if function:
                source = (ROOT / path).read_text(encoding="utf-8")
                assert f"def {function}(" in source, f"{path}::{function}"
