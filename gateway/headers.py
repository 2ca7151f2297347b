"""The headers that every answer has: nothing here is a page to frame, a script to run, or a thing to keep."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Set where the endpoint has set none of that name: keys and metadata may be kept, and a page may style itself.
STRICT = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)


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
