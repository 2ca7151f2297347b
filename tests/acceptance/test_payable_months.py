"""Who is found, and which months each person owes: the contract's table of people and its rules of payable months."""

from collections.abc import Iterator
from itertools import combinations

import pytest

from tests.acceptance.gateway import Client, Server, serving
from tests.acceptance.operations import PAYER, PERIODS, bills, payer_id, periods, runs
from tests.acceptance.people import CHEN, LI, LIU, OUYANG, SANDBOX, WANG, ZHAO, Office, Person, newcomers

CURRENT, ARREARS = "CURRENT_YEAR", "ARREARS"
TABLE = [
    (CHEN, [(CURRENT, "2020-04", "2020-12", 9)]),
    (
        LIU,
        [(ARREARS, "2018-03", "2018-03", 1), (ARREARS, "2019-07", "2019-10", 4), (CURRENT, "2020-01", "2020-12", 12)],
    ),
    (WANG, [(CURRENT, "2020-07", "2020-12", 6)]),
    (OUYANG, []),
    (LI, []),
    (ZHAO, [(CURRENT, "2020-06", "2020-12", 7)]),
]
TIERS_2020 = [
    ("2019-FLOOR", None, "2840.00", "568.00"),
    ("60", 60, "3024.00", "605.00"),
    ("70", 70, "3528.00", "706.00"),
    ("80", 80, "4032.00", "806.00"),
    ("90", 90, "4536.00", "907.00"),
    ("100", 100, "5040.00", "1008.00"),
    ("150", 150, "7560.00", "1512.00"),
    ("200", 200, "10080.00", "2016.00"),
    ("250", 250, "12600.00", "2520.00"),
    ("300", 300, "15120.00", "3024.00"),
]
SCHEDULE = """query ($insurance: Insurance!, $year: Int!, $poolingArea: String) {
  contributionSchedule(insurance: $insurance, year: $year, poolingArea: $poolingArea) {
    insurance year poolingArea { code name } rate averageMonthlyWage
    tiers { code percent monthlyBase monthlyAmount note }
  }
}"""
NEW = newcomers()
WHOLE, ENDED, RESUMED, CEASED, UNKNOWN = (next(NEW) for _ in range(5))


@pytest.fixture(scope="module")
def bank(server: Server, office: Office) -> Client:
    rows = [
        (WHOLE, "2018-11", ""),
        (ENDED, "2018-11", "2020-05"),
        (RESUMED, "2018-03", "2018-05"),
        (RESUMED, "2020-09", ""),
        (CEASED, "2018-03", "2018-05"),
    ]
    office.load("enrolments", [(p.resident_id, p.name, "PENSION", "360000", first, last) for p, first, last in rows])
    office.load("contributions", [(WHOLE.resident_id, "PENSION", "2020-03", "2020-03", "605.00", "2020-03-02")])
    return server.client("icbc-mobile")


@pytest.fixture(scope="module")
def next_year(server: Server, settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    log = tmp_path_factory.mktemp("next-year") / "server.log"
    with serving(log, GATEWAY_BUSINESS_DATE="2021-01-05", **settings) as running:
        yield running.client("icbc-mobile")


@pytest.mark.parametrize(("person", "expected"), TABLE, ids=[person.name for person, _ in TABLE])
def test_each_person_owes_what_the_contract_says(bank: Client, person: Person, expected: list[object]) -> None:
    found = periods(bank, person)
    assert all(period["insurance"] == "PENSION" for period in found)
    assert [(p["mode"], p["firstMonth"], p["lastMonth"], p["monthCount"]) for p in found] == expected


@pytest.mark.parametrize(("person", "expected"), TABLE, ids=[person.name for person, _ in TABLE])
def test_the_filters_pick_from_it(bank: Client, person: Person, expected: list[tuple[str, ...]]) -> None:
    everything = [period[:3] for period in expected]
    for mode in (CURRENT, ARREARS):
        assert runs(bank, person, mode=mode) == [period for period in everything if period[0] == mode]
        assert runs(bank, person, mode=mode, insurance="PENSION") == runs(bank, person, mode=mode)
        assert runs(bank, person, mode=mode, insurance="MEDICAL") == []
    assert runs(bank, person, insurance="PENSION") == everything
    assert runs(bank, person, insurance="MEDICAL") == []


def test_null_filters_filter_nothing(bank: Client) -> None:
    answer = bank.run(PERIODS, **LIU.variables, insurance=None, mode=None)
    assert len(answer["payer"]["payablePeriods"]) == 3


def test_the_current_year_offers_the_guides_ten_tiers(bank: Client) -> None:
    for period in periods(bank, LIU, mode=CURRENT):
        tiers = period["tiers"]
        assert [(t["code"], t["percent"], t["monthlyBase"], t["monthlyAmount"]) for t in tiers] == TIERS_2020


def test_arrears_offer_no_tiers(bank: Client) -> None:
    assert [period["tiers"] for period in periods(bank, LIU, mode=ARREARS)] == [[], []]


def test_the_current_year_is_payable_to_its_last_day(bank: Client) -> None:
    assert {period["payBy"] for period in periods(bank, CHEN)} == {"2020-12-31"}


def test_arrears_run_through_new_year_and_stop_before_this_year(bank: Client) -> None:
    assert runs(bank, WHOLE) == [
        (ARREARS, "2018-11", "2019-12"),
        (CURRENT, "2020-01", "2020-02"),
        (CURRENT, "2020-04", "2020-12"),
    ]


def test_nothing_is_owed_beyond_an_enrolment(bank: Client) -> None:
    assert runs(bank, ENDED) == [(ARREARS, "2018-11", "2019-12"), (CURRENT, "2020-01", "2020-05")]
    assert runs(bank, RESUMED) == [(ARREARS, "2018-03", "2018-05"), (CURRENT, "2020-09", "2020-12")]
    assert runs(bank, CEASED) == [(ARREARS, "2018-03", "2018-05")]


def test_what_is_unpaid_at_new_year_becomes_arrears(next_year: Client) -> None:
    assert runs(next_year, CHEN) == [(ARREARS, "2020-04", "2020-12"), (CURRENT, "2021-01", "2021-12")]
    assert runs(next_year, ENDED) == [(ARREARS, "2018-11", "2020-05")]


@pytest.mark.parametrize(
    ("person", "expected"),
    [(WANG, ["MEDICAL", "PENSION"]), (OUYANG, ["MEDICAL"]), (LI, []), (CHEN, []), (LIU, []), (ZHAO, [])],
    ids=lambda value: value.name if isinstance(value, Person) else "",
)
def test_each_person_has_the_bills_the_contract_says(bank: Client, person: Person, expected: list[str]) -> None:
    found = bills(bank, person, status="PAYABLE")
    assert sorted(bill["insurance"] for bill in found) == expected
    for bill in found:
        pension = bill["insurance"] == "PENSION"
        assert bill["origin"] == ("AGENCY_COUNTER" if pension else "MEDICAL_BATCH")
        assert pension or (bill["firstMonth"], bill["lastMonth"]) == ("2021-01", "2021-12")


@pytest.mark.parametrize(
    ("person", "name", "number"),
    [
        (CHEN, "**兰", "369***********0010"),
        (LIU, "**国", "369***********0024"),
        (WANG, "*芳", "369***********0035"),
        (OUYANG, "**明", "369***********004X"),
        (LI, "*静", "369***********0054"),
        (ZHAO, "*强", "369***********0073"),
    ],
)
def test_names_and_numbers_are_masked(bank: Client, person: Person, name: str, number: str) -> None:
    payer = bank.run(PAYER, **person.variables)["payer"]
    assert (payer["maskedName"], payer["maskedResidentId"]) == (name, number)


def test_enrolments_are_told(bank: Client) -> None:
    enrolments = bank.run(PAYER, **ENDED.variables)["payer"]["enrolments"]
    assert [(e["insurance"], e["firstMonth"], e["lastMonth"]) for e in enrolments] == [
        ("PENSION", "2018-11", "2020-05")
    ]
    assert enrolments[0]["poolingArea"]["code"] == "360000"
    wang = bank.run(PAYER, **WANG.variables)["payer"]["enrolments"]
    assert {(e["insurance"], e["lastMonth"]) for e in wang} == {("PENSION", None), ("MEDICAL", None)}


def test_a_wrong_name_and_an_unknown_person_cannot_be_told_apart(bank: Client) -> None:
    stranger = {"residentId": UNKNOWN.resident_id, "name": CHEN.name}
    wrong_names = [CHEN.variables | {"name": name} for name in ("陈晓", "陈晓蘭", "兰", "**兰", "王芳", "%", "")]
    unknown = bank.post(PAYER, stranger)
    assert unknown.status_code == 200
    assert unknown.json()["data"] == {"payer": None}
    changing = {"date", "x-request-id"}
    for variables in wrong_names[:-1]:
        answer = bank.post(PAYER, variables)
        assert (answer.status_code, answer.content) == (unknown.status_code, unknown.content)
        headers = {k: v for k, v in answer.headers.items() if k not in changing}
        assert headers == {k: v for k, v in unknown.headers.items() if k not in changing}


def test_a_payers_id_is_one_institutions_own(server: Server, bank: Client) -> None:
    ids = {
        c: payer_id(server.client(c), CHEN)
        for c in ("icbc-mobile", "abc-mobile", "tax-wechat", "social-insurance-agency")
    }
    for one, another in combinations(ids, 2):
        assert ids[one] != ids[another], (one, another)
    assert payer_id(server.client("abc-counter"), CHEN) == ids["abc-mobile"]
    assert (
        payer_id(server.client("ganfutong"), CHEN) == payer_id(server.client("tax-window"), CHEN) == ids["tax-wechat"]
    )
    assert payer_id(bank, CHEN) == ids["icbc-mobile"]


def test_ids_do_not_tell_who_it_is(bank: Client) -> None:
    ids = [payer_id(bank, person) for person in SANDBOX]
    assert len(set(ids)) == len(SANDBOX)
    for identity, person in zip(ids, SANDBOX, strict=True):
        assert person.resident_id not in identity


@pytest.mark.parametrize("area", [None, "360000"])
def test_the_schedule_of_2020_is_the_guides(server: Server, area: str | None) -> None:
    agency = server.client("medical-insurance-agency")
    schedule = agency.run(SCHEDULE, insurance="PENSION", year=2020, poolingArea=area)["contributionSchedule"]
    assert (schedule["insurance"], schedule["year"], schedule["rate"]) == ("PENSION", 2020, "0.20")
    assert schedule["averageMonthlyWage"] == "5040.00"
    tiers = [(t["code"], t["percent"], t["monthlyBase"], t["monthlyAmount"]) for t in schedule["tiers"]]
    assert tiers == TIERS_2020


def test_schedules_of_the_sandbox(bank: Client) -> None:
    for year, known in (
        (2017, False),
        (2018, True),
        (2019, True),
        (2021, False),
        (0, False),
        (-1, False),
        (2**31 - 1, False),
    ):
        schedule = bank.run(SCHEDULE, insurance="PENSION", year=year)["contributionSchedule"]
        assert (schedule is not None) == known, year


@pytest.mark.parametrize("city", [f"36{number:02}00" for number in range(1, 12)])
def test_each_of_the_eleven_cities_has_a_medical_schedule(bank: Client, city: str) -> None:
    schedule = bank.run(SCHEDULE, insurance="MEDICAL", year=2020, poolingArea=city)["contributionSchedule"]
    assert schedule["poolingArea"]["code"] == city
    assert schedule["poolingArea"]["name"]


def test_an_area_without_a_schedule_has_none(bank: Client) -> None:
    for insurance, area in (
        ("MEDICAL", "369999"),
        ("MEDICAL", "360000"),
        ("PENSION", "' OR 1=1 --"),
    ):
        answer = bank.run(SCHEDULE, insurance=insurance, year=2020, poolingArea=area)
        assert answer["contributionSchedule"] is None, area


def test_the_viewer_is_the_client(server: Server) -> None:
    document = "{ viewer { clientId institution { code name } channel scopes businessDate } }"
    viewer = server.client("ganfutong").run(document)["viewer"]
    assert viewer["clientId"] == "ganfutong"
    assert viewer["institution"]["code"] == "TAX"
    assert viewer["channel"] == "MINI_PROGRAM"
    assert viewer["businessDate"] == "2020-11-16"
    retail = "payer:read period:read bill:read quote:write assessment:write payment:read payment:write receipt:read"
    assert sorted(viewer["scopes"]) == sorted(retail.split())
    assert server.client("social-insurance-agency").run(document)["viewer"]["channel"] is None
