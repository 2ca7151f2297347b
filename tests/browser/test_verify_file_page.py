"""The public check of a voucher's file, in a browser: on a phone, with and without JavaScript, in both languages."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.acceptance.gateway import Server
from tests.acceptance.operations import pay, quote
from tests.acceptance.people import CHEN
from tests.browser.accessibility import check_accessible
from tests.browser.chromium import PHONE
from tests.browser.conftest import OpenPage


@pytest.fixture(scope="module")
def voucher(server: Server) -> bytes:
    """The file of a voucher for 陈晓兰."""
    abc = server.client("abc-counter")
    receipt = pay(abc, quote(abc, CHEN, "2020-04", "2020-06"), "BROWSER-FILE")["receipt"]
    path = urlsplit(receipt["pdfUrl"]).path
    return abc.http.get(path, headers={"Authorization": f"Bearer {abc.token}"}).content


@pytest.mark.parametrize(
    ("locale", "javascript", "changed", "words"),
    [
        ("zh-CN", True, b"", "文件真实，缴费有效"),
        ("en-US", False, b"", "This file is authentic"),
        ("zh-CN", False, b"\n", "文件签名后被改动"),
        ("en-US", True, b"\n", "changed after it was signed"),
    ],
)
def test_a_file_is_checked_on_a_phone(
    open_page: OpenPage, voucher: bytes, locale: str, javascript: bool, changed: bytes, words: str
) -> None:
    page = open_page(locale, javascript=javascript)
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    page.goto("/verify")
    file = {"name": "voucher.pdf", "mimeType": "application/pdf", "buffer": voucher + changed}
    page.locator("#file").set_input_files(file)  # type: ignore[arg-type] # a TypedDict of Playwright's own
    page.locator("input[type=submit]").click()
    expect(page.locator("#outcome")).to_contain_text(words)
    # Nothing is wider than the screen.
    assert page.locator("html").evaluate("html => html.scrollWidth") <= PHONE[0]
    if javascript:
        check_accessible(page)
