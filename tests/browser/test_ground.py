"""The browser's own ground: what is wrong on a page does not go unseen."""

import pytest
from playwright.sync_api import Browser, Page

from tests.acceptance.gateway import Server
from tests.browser.accessibility import check_accessible, faults
from tests.browser.watching import Watch


@pytest.fixture
def watched(browser: Browser, server: Server) -> tuple[Page, Watch]:
    """A page whose watch is asked by the test alone."""
    context = browser.new_context(base_url=server.base_url)
    watch = Watch(context)
    return context.new_page(), watch


@pytest.mark.parametrize(
    ("script", "wrong"),
    [
        ("console.error('odd')", "console: odd"),
        ("setTimeout(() => { throw new Error('odd') })", "page error: odd"),
        ("open('http://elsewhere.example/')", "request to another host: http://elsewhere.example/"),
        ("location = '/nothing'", "answer 404: GET"),
    ],
)
def test_what_goes_wrong_is_kept(watched: tuple[Page, Watch], script: str, wrong: str) -> None:
    page, watch = watched
    page.goto("/healthz")
    page.evaluate(script)
    page.wait_for_timeout(300)
    assert [line for line in watch.wrong if line.startswith(wrong)]


def test_an_expected_status_is_nothing_wrong(watched: tuple[Page, Watch]) -> None:
    page, watch = watched
    watch.expect(404)
    page.goto("/nothing")
    assert watch.wrong == ()


def test_a_field_without_a_label_is_a_fault_and_a_wide_page_too(watched: tuple[Page, Watch]) -> None:
    page, _ = watched
    page.set_content("<html lang='en'><title>t</title><main><h1>Pay</h1><input></main></html>")
    assert [line for line in faults(page) if line.startswith("label (critical)")]
    page.set_content("<html lang='en'><title>t</title><main style='width: 600px'><h1>Pay</h1></main></html>")
    with pytest.raises(AssertionError, match="wider than 360 px"):
        check_accessible(page)
