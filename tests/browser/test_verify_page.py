"""The public check of a voucher, in a browser: authentic, then void, in both languages."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.gateway import Server
from tests.acceptance.operations import pay, quote, reverse
from tests.acceptance.people import CHEN
from tests.browser.accessibility import check_accessible
from tests.browser.conftest import OpenPage


@pytest.fixture(scope="module")
def receipt(server: Server) -> dict[str, Any]:
    """A receipt for 陈晓兰, which stands until the last test reverses it."""
    abc = server.client("abc-counter")
    paid: dict[str, Any] = pay(abc, quote(abc, CHEN, "2020-04", "2020-06"), "BROWSER-VERIFY")["receipt"]
    return paid


def check(page: Page, receipt: dict[str, Any]) -> None:
    page.goto("/verify")
    check_accessible(page)
    page.locator("#number").fill(receipt["number"])
    page.locator("#code").fill(receipt["verificationCode"])
    page.locator("#code").press("Enter")
    expect(page.locator("#outcome")).to_be_visible()
    check_accessible(page)


@pytest.mark.parametrize(("locale", "words"), [("zh-CN", "真实有效"), ("en-US", "This voucher is authentic")])
def test_a_voucher_is_authentic(open_page: OpenPage, receipt: dict[str, Any], locale: str, words: str) -> None:
    page = open_page(locale)
    check(page, receipt)
    expect(page.locator("#outcome")).to_contain_text(words)
    expect(page.get_by_role("main")).to_contain_text(receipt["maskedName"])


def test_the_check_works_without_javascript(open_page: OpenPage, receipt: dict[str, Any]) -> None:
    page = open_page(javascript=False)
    page.goto("/verify")
    page.locator("#number").fill(receipt["number"])
    page.locator("#code").fill(receipt["verificationCode"])
    page.locator("button").click()
    expect(page.locator("#outcome")).to_contain_text("真实有效")


def test_a_wrong_code_is_no_such_voucher_and_the_language_can_be_switched(page: Page, receipt: dict[str, Any]) -> None:
    check(page, receipt | {"verificationCode": "0" * 12})
    page.get_by_role("link", name="English").click()
    expect(page.locator("#outcome")).to_contain_text("no such voucher", ignore_case=True)


def test_after_the_reversal_the_voucher_is_void(server: Server, open_page: OpenPage, receipt: dict[str, Any]) -> None:
    reverse(server.client("abc-counter"), "BROWSER-VERIFY")
    for locale, words in (("zh-CN", "作废"), ("en-US", "This voucher is void")):
        page = open_page(locale)
        check(page, receipt)
        expect(page.locator("#outcome")).to_contain_text(words)
