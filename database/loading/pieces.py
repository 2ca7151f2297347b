"""A file in pieces, each of which can be read by itself, on another core than the one before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final, TextIO, cast

from database.loading.fields import RowRefused
from database.loading.records import MAX_RECORD_CHARACTERS, Place, Records

if TYPE_CHECKING:
    from io import BufferedReader

# Some 800 rows: the way to another process costs little beside their reading, and what is under way is small.
PIECE_BYTES: Final = 64 * 1024
PIECE_RECORDS: Final = 800
# Of a character in UTF-8.
_CHARACTER_BYTES_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of a file's records, the first of them at `place`.

    `content` is their bytes as they stand in the file where none of them has a quote, for then each line is a
    record; otherwise the records, as Records gives them.
    """

    place: Place
    content: "bytes | list[tuple[int, list[str] | RowRefused]]"


def pieces(file: TextIO, columns: Sequence[str]) -> Iterator[Piece]:
    """Yield a file's pieces in their order; the next one is read when it is asked for.

    Raises FileRefused as Records does for a header. The rows of the pieces are for the caller to count.
    """
    place = Place(2, Records(file, columns).header_count)
    buffer = cast("BufferedReader", file.buffer)
    buffer.seek(0)
    # A header that was accepted has one line.
    buffer.readline()
    while True:
        offset = buffer.tell()
        content = buffer.read(PIECE_BYTES)
        if not content:
            return
        if not content.endswith(b"\n"):
            content += buffer.readline(MAX_RECORD_CHARACTERS * _CHARACTER_BYTES_MAX)
        # A piece without a line break at its end is the last, or has a line that nobody should hold in memory.
        if b'"' not in content and (content.endswith(b"\n") or not buffer.peek(1)):
            yield Piece(place, content)
            place = Place(place.line + content.count(b"\n"), place.header_count)
        else:
            file.seek(offset)
            records = Records(file, columns, place)
            yield Piece(place, list(islice(records, PIECE_RECORDS)))
            place = records.place
            # Behind a line break no character is pending, and TextIOWrapper tells the offset in bytes.
            buffer.seek(file.tell() - records.bytes_ahead)
