"""Debian's Chromium, driven by Playwright: Playwright's own browsers are not in any package index."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Browser, sync_playwright

#: How Debian and others name it.
NAMES: Final = ("chromium", "chromium-browser")

#: The width and height in CSS pixels of a small phone, and of a desk's screen.
PHONE: Final = (360, 800)
DESK: Final = (1280, 900)


def chromium() -> str | None:
    """Return the path of the installed Chromium; None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def browsing(path: str) -> Iterator[Browser]:
    """Run a browser that resolves no name and so reaches nothing but this machine."""
    # --no-sandbox: as root, and in most containers, Chromium does not start with its own sandbox.
    options = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--font-render-hinting=none"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options)
        try:
            yield browser
        finally:
            browser.close()
