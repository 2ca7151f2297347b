"""The operator's page in a browser: signing in, the chart and its table, both languages, signing out."""

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.gateway import Server
from tests.acceptance.operations import pay, quote, reverse
from tests.acceptance.people import CHEN, LIU
from tests.browser.accessibility import check_accessible
from tests.browser.conftest import OpenPage
from tests.browser.watching import Watch


@pytest.fixture(scope="module")
def payments(server: Server) -> None:
    """Payments of three channels of two institutions, one of them reversed."""
    abc, mobile, window = (server.client(name) for name in ("abc-counter", "abc-mobile", "tax-window"))
    pay(abc, quote(abc, CHEN, "2020-04", "2020-06"), "BROWSER-1")
    pay(mobile, quote(mobile, CHEN, "2020-07", "2020-07"), "BROWSER-2")
    pay(window, quote(window, LIU, "2020-01", "2020-01"), "BROWSER-3")
    pay(abc, quote(abc, LIU, "2020-02", "2020-02"), "BROWSER-4")
    reverse(abc, "BROWSER-4")


def sign_in(page: Page, client_id: str = "operator", secret: str = "sandbox") -> None:
    page.goto("/operator")
    page.locator("#client_id").fill(client_id)
    page.locator("#client_secret").fill(secret)
    page.locator("#client_secret").press("Enter")


def test_an_operator_signs_in_sees_the_day_and_signs_out(page: Page, payments: None) -> None:
    page.goto("/operator")
    check_accessible(page)
    sign_in(page)
    expect(page.get_by_role("heading", name="今日缴费")).to_be_visible()
    check_accessible(page)
    expect(page.locator(".bars li")).to_have_count(2)
    expect(page.locator(".bars rect")).to_have_count(3)
    page.get_by_text("以表格显示").click()
    expect(page.locator("#payments-table tbody tr")).to_have_count(3)
    expect(page.locator("#payments-table tfoot")).to_contain_text("3,630.00")
    check_accessible(page)
    page.get_by_role("button", name="退出").click()
    expect(page.locator("#outcome")).to_have_text("您已退出。")
    page.goto("/operator")
    expect(page.locator("#client_id")).to_be_visible()


def test_it_is_there_in_english_and_without_javascript(open_page: OpenPage, payments: None) -> None:
    page = open_page("en-US", javascript=False)
    sign_in(page)
    expect(page.get_by_role("heading", name="Reconciliation by bank and day")).to_be_visible()
    page.get_by_role("link", name="中文").click()
    expect(page.get_by_role("heading", name="日终对账")).to_be_visible()


def test_the_cookie_is_out_of_reach_of_scripts(page: Page, payments: None) -> None:
    sign_in(page)
    expect(page.get_by_role("heading", name="今日缴费")).to_be_visible()
    assert page.evaluate("document.cookie") == ""
    (cookie,) = page.context.cookies()
    assert (cookie["name"], cookie["sameSite"]) == ("__Host-operator", "Strict")
    assert cookie["secure"]
    assert cookie["httpOnly"]


def test_it_renews_itself_only_for_who_asks(page: Page, payments: None) -> None:
    sign_in(page)
    expect(page.locator("meta[http-equiv=refresh]")).to_have_count(0)
    page.get_by_role("link", name="每分钟自动刷新").click()
    expect(page.locator("meta[http-equiv=refresh]")).to_have_count(1)
    page.get_by_role("link", name="停止自动刷新").click()
    expect(page.locator("meta[http-equiv=refresh]")).to_have_count(0)


def test_a_bank_is_refused_in_words(page: Page, watch: Watch) -> None:
    watch.expect(403)
    sign_in(page, "abc-counter")
    expect(page.locator("#outcome")).to_contain_text("没有 operations:read 权限")
    check_accessible(page)
