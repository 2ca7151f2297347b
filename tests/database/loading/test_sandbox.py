import asyncio
from decimal import Decimal

import pytest

from contributions import months
from contributions.policy import parse_policy
from contributions.resident_id import check_character
from database.sandbox import NotASandbox, load_sandbox, policies

pytestmark = pytest.mark.anyio


def hashed(secret):
    return f"hash of {secret}"


@pytest.fixture
async def sandbox(connection, vault):
    assert await load_sandbox(connection, vault, hash_secret=hashed) is True
    return connection


async def unpaid(connection, vault, resident_id, name, insurance="PENSION"):
    """The owed and unpaid months up to the end of the business date's year, as runs of texts."""
    runs = await connection.fetchval(
        """
        SELECT u.months * int4multirange(int4range($3, $4))
        FROM unpaid_months AS u INNER JOIN payers AS p ON u.payer_id = p.id
        WHERE p.resident_id_index = $1 AND p.name_index = $2 AND u.insurance = $5
        """,
        vault.resident_id_index(resident_id),
        vault.name_index(resident_id, name),
        months.FIRST_MONTH,
        months.parse("2021-01"),
        insurance,
    )
    return [f"{months.text(run.lower)}..{months.text(run.upper - 1)}" for run in runs]


@pytest.mark.parametrize(
    ("resident_id", "name", "runs"),
    [
        ("369999198503120010", "陈晓兰", ["2020-04..2020-12"]),
        ("369999197809250024", "刘建国", ["2018-03..2018-03", "2019-07..2019-10", "2020-01..2020-12"]),
        ("369999199001010035", "王芳", ["2020-07..2020-12"]),
        ("369999199508170054", "李静", []),
        ("369999198811240073", "赵强", ["2020-06..2020-12"]),
    ],
)
async def test_the_six_people_owe_what_the_contract_says(sandbox, vault, resident_id, name, runs):
    assert check_character(resident_id[:17]) == resident_id[17]
    assert await unpaid(sandbox, vault, resident_id, name) == runs


async def test_the_bills_of_the_contract_are_there(sandbox):
    rows = await sandbox.fetch(
        """
        SELECT p.masked_name, b.origin, b.insurance, lower(b.months), upper(b.months) - 1
        FROM bills AS b INNER JOIN payers AS p ON b.payer_id = p.id ORDER BY b.insurance DESC, b.bill_number
        """
    )
    assert [(*row[:3], months.text(row[3]), months.text(row[4])) for row in rows] == [
        ("*芳", "AGENCY_COUNTER", "PENSION", "2020-07", "2020-12"),
        ("*芳", "MEDICAL_BATCH", "MEDICAL", "2021-01", "2021-12"),
        ("**明", "MEDICAL_BATCH", "MEDICAL", "2021-01", "2021-12"),
    ]


async def test_every_bill_and_contribution_is_what_its_schedule_asks_for(sandbox):
    # Of pension at the tier of 60 percent, of medical at the only one.
    rows = await sandbox.fetch(
        """
        SELECT x.amount, sum(t.monthly_amount) AS asked
        FROM (
            SELECT 'bill' AS kind, b.id, b.insurance, b.pooling_area, b.months, b.amount FROM bills AS b
            UNION ALL
            SELECT 'contribution', c.id, c.insurance, e.pooling_area, c.months, c.amount
            FROM contributions AS c
            INNER JOIN enrolments AS e
                ON c.payer_id = e.payer_id AND c.insurance = e.insurance AND e.months @> c.months
        ) AS x
        CROSS JOIN LATERAL generate_series(lower(x.months), upper(x.months) - 1) AS m (month)
        INNER JOIN schedules AS s
            ON x.insurance = s.insurance AND x.pooling_area = s.pooling_area AND m.month / 12 = s.year
        INNER JOIN schedule_tiers AS t ON s.id = t.schedule_id AND t.code = coalesce(s.arrears_tier, '100')
        GROUP BY x.kind, x.id, x.amount
        """
    )
    assert len(rows) == 16
    assert all(row["amount"] == row["asked"] for row in rows)


async def test_the_guides_ten_tiers_of_2020_are_there(sandbox):
    rows = await sandbox.fetch(
        """
        SELECT t.code, t.monthly_amount FROM schedules AS s INNER JOIN schedule_tiers AS t ON s.id = t.schedule_id
        WHERE s.insurance = 'PENSION' AND s.year = 2020 ORDER BY t.position
        """
    )
    assert [int(row["monthly_amount"]) for row in rows] == [568, 605, 706, 806, 907, 1008, 1512, 2016, 2520, 3024]
    assert [row["code"] for row in rows] == ["2019-FLOOR", "60", "70", "80", "90", "100", "150", "200", "250", "300"]


def test_amounts_are_the_rate_of_the_base_in_whole_yuan():
    schedules = [parse_policy(policy) for policy in policies()]
    assert len(schedules) == 3 + 2 * 11
    for schedule in schedules:
        for tier in schedule.tiers:
            assert tier.monthly_amount % 1 == 0
            assert abs(tier.monthly_amount - tier.monthly_base * schedule.rate) <= Decimal("0.5")
            if tier.percent is not None:
                wage = schedule.average_monthly_wage
                assert abs(tier.monthly_base - wage * tier.percent / 100) <= Decimal("0.01")


async def test_the_floor_of_2019_is_the_tier_kept_for_2020(sandbox):
    rows = await sandbox.fetch(
        """
        SELECT t.monthly_base, t.monthly_amount
        FROM schedules AS s INNER JOIN schedule_tiers AS t ON s.id = t.schedule_id
        WHERE (s.year, t.code) IN ((2019, '60'), (2020, '2019-FLOOR'))
        """
    )
    assert {tuple(row) for row in rows} == {(Decimal("2840.00"), Decimal("568.00"))}


async def test_the_institutions_and_the_contracts_clients_are_there(sandbox):
    kinds = await sandbox.fetch("SELECT kind, count(*) FROM institutions GROUP BY kind ORDER BY kind")
    assert [tuple(row) for row in kinds] == [
        ("BANK", 15),
        ("MEDICAL_INSURANCE_AGENCY", 1),
        ("SOCIAL_INSURANCE_AGENCY", 1),
        ("TAX", 1),
    ]
    clients = await sandbox.fetch(
        """
        SELECT c.id, i.code, c.channel, cardinality(c.scopes), c.secret_hash, c.sandbox
        FROM clients AS c INNER JOIN institutions AS i ON c.institution_id = i.id ORDER BY c.id
        """
    )
    assert [tuple(row)[:4] for row in clients] == [
        ("abc-counter", "ABC", "COUNTER", 11),
        ("abc-mobile", "ABC", "MOBILE_BANKING", 8),
        ("ganfutong", "TAX", "MINI_PROGRAM", 8),
        ("icbc-mobile", "ICBC", "MOBILE_BANKING", 8),
        ("medical-insurance-agency", "MI", None, 3),
        ("medical-insurance-refunds", "MI", None, 1),
        ("operator", "TAX", None, 1),
        ("social-insurance-agency", "SI", None, 3),
        ("social-insurance-refunds", "SI", None, 1),
        ("tax-wechat", "TAX", "WECHAT", 8),
        ("tax-window", "TAX", "TAX_WINDOW", 11),
    ]
    assert {tuple(row)[4:] for row in clients} == {("hash of sandbox", True)}


async def test_a_sandbox_is_left_as_it_is(sandbox, vault):
    await sandbox.execute("DELETE FROM bills")
    assert await load_sandbox(sandbox, vault, hash_secret=hashed) is False
    assert await sandbox.fetchval("SELECT count(*) FROM bills") == 0


async def test_of_processes_that_start_at_once_one_fills_the_database(connection, vault, connect):
    connections = [await connect() for _ in range(4)]
    try:
        filled = await asyncio.gather(*(load_sandbox(c, vault, hash_secret=hashed) for c in connections))
    finally:
        for one in connections:
            await one.close()
    assert sorted(filled) == [False, False, False, True]
    assert await connection.fetchval("SELECT count(*) FROM payers") == 6


@pytest.mark.parametrize(
    "holding",
    [
        "INSERT INTO installation (sandbox) VALUES (FALSE)",
        "INSERT INTO institutions (code, name, kind) VALUES ('XYZ', 'XYZ', 'BANK')",
    ],
)
async def test_a_database_that_holds_something_else_is_refused_and_left_as_it_is(connection, vault, holding):
    await connection.execute(holding)
    with pytest.raises(NotASandbox):
        await load_sandbox(connection, vault, hash_secret=hashed)
    assert await connection.fetchval("SELECT count(*) FROM schedules") == 0
    assert await connection.fetchval("SELECT count(*) FROM installation WHERE sandbox") == 0
