"""Python source in the making: its lines, and the objects that it names."""

import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any

_INDENT = "    "


class Source:
    """Lines of generated Python, and the namespace they run in.

    Nothing of a document comes into the text but names, which the parser has checked, as literals by `repr`.
    """

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {}
        self._lines: list[str] = []
        self._names: dict[int, str] = {}
        self._counts: Counter[str] = Counter()

    def name(self, value: Any) -> str:
        """Return the name by which the text reaches an object."""
        name = self._names.get(id(value))
        if name is None:
            name = f"C{len(self._names)}"
            self._names[id(value)] = name
            self.namespace[name] = value
        return name

    def count(self, what: str) -> int:
        """Return how many of something there were before."""
        self._counts[what] += 1
        return self._counts[what] - 1

    def add(self, lines: list[str]) -> None:
        """Add lines after those that are there."""
        self._lines += lines

    def run(self) -> None:
        """Define in the namespace what the text defines."""
        _define("\n".join(self._lines), self.namespace)

    @contextmanager
    def put_off(self, name: str) -> Iterator[None]:
        """Let what is added meanwhile be compiled when its function `name` is called for the first time."""
        before, self._lines = self._lines, []
        yield
        # Kept for as long as the plan, and mostly for nothing.
        text = zlib.compress("\n".join(self._lines).encode())
        self._lines = before
        namespace = self.namespace

        def first_call(*arguments: Any) -> Any:
            _define(zlib.decompress(text).decode(), namespace)
            return namespace[name](*arguments)

        namespace[name] = first_call


def _define(text: str, namespace: dict[str, Any]) -> None:
    code: CodeType = compile(text, "<plan of a GraphQL operation>", "exec")
    exec(code, namespace)  # noqa: S102 -- the text is written by `generator` alone


def indented(lines: list[str]) -> list[str]:
    """Return lines one level further in."""
    return [_INDENT + line for line in lines]
