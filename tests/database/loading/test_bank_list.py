"""A bank's list of a day is read the same in whatever pieces it arrives, and refused at its first wrong line."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.loading import bank_list
from database.loading.bank_list import BankListReader, ListRejected

HEADER = b"bank_reference,amount,reversed\n"
WHOLE = (
    b"\xef\xbb\xbfbank_reference,amount,reversed\r\n"
    b'A-1,605,false\r\n"A,""2",605.5,true\r\n\r\n\\N,0.00,false\nZ~!,12096.00,"true"'
)
ROWS = b'2\tA-1\t605\tf\n3\tA,"2\t605.5\tt\n5\t\\\\N\t0.00\tf\n6\tZ~!\t12096.00\tt\n'


def read(*pieces: bytes) -> bytes:
    reader = BankListReader()
    rows = b"".join(reader.feed(piece) for piece in pieces)
    return rows + reader.finish()


@given(st.lists(st.integers(0, len(WHOLE)), max_size=12))
def test_a_list_is_read_the_same_in_whatever_pieces(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(WHOLE)]
    assert read(*(WHOLE[a:b] for a, b in pairwise(places))) == ROWS


def test_a_list_may_be_empty_but_for_its_header() -> None:
    assert read(HEADER) == read(HEADER.rstrip()) == b""


WRONG = [
    (b"", 1, "must be the header"),
    (b"A,1.00,true\n", 1, "must be the header"),
    (b"bank_reference,amount\n", 1, "must be the header"),
    (b"amount,bank_reference,reversed\n", 1, "must be the header"),
    (b"\n" + HEADER, 1, "must be the header"),
    (HEADER + b"A,1.00\n", 2, "must have 3 fields"),
    (HEADER + b"A,1.00,true,\n", 2, "must have 3 fields"),
    (HEADER + b"A,1.00,true\nB C,1.00,true\n", 3, "bank_reference"),
    (HEADER + b",1.00,true\n", 2, "bank_reference"),
    (HEADER + b"A" * 65 + b",1.00,true\n", 2, "bank_reference"),
    (HEADER + "工,1.00,true\n".encode(), 2, "bank_reference"),
    (HEADER + b"A\x00,1.00,true\n", 2, "bank_reference"),
    (HEADER + b"A,-1.00,true\n", 2, "amount"),
    (HEADER + b"A,1.000,true\n", 2, "amount"),
    (HEADER + b"A,1e2,true\n", 2, "amount"),
    (HEADER + "A,１.00,true\n".encode(), 2, "amount"),
    (HEADER + b"A,1000000000000,true\n", 2, "amount"),
    (HEADER + b"A,1.00,True\n", 2, "reversed"),
    (HEADER + b"A,1.00,\n", 2, "reversed"),
    (HEADER + b'A,1.00,true\n\n"B,1.00,true\nC,1.00,true\n', 4, "CSV"),
    (HEADER + b'"A"x,1.00,true\n', 2, "CSV"),
    (HEADER + b"A,1.00,true\rB,1.00,true\n", 2, "CSV"),
    (HEADER + b'"A\n",1.00,true\n', 2, ""),
    (HEADER + b"A,1.00,true\n\xff,1.00,true\n", 3, "UTF-8"),
    (HEADER + b"A,1.00,true\n" + b"B" * 300, 3, "longer than 256 bytes"),
]


@pytest.mark.parametrize(("text", "line", "reason"), WRONG)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_wrong_line_is_named_with_its_reason(text: bytes, line: int, reason: str, size: int) -> None:
    with pytest.raises(ListRejected) as rejected:
        read(*(text[start : start + size] for start in range(0, len(text), size)))
    assert rejected.value.line == line
    assert reason in rejected.value.reason
    assert str(rejected.value) == f"line {line}: {rejected.value.reason}"


def test_a_list_of_too_many_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_list, "MAX_ROWS", 3)
    rows = b"".join(f"A-{number},1.00,false\n".encode() for number in range(4))
    assert read(HEADER + rows[: -len("A-0,1.00,false\n")]).count(b"\n") == 3
    with pytest.raises(ListRejected, match="line 5: the list has more than 3 rows"):
        read(HEADER + rows)
