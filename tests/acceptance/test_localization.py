"""What people read is in the language of Accept-Language, zh-CN by default; what programs read stays."""

from typing import Any

import pytest

from tests.acceptance.gateway import Client, Server
from tests.acceptance.operations import payer_id
from tests.acceptance.people import CHEN

PROBLEMS = {
    "PayerNotFound": ("requestQuote", "RequestQuoteInput", {"payerId": "x"}),
    "TierNotOffered": ("requestQuote", "RequestQuoteInput", {"tier": "61"}),
    "PeriodNotPayable": ("requestQuote", "RequestQuoteInput", {"firstMonth": "2020-01"}),
    "PayableNotFound": ("submitPayment", "SubmitPaymentInput", None),
    "PaymentNotFound": ("reversePayment", "ReversePaymentInput", None),
    "DayNotReconcilable": ("reconcileDay", "ReconcileDayInput", None),
}
PAYMENT = {
    "payableId": "x",
    "amount": "1",
    "bankReference": "LANGUAGE",
    "collectedAt": "2020-11-16T09:30:00+08:00",
}
OTHERS = {
    "submitPayment": PAYMENT,
    "reversePayment": {"bankReference": "LANGUAGE", "reason": "x"},
    "reconcileDay": {"date": "2020-11-17", "entries": []},
}


@pytest.fixture(scope="module")
def bank(server: Server) -> Client:
    return server.client("tax-window")


def problem(bank: Client, kind: str, language: str | None) -> dict[str, Any]:
    """Provoke one problem and return it."""
    field, input_type, change = PROBLEMS[kind]
    run = {"payerId": payer_id(bank, CHEN), "firstMonth": "2020-04", "lastMonth": "2020-04", "tier": "60"}
    given = run | change if change is not None else OTHERS[field]
    document = f"""mutation ($input: {input_type}!) {{ {field}(input: $input) {{
      __typename ... on Problem {{ code message nextAction }} }} }}"""
    headers = {} if language is None else {"Accept-Language": language}
    response = bank.post(document, {"input": given}, **headers)
    answer: dict[str, Any] = response.json()["data"][field]
    assert answer["__typename"] == kind
    return answer


def is_chinese(message: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in message)


@pytest.mark.parametrize("kind", PROBLEMS)
def test_the_code_is_stable_and_the_message_is_translated(bank: Client, kind: str) -> None:
    default, chinese, english = (problem(bank, kind, language) for language in (None, "zh-CN", "en"))
    assert default == chinese
    assert is_chinese(chinese["message"])
    assert english["message"].isascii()
    for name in ("code", "nextAction"):
        assert chinese[name] == english[name]


@pytest.mark.parametrize(
    "language",
    [
        "en",
        "EN",
        "en-US",
        "en-GB,en;q=0.9",
        "en-US,en;q=0.9,zh-CN;q=0.8",
        "zh-CN;q=0.1, en;q=0.9",
        "de, en;q=0.5",
        "fr-FR, fr;q=0.9, en;q=0.1",
        "en;q=1.0",
        "zh;q=0, en",
        "en ; q=0.8 , zh ; q=0.3",
    ],
)
def test_english_where_it_is_preferred(bank: Client, language: str) -> None:
    assert problem(bank, "PayerNotFound", language)["message"].isascii()


@pytest.mark.parametrize(
    "language",
    [
        "",
        "zh",
        "zh-CN",
        "zh-cn",
        "zh-Hans-CN",
        "zh-TW",
        "zh-CN,zh;q=0.9,en;q=0.8",
        "en;q=0.1, zh-CN;q=0.9",
        "en;q=0",
        "en;q=0, zh",
        "en;q=0, fr",
        "de",
        "ja, ko;q=0.5",
        "*",
        "xx-YY",
        "english",
        "en;q=x",
        ";;;,,,",
        "q=1",
        "en" * 5000,
        "a" * 8000,
    ],
    ids=lambda value: value[:30],
)
def test_chinese_everywhere_else(bank: Client, language: str) -> None:
    assert is_chinese(problem(bank, "PayerNotFound", language)["message"])


def test_rejections_are_translated(server: Server) -> None:
    agency = server.client("social-insurance-agency")
    document = """mutation ($input: AssessBillsInput!) { assessBills(input: $input) {
      ... on BillsRejected { code message rejections { index billNumber reason } } } }"""
    bill = {
        "billNumber": "LANGUAGE",
        "residentId": CHEN.resident_id,
        "name": "不是她",
        "insurance": "PENSION",
        "poolingArea": "360000",
        "firstMonth": "2020-04",
        "lastMonth": "2020-04",
        "amount": "605.00",
    }
    variables = {"input": {"batch": "LANGUAGE", "bills": [bill]}}
    chinese = agency.post(document, variables).json()["data"]["assessBills"]
    english = agency.post(document, variables, **{"Accept-Language": "en"}).json()["data"]["assessBills"]
    assert chinese["code"] == english["code"]
    assert is_chinese(chinese["message"])
    assert english["message"].isascii()
    assert is_chinese(chinese["rejections"][0]["reason"])
    assert english["rejections"][0]["reason"].isascii()


def test_facts_are_the_same_in_every_language(bank: Client) -> None:
    document = """query ($residentId: ResidentId!, $name: String!) { payer(residentId: $residentId, name: $name) {
      maskedName payablePeriods { mode } enrolments { poolingArea { name } } } }"""
    answers = [
        bank.post(document, CHEN.variables, **{"Accept-Language": language}).json() for language in ("zh-CN", "en")
    ]
    assert answers[0] == answers[1]
