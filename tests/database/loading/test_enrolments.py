import pytest

from contributions import months
from database.loading import enrolments, reason_text
from tests.database.loading.conftest import codes, number

pytestmark = pytest.mark.anyio

ANNA, BEN, CARL = number(1), number(2), number(3)
MASK = f"{ANNA[:3]}***********{ANNA[-4:]}"


async def test_a_new_person_is_found_by_number_and_name_and_shown_by_masks_alone(agency):
    report = await agency.enrol(f"{ANNA},陈晓兰,PENSION,360000,2020-01,")
    assert (report.rows_read, report.loaded, report.rejected) == (1, 1, 0)
    row = await agency.connection.fetchrow("SELECT * FROM payers")
    assert row["resident_id_index"] == agency.vault.resident_id_index(ANNA)
    assert row["name_index"] == agency.vault.name_index(ANNA, "陈晓兰")
    assert (row["masked_name"], row["masked_resident_id"]) == ("**兰", MASK)
    unsealed = agency.vault.unseal(row["sealed_identity"], row["data_key_id"], row["resident_id_index"])
    assert unsealed.decode() == ANNA + "陈晓兰"


async def test_an_empty_last_month_goes_on_and_a_last_month_is_included(agency):
    await agency.enrol(f"{ANNA},陈晓兰,PENSION,360000,2020-01,", f"{ANNA},陈晓兰,MEDICAL,360100,2020-01,2020-12")
    assert await agency.enrolments() == [
        (MASK, "MEDICAL", "360100", months.parse("2020-01"), months.parse("2020-12")),
        (MASK, "PENSION", "360000", months.parse("2020-01"), None),
    ]


async def test_the_same_file_twice_changes_nothing(agency):
    rows = [f"{ANNA},陈晓兰,PENSION,360000,2020-01,", f"{BEN},刘建国,MEDICAL,360100,2020-01,2020-12"]
    await agency.enrol(*rows)
    before = await agency.connection.fetch("SELECT xmin, * FROM enrolments")
    report = await agency.enrol(*rows)
    assert (report.loaded, report.updated, report.unchanged, report.rejected) == (0, 0, 2, 0)
    assert await agency.connection.fetch("SELECT xmin, * FROM enrolments") == before
    assert await agency.count("payers") == 2


@pytest.mark.parametrize(
    ("again", "now"),
    [
        ("PENSION,360000,2020-01,2021-06", ("360000", "2020-01", "2021-06")),
        ("PENSION,360100,2020-01,", ("360100", "2020-01", None)),
    ],
)
async def test_another_last_month_or_pooling_area_replaces_the_enrolment(agency, again, now):
    await agency.enrol(f"{ANNA},陈晓兰,PENSION,360000,2020-01,")
    report = await agency.enrol(f"{ANNA},陈晓兰,{again}")
    assert (report.loaded, report.updated, report.unchanged) == (0, 1, 0)
    area, first, last = now
    assert await agency.enrolments() == [(MASK, "PENSION", area, months.parse(first), last and months.parse(last))]


async def test_an_enrolment_can_be_shortened_to_leave_paid_months_outside(agency):
    await agency.enrol(f"{ANNA},陈晓兰,PENSION,360000,2020-01,")
    await agency.contribute(f"{ANNA},PENSION,2020-01,2020-12,7260.00,2020-02-01")
    report = await agency.enrol(f"{ANNA},陈晓兰,PENSION,360000,2020-01,2020-06")
    assert report.updated == 1
    assert await agency.count("contributions") == 1


async def test_a_move_ends_one_enrolment_and_begins_another_in_one_file(agency):
    await agency.enrol(f"{ANNA},陈晓兰,MEDICAL,360100,2018-01,")
    report = await agency.enrol(
        f"{ANNA},陈晓兰,MEDICAL,360200,2020-01,", f"{ANNA},陈晓兰,MEDICAL,360100,2018-01,2019-12"
    )
    assert (report.loaded, report.updated, report.rejected) == (1, 1, 0)


async def test_a_person_known_by_another_name_is_refused(agency):
    await agency.enrol(f"{ANNA},陈晓兰,PENSION,360000,2020-01,")
    report = await agency.enrol(f"{ANNA},陈晓丽,MEDICAL,360100,2020-01,", f"{ANNA},陈晓兰,MEDICAL,360100,2020-01,")
    assert codes(report) == [(2, "NAME_DIFFERS")]
    assert await agency.count("enrolments") == 1


async def test_a_new_person_with_two_names_is_refused_under_both(agency):
    report = await agency.enrol(
        f"{ANNA},陈晓兰,PENSION,360000,2020-01,",
        f"{BEN},刘建国,PENSION,360000,2020-01,",
        f"{ANNA},陈晓丽,MEDICAL,999999,2020-01,",
        accept_valid=True,
    )
    assert codes(report) == [(2, "NAME_DIFFERS"), (4, "NAME_DIFFERS")]
    assert await agency.count("payers") == 1


async def test_one_name_in_two_spellings_is_one_name(agency):
    report = await agency.enrol(f"{ANNA},阿·不,PENSION,360000,2020-01,", f"{ANNA}, 阿•不 ,MEDICAL,360100,2020-01,")
    assert (report.loaded, report.rejected) == (2, 0)


async def test_an_unknown_pooling_area_is_refused(agency):
    assert codes(await agency.enrol(f"{ANNA},陈晓兰,PENSION,999999,2020-01,")) == [(2, "UNKNOWN_POOLING_AREA")]


@pytest.mark.parametrize("months_there", ["2019-06,2020-01", "2020-03,2020-04", "2020-12,", "2019-01,2022-12"])
async def test_an_enrolment_that_overlaps_another_is_refused(agency, months_there):
    await agency.enrol(f"{ANNA},陈晓兰,PENSION,360000,{months_there}")
    report = await agency.enrol(f"{ANNA},陈晓兰,PENSION,360000,2020-01,2020-12")
    # The same first month would replace it, any other one would not.
    assert codes(report) == [(2, "OVERLAPS_ENROLMENT")]


async def test_enrolments_side_by_side_and_of_another_insurance_do_not_overlap(agency):
    await agency.enrol(f"{ANNA},陈晓兰,PENSION,360000,2020-01,2020-06")
    report = await agency.enrol(
        f"{ANNA},陈晓兰,PENSION,360000,2020-07,",
        f"{ANNA},陈晓兰,PENSION,360000,2019-01,2019-12",
        f"{ANNA},陈晓兰,MEDICAL,360100,2020-01,",
        f"{BEN},刘建国,PENSION,360000,2020-01,",
    )
    assert (report.loaded, report.rejected) == (4, 0)


async def test_rows_of_one_file_that_contradict_each_other_are_all_refused(agency):
    report = await agency.enrol(
        f"{ANNA},陈晓兰,PENSION,360000,2020-01,2020-06",
        f"{ANNA},陈晓兰,PENSION,360000,2020-06,",
        f"{BEN},刘建国,PENSION,360000,2020-01,",
        f"{CARL},王芳,PENSION,360000,2020-01,",
        f"{CARL},王芳,PENSION,360000,2020-01,2020-12",
        accept_valid=True,
    )
    assert codes(report) == [(line, "OVERLAPS_ENROLMENT") for line in (2, 3, 5, 6)]
    assert report.loaded == 1


async def test_a_row_that_contradicts_one_that_says_what_is_known_is_refused_with_it(agency):
    await agency.enrol(f"{ANNA},陈晓兰,PENSION,360000,2020-01,")
    report = await agency.enrol(
        f"{ANNA},陈晓兰,PENSION,360000,2020-01,", f"{ANNA},陈晓兰,PENSION,360000,2020-01,2020-12"
    )
    assert codes(report) == [(2, "OVERLAPS_ENROLMENT"), (3, "OVERLAPS_ENROLMENT")]


async def test_a_row_is_refused_when_the_one_that_would_make_room_for_it_is(agency):
    await agency.enrol(f"{ANNA},陈晓兰,MEDICAL,360100,2018-01,")
    report = await agency.enrol(
        f"{ANNA},陈晓兰,MEDICAL,999999,2018-01,2019-12",
        f"{ANNA},陈晓兰,MEDICAL,360200,2020-01,",
        accept_valid=True,
    )
    assert codes(report) == [(2, "UNKNOWN_POOLING_AREA"), (3, "OVERLAPS_ENROLMENT")]
    assert len(await agency.enrolments()) == 1


async def test_the_same_row_twice_in_a_file_is_one_enrolment(agency):
    row = f"{ANNA},陈晓兰,PENSION,360000,2020-01,"
    report = await agency.enrol(row, row, row)
    assert (report.loaded, report.unchanged, report.rejected) == (1, 2, 0)


async def test_a_field_that_cannot_be_read_is_named_and_not_repeated(agency):
    good = dict(zip(enrolments.COLUMNS, (ANNA, "陈晓兰", "PENSION", "360000", "2020-01", "2020-12"), strict=True))
    wrong_check = ANNA[:17] + ("0" if ANNA[17] != "0" else "1")
    bad = [
        *(("resident_id", value) for value in ("", ANNA[:17], wrong_check, f"{ANNA} ", "36999919900230001X")),
        *(("name", value) for value in ("", "   ", "陈\u200b晓兰", "兰" * 51)),
        *(("insurance", value) for value in ("", "pension", "UNEMPLOYMENT")),
        *(("pooling_area", value) for value in ("", "36000", "３６００００")),
        *(("first_month", value) for value in ("", "2020-13", "2020-1", "202001", "1899-12")),
        *(("last_month", value) for value in ("2020/12", "3000-01", " ")),
    ]
    report = await agency.enrol(*(",".join((good | {field: value}).values()) for field, value in bad))
    assert [(r.line, r.code, r.field) for r in report.rejections] == [
        (line, "INVALID_FIELD", field) for line, (field, _value) in enumerate(bad, start=2)
    ]
    assert all(r.field in str(r) for r in report.rejections)
    assert ANNA[:17] not in str(report.rejections)
    assert "兰" not in str(report.rejections)
    assert await agency.count("payers") == 0


async def test_reversed_months_are_refused(agency):
    report = await agency.enrol(f"{ANNA},陈晓兰,PENSION,360000,2020-02,2020-01")
    assert codes(report) == [(2, "MONTHS_REVERSED")]


async def test_a_file_in_gbk_is_refused_as_such(agency):
    path = agency.write("enrolments", [f"{ANNA},陈晓兰,PENSION,360000,2020-01,"], encoding="gbk")
    assert codes(await agency.load_path("enrolments", path)) == [(2, "NOT_UTF8")]
    assert "UTF-8" in reason_text("NOT_UTF8")
