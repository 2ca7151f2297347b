"""Texts of pages, each in Chinese and in English, and those that stand on every page."""

from collections.abc import Iterator, Mapping
from typing import Final

_LOCALES: Final = ("zh_CN", "en")

#: The guide's telephone numbers for those who pay.
HOTLINES: Final = ("12333", "12345", "12366")


class Texts:
    """One language's texts of `pairs`, which has the Chinese and the English by name."""

    def __init__(self, pairs: Mapping[str, tuple[str, str]], locale: str) -> None:
        language = _LOCALES.index(locale)
        self._texts = {name: pair[language] for name, pair in pairs.items()}

    def __getattr__(self, name: str) -> str:
        """Return a text. Raises AttributeError for a name that has none."""
        try:
            return self._texts[name]
        except KeyError:
            raise AttributeError(name) from None

    def __getitem__(self, name: str) -> str:
        """Return a text whose name is known while the page is made: `outcome.VOID`. Raises KeyError."""
        return self._texts[name]

    def __iter__(self) -> Iterator[str]:
        """Return the names."""
        return iter(self._texts)


def in_both(pairs: Mapping[str, tuple[str, str]]) -> Mapping[str, Texts]:
    """Return the texts by their locale."""
    return {locale: Texts(pairs, locale) for locale in _LOCALES}


#: What stands on the ground of every page (ground.html).
COMMON: Final = in_both(
    {
        "skip": ("跳到正文", "Skip to the content"),
        "service": ("灵活就业人员社会保险费", "Social insurance contributions of flexibly employed people"),
        "hotlines": ("服务热线", "Hotlines"),
        "hotline.12333": ("参保登记、待遇", "enrolment and benefits"),
        "hotline.12345": ("医保", "medical insurance"),
        "hotline.12366": ("缴费", "paying"),
    }
)
