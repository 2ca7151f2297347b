"""A page as somebody without a browser reads it: its forms with their fields, its links, and what it says."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx

from tests.acceptance.gateway import Server


@dataclass
class Form:
    """One form: where it is sent to, its fields as they stand, and what its buttons say."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    words: str = ""


@dataclass
class Shown:
    """A page that was answered."""

    status: int
    html: str
    text: str
    forms: list[Form]
    links: list[str]

    def form(self, words: str, number: int = 0) -> Form:
        """Return a form that says these words; of several, the one of that number."""
        return [form for form in self.forms if words in form.words][number]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self._form: Form | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(attributes["action"])
            self.forms.append(self._form)
        elif tag == "a":
            self.links.append(attributes["href"])
        elif self._form is None:
            return
        elif tag == "select":
            self._select = attributes["name"]
        elif tag == "option" and "selected" in attributes:
            self._form.fields[self._select] = attributes["value"]
        elif tag == "input" and attributes.get("type") != "radio":
            self._form.fields[attributes["name"]] = attributes.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._form is not None:
            self._form.words += data


def shown(response: httpx.Response) -> Shown:
    """Read an answer."""
    reader = _Reader()
    reader.feed(response.text)
    text = " ".join(" ".join(reader.words).split())
    return Shown(response.status_code, response.text, text, reader.forms, reader.links)


def opened(server: Server, path: str) -> Shown:
    """Ask for a page."""
    return shown(server.http.get(path))


def sent(server: Server, form: Form, **fields: str) -> Shown:
    """Send a form, with these fields beside those that it has."""
    return shown(server.http.post(form.action, data={**form.fields, **fields}))
