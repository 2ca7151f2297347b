import asyncio
import csv
import stat

import pytest

from database.loading import FileRefused, LedgerChanged, contributions, staging
from database.loading.rejects import path_beside
from database.loading.report import MAX_REJECTIONS_KEPT
from tests.database.loading.conftest import codes, number

pytestmark = pytest.mark.anyio

ANNA, BEN, CARL = number(1), number(2), number(3)
GOOD = f"{ANNA},陈晓兰,PENSION,360000,2020-01,"
BAD_AREA = f"{BEN},刘建国,PENSION,999999,2020-01,"
BAD_MONTH = f"{CARL},王芳,PENSION,360000,2020-13,"


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


async def test_one_bad_row_keeps_the_whole_file_out(agency):
    report = await agency.enrol(GOOD, BAD_AREA)
    assert codes(report) == [(3, "UNKNOWN_POOLING_AREA")]
    assert (report.rows_read, report.loaded, report.rejected, report.taken_over) == (2, 0, 1, False)
    assert await agency.count("payers") == 0
    assert not path_beside(agency.directory / "enrolments.csv").exists()


async def test_every_bad_row_is_reported_with_the_line_on_which_it_starts(agency):
    path = agency.write("enrolments", [f'{BEN},"刘\n建国",PENSION,360000,2020-01,', GOOD, BAD_AREA, "x", "", BAD_MONTH])
    report = await agency.load_path("enrolments", path)
    assert codes(report) == [
        (2, "INVALID_FIELD"),
        (5, "UNKNOWN_POOLING_AREA"),
        (6, "WRONG_COLUMN_COUNT"),
        (8, "INVALID_FIELD"),
    ]


async def test_all_bad_rows_are_counted_and_the_first_are_kept(agency):
    report = await agency.enrol(*[BAD_AREA] * (MAX_REJECTIONS_KEPT + 50))
    assert (report.rejected, len(report.rejections)) == (MAX_REJECTIONS_KEPT + 50, MAX_REJECTIONS_KEPT)
    assert report.rejections[-1].line == MAX_REJECTIONS_KEPT + 1


async def test_accepting_valid_rows_loads_them_and_writes_the_others_beside(agency):
    report = await agency.enrol(BAD_AREA, GOOD, BAD_MONTH, accept_valid=True)
    assert (report.loaded, report.rejected, report.taken_over) == (1, 2, True)
    assert report.rejects_file == agency.directory / "enrolments.rejects.csv"
    assert rows_of(report.rejects_file) == [
        ["resident_id", "name", "insurance", "pooling_area", "first_month", "last_month", "line", "reason"],
        [*BAD_AREA.split(","), "2", "UNKNOWN_POOLING_AREA: no pooling area has this code"],
        [
            *BAD_MONTH.split(","),
            "4",
            "INVALID_FIELD: first_month must be a month as YYYY-MM, years 1900 to 2999",
        ],
    ]


async def test_rejected_rows_are_their_owners_to_read_alone(agency):
    report = await agency.enrol(BAD_AREA, accept_valid=True)
    assert stat.S_IMODE(report.rejects_file.stat().st_mode) == 0o600
    assert sorted(path.name for path in agency.directory.iterdir()) == ["enrolments.csv", "enrolments.rejects.csv"]


async def test_the_file_of_rejected_rows_is_mended_and_loaded_as_it_is(agency):
    report = await agency.enrol(BAD_AREA, GOOD, BAD_MONTH, accept_valid=True)
    mended = report.rejects_file
    mended.write_text(mended.read_text(encoding="utf-8").replace("999999", "360000").replace("2020-13", "2020-12"))
    again = await agency.load_path("enrolments", mended)
    assert (again.loaded, again.rejected) == (2, 0)
    assert await agency.count("enrolments") == 3


async def test_a_row_with_quotes_and_a_line_break_comes_back_as_it_was(agency):
    report = await agency.enrol(f'{BEN},"刘,""建\n国",PENSION,360000,2020-01,', GOOD, accept_valid=True)
    assert rows_of(report.rejects_file)[1][:2] == [BEN, '刘,"建\n国']


async def test_what_is_no_record_comes_back_whole_in_the_first_column(agency):
    report = await agency.enrol(f'{BEN},"刘建国"x,PENSION,360000,2020-01,', GOOD, "a,b", accept_valid=True)
    rows = rows_of(report.rejects_file)
    assert rows[1][:7] == [f'{BEN},"刘建国"x,PENSION,360000,2020-01,\n', "", "", "", "", "", "2"]
    assert rows[2][:7] == ["a,b\n", "", "", "", "", "", "4"]


async def test_bytes_of_another_encoding_come_back_as_they_were(agency):
    path = agency.write("enrolments", [BAD_AREA], encoding="gbk")
    report = await agency.load_path("enrolments", path, accept_valid=True)
    assert "刘建国".encode("gbk") in report.rejects_file.read_bytes()


async def test_an_earlier_file_of_rejected_rows_is_replaced(agency):
    await agency.enrol(BAD_AREA, BAD_MONTH, accept_valid=True)
    report = await agency.enrol(BAD_MONTH, accept_valid=True)
    assert [row[0] for row in rows_of(report.rejects_file)[1:]] == [CARL]


async def test_nothing_is_loaded_when_the_rejected_rows_cannot_be_written(agency):
    (agency.directory / "enrolments.rejects.csv").mkdir()
    with pytest.raises(OSError):  # noqa: PT011 - which one is the system's to say
        await agency.enrol(GOOD, BAD_AREA, accept_valid=True)
    assert await agency.count("payers") == 0
    assert sorted(path.name for path in agency.directory.iterdir()) == ["enrolments.csv", "enrolments.rejects.csv"]


async def test_nothing_is_loaded_when_the_file_changes_meanwhile(agency):
    path = agency.write("enrolments", [GOOD, BAD_AREA])

    def change(_rows):
        path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")

    with pytest.raises(FileRefused, match="was changed"):
        await agency.load_path("enrolments", path, accept_valid=True, progress=change)
    assert await agency.count("payers") == 0


async def test_a_load_that_races_with_a_payment_judges_its_rows_again(agency, connect, monkeypatch):
    await agency.enrol(GOOD, f"{BEN},刘建国,PENSION,360000,2020-01,")
    other = await connect()
    raced = []

    async def pay_between(connection, kind):
        if not raced:
            raced.append(True)
            await other.execute(
                """
                INSERT INTO contributions (payer_id, insurance, months, amount, paid_on)
                SELECT id, 'PENSION', int4range(month_number('2020-02-01'), month_number('2020-03-01')), 605, now()
                FROM payers WHERE resident_id_index = $1
                """,
                agency.vault.resident_id_index(ANNA),
            )
        return await report_of(connection, kind)

    report_of = staging._report
    monkeypatch.setattr(staging, "_report", pay_between)
    try:
        report = await agency.contribute(
            f"{ANNA},PENSION,2020-01,2020-03,1815.00,2020-03-16",
            f"{BEN},PENSION,2020-01,2020-03,1815.00,2020-03-16",
            accept_valid=True,
        )
    finally:
        await other.close()
    assert codes(report) == [(2, "MONTHS_ALREADY_PAID")]
    assert report.loaded == 1


async def test_a_load_that_races_every_time_gives_up_and_leaves_nothing(agency, connect, monkeypatch):
    await agency.enrol(GOOD)
    other = await connect()
    attempts = []

    async def pay_between(connection, kind):
        report = await report_of(connection, kind)
        attempts.append(True)
        # It stands when the load inserts, and is gone when the load looks again.
        await other.execute(
            """
            UPDATE contributions SET standing = FALSE;
            INSERT INTO contributions (payer_id, insurance, months, amount, paid_on)
            SELECT id, 'PENSION', int4range(1, 100000), 605, now() FROM payers
            """
        )
        return report

    async def judge_after_reversal(connection):
        await other.execute("UPDATE contributions SET standing = FALSE")
        await judge(connection)

    judge, report_of = contributions._judge, staging._report
    monkeypatch.setattr(contributions, "_judge", judge_after_reversal)
    monkeypatch.setattr(staging, "_report", pay_between)
    try:
        with pytest.raises(LedgerChanged, match="nothing was loaded"):
            await agency.contribute(f"{ANNA},PENSION,2020-01,2020-03,1815.00,2020-03-16")
    finally:
        await other.close()
    assert len(attempts) == staging.MAX_ATTEMPTS
    assert await agency.connection.fetchval("SELECT count(*) FROM contributions WHERE paid_on = '2020-03-16'") == 0


async def test_a_load_waits_for_the_one_before_it_whatever_limits_requests_have(agency, connect):
    other = await connect()
    await agency.connection.execute("SET statement_timeout = '100ms'; SET lock_timeout = '100ms'")
    try:
        async with other.transaction():
            await other.execute("SELECT pg_advisory_xact_lock($1)", staging.LOADS_LOCK)
            load = asyncio.create_task(agency.enrol(GOOD))
            done, _pending = await asyncio.wait([load], timeout=0.5)
            assert not done
        assert (await load).loaded == 1
    finally:
        await other.close()
