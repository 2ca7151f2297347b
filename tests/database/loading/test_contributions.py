import pytest

from tests.database.loading.conftest import codes, number

pytestmark = pytest.mark.anyio

ANNA, BEN = number(1), number(2)


@pytest.fixture
async def enrolled(agency):
    await agency.enrol(f"{ANNA},陈晓兰,PENSION,360000,2018-01,", f"{BEN},刘建国,PENSION,360000,2018-01,")
    return agency


async def test_months_paid_elsewhere_stand_without_a_payment(enrolled):
    report = await enrolled.contribute(f"{ANNA},PENSION,2020-01,2020-03,1815.00,2020-03-16")
    assert (report.loaded, report.rejected) == (1, 0)
    row = await enrolled.connection.fetchrow(
        "SELECT amount::text, paid_on::text, payment_id, standing, month_count(months) FROM contributions"
    )
    assert tuple(row) == ("1815.00", "2020-03-16", None, True, 3)


async def test_the_same_file_twice_changes_nothing(enrolled):
    rows = [
        f"{ANNA},PENSION,2020-01,2020-03,1815.00,2020-03-16",
        f"{BEN},PENSION,2020-01,2020-03,1815,2020-03-16",
    ]
    await enrolled.contribute(*rows)
    report = await enrolled.contribute(*rows)
    assert (report.loaded, report.unchanged, report.rejected) == (0, 2, 0)
    assert await enrolled.count("contributions") == 2


async def test_an_unknown_person_is_refused(enrolled):
    report = await enrolled.contribute(f"{number(3)},PENSION,2020-01,2020-03,1815.00,2020-03-16")
    assert codes(report) == [(2, "UNKNOWN_PERSON")]


@pytest.mark.parametrize(
    "row",
    [
        "PENSION,2020-03,2020-04,1210.00,2020-04-01",
        "PENSION,2019-12,2020-01,1210.00,2020-04-01",
        "PENSION,2020-02,2020-02,605.00,2020-04-01",
        # The same months for another amount, or on another day, are not the same contribution.
        "PENSION,2020-01,2020-03,1816.00,2020-03-16",
        "PENSION,2020-01,2020-03,1815.00,2020-03-17",
    ],
)
async def test_months_that_are_paid_already_are_refused(enrolled, row):
    await enrolled.contribute(f"{ANNA},PENSION,2020-01,2020-03,1815.00,2020-03-16")
    assert codes(await enrolled.contribute(f"{ANNA},{row}")) == [(2, "MONTHS_ALREADY_PAID")]
    assert (await enrolled.contribute(f"{BEN},{row}")).loaded == 1


async def test_months_whose_contribution_no_longer_stands_can_be_paid(enrolled):
    row = f"{ANNA},PENSION,2020-01,2020-03,1815.00,2020-03-16"
    await enrolled.contribute(row)
    await enrolled.connection.execute("UPDATE contributions SET standing = FALSE")
    assert (await enrolled.contribute(row)).loaded == 1


async def test_rows_of_one_file_with_a_month_in_common_are_all_refused(enrolled):
    report = await enrolled.contribute(
        f"{ANNA},PENSION,2019-01,2019-12,6816.00,2019-11-20",
        f"{ANNA},PENSION,2019-02,2019-02,568.00,2019-11-20",
        f"{ANNA},PENSION,2019-05,2019-06,1136.00,2019-11-20",
        f"{ANNA},PENSION,2020-01,2020-01,605.00,2020-11-20",
        f"{ANNA},MEDICAL,2019-01,2019-12,5000.00,2019-11-20",
        f"{BEN},PENSION,2019-01,2019-12,6816.00,2019-11-20",
        accept_valid=True,
    )
    assert codes(report) == [(2, "OVERLAPS_ROW"), (3, "OVERLAPS_ROW"), (4, "OVERLAPS_ROW")]
    assert report.loaded == 3


async def test_the_same_row_twice_in_a_file_is_one_contribution(enrolled):
    row = f"{ANNA},PENSION,2020-01,2020-03,1815.00,2020-03-16"
    report = await enrolled.contribute(row, row)
    assert (report.loaded, report.unchanged, report.rejected) == (1, 1, 0)


async def test_a_field_that_cannot_be_read_is_named(enrolled):
    amounts = ("", "0", "0.00", "-5.00", "1e3", "1.005", "1000000000000")
    days = ("", "2020-02-30", "20200316", "2020-W11-1", "16.03.2020")
    report = await enrolled.contribute(
        *(f"{ANNA},PENSION,2020-01,2020-03,{amount},2020-03-16" for amount in amounts),
        *(f"{ANNA},PENSION,2020-01,2020-03,1815.00,{day}" for day in days),
        f"{ANNA},PENSION,2020-01,,1815.00,2020-03-16",
    )
    assert [(r.code, r.field) for r in report.rejections] == [
        *[("INVALID_FIELD", "amount")] * len(amounts),
        *[("INVALID_FIELD", "paid_on")] * len(days),
        ("INVALID_FIELD", "last_month"),
    ]
    assert await enrolled.count("contributions") == 0


async def test_reversed_months_are_refused(enrolled):
    report = await enrolled.contribute(f"{ANNA},PENSION,2020-03,2020-01,1815.00,2020-03-16")
    assert codes(report) == [(2, "MONTHS_REVERSED")]
