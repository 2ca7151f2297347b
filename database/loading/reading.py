"""Pieces of a file made into lines for COPY, in this process or in others beside it."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper

from database.loading.copying import NULL
from database.loading.fields import RowRefused
from database.loading.pieces import Piece
from database.loading.records import MAX_RECORD_CHARACTERS, Records, has_foreign_bytes

Parse = Callable[[Sequence[str]], str]
Numbered = tuple[int, list[str] | RowRefused]


@dataclass(frozen=True, slots=True)
class Staged:
    """What came of a piece: so many rows, as lines of COPY's text format."""

    rows: int
    lines: bytes


class Reader:
    """Reads pieces of one kind of file: `parse` as kinds.Kind has it, of rows with these columns."""

    __slots__ = ("_columns", "_nothing", "_parse")

    def __init__(self, columns: Sequence[str], staged_columns: Sequence[str], parse: Parse) -> None:
        self._columns = columns
        self._parse = parse
        self._nothing = "\t".join([NULL] * len(staged_columns))

    def read(self, piece: Piece) -> Staged:
        """Return the piece's rows: line, verdict, field, and the staged columns."""
        parse, nothing = self._parse, self._nothing
        lines: list[str] = []
        for number, record in self._records(piece):
            try:
                if isinstance(record, RowRefused):
                    raise record
                lines.append(f"{number}\t\\N\t\\N\t{parse(record)}\n")
            except RowRefused as refused:
                code, field = refused.code, refused.field
                if not isinstance(record, RowRefused) and has_foreign_bytes(record):
                    code, field = "NOT_UTF8", None
                lines.append(f"{number}\t{code}\t{field or NULL}\t{nothing}\n")
        return Staged(len(lines), "".join(lines).encode())

    def _records(self, piece: Piece) -> Iterable[Numbered]:
        if not isinstance(piece.content, bytes):
            return piece.content
        return self._plain(piece, piece.content) or self._careful(piece, piece.content)

    def _plain(self, piece: Piece, content: bytes) -> list[Numbered] | None:
        """Return the records of lines that have nothing uncommon, each of which is a record; None for others.

        No piece of bytes has a quote (pieces.Piece), so that a line's commas are all that RFC 4180 asks to look for.
        """
        text = content.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
        lines = text.split("\n")
        count = piece.place.header_count
        # Of a record's characters, a CR and an LF may be gone.
        if count > len(self._columns) or "\r" in text or max(map(len, lines)) > MAX_RECORD_CHARACTERS - 2:
            return None
        return [
            (number, record if len(record := line.split(",")) == count else RowRefused("WRONG_COLUMN_COUNT"))
            for number, line in enumerate(lines, piece.place.line)
            if line
        ]

    def _careful(self, piece: Piece, content: bytes) -> Iterator[Numbered]:
        file = TextIOWrapper(BytesIO(content), encoding="utf-8", errors="surrogateescape", newline="\n")
        return iter(Records(file, self._columns, piece.place))


async def read_here(reader: Reader, pieces: Iterable[Piece]) -> AsyncIterator[Staged]:
    """Read the pieces one after the other in this process."""
    for piece in pieces:
        yield reader.read(piece)
