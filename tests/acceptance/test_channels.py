"""The channels' pages of the sandbox: each pays over the public API, once, and ends with a voucher."""

import base64
from pathlib import Path

import pytest

from tests.acceptance.gateway import Server, gateway, serving
from tests.acceptance.html_forms import Form, Shown, opened, sent
from tests.acceptance.people import CHEN, LI, LIU, OUYANG, WANG, ZHAO, Person, resident_id

MODULES = {
    "wechat": ("current", "arrears", "assessed", "medical", "receipts"),
    "ganfutong": ("choose", "receipts"),
    "mobile": ("pay", "receipts"),
    "counter": ("pay", "day", "settlement", "receipts"),
    "window": ("bills", "receipts"),
}
CLIENTS = ("tax-wechat", "ganfutong", "icbc-mobile", "abc-counter", "tax-window")


def found(server: Server, path: str, person: Person, **fields: str) -> Shown:
    form = opened(server, f"/sandbox/{path}").form("查询")
    return sent(server, form, resident_id=person.resident_id, name=person.name, **fields)


def quoted(server: Server, path: str, person: Person, first: str, last: str, tier: str = "60") -> Shown:
    form = found(server, path, person).form("计算缴费金额")
    return sent(server, form, first_month=first, last_month=last, tier=tier)


def paid(server: Server, confirmation: Shown) -> Shown:
    page = sent(server, confirmation.form("确认缴费"))
    assert page.status == 200
    assert "缴费成功" in page.text, page.text
    return page


def voucher(server: Server, page: Shown) -> bytes:
    (link,) = [link for link in page.links if link.endswith(".pdf")]
    response = server.http.get(link)
    assert response.headers["content-type"] == "application/pdf"
    assert response.headers["content-disposition"].startswith("attachment")
    return response.content


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_page_opens_in_both_languages(server: Server, lang: str) -> None:
    pages = [opened(server, f"/sandbox?lang={lang}")]
    for channel, modules in MODULES.items():
        pages.append(opened(server, f"/sandbox/{channel}?lang={lang}"))
        pages += [opened(server, f"/sandbox/{channel}/{module}?lang={lang}") for module in modules]
    for page in pages:
        assert page.status == 200
        assert ("服务热线" if lang == "zh" else "Hotlines") in page.text
        for hotline in ("12333", "12345", "12366"):
            assert hotline in page.text


def test_a_channel_has_its_own_modules_and_no_others(server: Server) -> None:
    assert opened(server, "/sandbox/wechat/day").status == 404
    assert opened(server, "/sandbox/counter/medical").status == 404
    assert opened(server, "/sandbox/post-office").status == 404


def test_the_wechat_account_pays_this_year(server: Server) -> None:
    confirmation = quoted(server, "wechat/current", CHEN, "2020-04", "2020-06")
    assert "¥1,815.00" in confirmation.text
    assert "**兰" in confirmation.text
    receipt = paid(server, confirmation)
    assert "壹仟捌佰壹拾伍元整" in receipt.text
    assert voucher(server, receipt).startswith(b"%PDF-")


def test_arrears_are_assessed_in_one_module_and_can_be_paid_in_another(server: Server) -> None:
    assessed = sent(server, found(server, "wechat/arrears", LIU).form("核定缴费金额", 1))
    assert "¥2,272.00" in assessed.text
    bill = found(server, "wechat/assessed", LIU).form("核对并缴费")
    assert voucher(server, paid(server, sent(server, bill))).startswith(b"%PDF-")


def test_the_wechat_account_pays_the_medical_bill(server: Server) -> None:
    bill = found(server, "wechat/medical", WANG).form("核对并缴费")
    assert "¥5,712.00" in paid(server, sent(server, bill)).text


def test_ganfutong_asks_for_the_insurance_and_pays(server: Server) -> None:
    choice = found(server, "ganfutong/choose", OUYANG)
    nothing = sent(server, choice.form("灵活就业人员养老保险"))
    assert "没有可缴费的内容" in nothing.text
    bill = sent(server, choice.form("灵活就业人员医疗保险")).form("核对并缴费")
    assert voucher(server, paid(server, sent(server, bill))).startswith(b"%PDF-")


def test_the_window_pays_what_was_assessed_and_prints_what_the_tax_bureau_has_collected(server: Server) -> None:
    bill = found(server, "window/bills", WANG).form("核对并缴费")
    paid(server, sent(server, bill, teller="0099"))
    printed = found(server, "window/receipts", WANG)
    # The other one was paid in the WeChat account.
    links = [link for link in printed.links if link.endswith(".pdf")]
    assert len(links) == 2
    assert server.http.get(links[0]).content.startswith(b"%PDF-")


def test_what_is_sent_twice_is_paid_once(server: Server) -> None:
    confirmation = quoted(server, "mobile/pay", ZHAO, "2020-06", "2020-08")
    first, second = (paid(server, confirmation) for _ in range(2))
    assert "replayed: true" not in first.text.partition("这一页背后")[0]
    assert "replayed: true" in second.text.partition("这一页背后")[0]
    assert [link for link in first.links if ".pdf" in link] == [link for link in second.links if ".pdf" in link]


def test_a_problem_is_shown_with_its_code_in_the_language_of_the_page(server: Server) -> None:
    both = [quoted(server, "mobile/pay", ZHAO, "2020-09", "2020-09") for _ in range(2)]
    paid(server, both[0])
    refused = sent(server, both[1].form("确认缴费"))
    assert "MONTHS_ALREADY_PAID" in refused.text
    assert "以下月份已缴费：2020-09" in refused.text
    assert "将款项退还缴费人" in refused.text
    switch = refused.form("English")
    assert "These months have been paid already: 2020-09" in sent(server, switch, lang="en").text


def test_a_stranger_and_a_wrong_name_are_not_told_apart(server: Server) -> None:
    for nobody in (Person(resident_id("36999919950817999"), LI.name), Person(LI.resident_id, "李某")):
        assert "查无此人或姓名不符" in found(server, "mobile/pay", nobody).text


def test_bad_input_is_told_without_repeating_it_in_the_message(server: Server) -> None:
    page = found(server, "mobile/pay", Person("369999198503120011", "陈晓兰"))
    told, _, behind = page.text.partition("这一页背后的 GraphQL")
    assert "BAD_USER_INPUT" in told
    assert "369999198503120011" not in told
    assert "369999198503120011" in behind


def test_each_page_shows_what_was_sent_and_answered(server: Server) -> None:
    page = found(server, "mobile/pay", LI)
    assert "query FindPayer(" in page.text
    assert '"residentId": "369999199508170054"' in page.text
    assert '"maskedName": "*静"' in page.text


def test_no_page_holds_a_secret_or_a_token(server: Server) -> None:
    pages = [opened(server, "/sandbox"), found(server, "counter/pay", LI), opened(server, "/sandbox/counter/day")]
    for page in pages:
        assert "Bearer" not in page.html
        assert "eyJ" not in page.html
        for client in CLIENTS:
            assert base64.b64encode(f"{client}:sandbox".encode()).decode() not in page.html


@pytest.fixture(scope="module")
def reversed_payment(server: Server) -> Shown:
    """LIU pays twice at the counter, and one of the two is reversed."""
    for month in ("2020-01", "2020-02"):
        confirmation = quoted(server, "counter/pay", LIU, month, month)
        sent(server, confirmation.form("确认缴费"), branch="章江支行", teller="0042")
    ask = opened(server, "/sandbox/counter/day").form("冲正")
    return sent(server, sent(server, ask).form("冲正"), reason="档次选错")


def test_the_counter_reverses_a_payment_of_the_day(server: Server, reversed_payment: Shown) -> None:
    assert "冲正成功" in reversed_payment.text
    assert "作废" in reversed_payment.text
    assert voucher(server, reversed_payment).startswith(b"%PDF-")
    day = opened(server, "/sandbox/counter/day")
    assert "已冲正" in day.text
    # The other one alone can be.
    assert len([form for form in day.forms if "冲正" in form.words]) == 1


@pytest.mark.parametrize(
    ("plant", "told"),
    [
        ("MISSING_AT_BANK", "银行清单没有此笔"),
        ("MISSING_AT_GATEWAY", "总账没有此笔"),
        ("AMOUNT_DIFFERS", "金额不符"),
        ("STATUS_DIFFERS", "状态不符"),
    ],
)
def test_a_planted_difference_is_told(server: Server, reversed_payment: Shown, plant: str, told: str) -> None:
    right = planted(server, "fetch", "")
    planted_list = planted(server, plant, right)
    assert planted_list != right
    compared = compare(server, planted_list)
    assert "有差异" in compared.text
    assert told in compared.text
    assert "已对平" in compare(server, right).text


def planted(server: Server, step: str, lines: str) -> str:
    page = sent(server, Form("/sandbox/counter/settlement"), step=step, lines=lines)
    return page.html.partition("<textarea")[2].partition(">")[2].partition("</textarea>")[0].strip()


def compare(server: Server, lines: str) -> Shown:
    return sent(server, Form("/sandbox/counter/settlement"), step="compare", lines=lines)


def test_a_line_that_is_none_of_a_list_is_named_and_nothing_is_compared(server: Server) -> None:
    page = compare(server, "ABC-1,605.00\nABC-2;605.00")
    assert "第 2 行" in page.text
    assert "mutation ReconcileDay" not in page.text


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (403, {"sec-fetch-site": "cross-site"}, "step=find"),
        (403, {"origin": "http://elsewhere.example"}, "step=find"),
        (415, {"content-type": "application/json"}, "{}"),
        (413, {}, "step=" + "a" * 140_000),
        (400, {}, "step=nothing"),
        (400, {}, "step=find"),
        (400, {}, "&".join(f"f{number}=1" for number in range(100))),
    ],
)
def test_what_is_no_form_of_ours_is_refused(server: Server, status: int, headers: dict[str, str], body: str) -> None:
    form = {"content-type": "application/x-www-form-urlencoded", **headers}
    assert server.http.post("/sandbox/wechat/current", content=body, headers=form).status_code == status


def test_nothing_but_our_own_style_and_forms_is_allowed(server: Server) -> None:
    response = server.http.get("/sandbox/wechat")
    policy = response.headers["content-security-policy"]
    assert policy == "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    assert response.headers["cache-control"] == "no-store"
    # Or a browser that says nothing else of a form would not say of which origin it is.
    assert response.headers["referrer-policy"] == "same-origin"
    assert "<script" not in response.text
    assert "style=" not in response.text


def test_outside_the_sandbox_there_are_no_such_pages(empty_database: str, master_key: str, tmp_path: Path) -> None:
    settings = {"GATEWAY_DATABASE_URL": empty_database, "GATEWAY_MASTER_KEY": master_key}
    assert gateway("migrate", **settings).returncode == 0
    with serving(tmp_path / "log", sandbox=False, **settings) as server:
        for path in ("", "/channels.css", "/wechat", "/wechat/current", "/wechat/receipts/202011160000000001.pdf"):
            assert server.http.get(f"/sandbox{path}").status_code == 404
        assert server.http.post("/sandbox/wechat/current", data={"step": "find"}).status_code == 404
