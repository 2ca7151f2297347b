"""The channels in a browser: each pays for a person of the sandbox and ends with a voucher downloaded."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.people import CHEN, LIU, OUYANG, WANG, ZHAO, Person
from tests.browser.accessibility import check_accessible
from tests.browser.conftest import OpenPage


def choose(page: Page, path: str, person: Person) -> None:
    """Find the person. The page to choose on has everything of a channel's colours, and is judged for each."""
    page.goto(f"/sandbox/{path}")
    page.get_by_role("button", name=person.name).click()
    check_accessible(page)


def quote(page: Page, last: str) -> None:
    this_year = page.get_by_role("region", name="本年自主缴费")
    this_year.get_by_label("终止年月").select_option(last)
    this_year.get_by_role("radio", name="60%").check()
    this_year.get_by_role("button", name="计算缴费金额").click()


def confirm(page: Page) -> None:
    page.get_by_role("button", name="确认缴费").click()
    expect(page.get_by_role("heading", name="缴费成功")).to_be_visible()


def download(page: Page, name: str = "下载电子缴费凭证") -> None:
    with page.expect_download() as started:
        page.get_by_role("link", name=name).first.click()
    path = started.value.path()
    assert Path(path).read_bytes().startswith(b"%PDF-")
    assert started.value.suggested_filename.endswith(".pdf")


def test_the_wechat_account_pays_and_a_reload_pays_nothing_more(page: Page) -> None:
    choose(page, "wechat/current", CHEN)
    quote(page, "2020-06")
    check_accessible(page)
    confirm(page)
    check_accessible(page)
    number = page.locator("dl div", has_text="凭证号码").first.inner_text()
    page.reload()
    expect(page.get_by_role("status")).to_contain_text("replayed: true")
    expect(page.locator("dl div", has_text="凭证号码").first).to_have_text(number.replace("\n", ""))
    download(page)


def test_arrears_are_assessed_and_paid_in_the_wechat_account(page: Page) -> None:
    choose(page, "wechat/arrears", LIU)
    page.get_by_role("button", name="核定缴费金额").first.click()
    confirm(page)
    download(page)


def test_ganfutong_pays_the_medical_bill(page: Page) -> None:
    choose(page, "ganfutong/choose", OUYANG)
    page.get_by_role("button", name="灵活就业人员医疗保险").click()
    page.get_by_role("button", name="核对并缴费").click()
    confirm(page)
    download(page)


def test_the_banks_app_pays_without_javascript(open_page: OpenPage) -> None:
    page = open_page(javascript=False)
    page.goto("/sandbox/mobile/pay")
    page.get_by_label("身份证号码").fill(ZHAO.resident_id)
    page.get_by_label("姓名").fill(ZHAO.name)
    page.get_by_label("姓名").press("Enter")
    quote(page, "2020-08")
    page.get_by_role("button", name="确认缴费").click()
    download(page)


def test_the_window_pays_and_prints(page: Page) -> None:
    choose(page, "window/bills", WANG)
    page.get_by_role("button", name="核对并缴费").first.click()
    confirm(page)
    choose(page, "window/receipts", WANG)
    download(page, "打印缴费凭证")


def test_the_counter_pays_reverses_and_reconciles(page: Page) -> None:
    choose(page, "counter/pay", LIU)
    quote(page, "2020-02")
    page.get_by_label("经办人号").fill("0042")
    confirm(page)
    download(page)
    page.goto("/sandbox/counter/day")
    check_accessible(page)
    page.get_by_role("button", name="冲正").click()
    check_accessible(page)
    page.get_by_label("冲正原因").fill("档次选错")
    page.get_by_role("button", name="冲正").click()
    expect(page.get_by_role("heading", name="冲正成功")).to_be_visible()
    check_accessible(page)
    page.goto("/sandbox/counter/settlement")
    page.get_by_role("button", name="改动状态").click()
    page.get_by_role("button", name="提交对账").click()
    expect(page.get_by_text("STATUS_DIFFERS", exact=True)).to_be_visible()
    check_accessible(page)
    page.get_by_role("button", name="恢复正确清单").click()
    page.get_by_role("button", name="提交对账").click()
    expect(page.get_by_role("status")).to_have_text("已对平")


def test_the_language_can_be_switched_at_every_step(page: Page) -> None:
    choose(page, "mobile/pay", CHEN)
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="Choose what to pay")).to_be_visible()
    page.get_by_role("link", name="Sandbox", exact=True).click()
    expect(page.get_by_role("heading", name="Ways to pay")).to_be_visible()
    check_accessible(page)
    page.get_by_role("link", name="The tax window").click()
    check_accessible(page)


def test_what_is_behind_a_page_can_be_opened_with_the_keyboard(page: Page) -> None:
    choose(page, "wechat/medical", OUYANG)
    summary = page.locator("summary", has_text="find_payer")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="文档: find_payer")).to_contain_text("query FindPayer(")
    expect(page.get_by_role("region", name="变量: find_payer")).to_contain_text(OUYANG.resident_id)
    check_accessible(page)


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_a_stranger_is_told_what_to_do(open_page: OpenPage, locale: str) -> None:
    page = open_page(locale)
    page.goto("/sandbox/wechat/current")
    page.locator("#resident_id").fill(CHEN.resident_id)
    page.locator("#name").fill("张三")
    page.locator("#name").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("12333")
    check_accessible(page)
