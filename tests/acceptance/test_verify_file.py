"""The public check of a voucher's file: as it was signed and standing, void since, changed, another's, or no PDF."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.vouchers.certificates import _self_signed
from gateway.vouchers.drawing import draw
from gateway.vouchers.signing import PageSigner
from tests.acceptance.gateway import Client, Server, serving
from tests.acceptance.held import ask
from tests.acceptance.operations import Answer, pay, quote, reverse
from tests.acceptance.people import Person
from tests.acceptance.test_verify import Elements
from tests.gateway.vouchers.sample import ISSUED_AT, PUBLIC_URL, a_voucher

REASON = "Voucher 202011160000000001 code 0123456789AB"


@pytest.fixture(scope="module")
def proxied(
    sandbox_database: str, master_key: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Path]]:
    """A server behind a proxy, so that each test has an address of its own, and its log."""
    log = tmp_path_factory.mktemp("proxied") / "server.log"
    settings = {"GATEWAY_DATABASE_URL": sandbox_database, "GATEWAY_MASTER_KEY": master_key}
    with serving(log, GATEWAY_TRUSTED_PROXIES="127.0.0.1", **settings) as running:
        yield running, log


@pytest.fixture(scope="module")
def server(proxied: tuple[Server, Path]) -> Server:
    return proxied[0]


def voucher(client: Client, person: Person, reference: str) -> tuple[Answer, bytes]:
    """Pay, and return the receipt and its voucher's file."""
    receipt: Answer = pay(client, quote(client, person, "2020-01", "2020-03"), reference)["receipt"]
    path = urlsplit(receipt["pdfUrl"]).path
    return receipt, client.http.get(path, headers={"Authorization": f"Bearer {client.token}"}).content


@pytest.fixture(scope="module")
def standing(abc: Client, people: Iterator[Person]) -> tuple[Answer, bytes]:
    return voucher(abc, next(people), "FILE-1")


def sent(server: Server, content: bytes, *, lang: str = "en", address: str = "198.51.100.1") -> httpx.Response:
    upload = {"file": ("张三.pdf", content, "application/pdf")}
    told = {"x-forwarded-for": address}
    return server.http.post("/verify", params={"lang": lang}, files=upload, headers=told)


def said(response: httpx.Response) -> str:
    """Return the outcome and what is told of it."""
    assert response.status_code == 200, response.text
    return Elements(response.text.partition("</section>")[0]).text


@pytest.mark.parametrize(
    ("lang", "words"), [("en", "This file is authentic, and the payment stands"), ("zh", "文件真实，缴费有效")]
)
def test_a_file_that_was_signed_and_stands_is_authentic(
    server: Server, standing: tuple[Answer, bytes], lang: str, words: str
) -> None:
    receipt, content = standing
    text = said(sent(server, content, lang=lang))
    for stated in (words, receipt["number"], receipt["maskedName"], "¥1815.00", receipt["amountInWords"]):
        assert stated in text
    assert "void" not in text
    assert "张三" not in text


def test_a_file_of_a_payment_reversed_since_is_void(server: Server, abc: Client, people: Iterator[Person]) -> None:
    _, content = voucher(abc, next(people), "FILE-VOID")
    reverse(abc, "FILE-VOID")
    text = said(sent(server, content))
    assert "void since" in text
    assert "authentic" not in text
    assert "作废" in said(sent(server, content, lang="zh"))


def test_a_file_changed_in_one_byte_is_not_authentic(server: Server, standing: tuple[Answer, bytes]) -> None:
    receipt, content = standing
    middle = len(content) // 2
    for changed in (
        content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        content + b"\n",
    ):
        text = said(sent(server, changed, address="198.51.100.2"))
        assert "changed after it was signed" in text
        assert "authentic" not in text
        assert receipt["number"] not in text


def test_a_file_that_was_not_signed_here_is_told_so(server: Server) -> None:
    page = draw(a_voucher(), PUBLIC_URL)
    another = PageSigner(_self_signed()).sign(page, REASON, ISSUED_AT)
    for content in (page, another):
        assert "was not signed here" in said(sent(server, content, address="198.51.100.3"))
    for content in (b"", b"\x89PNG\r\n\x1a\n", b"<html>"):
        assert "is no PDF" in said(sent(server, content, address="198.51.100.3"))


def test_a_signed_file_that_is_in_no_book_is_told_so(server: Server, sandbox_database: str) -> None:
    signing = _self_signed()
    publish = "INSERT INTO voucher_certificates (fingerprint, certificate) VALUES ($1, $2)"
    ask(sandbox_database, publish, signing.fingerprint, signing.certificate.public_bytes(Encoding.DER))
    signed = PageSigner(signing).sign(draw(a_voucher(), PUBLIC_URL), REASON, ISSUED_AT)
    text = said(sent(server, signed, address="198.51.100.4"))
    assert "not in the books" in text
    assert "**兰" not in text


def test_what_is_too_large_is_read_and_dropped(server: Server) -> None:
    refused = sent(server, b"%PDF-" + b"0" * (5 * 1024 * 1024), address="198.51.100.5")
    assert refused.status_code == 413
    assert "too large" in refused.text


def test_a_form_without_its_file_is_told_so(server: Server) -> None:
    told = {"x-forwarded-for": "198.51.100.6"}
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n\r\n--x--\r\n'
    for content in (head, b"--x--\r\n"):
        nothing = server.http.post(
            "/verify?lang=en",
            content=content,
            headers={"content-type": "multipart/form-data; boundary=x", **told},
        )
        assert "No file was chosen" in said(nothing)


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b"no boundary"),
        ("multipart/form-data; boundary=x; charset=zip", b"--x\r\nX: y\r\n\r\n\r\n--x--\r\n"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="lang"\r\n\r\nen\r\n--x--\r\n',
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n%PDF-\r\n' * 2 + b"--x--\r\n",
        ),
    ],
)
def test_what_is_no_form_with_a_file_is_refused(server: Server, content_type: str, content: bytes) -> None:
    told = {"content-type": content_type, "x-forwarded-for": "198.51.100.7"}
    assert server.http.post("/verify", content=content, headers=told).status_code == 400


def test_files_of_one_address_are_limited(server: Server) -> None:
    answers = [sent(server, b"no pdf", address="198.51.100.8") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 6
    assert sent(server, b"no pdf", address="198.51.100.9").status_code == 200


def test_the_form_needs_no_script_and_says_what_it_takes(server: Server) -> None:
    for lang in ("en", "zh"):
        page = Elements(server.http.get("/verify", params={"lang": lang}).text)
        (form,) = (form for form in page.of("form") if "enctype" in form)
        assert form == {"method": "post", "action": f"/verify?lang={lang}", "enctype": "multipart/form-data"}
        (field,) = (field for field in page.of("input") if field.get("type") == "file")
        assert field["name"] in {label["for"] for label in page.of("label")}


def test_nothing_of_a_file_is_in_the_log(proxied: tuple[Server, Path], standing: tuple[Answer, bytes]) -> None:
    server, log = proxied
    receipt, content = standing
    said(sent(server, content, address="198.51.100.10"))
    for secret in (receipt["verificationCode"], receipt["maskedName"], "张三"):
        assert secret not in log.read_text()
