"""What the pages say, by key, in both languages (gettext's catalogues, read by Babel), and how they write values."""

import datetime
import io
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from importlib.resources import files

from babel.dates import format_skeleton
from babel.messages.pofile import read_po
from markupsafe import Markup, escape

from contributions import months


@cache
def catalogue(locale: str) -> Mapping[str, str]:
    """Return the texts of a locale by their keys."""
    source = files("gateway.channels").joinpath("catalogues", f"{locale}.po").read_bytes()
    return {str(m.id): str(m.string) for m in read_po(io.BytesIO(source), locale=locale) if m.id}


class Texts:
    """One language, as the templates see it."""

    def __init__(self, locale: str) -> None:
        self.locale = locale
        self._catalogue = catalogue(locale)

    def __call__(self, key: str, **values: object) -> Markup:
        """Return a text with its placeholders filled, as HTML. Raises KeyError for an unknown key."""
        return escape(self._catalogue[key]).format(**values)

    def maybe(self, key: str) -> str:
        """Return a text that not everybody of its kind has; "" for none."""
        return self._catalogue.get(key, "")

    def month(self, text: str) -> str:
        """Write a month of the API's ("2020-04") as the language does."""
        year, month = divmod(months.parse(text), 12)
        return format_skeleton("yMMM", datetime.date(year, month + 1, 1), locale=self.locale)

    def run(self, first: str, last: str) -> Markup:
        """Write a run of months, as HTML that breaks between them and nowhere else."""
        written = Markup('<span class="nowrap">{}{}</span>')
        if first == last:
            return written.format(self.month(first), "")
        return written.format(self.month(first), self("to")) + written.format(self.month(last), "")

    def yuan(self, text: str | None) -> str:
        """Write an amount of the API's ("5445.00") with its thousands; a dash for none."""
        return "—" if text is None else f"¥{Decimal(text):,}"

    def time(self, text: str) -> str:
        """Write a time of the API's, which is in +08:00."""
        return text[:19].replace("T", " ")


def months_of(first: str, count: int) -> list[str]:
    """Return so many months from the first on, as the API writes them."""
    begin = months.parse(first)
    return [months.text(month) for month in range(begin, begin + count)]
