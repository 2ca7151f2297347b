"""The voucher (电子缴费凭证) of a receipt as a page: what it states, for whom, and how often it was printed."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from pypdf import PdfReader

from tests.acceptance.gateway import Client, Server, gateway
from tests.acceptance.operations import Answer, agency_bill, assess, bills, pay, quote, reverse
from tests.acceptance.people import OUYANG, Person


def paid(client: Client, person: Person, reference: str, first: str = "2020-01", last: str = "2020-03") -> Answer:
    receipt: Answer = pay(client, quote(client, person, first, last), reference)["receipt"]
    return receipt


def fetched(client: Client, receipt: Answer, method: str = "GET") -> httpx.Response:
    path = urlsplit(receipt["pdfUrl"]).path
    return client.http.request(method, path, headers={"Authorization": f"Bearer {client.token}"})


def page_of(response: httpx.Response) -> str:
    """Return the text of the page, which is one."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/pdf"
    (page,) = PdfReader(io.BytesIO(response.content)).pages
    return page.extract_text()


def test_a_voucher_states_what_was_paid(server: Server, abc: Client, people: Iterator[Person]) -> None:
    person = next(people)
    receipt = paid(abc, person, "VOUCHER-1")
    text = page_of(fetched(abc, receipt))
    for stated in (
        receipt["number"],
        receipt["maskedName"],
        receipt["maskedResidentId"],
        receipt["institution"]["name"],
        receipt["bankReference"],
        "基本养老保险",
        "江西省",
        "2020-01 至 2020-03",
        "2020-02\n3024.00\n20%\n605.00",
        "1815.00 元",
        "壹仟捌佰壹拾伍元整",
        receipt["verificationCode"],
        f"{server.base_url}/verify",
        receipt["issuedAt"].replace("T", " ")[:19],
        "12333",
        "12345",
        "12366",
    ):
        assert stated in text
    assert person.name not in text
    assert person.resident_id not in text
    assert "作废" not in text
    assert "补打" not in text


def test_a_bill_states_its_lines_or_its_one_amount(server: Server, abc: Client, people: Iterator[Person]) -> None:
    person = next(people)
    arrears = pay(abc, assess(abc, person, "2018-11", "2019-02"), "VOUCHER-ARREARS")["receipt"]
    text = page_of(fetched(abc, arrears))
    assert "2018-11\n" in text
    assert "2019-02\n" in text
    agency = server.client("social-insurance-agency")
    bill = agency_bill(agency, "VOUCHER-BILL", person, "2020-01", "2020-12", "4567.89")
    text = page_of(fetched(abc, pay(abc, bill, "VOUCHER-AGENCY")["receipt"]))
    for stated in ("2020-01 至 2020-12\n—\n—\n4567.89", "肆仟伍佰陆拾柒元捌角玖分"):
        assert stated in text
    (medical,) = bills(abc, OUYANG)
    text = page_of(fetched(abc, pay(abc, medical, "VOUCHER-MEDICAL")["receipt"]))
    assert "基本医疗保险" in text
    assert medical["poolingArea"]["name"] in text


def test_a_long_run_of_arrears_is_on_one_page(abc: Client, people: Iterator[Person]) -> None:
    text = page_of(fetched(abc, pay(abc, assess(abc, next(people), "2018-01", "2019-12"), "VOUCHER-LONG")["receipt"]))
    assert "2018-01 至 2018-12" in text
    assert "2019-01 至 2019-12" in text


def test_a_void_voucher_says_so(abc: Client, people: Iterator[Person]) -> None:
    receipt = paid(abc, next(people), "VOUCHER-VOID")
    assert "作废" not in page_of(fetched(abc, receipt))
    reversed_at = reverse(abc, "VOUCHER-VOID")["payment"]["reversedAt"]
    text = page_of(fetched(abc, receipt))
    assert text.startswith("作废\n")
    assert f"作废时间：{reversed_at.replace('T', ' ')[:19]}" in text


def test_printings_are_counted_and_a_reprint_says_so(server: Server, abc: Client, people: Iterator[Person]) -> None:
    receipt = paid(abc, next(people), "VOUCHER-PRINTS")
    assert fetched(abc, receipt, "HEAD").headers["voucher-prints"] == "0"
    first = fetched(abc, receipt)
    assert first.headers["voucher-prints"] == "1"
    assert "补打" not in page_of(first)
    assert fetched(abc, receipt, "HEAD").headers["voucher-prints"] == "1"
    # Any client of the institution's.
    second = fetched(server.client("abc-mobile"), receipt)
    assert second.headers["voucher-prints"] == "2"
    assert "补打：第 2 次打印" in page_of(second)
    with ThreadPoolExecutor(4) as together:
        counts = together.map(lambda _: fetched(abc, receipt).headers["voucher-prints"], range(8))
    assert {int(count) for count in counts} == set(range(3, 11))


def test_a_voucher_is_for_the_institution_that_collected(server: Server, abc: Client, people: Iterator[Person]) -> None:
    receipt = paid(abc, next(people), "VOUCHER-OWN")
    unknown = {"pdfUrl": "/receipts/202011169999999999.pdf"}
    nonsense = {"pdfUrl": "/receipts/x.pdf"}
    for stranger in (server.client("icbc-mobile"), server.client("tax-window")):
        refused = fetched(stranger, receipt)
        assert refused.status_code == 404
        for other in (unknown, nonsense):
            assert fetched(stranger, other).content == refused.content
            assert fetched(stranger, other).status_code == 404
    assert fetched(abc, receipt, "HEAD").headers["voucher-prints"] == "0"


def test_a_voucher_needs_a_token_with_its_scope(server: Server, abc: Client, people: Iterator[Person]) -> None:
    receipt = paid(abc, next(people), "VOUCHER-SCOPE")
    path = urlsplit(receipt["pdfUrl"]).path
    refused = server.http.get(path)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    narrow = server.token("abc-counter", scope="payer:read payment:read").json()["access_token"]
    refused = server.http.get(path, headers={"Authorization": f"Bearer {narrow}"})
    assert refused.status_code == 403
    assert refused.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="receipt:read"'
    refused = fetched(abc, receipt, "POST")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    assert fetched(abc, receipt, "HEAD").headers["voucher-prints"] == "0"


def test_a_downloaded_voucher_is_genuine_offline(
    server: Server, abc: Client, people: Iterator[Person], tmp_path: Path
) -> None:
    receipt = paid(abc, next(people), "VOUCHER-SIGNED")
    voucher, certificate = tmp_path / "voucher.pdf", tmp_path / "certificate.pem"
    content = fetched(abc, receipt).content
    certificate.write_bytes(server.http.get("/.well-known/voucher-certificate.pem").content)
    voucher.write_bytes(content)
    done = gateway("verify-voucher", str(voucher), "--certificate", str(certificate))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"genuine: voucher {receipt['number']}, verification code {receipt['verificationCode']}\n"
    voucher.write_bytes(content.replace(b"/Rotate 0", b"/Rotate 9"))
    done = gateway("verify-voucher", str(voucher), "--certificate", str(certificate))
    assert done.returncode == 1
    assert "was changed after it was signed" in done.stderr
