"""Values in the text format of PostgreSQL's COPY, where a tab stands between columns and a line break ends a row."""

from typing import Final

#: No value.
NULL: Final = r"\N"


def escaped(text: str) -> str:
    """Return a text that is printable all through, so that a backslash alone has to be escaped."""
    return text.replace("\\", "\\\\") if "\\" in text else text


def hexadecimal(value: bytes) -> str:
    """Return bytes as bytea's hexadecimal input, its backslash escaped."""
    return rf"\\x{value.hex()}"
