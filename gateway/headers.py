"""The headers that every answer has: nothing here is a page to frame, a script to run, or a thing to keep."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Set where the endpoint has set none of that name: keys and metadata may be kept, and a page may style itself.
STRICT = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    # For browsers that know nothing of frame-ancestors, and against pages of elsewhere that would load an answer.
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)

#: A year, as OWASP has it. Not for subdomains: those are not ours to speak for.
HSTS = ("strict-transport-security", "max-age=31536000")


def transport_headers(public_url: str | None) -> list[tuple[str, str]]:
    """Return what is added to every answer where the world reaches the gateway by https."""
    return [HSTS] if public_url is not None and public_url.startswith("https://") else []


def raw_head(headers: list[tuple[bytes, bytes]]) -> bytes:
    """Return these headers and the strict ones as they stand in an answer that no app has made."""
    given = {name.lower() for name, _ in headers}
    lines = [*headers, *(line for line in STRICT if line[0] not in given)]
    return b"".join(name + b": " + value + b"\r\n" for name, value in lines)


class StrictHeaders:
    """Wraps a whole app, with what it answers to unknown paths and to its own faults."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and complete the head of its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def completed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                given = {name.lower() for name, _ in headers}
                headers += [line for line in STRICT if line[0] not in given]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, completed)
