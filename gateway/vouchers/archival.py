"""What makes a page one for archives: the parts of PDF/A-2b (ISO 19005-2) that reportlab leaves out.

The colours' profile as the output intent (6.2.3), XMP metadata (6.6.2), and the ends of streams (6.1.7.1).
"""

from datetime import datetime
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any, Final

from reportlab.pdfbase.pdfdoc import (
    PDFArray,
    PDFDictionary,
    PDFName,
    PDFStream,
    PDFStreamFilterZCompress,
    PDFString,
)
from reportlab.pdfgen.canvas import Canvas

_XMP: Final = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">
<pdfaid:part>2</pdfaid:part>
<pdfaid:conformance>B</pdfaid:conformance>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{subject}</rdf:li></rdf:Alt></dc:description>
<dc:creator><rdf:Seq><rdf:li>{author}</rdf:li></rdf:Seq></dc:creator>
<xmp:CreatorTool>{creator}</xmp:CreatorTool>
<xmp:CreateDate>{moment}</xmp:CreateDate>
<xmp:ModifyDate>{moment}</xmp:ModifyDate>
</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>
"""


@cache
def colour_profile() -> bytes:
    """Return the ICC profile of sRGB, which the page's colours are meant in."""
    return (files("gateway.vouchers") / "fonts" / "sRGB.icc").read_bytes()


class _Stream(PDFStream):  # type: ignore[misc] # reportlab has no types
    """A stream with the end of line before `endstream` that is none of its bytes; reportlab leaves it out."""

    def format(self, document: Any) -> bytes:
        formatted: bytes = super().format(document)
        return formatted.removesuffix(b"endstream\n") + b"\nendstream\n"


def make_archival(canvas: Canvas, *, title: str, subject: str, author: str, creator: str, moment: datetime) -> None:
    """Give the canvas's document its output intent and its metadata; `moment` is the one that its dates say."""
    _end_streams(canvas._doc)
    catalog = canvas._doc.Catalog
    # reportlab knows no output intents: what is in this dictionary is what it writes.
    catalog.__Defaults__ = {**catalog.__Defaults__, "OutputIntents": None}
    catalog.OutputIntents = PDFArray([PDFDictionary(_intent(canvas))])
    told = {"title": title, "subject": subject, "author": author, "creator": creator, "moment": moment.isoformat()}
    packet = _XMP.format(**{name: escape(value) for name, value in told.items()}).encode()
    # Not compressed, so that what looks for metadata without reading PDF finds it.
    catalog.Metadata = PDFStream(
        PDFDictionary({"Type": PDFName("Metadata"), "Subtype": PDFName("XML")}), packet, filters=()
    )


def _end_streams(document: Any) -> None:
    """Let every stream be a _Stream: each is referred to before it is written."""
    refer = document.Reference

    def referring(thing: Any, name: str | None = None) -> Any:
        if type(thing) is PDFStream:
            thing.__class__ = _Stream
        return refer(thing, name)

    document.Reference = referring


def _intent(canvas: Canvas) -> dict[str, object]:
    profile = PDFStream(PDFDictionary({"N": 3}), colour_profile(), filters=(PDFStreamFilterZCompress(),))
    return {
        "Type": PDFName("OutputIntent"),
        "S": PDFName("GTS_PDFA1"),
        "OutputConditionIdentifier": PDFString("sRGB"),
        "Info": PDFString("sRGB IEC61966-2.1"),
        "DestOutputProfile": canvas._doc.Reference(profile),
    }
