"""What a signed voucher has of PDF/A-2b (ISO 19005-2), rule by rule; the numbers are the standard's clauses.

No validator of the whole standard is at hand, so each rule that a page like this can break is read from its bytes.
"""

import io
import re
import struct
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import ImageCms
from pypdf import PdfReader
from pypdf.generic import NameObject, StreamObject

from gateway.vouchers.certificates import _self_signed
from gateway.vouchers.drawing import draw
from gateway.vouchers.signing import PageSigner
from tests.gateway.vouchers.sample import ISSUED_AT, PUBLIC_URL, VOIDED_AT, a_voucher

PDFAID = "{http://www.aiim.org/pdfa/ns/id/}"
XMP = "{http://ns.adobe.com/xap/1.0/}"


@pytest.fixture(scope="module", params=[None, VOIDED_AT])
def signed(request: pytest.FixtureRequest) -> bytes:
    page = draw(a_voucher(voided_at=request.param), PUBLIC_URL)
    return PageSigner(_self_signed()).sign(page, "Voucher 202011160000000001 code 0123456789AB", ISSUED_AT)


@pytest.fixture
def catalog(signed: bytes) -> Any:
    return PdfReader(io.BytesIO(signed), strict=True).trailer["/Root"]


def test_the_head_has_bytes_that_are_no_text_and_the_trailer_an_id(signed: bytes) -> None:
    assert re.match(rb"%PDF-1\.\d\n%[\x80-\xff]{4}", signed), "6.1.2"
    trailer = PdfReader(io.BytesIO(signed)).trailer
    assert "/ID" in trailer, "6.1.3"
    assert "/Encrypt" not in trailer, "6.1.3"


def test_each_stream_ends_on_a_line_of_its_own(signed: bytes) -> None:
    lengths = [
        (int(length), len(content))
        for length, content in re.findall(rb"/Length (\d+)[^>]*?>>\nstream\n(.*?)\nendstream\n", signed, re.DOTALL)
    ]
    assert len(lengths) == signed.count(b"endstream") == 5, "6.1.7.1"
    assert all(told == found for told, found in lengths), "6.1.7.1"


def test_its_colours_have_a_profile(catalog: Any) -> None:
    (intent,) = catalog["/OutputIntents"]
    assert intent["/S"] == "/GTS_PDFA1", "6.2.3"
    stream = intent["/DestOutputProfile"].get_object()
    profile = ImageCms.getOpenProfile(io.BytesIO(stream.get_data())).profile
    assert (profile.xcolor_space.strip(), stream["/N"], profile.device_class) == ("RGB", 3, "mntr"), "6.2.3"
    assert profile.version < 5, "6.2.3"


def test_its_metadata_say_what_it_is_and_what_the_file_says(signed: bytes, catalog: Any) -> None:
    metadata = catalog["/Metadata"]
    assert (metadata["/Type"], metadata["/Subtype"]) == ("/Metadata", "/XML"), "6.6.2.1"
    root = ElementTree.fromstring(metadata.get_data())  # noqa: S314 -- our own
    told = {element.tag: element.text for element in root.iter()}
    assert (told[f"{PDFAID}part"], told[f"{PDFAID}conformance"]) == ("2", "B"), "6.6.4"
    information = PdfReader(io.BytesIO(signed)).metadata
    assert information is not None
    assert information.creation_date is not None
    assert told[f"{XMP}CreateDate"] == information.creation_date.isoformat()
    assert str(information.title) in metadata.get_data().decode()


def test_its_only_font_is_within_it_and_has_one_map_of_characters(signed: bytes) -> None:
    (page,) = PdfReader(io.BytesIO(signed)).pages
    for name, font in page["/Resources"]["/Font"].items():  # type: ignore[index]
        assert font["/Subtype"] == "/TrueType", name
        assert "/Encoding" not in font, "6.2.11.6: a symbolic font has none"
        assert font["/FontDescriptor"]["/Flags"] & 4, "6.2.11.6"
        program = font["/FontDescriptor"]["/FontFile2"].get_data()
        assert _character_maps(program) == 1, "6.2.11.6"
    used = set(re.findall(rb"/(F\d\S*) [\d.]+ Tf", page.get_contents().get_data()))  # type: ignore[union-attr]
    assert {f"/{name.decode()}" for name in used} <= set(page["/Resources"]["/Font"])  # type: ignore[index]


def test_nothing_in_it_is_transparent_hidden_or_run(signed: bytes) -> None:
    for word in (rb"/SMask", rb"/CA ", rb"/ca ", rb"/BM ", rb"/Group", rb"/JavaScript", rb"/AA ", rb"/OpenAction"):
        assert word not in signed, word
    for _, thing in _objects(signed):
        if isinstance(thing, StreamObject):
            assert "/F" not in thing, "6.1.7.1: nothing is elsewhere"
            assert NameObject("/LZWDecode") not in (thing.get("/Filter") or ()), "6.1.7.2"


def test_its_signature_is_one_that_archives_take(catalog: Any) -> None:
    assert set(catalog["/Perms"]) == {"/DocMDP"}, "6.1.12"
    (reference,) = catalog["/Perms"]["/DocMDP"]["/Reference"]
    assert not {"/DigestLocation", "/DigestMethod", "/DigestValue"} & set(reference.get_object()), "6.1.12"
    (field,) = catalog["/AcroForm"]["/Fields"]
    assert field.get_object()["/F"] & 0b100111 == 0b100, "6.3.2: printed, not hidden"
    assert list(field.get_object()["/Rect"]) == [0, 0, 0, 0], "6.3.3: without extent it needs no appearance"
    assert "/NeedAppearances" not in catalog["/AcroForm"], "6.4.1"


def _character_maps(program: bytes) -> int:
    """Return how many subtables the `cmap` of a TrueType font has."""
    (tables,) = struct.unpack_from(">H", program, 4)
    places = {tag: place for tag, _, place, _ in struct.iter_unpack(">4s3L", program[12 : 12 + 16 * tables])}
    maps: int = struct.unpack_from(">HH", program, places[b"cmap"])[1]
    return maps


def _objects(content: bytes) -> list[tuple[int, Any]]:
    reader = PdfReader(io.BytesIO(content))
    return [(number, reader.get_object(number)) for number in range(1, int(str(reader.trailer["/Size"])))]
