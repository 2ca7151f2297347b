"""The developer's pages in a browser: GraphiQL runs as the client that is chosen, and the reference is searched."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import check_accessible, faults
from tests.browser.chromium import DESK, PHONE
from tests.browser.conftest import OpenPage
from tests.browser.watching import Watch

#: CodeMirror moves this element by the keys that its own text area takes, which is beside it and not inside: axe looks
#: for something inside that takes the focus.
SCROLLED_BY_ITS_TEXT_AREA = re.compile(
    r"scrollable-region-focusable [^<]*"
    r'<div class="CodeMirror-[vh]?scroll[^|]*(\| <div class="CodeMirror-[vh]?scroll[^|]*)*'
)


def open_graphiql(page: Page) -> None:
    page.goto("/graphiql")
    expect(page.locator(".graphiql-execute-button")).to_be_visible()


def run(page: Page, text: str) -> None:
    page.locator(".graphiql-execute-button").click()
    expect(page.locator(".result-window")).to_contain_text(text)


def test_graphiql_runs_an_example_as_the_client_that_is_chosen(page: Page) -> None:
    open_graphiql(page)
    page.get_by_label("以沙箱客户端身份").select_option("tax-wechat")
    run(page, '"clientId": "tax-wechat"')
    page.get_by_label("示例").select_option("find_payer")
    run(page, '"maskedName": "**兰"')


def test_an_example_chooses_the_client_that_may_run_it(page: Page) -> None:
    open_graphiql(page)
    page.get_by_label("示例").select_option("withdraw_bill")
    expect(page.get_by_label("以沙箱客户端身份")).to_have_value("social-insurance-agency")
    run(page, '"code": "PAYABLE_NOT_FOUND"')


def test_what_may_not_be_done_is_told(page: Page, watch: Watch) -> None:
    watch.expect(403)
    open_graphiql(page)
    page.get_by_label("以沙箱客户端身份").select_option("social-insurance-refunds")
    page.get_by_label("示例").select_option("find_payer")
    page.get_by_label("以沙箱客户端身份").select_option("social-insurance-refunds")
    page.locator(".graphiql-execute-button").click()
    expect(page.locator("#token-status")).to_contain_text("insufficient_scope")


def test_graphiql_completes_by_the_schema_and_shows_it_without_a_token(page: Page) -> None:
    open_graphiql(page)
    page.get_by_label("Show Documentation Explorer").click()
    expect(page.locator(".graphiql-doc-explorer")).to_contain_text("Root Types")
    page.get_by_label("Open short keys dialog").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_nothing_that_was_typed_in_is_kept_in_the_browser(page: Page) -> None:
    open_graphiql(page)
    page.get_by_label("示例").select_option("find_payer")
    run(page, '"maskedName": "**兰"')
    # GraphiQL writes half a second after what it has to write.
    page.wait_for_timeout(800)
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert not re.search(r"369999|陈|eyJ|payer", kept), kept
    page.reload()
    expect(page.locator(".graphiql-execute-button")).to_be_visible()
    assert "369999" not in page.locator(".graphiql-editors").inner_text()


def test_the_reference_is_filtered_as_the_reader_types(page: Page) -> None:
    page.goto("/reference")
    page.get_by_role("searchbox").fill("quote expired")
    expect(page.locator("#QuoteExpired")).to_be_visible()
    expect(page.locator("#Refund")).to_be_hidden()
    expect(page.get_by_role("status")).to_contain_text("找到的类型：")
    page.get_by_role("searchbox").fill("no such word")
    expect(page.get_by_role("status")).to_have_text("没有找到。")
    page.get_by_role("searchbox").fill("")
    expect(page.locator("#Refund")).to_be_visible()


def test_the_script_finds_what_the_server_finds(page: Page) -> None:
    for words in ("refund", "Payer masked", "payment:reverse", "FIELD_DEFINITION", "month year"):
        page.goto("/reference")
        page.get_by_role("searchbox").fill(words)
        script = page.evaluate("[...document.querySelectorAll('.entry:not([hidden])')].map(entry => entry.id)")
        page.goto(f"/reference?q={words}")
        server = page.evaluate("[...document.querySelectorAll('.entry')].map(entry => entry.id)")
        assert script == server != [], words


def test_the_reference_is_searched_without_a_script(open_page: OpenPage) -> None:
    page = open_page("en-GB", javascript=False)
    page.goto("/reference")
    page.get_by_role("searchbox").fill("quote expired")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#QuoteExpired")).to_be_visible()
    expect(page.locator("#Refund")).to_have_count(0)
    page.get_by_role("link", name="中文").click()
    expect(page.get_by_role("searchbox")).to_have_value("quote expired")


@pytest.mark.parametrize(
    ("path", "locale"),
    [
        ("/", "zh-CN"),
        ("/", "en-GB"),
        # The whole reference is more of the same, and takes axe twenty seconds.
        ("/reference?q=refund", "zh-CN"),
        ("/reference/problems", "zh-CN"),
        ("/docs/developer", "en-GB"),
        ("/docs/problems", "zh-CN"),
    ],
)
def test_the_pages_can_be_used_by_everybody(open_page: OpenPage, path: str, locale: str) -> None:
    page = open_page(locale)
    page.goto(path)
    check_accessible(page)


def test_graphiql_can_be_used_by_everybody(page: Page) -> None:
    for width, height in (PHONE, DESK):
        page.set_viewport_size({"width": width, "height": height})
        open_graphiql(page)
        page.locator("#example").select_option("find_payer")
        run(page, '"maskedName": "**兰"')
        assert [fault for fault in faults(page) if not SCROLLED_BY_ITS_TEXT_AREA.fullmatch(fault)] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
