"""The records of a CSV file (RFC 4180), one by one, each with the line on which it starts."""

import csv
import hashlib
import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO, cast

from database.loading.fields import RowRefused
from database.loading.report import FileRefused

if TYPE_CHECKING:
    from io import BufferedReader

# Ten columns of at most 64 characters, quoted, come to no thousand. Whatever is longer has lost a quote, and
# would otherwise be read into memory to the end of the file.
MAX_RECORD_CHARACTERS: Final = 4096
# A line break inside a field is legal CSV. No field of ours needs one.
MAX_RECORD_LINES: Final = 16
# Ten times the largest load that is measured. A longer file is more likely a mistake, and one transaction
# should not grow without an end.
MAX_ROWS: Final = 10_000_000

# The columns that a file of rejected rows has behind its own, so that it can be mended and loaded as it is.
REJECT_COLUMNS: Final = ("line", "reason")


class _RecordTooLong(Exception):
    pass


class _Lines:
    """The physical lines of a file, which can be read again from the second line of a record."""

    def __init__(self, file: TextIO, lines_before: int) -> None:
        self._file = file
        self._again: deque[str] = deque()
        self._size = 0
        self.held: list[str] = []
        self.number = lines_before

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._again:
            line = self._again.popleft()
        else:
            line = self._file.readline(MAX_RECORD_CHARACTERS + 1)
            if not line:
                raise StopIteration
        self.number += 1
        self.held.append(line)
        self._size += len(line)
        if self._size > MAX_RECORD_CHARACTERS or len(self.held) > MAX_RECORD_LINES:
            raise _RecordTooLong
        return line

    @property
    def bytes_ahead(self) -> int:
        """How many bytes of the file wait to be read again."""
        return sum(len(line.encode("utf-8", "surrogateescape")) for line in self._again)

    def begin_record(self) -> int:
        """Forget the record before, and return the number of the line that comes next."""
        self.held.clear()
        self._size = 0
        return self.number + 1

    def give_back(self) -> None:
        """Go back to the second line of the record: its first line alone is the bad one."""
        first = self.held[0]
        if len(self.held) == 1 and len(first) > MAX_RECORD_CHARACTERS and not first.endswith("\n"):
            # Only the beginning of the line has been read: the rest of it is passed over.
            while (rest := self._file.readline(MAX_RECORD_CHARACTERS)) and not rest.endswith("\n"):
                pass
        self.number -= len(self.held) - 1
        self._again.extendleft(reversed(self.held[1:]))
        del self.held[1:]


@dataclass(frozen=True, slots=True)
class Place:
    """The beginning of a record: the number of its line, and how many columns the file's header has."""

    line: int
    header_count: int


class Records:
    """The records behind the header.

    Iterating gives the line on which a record starts, and its fields or the RowRefused that says why it has
    none. A record that cannot be told apart costs its first line only: a lost quote would otherwise swallow the
    rows behind it. Empty lines are skipped. Raises FileRefused for another header than `columns`, with or
    without REJECT_COLUMNS behind them, and for more than MAX_ROWS records.

    With `place` the file stands at the beginning of a record behind its header.
    """

    def __init__(self, file: TextIO, columns: Sequence[str], place: Place | None = None) -> None:
        self._lines = _Lines(file, 0 if place is None else place.line - 1)
        self._csv = csv.reader(self._lines, strict=True)
        self._column_count = len(columns)
        #: How many columns the header has.
        self.header_count = self._read_header(columns) if place is None else place.header_count

    def __iter__(self) -> Iterator[tuple[int, list[str] | RowRefused]]:
        lines, reader, header_count = self._lines, self._csv, self.header_count
        column_count = self._column_count
        rows = 0
        while True:
            start = lines.begin_record()
            record: list[str] | RowRefused
            try:
                record = next(reader)
            except StopIteration:
                return
            except _RecordTooLong:
                lines.give_back()
                record = RowRefused("RECORD_TOO_LONG")
            except csv.Error:
                lines.give_back()
                record = RowRefused("MALFORMED_RECORD")
            else:
                if not record:
                    continue
                if len(record) != header_count:
                    record = RowRefused("WRONG_COLUMN_COUNT")
                else:
                    del record[column_count:]
            rows += 1
            if rows > MAX_ROWS:
                raise FileRefused(f"the file has more than {MAX_ROWS} rows: send it in parts")
            yield start, record

    @property
    def place(self) -> Place:
        """Where the next record begins."""
        return Place(self._lines.number + 1, self.header_count)

    @property
    def bytes_ahead(self) -> int:
        """How many bytes further than `place` the file has been read: they belong to a record that was none."""
        return self._lines.bytes_ahead

    @property
    def raw(self) -> str:
        """The present record as it stands in the file."""
        return "".join(self._lines.held)

    def _read_header(self, columns: Sequence[str]) -> int:
        expected = f"the first line must be: {','.join(columns)}"
        self._lines.begin_record()
        try:
            header = next(self._csv)
        except StopIteration:
            raise FileRefused(f"the file is empty; {expected}") from None
        except (csv.Error, _RecordTooLong):
            raise FileRefused(f"the file's first line is no header; {expected}") from None
        if header in (list(columns), [*columns, *REJECT_COLUMNS]):
            return len(header)
        # What stands there instead is not repeated: in a file without a header it is a person.
        for position, column in enumerate(columns):
            if position >= len(header) or header[position] != column:
                raise FileRefused(f"column {position + 1} of the header must be {column}; {expected}")
        raise FileRefused(f"the header has columns behind {columns[-1]}; {expected}")


@contextmanager
def open_file(path: Path) -> Iterator[TextIO]:
    """Open a file of agencies' for reading; a byte order mark is passed over.

    Bytes that are no UTF-8 arrive as lone surrogates, so that their row can be named and written back as it
    was. Raises FileRefused for what is no regular file (a pipe can't be read twice) and OSError.
    """
    if not path.is_file():
        raise FileRefused("there is no such file" if not path.exists() else "it is no regular file")
    # Only LF ends a line for us, as RFC 4180 has it (the CR before it is the csv module's to take).
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
        yield file


def version_of(file: TextIO) -> tuple[int, int]:
    """Return what changes when somebody writes to the open file: size in bytes and time in nanoseconds."""
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


def sha256_of(file: TextIO) -> bytes:
    """Return the SHA-256 of the open file's bytes. Whoever reads on begins with seek(0)."""
    file.seek(0)
    return hashlib.file_digest(cast("BufferedReader", file.buffer), "sha256").digest()


def has_foreign_bytes(fields: Sequence[str]) -> bool:
    """Tell whether any of the fields has bytes that were no UTF-8."""
    return any("\udc80" <= character <= "\udcff" for field in fields for character in field)
