"""What a page is sent: a form of ours, small, in time, and from a page of ours."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

import anyio
from starlette.requests import Request

#: A bank's list of a day, percent-encoded, is the largest: bank_list.MAX_LINES of some hundred bytes.
MAX_FORM_BYTES: Final = 131_072
MAX_FIELDS: Final = 24
#: A form is a few packets.
FORM_TIMEOUT_SECONDS: Final = 10.0
#: What browsers say of a form that another site sent (Fetch Metadata). None: a browser or a program that says nothing.
_OURS: Final = (None, "same-origin", "none")


class BadForm(Exception):
    """No form of ours; the HTTP status says why."""

    def __init__(self, status: int = 400) -> None:
        super().__init__()
        self.status = status


class Fields(dict[str, str]):
    """The fields of a form, stripped; of a repeated one the last."""

    def need(self, name: str) -> str:
        """Return a field that our forms always have. Raises BadForm without it."""
        if not (value := self.get(name)):
            raise BadForm
        return value

    def step(self, *steps: str) -> str:
        """Return which of these steps the form asks for. Raises BadForm."""
        if (step := self.need("step")) not in steps:
            raise BadForm
        return step


async def read(request: Request) -> Fields:
    """Return the fields of a GET's query or of a POST's form. Raises BadForm."""
    if request.method != "POST":
        return Fields(_stripped(request.query_params))
    if request.headers.get("sec-fetch-site") not in _OURS:
        raise BadForm(403)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise BadForm(415)
    body = bytearray()
    try:
        with anyio.fail_after(FORM_TIMEOUT_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > MAX_FORM_BYTES:
                    raise BadForm(413)
    except TimeoutError:
        raise BadForm(408) from None
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise BadForm from None
    return Fields(_stripped(dict(pairs)))


def _stripped(pairs: Mapping[str, str]) -> dict[str, str]:
    return {name: value.strip() for name, value in pairs.items()}
