"""What a page is sent: a form of ours, small, in time, and from a page of ours."""

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request

from gateway.pages.forms import BadForm, read_form
from gateway.pages.origin import is_own

#: A bank's list of a day, percent-encoded, is the largest: bank_list.MAX_LINES of some hundred bytes.
MAX_FORM_BYTES: Final = 131_072
MAX_FIELDS: Final = 24


class Fields(dict[str, str]):
    """The fields of a form, stripped."""

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
    if not is_own(request.headers, unsaid=True):
        raise BadForm(403)
    return Fields(_stripped(await read_form(request, max_bytes=MAX_FORM_BYTES, max_fields=MAX_FIELDS)))


def _stripped(pairs: Mapping[str, str]) -> dict[str, str]:
    return {name: value.strip() for name, value in pairs.items()}
