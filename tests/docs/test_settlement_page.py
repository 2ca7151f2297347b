"""The page on a large day's list has the limits of the code."""

from contributions import problems
from database.loading import bank_list
from gateway.endpoints import settlements
from tests.docs.pages import rows, text

PAGE = "docs/settlement.md"


def test_the_limits_of_a_list_are_the_codes_own() -> None:
    told = {status: when for status, when, *_ in rows(PAGE, "status")}
    pause, whole = settlements.PIECE_TIMEOUT_SECONDS, settlements.UPLOAD_TIMEOUT_SECONDS
    assert told["408"] == f"a pause of more than {pause:.0f} seconds, or {whole:.0f} seconds in all"
    assert told["413"] == f"the body is larger than {settlements.MAX_LIST_BYTES:,} bytes"
    assert told["503"].startswith({2: "two lists"}[settlements.MAX_UPLOADS])
    assert problems.DayNotReconcilable.code in told["409"]
    assert f"at most {bank_list.MAX_ROWS:,} rows, and a line at most {bank_list.MAX_LINE_BYTES} bytes" in text(PAGE)


def test_the_columns_of_a_list_are_described_in_their_order() -> None:
    assert [row[0] for row in rows(PAGE, "field")] == list(bank_list.COLUMNS)
    assert ",".join(bank_list.COLUMNS) in text(PAGE)
