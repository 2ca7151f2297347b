"""Forms that people send from a page: small, plain, and each field once."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

import anyio
from starlette.requests import Request

#: A form is one packet.
TIMEOUT_SECONDS: Final = 10.0


class BadForm(Exception):
    """The body is no form of this page's; the HTTP status says why."""

    def __init__(self, status: int = 400) -> None:
        super().__init__()
        self.status = status


async def read_form(request: Request, *, max_bytes: int, max_fields: int) -> Mapping[str, str]:
    """Return the fields of a posted form. Raises BadForm: 400, 408, 413 or 415."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise BadForm(415)
    body = bytearray()
    try:
        with anyio.fail_after(TIMEOUT_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > max_bytes:
                    raise BadForm(413)
    except TimeoutError:
        raise BadForm(408) from None
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=max_fields, errors="strict")
    except ValueError:
        raise BadForm from None
    if len(dict(fields)) < len(fields):
        raise BadForm
    return dict(fields)
