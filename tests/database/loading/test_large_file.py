"""A file that does not pass in one piece: many batches, sets of many rows, in bounded memory."""

import tracemalloc

import pytest

from contributions.resident_id import check_character

pytestmark = pytest.mark.anyio

ROWS = 50_000


def numbers():
    for sequence in range(ROWS):
        first17 = f"369999{1950 + sequence // 5000}{1 + sequence // 500 % 10:02d}{1 + sequence // 20 % 25:02d}"
        first17 += f"{sequence % 20:03d}"
        yield first17 + check_character(first17)


async def test_fifty_thousand_rows_load_and_load_again_unchanged(agency):
    enrolments = agency.write("enrolments", [f"{number},陈晓兰,MEDICAL,360100,2020-01," for number in numbers()])
    seen = []
    report = await agency.load_path("enrolments", enrolments, progress=seen.append)
    assert (report.rows_read, report.loaded, report.rejected) == (ROWS, ROWS, 0)
    assert seen == sorted(seen)
    assert seen[-1] == ROWS

    bills = agency.write(
        "bills",
        [
            f"M{n},{number},陈晓兰,MEDICAL,360100,2021-01,2021-12,5712.00,2021-06-30,MEDICAL_BATCH"
            for n, number in enumerate(numbers())
        ],
    )
    tracemalloc.start()
    try:
        report = await agency.load_path("bills", bills)
        _now, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (report.rows_read, report.loaded, report.rejected) == (ROWS, ROWS, 0)
    # The file alone has 5 MB: nothing of its size is ever held.
    assert peak_bytes < 4_000_000 < bills.stat().st_size

    for kind, path in (("enrolments", enrolments), ("bills", bills)):
        report = await agency.load_path(kind, path)
        assert (report.loaded, report.updated, report.unchanged) == (0, 0, ROWS)
    assert await agency.count("payers") == ROWS


async def test_fifty_thousand_bad_rows_are_counted_and_written_in_bounded_memory(agency):
    path = agency.write("enrolments", [f"{number},陈晓兰,MEDICAL,999999,2020-01," for number in numbers()])
    tracemalloc.start()
    try:
        report = await agency.load_path("enrolments", path, accept_valid=True)
        _now, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (report.rejected, report.loaded) == (ROWS, 0)
    assert peak_bytes < 8_000_000
    with report.rejects_file.open(encoding="utf-8") as file:
        assert sum(1 for _line in file) == ROWS + 1
