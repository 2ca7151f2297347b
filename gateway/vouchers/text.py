"""The one font of vouchers, and text drawn with it: every character shows, as itself or by its code point."""

import re
from functools import cache
from importlib.resources import as_file, files
from typing import Final
from unicodedata import category

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.pdfdoc import PDFDocument
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

FONT: Final = "NotoSansSC"


#: A character's code point in reportlab's map from glyphs to text, beyond the 16 bits that PDF writes it with.
_BEYOND_16_BITS: Final = re.compile(r"(?<=> <)[0-9A-F]{5,6}(?=>)")


class _Font(TTFont):  # type: ignore[misc] # reportlab has no types
    """The font with its rare characters written to the map in UTF-16 (ISO 32000-1, 9.10.3): they can be copied out."""

    def addObjects(self, doc: PDFDocument) -> None:  # noqa: N802 -- reportlab's name
        super().addObjects(doc)
        for name, stream in doc.idToObject.items():
            if name.startswith("toUnicodeCMap:"):
                stream.content = _BEYOND_16_BITS.sub(_utf_16, stream.content)


def _utf_16(code_point: re.Match[str]) -> str:
    return chr(int(code_point[0], 16)).encode("utf-16-be").hex().upper()


@cache
def font() -> TTFont:
    """Return the font, registered with reportlab. The first call reads 10 MB and takes a fifth of a second."""
    with as_file(files("gateway.vouchers") / "fonts" / "NotoSansSC-Regular.ttf") as path:
        loaded = _Font(FONT, path)
    pdfmetrics.registerFont(loaded)
    return loaded


def showable(text: str) -> str:
    """Return the text with what the font lacks as `[U+2A6A5]`, and without marks that choose a character's form."""
    known = font().face.charToGlyph
    return "".join(
        character if ord(character) in known else "" if category(character) == "Mn" else f"[U+{ord(character):04X}]"
        for character in text
    )


def width_of(text: str, size: float) -> float:
    """Return the width of a text in points, at a size in points."""
    width: float = pdfmetrics.stringWidth(showable(text), FONT, size)
    return width


class Pen:
    """Draws text on a canvas. Places and sizes are in points, from the lower left corner of the page."""

    def __init__(self, canvas: Canvas) -> None:
        font()
        self._canvas = canvas

    def left(self, x: float, y: float, text: str, size: float, *, within: float | None = None) -> None:
        """Draw from x on; where the text would be wider than `within`, smaller."""
        self._canvas.setFont(FONT, self._fitting(text, size, within))
        self._canvas.drawString(x, y, showable(text))

    def right(self, x: float, y: float, text: str, size: float) -> None:
        """Draw so that the text ends at x."""
        self._canvas.setFont(FONT, size)
        self._canvas.drawRightString(x, y, showable(text))

    def centred(self, x: float, y: float, text: str, size: float, *, within: float | None = None) -> None:
        """Draw with x in the middle; where the text would be wider than `within`, smaller."""
        self._canvas.setFont(FONT, self._fitting(text, size, within))
        self._canvas.drawCentredString(x, y, showable(text))

    @staticmethod
    def _fitting(text: str, size: float, within: float | None) -> float:
        width = width_of(text, size)
        return size if within is None or width <= within else size * within / width
