"""How a voucher is drawn: the same bytes for the same state, one page, and every character."""

import io
from dataclasses import replace
from decimal import Decimal

import pytest
from pypdf import PdfReader

from gateway.vouchers.drawing import draw
from gateway.vouchers.text import font
from tests.gateway.vouchers.sample import FIRST, PUBLIC_URL, VOIDED_AT, a_voucher


def text_of(page: bytes) -> str:
    reader = PdfReader(io.BytesIO(page), strict=True)
    (only,) = reader.pages
    return only.extract_text()


def test_the_same_voucher_gives_the_same_bytes() -> None:
    voucher = a_voucher()
    assert draw(voucher, PUBLIC_URL) == draw(a_voucher(), PUBLIC_URL)
    others = [
        replace(voucher, voided_at=VOIDED_AT),
        replace(voucher, prints=2),
        replace(voucher, verification_code="0123456789AC"),
    ]
    pages = {draw(other, PUBLIC_URL) for other in (voucher, *others)}
    assert len(pages) == 1 + len(others)


def test_its_dates_are_the_receipts() -> None:
    for voucher, date in (
        (a_voucher(), "D:20201116093000+08'00'"),
        (a_voucher(voided_at=VOIDED_AT), "D:20201116110000+08'00'"),
    ):
        told = PdfReader(io.BytesIO(draw(voucher, PUBLIC_URL))).metadata
        assert told is not None
        assert (told["/CreationDate"], told["/ModDate"]) == (date, date)


@pytest.mark.parametrize("name", ["*囍", "**喆", "*䶮", "*㛃", "*𬱖", "*𬴊", "*𫘜"])
def test_a_rare_character_shows_and_can_be_copied(name: str) -> None:
    assert ord(name[-1]) in font().face.charToGlyph
    assert f"\n{name}\n" in text_of(draw(a_voucher(masked_name=name), PUBLIC_URL))


def test_a_character_that_the_font_lacks_is_told_by_its_code_point() -> None:
    assert "\n*[U+2A6A5]\n" in text_of(draw(a_voucher(masked_name="*𪚥"), PUBLIC_URL))


def test_a_form_of_a_character_is_left_out() -> None:
    assert "\n*葛\n" in text_of(draw(a_voucher(masked_name="*葛\U000e0100"), PUBLIC_URL))


def test_the_font_has_the_characters_of_gbk() -> None:
    gbk = {
        bytes((lead, trail)).decode("gbk", "ignore")
        for lead in range(0x81, 0xFF)
        for trail in range(0x40, 0xFF)
        if trail != 0x7F
    }
    ideographs = {character for text in gbk for character in text if "\u4e00" <= character <= "\u9fff"}
    assert len(ideographs) > 20_900
    assert {character for character in ideographs if ord(character) not in font().face.charToGlyph} == set()


def test_a_working_life_of_arrears_is_on_one_page() -> None:
    line = a_voucher().lines[0]
    first = FIRST - 60 * 12
    lines = tuple(replace(line, month=first + month) for month in range(60 * 12))
    text = text_of(draw(a_voucher(first_month=first, lines=lines, amount=Decimal("435600.00")), PUBLIC_URL))
    assert "1960-04 至 1960-12" in text
    assert "2020-01 至 2020-03" in text


def test_what_is_long_is_made_to_fit() -> None:
    reference = "X" * 64
    text = text_of(draw(a_voucher(bank_reference=reference, institution_name="省" * 60), PUBLIC_URL))
    assert reference in text
    assert "省" * 60 in text
