"""The bank's list as lines, and what is planted into it."""

import pytest

from gateway.channels import bank_list
from gateway.channels.bank_list import BadLine, parse, planted, written

LINES = "A-1,605.00\nA-2,568.00,reversed"
ENTRIES = [
    {"bankReference": "A-1", "amount": "605.00", "reversed": False},
    {"bankReference": "A-2", "amount": "568.00", "reversed": True},
]


def test_lines_are_read_as_they_are_written() -> None:
    assert parse(LINES) == ENTRIES
    assert written(ENTRIES) == LINES
    assert parse("\n  A-1 , 605.00 \r\n\n") == ENTRIES[:1]


@pytest.mark.parametrize("line", ["A-1", "A-1;605.00", "A-1,605.00,yes", "A-1,605.00,reversed,x"])
def test_a_bad_line_is_named(line: str) -> None:
    with pytest.raises(BadLine) as bad:
        parse(f"A-0,1.00\n\n{line}")
    assert bad.value.number == 3


def test_a_list_has_an_end() -> None:
    assert len(parse("A,1.00\n" * bank_list.MAX_LINES)) == bank_list.MAX_LINES
    with pytest.raises(BadLine):
        parse("A,1.00\n" * (bank_list.MAX_LINES + 1))


@pytest.mark.parametrize(
    ("difference", "lines"),
    [
        ("MISSING_AT_BANK", "A-2,568.00,reversed"),
        ("MISSING_AT_GATEWAY", f"{LINES}\nX-9,100.00"),
        ("AMOUNT_DIFFERS", "A-1,606.00\nA-2,568.00,reversed"),
        ("STATUS_DIFFERS", "A-1,605.00,reversed\nA-2,568.00,reversed"),
    ],
)
def test_one_mistake_is_planted(difference: str, lines: str) -> None:
    assert written(planted(ENTRIES, difference, "X-9")) == lines
    assert written(ENTRIES) == LINES


@pytest.mark.parametrize("amount", ["many", "1e9999999", "NaN"])
def test_what_is_no_amount_is_left_to_the_api(amount: str) -> None:
    (entry,) = planted([{"bankReference": "A-1", "amount": amount, "reversed": False}], "AMOUNT_DIFFERS", "X-9")
    assert entry["amount"] == amount


def test_an_empty_list_has_nothing_to_get_wrong() -> None:
    for difference in ("MISSING_AT_BANK", "AMOUNT_DIFFERS", "STATUS_DIFFERS"):
        assert planted([], difference, "X-9") == []
    assert written(planted([], "MISSING_AT_GATEWAY", "X-9")) == "X-9,100.00"
    with pytest.raises(ValueError, match="no such difference"):
        planted([], "NOTHING", "X-9")
