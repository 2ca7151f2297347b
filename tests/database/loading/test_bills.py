import pytest

from tests.database.loading.conftest import codes, number

pytestmark = pytest.mark.anyio

ANNA, BEN = number(1), number(2)
MEDICAL = f"M1,{ANNA},陈晓兰,MEDICAL,360100,2021-01,2021-12,5712.00,2021-06-30,MEDICAL_BATCH"
PENSION = f"P1,{ANNA},陈晓兰,PENSION,360000,2020-07,2020-12,3630.00,,AGENCY_COUNTER"
ARREARS = f"A1,{ANNA},陈晓兰,PENSION,360000,2018-03,2018-03,528.00,,PAYER_ARREARS"


@pytest.fixture
async def enrolled(agency):
    await agency.enrol(
        f"{ANNA},陈晓兰,PENSION,360000,2018-01,",
        f"{ANNA},陈晓兰,MEDICAL,360100,2020-01,2021-06",
        f"{ANNA},陈晓兰,MEDICAL,360200,2021-07,2021-12",
        f"{BEN},刘建国,PENSION,360000,2020-01,",
    )
    return agency


async def pay(connection, bill_number):
    """Settle a bill, as a bank would."""
    await connection.execute(
        """
        INSERT INTO institutions (code, name, kind) VALUES ('ABC', '中国农业银行', 'BANK') ON CONFLICT DO NOTHING;
        INSERT INTO clients (id, institution_id, scopes, secret_hash)
        SELECT 'abc', i.id, '{}', '' FROM institutions AS i ON CONFLICT DO NOTHING;
        INSERT INTO named_payers (institution_id, payer_id)
        SELECT i.id, p.id FROM institutions AS i, payers AS p ON CONFLICT DO NOTHING;
        """
    )
    outcome = await connection.fetchval(
        """
        SELECT (submit_payment(
            i.id, 'abc', NULL, NULL, b.id, b.amount, 'REF-' || b.id, now(), NULL, NULL, date '2020-11-16',
            'ABCDEFGHJKMN'
        )).outcome
        FROM institutions AS i, bills AS b WHERE b.bill_number = $1
        """,
        bill_number,
    )
    assert outcome == "ACCEPTED"


async def test_bills_of_each_origin_are_assessed(enrolled):
    report = await enrolled.bill(MEDICAL, PENSION, ARREARS)
    assert (report.rows_read, report.loaded, report.rejected) == (3, 3, 0)
    rows = await enrolled.connection.fetch(
        """
        SELECT bill_number, origin, insurance, pooling_area, month_count(months), amount::text, pay_by::text, batch_id
        FROM bills ORDER BY id
        """
    )
    assert [tuple(row) for row in rows] == [
        ("M1", "MEDICAL_BATCH", "MEDICAL", "360100", 12, "5712.00", "2021-06-30", None),
        ("P1", "AGENCY_COUNTER", "PENSION", "360000", 6, "3630.00", None, None),
        ("A1", "PAYER_ARREARS", "PENSION", "360000", 1, "528.00", None, None),
    ]


async def test_a_persons_bills_are_in_the_order_of_the_file(enrolled):
    bens = PENSION.replace(ANNA, BEN).replace("陈晓兰", "刘建国")
    rows = [(bens if n % 2 else PENSION).replace("P1", f"P{20 - n}") for n in range(10)]
    await enrolled.bill(*rows)
    found = await enrolled.connection.fetch(
        "SELECT array_agg(bill_number ORDER BY id) AS numbers FROM bills GROUP BY payer_id"
    )
    assert {tuple(row["numbers"]) for row in found} == {
        ("P20", "P18", "P16", "P14", "P12"),
        ("P19", "P17", "P15", "P13", "P11"),
    }


async def test_the_same_file_twice_changes_nothing(enrolled):
    await enrolled.bill(MEDICAL, PENSION)
    report = await enrolled.bill(MEDICAL, PENSION.replace("3630.00", "3630"))
    assert (report.loaded, report.unchanged, report.rejected) == (0, 2, 0)
    assert await enrolled.count("bills") == 2


async def test_a_bill_that_was_paid_or_withdrawn_since_is_unchanged(enrolled):
    await enrolled.bill(MEDICAL, PENSION, ARREARS)
    await pay(enrolled.connection, "P1")
    await enrolled.connection.execute(
        "UPDATE bills SET withdrawn_at = now(), withdrawal_reason = 'test' WHERE bill_number = 'M1'"
    )
    report = await enrolled.bill(MEDICAL, PENSION, ARREARS)
    assert (report.loaded, report.unchanged, report.rejected) == (0, 3, 0)


async def test_an_unknown_number_and_another_name_cannot_be_told_apart(enrolled):
    report = await enrolled.bill(
        PENSION.replace(ANNA, number(3)), PENSION.replace("陈晓兰", "陈晓丽").replace("P1", "P2")
    )
    assert codes(report) == [(2, "PERSON_NOT_FOUND"), (3, "PERSON_NOT_FOUND")]
    assert len({str(rejection).partition(": ")[2] for rejection in report.rejections}) == 1


@pytest.mark.parametrize("run", ["2017-12,2018-01", "2017-11,2017-12"])
async def test_the_person_must_be_enrolled_for_all_the_months(enrolled, run):
    assert codes(await enrolled.bill(PENSION.replace("2020-07,2020-12", run))) == [(2, "NOT_ENROLLED")]


async def test_the_person_must_be_enrolled_in_that_insurance(enrolled):
    rows = MEDICAL.replace(ANNA, BEN).replace("陈晓兰", "刘建国"), MEDICAL.replace("2021-12,", "2022-01,")
    assert codes(await enrolled.bill(*rows)) == [(2, "NOT_ENROLLED"), (3, "NOT_ENROLLED")]


async def test_a_bill_may_span_two_enrolments_side_by_side(enrolled):
    # MEDICAL of 2021 was enrolled in one city to June and in another from July on.
    assert (await enrolled.bill(MEDICAL)).loaded == 1


async def test_no_month_may_be_paid_already(enrolled):
    await enrolled.contribute(f"{ANNA},PENSION,2020-12,2020-12,605.00,2020-02-01")
    assert codes(await enrolled.bill(PENSION)) == [(2, "MONTHS_ALREADY_PAID")]
    assert (await enrolled.bill(MEDICAL)).loaded == 1
    await enrolled.connection.execute("UPDATE contributions SET standing = FALSE")
    assert (await enrolled.bill(PENSION)).loaded == 1


async def test_an_unknown_pooling_area_is_refused(enrolled):
    assert codes(await enrolled.bill(PENSION.replace("360000", "999999"))) == [(2, "UNKNOWN_POOLING_AREA")]


async def test_the_origin_must_fit_the_insurance(enrolled):
    report = await enrolled.bill(
        PENSION.replace("AGENCY_COUNTER", "MEDICAL_BATCH"),
        MEDICAL.replace("MEDICAL_BATCH", "PAYER_ARREARS"),
        MEDICAL.replace("MEDICAL_BATCH", "AGENCY_COUNTER").replace("M1", "M2"),
        accept_valid=True,
    )
    assert codes(report) == [(2, "ORIGIN_NOT_FOR_INSURANCE"), (3, "ORIGIN_NOT_FOR_INSURANCE")]
    assert report.loaded == 1


async def test_a_bill_number_stands_for_one_bill(enrolled):
    others = [
        PENSION.replace("3630.00", "3631.00"),
        PENSION.replace("2020-07", "2020-08"),
        PENSION.replace("360000", "360100"),
        PENSION.replace(",,", ",2020-12-31,"),
        PENSION.replace(ANNA, BEN).replace("陈晓兰", "刘建国"),
        PENSION.replace("AGENCY_COUNTER", "PAYER_ARREARS"),
    ]
    for other in others:
        # Two under one number in one file: neither of them is taken for the bill.
        assert codes(await enrolled.bill(PENSION, other)) == [(2, "BILL_NUMBER_USED"), (3, "BILL_NUMBER_USED")]
    await enrolled.bill(PENSION)
    for other in others:
        assert codes(await enrolled.bill(other)) == [(2, "BILL_NUMBER_USED")]


async def test_each_insurance_has_its_own_bill_numbers(enrolled):
    assert (await enrolled.bill(PENSION, MEDICAL.replace("M1", "P1"))).loaded == 2


async def test_the_same_row_twice_in_a_file_is_one_bill(enrolled):
    report = await enrolled.bill(PENSION, PENSION)
    assert (report.loaded, report.unchanged, report.rejected) == (1, 1, 0)


async def test_bill_numbers_of_the_gateways_own_are_refused(enrolled):
    assert codes(await enrolled.bill(PENSION.replace("P1", "ARREARS-0000000001"))) == [(2, "BILL_NUMBER_RESERVED")]


async def test_the_same_arrears_are_assessed_once(enrolled):
    again = ARREARS.replace("A1", "A2")
    report = await enrolled.bill(ARREARS, again)
    assert codes(report) == [(2, "ARREARS_ALREADY_ASSESSED"), (3, "ARREARS_ALREADY_ASSESSED")]
    await enrolled.bill(ARREARS)
    assert codes(await enrolled.bill(again)) == [(2, "ARREARS_ALREADY_ASSESSED")]
    await enrolled.connection.execute("UPDATE bills SET withdrawn_at = now()")
    assert (await enrolled.bill(again)).loaded == 1


async def test_a_field_that_cannot_be_read_is_named(enrolled):
    bad = [
        *(("bill_number", PENSION.replace("P1", value, 1)) for value in ("", "P" * 65, " P1", "P\t1")),
        ("resident_id", PENSION.replace(ANNA, ANNA[:17])),
        ("name", PENSION.replace("陈晓兰", "")),
        ("insurance", PENSION.replace("PENSION", "BOTH")),
        ("pooling_area", PENSION.replace("360000", "江西省")),
        ("first_month", PENSION.replace("2020-07", "")),
        ("last_month", PENSION.replace("2020-12", "")),
        *(("amount", PENSION.replace("3630.00", value)) for value in ("", "0", "3630.000", "+1", "1e2")),
        ("pay_by", PENSION.replace(",,", ",2020-13-01,")),
        *(("origin", PENSION.replace("AGENCY_COUNTER", value)) for value in ("", "agency_counter")),
    ]
    report = await enrolled.bill(*(row for _field, row in bad))
    assert [(r.code, r.field) for r in report.rejections] == [("INVALID_FIELD", field) for field, _row in bad]
    assert await enrolled.count("bills") == 0


async def test_reversed_months_are_refused(enrolled):
    report = await enrolled.bill(PENSION.replace("2020-07,2020-12", "2020-12,2020-07"))
    assert codes(report) == [(2, "MONTHS_REVERSED")]
