import tomllib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contributions.policy import MAX_TIERS, parse_policy
from contributions.problems import BadInput
from contributions.schedule import Schedule, Tier

CONTRACT = """
insurance = "PENSION"
year = 2020
pooling_area = "360000"            # the province
rate = "0.20"
average_monthly_wage = "5040.00"
arrears_tier = "60"
[[tiers]]
code = "2019-FLOOR"                # no percent
monthly_base = "2840.00"
monthly_amount = "568.00"
note = "2019年缴费基数下限"
[[tiers]]
code = "60"
percent = 60
monthly_base = "3024"
monthly_amount = "605.0"
"""
Document = dict[str, Any]


@pytest.fixture
def document() -> Document:
    return tomllib.loads(CONTRACT)


def test_the_contracts_policy_is_read_as_it_stands(document: Document) -> None:
    assert parse_policy(document) == Schedule(
        insurance="PENSION",
        year=2020,
        pooling_area="360000",
        rate=Decimal("0.20"),
        average_monthly_wage=Decimal("5040.00"),
        arrears_tier="60",
        tiers=(
            Tier("2019-FLOOR", None, Decimal("2840.00"), Decimal("568.00"), "2019年缴费基数下限"),
            Tier("60", 60, Decimal("3024.00"), Decimal("605.00"), None),
        ),
    )


def test_medical_needs_no_arrears_tier_and_pension_does(document: Document) -> None:
    del document["arrears_tier"]
    with pytest.raises(BadInput, match=r"^arrears_tier: is missing$"):
        parse_policy(document)
    document["insurance"] = "MEDICAL"
    assert parse_policy(document).arrears_tier is None
    document["arrears_tier"] = "60"
    assert parse_policy(document).arrears_tier == "60"


@pytest.mark.parametrize("key", ["insurance", "year", "pooling_area", "rate", "average_monthly_wage", "tiers"])
def test_a_missing_key_is_named(document: Document, key: str) -> None:
    del document[key]
    with pytest.raises(BadInput) as refused:
        parse_policy(document)
    assert (refused.value.field, refused.value.message) == (key, "is missing")


@pytest.mark.parametrize("key", ["code", "monthly_base", "monthly_amount"])
def test_a_missing_key_of_a_tier_is_named(document: Document, key: str) -> None:
    del document["tiers"][1][key]
    with pytest.raises(BadInput) as refused:
        parse_policy(document)
    assert (refused.value.field, refused.value.message) == (f"tiers[1].{key}", "is missing")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("insurance", "pension"),
        ("insurance", 1),
        ("year", "2020"),
        ("year", True),
        ("year", 2020.0),
        ("year", 1899),
        ("year", 3000),
        ("pooling_area", 360000),
        ("pooling_area", "36000"),
        ("pooling_area", "３６００００"),
        ("pooling_area", "360000\n"),
        ("rate", 0.2),
        ("rate", "0"),
        ("rate", "0.0"),
        ("rate", "1.00"),
        ("rate", "-0.20"),
        ("rate", "0.20001"),
        ("rate", "20%"),
        ("average_monthly_wage", 5040),
        ("average_monthly_wage", 5040.0),
        ("average_monthly_wage", "0.00"),
        ("average_monthly_wage", "5040.000"),
        ("average_monthly_wage", "-1"),
        ("arrears_tier", "70"),
        ("arrears_tier", 60),
        ("arrears_tier", ""),
        ("tiers", []),
        ("tiers", {}),
        ("tiers", "60"),
        ("colour", "red"),
        ("Rate", "0.20"),
    ],
)
def test_a_wrong_value_is_refused_by_its_key(document: Document, key: str, value: object) -> None:
    document[key] = value
    with pytest.raises(BadInput) as refused:
        parse_policy(document)
    assert refused.value.field == key


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("code", 60),
        ("code", ""),
        ("code", " 60"),
        ("code", "6\t0"),
        ("code", "6" * 33),
        ("code", "2019-FLOOR"),
        ("percent", 0),
        ("percent", 1001),
        ("percent", "60"),
        ("percent", 60.0),
        ("percent", True),
        ("monthly_base", 3024),
        ("monthly_base", "0"),
        ("monthly_base", "1000000000000"),
        ("monthly_amount", 605.0),
        ("monthly_amount", "605.005"),
        ("monthly_amount", "605 "),
        ("note", ""),
        ("note", 1),
        ("note", "长" * 201),
        ("monthly_sum", "605.00"),
    ],
)
def test_a_wrong_value_of_a_tier_is_refused_by_its_key(document: Document, key: str, value: object) -> None:
    document["tiers"][1][key] = value
    with pytest.raises(BadInput) as refused:
        parse_policy(document)
    assert refused.value.field == f"tiers[1].{key}"


def test_a_tier_is_a_table(document: Document) -> None:
    document["tiers"][0] = "60"
    with pytest.raises(BadInput, match=r"^tiers\[0\]: must be a table"):
        parse_policy(document)


def tier(index: int) -> Document:
    return {"code": str(60 + index), "monthly_base": "3024.00", "monthly_amount": "605.00"}


def test_a_schedule_has_at_most_50_tiers(document: Document) -> None:
    document["tiers"] = [tier(index) for index in range(MAX_TIERS)]
    assert len(parse_policy(document).tiers) == MAX_TIERS == 50
    document["tiers"].append(tier(MAX_TIERS))
    with pytest.raises(BadInput, match=r"^tiers: must be 1 to 50"):
        parse_policy(document)


def test_amounts_are_stated_and_never_computed(document: Document) -> None:
    document["tiers"][1]["monthly_amount"] = "700.00"
    assert parse_policy(document).tiers[1].monthly_amount == Decimal("700.00")


toml_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=8,
)
mutations = st.sampled_from(
    [
        lambda document, key, value: document.__setitem__(key, value),
        lambda document, key, value: document["tiers"][0].__setitem__(key, value),
        lambda document, key, value: document["tiers"].append(value),
    ]
)
keys = st.sampled_from(["insurance", "year", "rate", "arrears_tier", "tiers", "code", "percent", "note"])


@given(mutations, keys, toml_values)
def test_whatever_a_file_holds_it_is_read_or_refused_by_name(
    mutate: Callable[[Document, str, object], None], key: str, value: object
) -> None:
    document = tomllib.loads(CONTRACT)
    mutate(document, key, value)
    try:
        parse_policy(document)
    except BadInput as refusal:
        refused = refusal.field
    else:
        return
    assert refused.split("[")[0] in {*document, "arrears_tier"}
