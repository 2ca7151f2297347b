"""What nobody sees on a page and yet is wrong: errors of the console and of scripts, strange hosts, failed answers."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response

#: The only host that a page may ask. What a page made itself (data:, blob:, about:) has none.
HOST: Final = "127.0.0.1"
#: What Chromium writes into the console for a failed answer, which is judged by its status already.
_FAILED: Final = "Failed to load resource: the server responded with a status of"


class Watch:
    """Keeps what went wrong in the pages of a context."""

    def __init__(self, context: BrowserContext) -> None:
        self._wrong: list[str] = []
        self._expected: set[int] = set()
        context.on("page", self._watch)
        context.on("request", self._requested)
        context.on("response", self._answered)
        context.on("console", self._said)

    def expect(self, *statuses: int) -> None:
        """Take answers of these statuses, 400 and above, for what the test is about."""
        self._expected.update(statuses)

    @property
    def wrong(self) -> Iterable[str]:
        """What went wrong, a line each, in its order."""
        return tuple(self._wrong)

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self._wrong.append(f"page error: {error}"))

    def _requested(self, request: Request) -> None:
        host = urlsplit(request.url).hostname
        if host not in (None, HOST):
            self._wrong.append(f"request to another host: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self._expected:
            self._wrong.append(f"answer {response.status}: {response.request.method} {response.url}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(_FAILED):
            self._wrong.append(f"console: {message.text}")
