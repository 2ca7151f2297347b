"""A browser for each module beside its sandbox server, and pages on which nothing may go wrong unseen.

Playwright's event loop runs in this thread while the browser is there: what needs one of its own (asyncio.run, as
fresh databases do) has to be done before, which is why the browser asks for the server, and not in a test.
"""

import os
from collections.abc import Iterator
from typing import Protocol

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.acceptance.conftest import master_key, sandbox_database, sandbox_template, server
from tests.acceptance.gateway import Server
from tests.browser.chromium import DESK, browsing, chromium
from tests.browser.watching import Watch

__all__ = ["master_key", "sandbox_database", "sandbox_template", "server"]

#: What a page does takes milliseconds; a machine under load takes longer.
TIMEOUT_SECONDS = 15.0


class OpenPage(Protocol):
    """Opens another page, in a context (cookies, storage) of its own."""

    def __call__(self, locale: str = "zh-CN", *, javascript: bool = True) -> Page: ...


@pytest.fixture(scope="module")
def browser(server: Server) -> Iterator[Browser]:
    path = chromium()
    if path is None:
        why = "no Chromium here: apt-get install --no-install-recommends chromium fonts-noto-cjk"
        assert os.environ.get("CI") != "true", why
        pytest.skip(why)
    with browsing(path) as running:
        yield running


@pytest.fixture
def watches() -> list[Watch]:
    """Those of the test's pages, in the order in which they were opened."""
    return []


@pytest.fixture
def open_page(browser: Browser, server: Server, watches: list[Watch]) -> Iterator[OpenPage]:
    """Open pages on which paths are the server's; the test fails if anything goes wrong in one."""
    contexts: list[BrowserContext] = []

    def open_page(locale: str = "zh-CN", *, javascript: bool = True) -> Page:
        context = browser.new_context(
            base_url=server.base_url,
            locale=locale,
            timezone_id="Asia/Shanghai",
            viewport={"width": DESK[0], "height": DESK[1]},
            java_script_enabled=javascript,
        )
        context.set_default_timeout(TIMEOUT_SECONDS * 1000)
        contexts.append(context)
        watches.append(Watch(context))
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()
    assert [wrong for watch in watches for wrong in watch.wrong] == []


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """A page in a browser that is set to Chinese, at a desk's size."""
    return open_page()


@pytest.fixture
def watch(page: Page, watches: list[Watch]) -> Watch:
    """What watches `page`: `watch.expect(404)` for an answer that the test is about."""
    return watches[0]
