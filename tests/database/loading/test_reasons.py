import re
from pathlib import Path

import pytest

from database import loading
from database.loading import bills, contributions, enrolments, reason_text
from database.loading.reasons import CODES

ROOM = Path(loading.__file__).parent


def test_every_reason_that_a_rule_gives_has_a_text():
    given = set()
    for path in ROOM.glob("*.py"):
        if path.name != "reasons.py":
            text = path.read_text(encoding="utf-8")
            given |= set(re.findall(r"(?:THEN|ELSE|verdict =) '([A-Z0-9_]+)'", text))
            given |= set(re.findall(r'RowRefused\("([A-Z0-9_]+)"', text))
            given |= set(re.findall(r'code, field = "([A-Z0-9_]+)"', text))
    assert given - {"UNCHANGED"} == CODES


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_reason_is_one_phrase(code):
    assert re.fullmatch(r"[^\n]{10,120}", reason_text(code))


@pytest.mark.parametrize("field", sorted({*enrolments.COLUMNS, *contributions.COLUMNS, *bills.COLUMNS}))
def test_every_column_says_how_it_is_written(field):
    assert reason_text("INVALID_FIELD", field).startswith(f"{field} must be ")


def test_an_unknown_code_is_no_reason():
    with pytest.raises(KeyError):
        reason_text("NO_SUCH_REASON")
