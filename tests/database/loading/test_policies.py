import copy

import pytest

from contributions.problems import BadInput
from database.loading import load_policy

pytestmark = pytest.mark.anyio

POLICY = {
    "insurance": "PENSION",
    "year": 2020,
    "pooling_area": "360000",
    "rate": "0.20",
    "average_monthly_wage": "5040.00",
    "arrears_tier": "60",
    "tiers": [
        {"code": "2019-FLOOR", "monthly_base": "2840.00", "monthly_amount": "568.00", "note": "疫情"},
        {"code": "60", "percent": 60, "monthly_base": "3024.00", "monthly_amount": "605.00"},
    ],
}


async def tiers(connection):
    rows = await connection.fetch(
        "SELECT code, percent, monthly_base::text, monthly_amount::text, note FROM schedule_tiers ORDER BY position"
    )
    return [tuple(row) for row in rows]


async def test_a_policy_becomes_the_schedule_with_its_tiers_in_their_order(connection):
    report = await load_policy(connection, POLICY)
    assert (report.loaded, report.updated, report.unchanged) == (1, 0, 0)
    row = await connection.fetchrow(
        "SELECT insurance, year, pooling_area, rate::text, average_monthly_wage::text, arrears_tier FROM schedules"
    )
    assert tuple(row) == ("PENSION", 2020, "360000", "0.2000", "5040.00", "60")
    assert await tiers(connection) == [
        ("2019-FLOOR", None, "2840.00", "568.00", "疫情"),
        ("60", 60, "3024.00", "605.00", None),
    ]


async def test_the_same_policy_again_changes_nothing(connection):
    await load_policy(connection, POLICY)
    before = await connection.fetch("SELECT xmin, * FROM schedules")
    report = await load_policy(connection, POLICY | {"rate": "0.2000"})
    assert (report.loaded, report.updated, report.unchanged) == (0, 0, 1)
    assert await connection.fetch("SELECT xmin, * FROM schedules") == before


@pytest.mark.parametrize("change", ["amount", "order", "fewer", "arrears_tier", "wage", "note"])
async def test_another_policy_for_the_year_replaces_it_whole(connection, change):
    await load_policy(connection, POLICY)
    policy = copy.deepcopy(POLICY)
    if change == "amount":
        policy["tiers"][1]["monthly_amount"] = "606.00"
    elif change == "order":
        policy["tiers"].reverse()
    elif change == "fewer":
        del policy["tiers"][0]
    elif change == "arrears_tier":
        policy["arrears_tier"] = "2019-FLOOR"
    elif change == "wage":
        policy["average_monthly_wage"] = "5041.00"
    else:
        del policy["tiers"][0]["note"]
    assert (await load_policy(connection, policy)).updated == 1
    assert (await load_policy(connection, policy)).unchanged == 1
    assert len(await tiers(connection)) == len(policy["tiers"])
    assert await connection.fetchval("SELECT count(*) FROM schedules") == 1


async def test_years_pooling_areas_and_insurances_have_their_own(connection):
    for other in ({}, {"year": 2019}, {"pooling_area": "360100"}, {"insurance": "MEDICAL"}):
        assert (await load_policy(connection, POLICY | other)).loaded == 1


async def test_an_unknown_pooling_area_is_bad_input(connection):
    with pytest.raises(BadInput) as refused:
        await load_policy(connection, POLICY | {"pooling_area": "999999"})
    assert refused.value.field == "pooling_area"
    assert await connection.fetchval("SELECT count(*) FROM schedules") == 0


async def test_a_policy_that_cannot_be_read_names_the_key_and_changes_nothing(connection):
    await load_policy(connection, POLICY)
    with pytest.raises(BadInput) as refused:
        await load_policy(connection, POLICY | {"arrears_tier": "70"})
    assert refused.value.field == "arrears_tier"
    assert len(await tiers(connection)) == 2
