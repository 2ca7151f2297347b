"""A bank's list of a day (CSV, RFC 4180), read piece by piece as it arrives, into rows for COPY.

A list is taken whole or not at all, so the first wrong line ends the reading. No field of a list may have a line
break, hence every line is a record of its own, and nothing but the line under way is kept between two pieces.
"""

import csv
import re
from functools import lru_cache
from typing import Final

from contributions import money

COLUMNS: Final = ("bank_reference", "amount", "reversed")

# Twice the largest day that is measured (benchmarks/settlement.py). The transaction of a list should not grow
# without an end.
MAX_ROWS: Final = 2_000_000
# A reference of 64 characters, an amount of 15 and a word, each quoted, come to no hundred.
MAX_LINE_BYTES: Final = 256

# As in a payment: printable ASCII, no spaces (0001_ledger.sql).
_BANK_REFERENCE: Final = re.compile(r"[!-~]{1,64}")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_REVERSED: Final = {"true": "t", "false": "f"}
_HEADER: Final = ",".join(COLUMNS)


class ListRejected(Exception):
    """A line of the list is wrong. `line` counts from 1, the header's; `reason` never repeats what stands there.

    `first_line` is given where the line repeats the reference of an earlier one.
    """

    def __init__(self, line: int, reason: str, first_line: int | None = None) -> None:
        super().__init__(line, reason, first_line)
        self.line = line
        self.reason = reason
        self.first_line = first_line

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


class BankListReader:
    """Turns the bytes of a list into lines of COPY's text format: line, bank_reference, amount, reversed.

    Empty lines are passed over, a byte order mark too. Raises ListRejected at the first wrong line, a wrong
    header included.
    """

    def __init__(self) -> None:
        self._rest = b""
        #: Whole lines read so far.
        self._lines = 0
        self._begun = False
        self._header_read = False
        self.rows = 0

    def feed(self, piece: bytes) -> bytes:
        """Return the rows of the lines that the piece completes."""
        data = self._rest + piece
        if not self._begun:
            if len(data) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(data):
                # Too little yet to tell.
                self._rest = data
                return b""
            self._begun = True
            data = data.removeprefix(_BYTE_ORDER_MARK)
        end = data.rfind(b"\n") + 1
        whole, self._rest = data[:end], data[end:]
        rows = self._read(whole) if whole else b""
        if len(self._rest) > MAX_LINE_BYTES:
            raise ListRejected(self._lines + 1, f"is longer than {MAX_LINE_BYTES} bytes")
        return rows

    def finish(self) -> bytes:
        """Return the row of a last line without a line break, and refuse a list without a header."""
        last, self._rest = self._rest, b""
        rows = self._read(last) if last else b""
        if not self._header_read:
            raise ListRejected(1, f"must be the header {_HEADER}")
        return rows

    def _read(self, data: bytes) -> bytes:
        base = self._lines
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ListRejected(base + data.count(b"\n", 0, error.start) + 1, "is not UTF-8") from None
        # Only LF ends a line, as RFC 4180 has it with the CR before it, which the csv module takes.
        lines = text.split("\n")
        if not lines[-1]:
            del lines[-1]
        reader = csv.reader(lines, strict=True)
        rows: list[str] = []
        before = 0
        while True:
            try:
                record = next(reader)
            except StopIteration:
                break
            except csv.Error:
                # The module's own message may repeat what stands there.
                raise ListRejected(base + before + 1, "is no record of CSV (RFC 4180)") from None
            line = base + before + 1
            if reader.line_num != before + 1:
                raise ListRejected(line, "has a line break inside a field")
            before += 1
            if not self._header_read:
                if record != list(COLUMNS):
                    raise ListRejected(line, f"must be the header {_HEADER}")
                self._header_read = True
            elif record:
                rows.append(_row(line, record))
        self._lines = base + before
        self.rows += len(rows)
        if self.rows > MAX_ROWS:
            raise ListRejected(self._lines, f"the list has more than {MAX_ROWS} rows")
        return "".join(rows).encode("ascii")


def _row(line: int, record: list[str]) -> str:
    if len(record) != len(COLUMNS):
        raise ListRejected(line, f"must have {len(COLUMNS)} fields: {_HEADER}")
    bank_reference, amount, held_reversed = record
    if _BANK_REFERENCE.fullmatch(bank_reference) is None:
        raise ListRejected(line, "bank_reference must be 1 to 64 printable ASCII characters without spaces")
    if not _is_amount(amount):
        raise ListRejected(line, "amount must be digits with at most two decimals, below 10^12")
    reversal = _REVERSED.get(held_reversed)
    if reversal is None:
        raise ListRejected(line, "reversed must be true or false")
    # A backslash is the one printable character that COPY's text format reads otherwise.
    escaped = bank_reference.replace("\\", "\\\\")
    return f"{line}\t{escaped}\t{amount}\t{reversal}\n"


@lru_cache(maxsize=65_536)
def _is_amount(text: str) -> bool:
    """Tell whether the text is an amount; a day has far fewer amounts than payments, and so remembers them."""
    try:
        money.parse(text)
    except ValueError:
        return False
    return True
