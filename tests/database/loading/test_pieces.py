"""A file in pieces says what the file says as a whole, whatever stands in it and wherever it is cut."""

import pickle

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from database.loading import pieces as module
from database.loading.fields import RowRefused
from database.loading.pieces import pieces
from database.loading.reading import Reader
from database.loading.records import MAX_RECORD_CHARACTERS, REJECT_COLUMNS, Records, has_foreign_bytes, open_file

COLUMNS = ("a", "b")
REFUSED = "refused"


def parse(row):
    if REFUSED in row[0] or has_foreign_bytes(row):
        raise RowRefused("INVALID_FIELD", "a")
    return repr(row)


LINES = st.one_of(
    st.sampled_from(
        [
            b"1,2",
            b"",
            b"\r",
            b'"1,2',
            b'1",2',
            b'"1","2"',
            b'"1',
            b'1",2',
            b'"1""',
            b'"1\n1",2',
            b'"\n\n,\n",2',
            b'"' + b"\n" * 17 + b'",2',
            b"1",
            b"1,2,3",
            b"1,2,3,4",
            b"\xb3\xc2,2",
            "陈晓兰,兰".encode(),
            '"陈晓'.encode(),
            b"refused,2",
            b"1,2\r",
            b"1\r,2",
            *(b"1," + b"x" * (MAX_RECORD_CHARACTERS - less) + end for less in range(1, 6) for end in (b"", b"\r")),
            b"x" * (MAX_RECORD_CHARACTERS + 1),
            b"x" * (MAX_RECORD_CHARACTERS * 5) + b",2",
            "兰".encode() * MAX_RECORD_CHARACTERS,
        ]
    ),
    st.binary(max_size=8).filter(lambda line: b"\n" not in line),
)


def whole(path):
    with open_file(path) as file:
        return [
            (line, record.code if isinstance(record, RowRefused) else record) for line, record in Records(file, COLUMNS)
        ]


def verdict(record):
    try:
        return parse(record)
    except RowRefused as refused:
        return "NOT_UTF8" if has_foreign_bytes(record) else refused.code


@given(
    st.lists(LINES, max_size=60),
    st.sampled_from([b"a,b", b"\xef\xbb\xbfa,b", ",".join([*COLUMNS, *REJECT_COLUMNS]).encode()]),
    st.booleans(),
    st.integers(1, 200),
    st.integers(1, 5),
)
@example([b'"1,2'] * 50, b"a,b", True, 10, 1)
@example([b'"1\n1",2'], b"a,b", True, 1, 1)
@example([b'"1\n1",2'], b"a,b", True, 200, 1)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_pieces_read_one_by_one_say_what_the_file_says(tmp_path, lines, header, ended, piece_bytes, piece_records):
    path = tmp_path / "rows.csv"
    path.write_bytes(b"\n".join([header, *lines]) + (b"\n" if ended else b""))
    reader = Reader(COLUMNS, ("row",), parse)
    with pytest.MonkeyPatch.context() as patch, open_file(path) as file:
        patch.setattr(module, "PIECE_BYTES", piece_bytes)
        patch.setattr(module, "PIECE_RECORDS", piece_records)
        # Each goes through a pipe to another process.
        staged = [reader.read(pickle.loads(pickle.dumps(piece))) for piece in pieces(file, COLUMNS)]  # noqa: S301
    rows = [row.split("\t") for some in staged for row in some.lines.decode().splitlines()]
    assert [(int(row[0]), row[3] if row[1] == "\\N" else row[1]) for row in rows] == [
        (line, record if isinstance(record, str) else verdict(record)) for line, record in whole(path)
    ]
    assert sum(some.rows for some in staged) == len(rows)


def test_no_more_than_a_piece_is_read_at_once(tmp_path):
    path = tmp_path / "rows.csv"
    # Lost quotes that hang together from the first line to the last, and a line that never ends.
    path.write_bytes(b"a,b\n" + b'"1,2\n' * 100_000 + b"x" * 1_000_000)
    with open_file(path) as file:
        for piece in pieces(file, COLUMNS):
            assert len(piece.content) <= module.PIECE_BYTES + 4 * MAX_RECORD_CHARACTERS
