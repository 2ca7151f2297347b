import pytest

from contributions.resident_id import check_character
from database.loading import FileRefused
from database.loading import records as module
from database.loading.fields import RowRefused
from database.loading.records import MAX_RECORD_CHARACTERS, MAX_RECORD_LINES, Records, open_file

COLUMNS = ("a", "b")


@pytest.fixture
def read(tmp_path):
    def read_file(content: str | bytes):
        path = tmp_path / "rows.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with open_file(path) as file:
            return [
                (line, record.code if isinstance(record, RowRefused) else record)
                for line, record in Records(file, COLUMNS)
            ]

    return read_file


def test_a_record_has_the_line_on_which_it_starts(read):
    assert read("a,b\n1,2\n3,4\n") == [(2, ["1", "2"]), (3, ["3", "4"])]


def test_a_line_break_inside_quotes_belongs_to_the_field_and_counts_as_a_line(read):
    assert read('a,b\n"1\n1",2\n3,4\n') == [(2, ["1\n1", "2"]), (4, ["3", "4"])]


def test_quotes_hold_commas_and_doubled_quotes(read):
    assert read('a,b\n"1,1","2""2"\n') == [(2, ["1,1", '2"2'])]


def test_lines_end_with_crlf_or_lf_and_the_last_one_with_nothing(read):
    assert read("a,b\r\n1,2\r\n3,4") == [(2, ["1", "2"]), (3, ["3", "4"])]


def test_a_byte_order_mark_is_passed_over(read):
    assert read("\ufeffa,b\n1,2\n") == [(2, ["1", "2"])]


def test_empty_lines_are_skipped_and_counted(read):
    assert read("a,b\n\n1,2\n\n") == [(3, ["1", "2"])]


def test_a_file_without_rows_has_none(read):
    assert read("a,b\n") == []


@pytest.mark.parametrize("row", ["1", "1,2,3", "1,2,3,4"])
def test_a_row_has_as_many_columns_as_the_header(read, row):
    assert read(f"a,b\n{row}\n5,6\n") == [(2, "WRONG_COLUMN_COUNT"), (3, ["5", "6"])]


def test_the_columns_of_a_file_of_rejected_rows_are_passed_over(read):
    assert read("a,b,line,reason\n1,2,7,because\n") == [(2, ["1", "2"])]


@pytest.mark.parametrize("row", ['"1"x,2', '1,"2" '])
def test_a_quote_inside_a_field_is_refused_with_its_row_alone(read, row):
    assert read(f"a,b\n{row}\n3,4\n") == [(2, "MALFORMED_RECORD"), (3, ["3", "4"])]


def test_a_lost_quote_costs_its_own_line_and_not_the_rows_behind_it(read):
    rows = [[str(n), str(n)] for n in range(MAX_RECORD_LINES * 3)]
    content = 'a,b\n"1,2\n' + "".join(f"{x},{y}\n" for x, y in rows)
    assert read(content) == [(2, "RECORD_TOO_LONG"), *((3 + n, row) for n, row in enumerate(rows))]


def test_a_lost_quote_near_the_end_costs_its_own_line(read):
    assert read('a,b\n"1,2\n3,4\n5,6') == [(2, "MALFORMED_RECORD"), (3, ["3", "4"]), (4, ["5", "6"])]


def test_two_lost_quotes_cost_their_own_lines(read):
    # Between them they make a field that RFC 4180 allows, and a quote behind which a field goes on.
    assert read('a,b\n"1,2\n3,4\n"5,6\n7,8\n') == [
        (2, "MALFORMED_RECORD"),
        (3, ["3", "4"]),
        (4, "MALFORMED_RECORD"),
        (5, ["7", "8"]),
    ]


@pytest.mark.parametrize("length", [MAX_RECORD_CHARACTERS + 1, MAX_RECORD_CHARACTERS * 50])
def test_a_line_too_long_to_be_a_row_is_passed_over_without_being_kept(read, length):
    assert read(f"a,b\n{'x' * length},2\n3,4\n") == [(2, "RECORD_TOO_LONG"), (3, ["3", "4"])]


def test_a_last_line_too_long_ends_the_file(read):
    assert read("a,b\n" + "x" * MAX_RECORD_CHARACTERS * 3) == [(2, "RECORD_TOO_LONG")]


def test_a_lost_quote_before_a_line_too_long_costs_both_lines_alone(read):
    assert read(f'a,b\n"1,2\n{"x" * MAX_RECORD_CHARACTERS * 3},2\n3,4\n') == [
        (2, "RECORD_TOO_LONG"),
        (3, "RECORD_TOO_LONG"),
        (4, ["3", "4"]),
    ]


def test_bytes_that_are_no_utf8_are_kept_as_they_are(read):
    ((_, (first, _second)),) = read(b"a,b\n\xb3\xc2,2\n")
    assert first.encode("utf-8", "surrogateescape") == b"\xb3\xc2"


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("", "empty"),
        ("a", "column 2 of the header must be b"),
        ("b,a", "column 1 of the header must be a"),
        ("A,b", "column 1 of the header must be a"),
        ("a, b", "column 2 of the header must be b"),
        ("a,b,c", "columns behind b"),
        ("a,b,line", "columns behind b"),
        ('"a,b', "no header"),
    ],
)
def test_another_header_is_refused_and_the_right_one_named(read, header, named):
    with pytest.raises(FileRefused, match=named) as refused:
        read(header)
    assert "the first line must be: a,b" in str(refused.value)


def test_a_file_without_a_header_does_not_get_its_first_person_repeated(read):
    first17 = "36999919850312001"
    with pytest.raises(FileRefused) as refused:
        read(f"{first17}{check_character(first17)},陈晓兰\n")
    assert first17 not in str(refused.value)
    assert "陈" not in str(refused.value)


def test_a_file_of_more_rows_than_the_limit_is_refused(read, monkeypatch):
    monkeypatch.setattr(module, "MAX_ROWS", 2)
    assert len(read("a,b\n1,2\n3,4\n")) == 2
    with pytest.raises(FileRefused, match="more than 2 rows"):
        read("a,b\n1,2\n3,4\n5,6\n")


def test_only_a_regular_file_can_be_loaded(tmp_path):
    for path in (tmp_path, tmp_path / "absent.csv"):
        with pytest.raises(FileRefused), open_file(path):
            pass
