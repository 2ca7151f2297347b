"""What other programs read from a voucher: poppler's pdftotext, which is not the library that the drawing tests use."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.vouchers.certificates import _self_signed
from gateway.vouchers.drawing import draw
from gateway.vouchers.signing import PageSigner
from tests.gateway.vouchers.sample import ISSUED_AT, PUBLIC_URL, VOIDED_AT, a_voucher


def read(tmp_path: Path, content: bytes) -> str:
    if shutil.which("pdftotext") is None:
        why = "no pdftotext here: apt-get install --no-install-recommends poppler-utils"
        assert os.environ.get("CI") != "true", why
        pytest.skip(why)
    file = tmp_path / "voucher.pdf"
    file.write_bytes(content)
    result = subprocess.run(["pdftotext", str(file), "-"], capture_output=True, check=True, timeout=60)
    # Whatever poppler finds wrong with a file it says there.
    assert result.stderr == b""
    return result.stdout.decode()


def test_pdftotext_finds_amount_words_and_number(tmp_path: Path) -> None:
    page = draw(a_voucher(), PUBLIC_URL)
    for content in (page, PageSigner(_self_signed()).sign(page, "Voucher", ISSUED_AT)):
        text = read(tmp_path, content)
        for stated in (
            "5445.00 元",
            "伍仟肆佰肆拾伍元整",
            "202011160000000001",
            "0123456789AB",
            "12333",
            "12345",
            "12366",
        ):
            assert stated in text
        assert "作废" not in text


def test_pdftotext_finds_that_it_is_void(tmp_path: Path) -> None:
    assert "作废" in read(tmp_path, draw(a_voucher(voided_at=VOIDED_AT), PUBLIC_URL))


@pytest.mark.parametrize("name", ["*䶮", "*㛃", "*𬱖"])
def test_pdftotext_copies_a_rare_character_out(tmp_path: Path, name: str) -> None:
    assert name in read(tmp_path, draw(a_voucher(masked_name=name), PUBLIC_URL))
