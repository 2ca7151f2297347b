"""The public check of a voucher: number and code in, the masked facts or "no such voucher" out, for anybody."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import httpx
import pytest

from tests.acceptance.gateway import Client, Server, serving
from tests.acceptance.operations import Answer, pay, quote, reverse
from tests.acceptance.people import Person

ENGLISH = {"accept-language": "en"}
CHINESE = {"accept-language": "zh-CN,zh;q=0.9"}
WRONG_CODE = "0" * 12
UNKNOWN_NUMBER = "202011169999999999"


class Elements(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        if self._inside != "style":
            self.text += data

    def of(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag in tags]


@pytest.fixture(scope="module")
def receipt(abc: Client, people: Iterator[Person]) -> Answer:
    paid: Answer = pay(abc, quote(abc, next(people), "2020-01", "2020-03"), "VERIFY-1")["receipt"]
    return paid


def checked(server: Server, number: str, code: str, **headers: str) -> httpx.Response:
    return server.http.get("/verify", params={"number": number, "code": code}, headers=headers)


def said(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return Elements(response.text).text


def test_a_voucher_that_stands_is_authentic_and_its_masked_facts_are_shown(server: Server, receipt: Answer) -> None:
    code = receipt["verificationCode"]
    facts = (
        receipt["number"],
        receipt["maskedName"],
        receipt["maskedResidentId"],
        receipt["poolingArea"]["name"],
        receipt["institution"]["name"],
        "¥1815.00",
        receipt["amountInWords"],
    )
    for headers, words in ((ENGLISH, ("authentic", "2020-01 to 2020-03")), (CHINESE, ("真实有效", "authentic", "至"))):
        text = said(checked(server, receipt["number"], code, **headers))
        for stated in (*facts, *words):
            assert stated in text
        assert "void" not in text
        assert "作废" not in text
        assert "no such voucher" not in text


def test_the_form_may_be_sent_or_linked_to(server: Server, receipt: Answer) -> None:
    fields = {"number": receipt["number"], "code": receipt["verificationCode"]}
    sent = server.http.post("/verify", data={**fields, "lang": "en"}, headers=CHINESE)
    linked = server.http.get("/verify", params=fields, headers=ENGLISH)
    assert sent.content == linked.content


def test_number_and_code_are_read_as_people_type_them(server: Server, receipt: Answer) -> None:
    number, code = receipt["number"], receipt["verificationCode"]
    typed = f" {code[:4].lower()}-{code[4:8].lower()} {code[8:].lower()}".replace("0", "o").replace("1", "l")
    assert "authentic" in said(checked(server, f"{number[:8]} {number[8:]}", typed, **ENGLISH))


def test_a_reversed_payments_voucher_is_void(server: Server, abc: Client, people: Iterator[Person]) -> None:
    payment = pay(abc, quote(abc, next(people), "2020-01", "2020-01"), "VERIFY-VOID")
    reverse(abc, "VERIFY-VOID")
    number, code = payment["receipt"]["number"], payment["receipt"]["verificationCode"]
    text = said(checked(server, number, code, **ENGLISH))
    assert "This voucher is void" in text
    assert payment["receipt"]["maskedName"] in text
    assert "authentic" not in text
    assert "作废" in said(checked(server, number, code, **CHINESE))


def test_an_unknown_number_and_a_wrong_code_cannot_be_told_apart(server: Server, receipt: Answer) -> None:
    pages = set()
    for number, code in (
        (receipt["number"], WRONG_CODE),
        (UNKNOWN_NUMBER, receipt["verificationCode"]),
        ("x", "y"),
        ("1' OR '1'='1", WRONG_CODE),
        ("２０２０", WRONG_CODE),
    ):
        response = checked(server, number, code, **ENGLISH)
        text = said(response)
        assert "no such voucher" in text
        assert "authentic" not in text
        assert receipt["maskedName"] not in text
        # But for what was typed, and is there again to be put right.
        pages.add(re.sub(r'(value|href)="[^"]*"', "", response.text))
    assert len(pages) == 1
    assert "查无此凭证" in said(checked(server, UNKNOWN_NUMBER, WRONG_CODE, **CHINESE))


def test_what_was_typed_cannot_become_part_of_the_page(server: Server) -> None:
    page = checked(server, '"><script>alert(1)</script>', "<b>&", **ENGLISH).text
    assert "<script" not in page
    assert "<b>" not in page
    switched = server.http.get("/verify", params={"lang": '"><script>', "number": '"><script>'})
    assert "<script" not in switched.text


def test_the_empty_form_says_nothing_of_any_voucher(server: Server) -> None:
    for headers in (ENGLISH, CHINESE):
        text = said(server.http.get("/verify", headers=headers))
        for outcome in ("authentic", "void", "no such voucher", "真实有效", "作废"):
            assert outcome not in text
    assert "both needed" in said(checked(server, UNKNOWN_NUMBER, "", **ENGLISH))


def test_the_page_is_in_the_readers_language(server: Server) -> None:
    for headers, lang, expected in (
        (CHINESE, None, "zh-CN"),
        (ENGLISH, None, "en"),
        ({"accept-language": "fr"}, None, "zh-CN"),
        (CHINESE, "en", "en"),
        (ENGLISH, "zh", "zh-CN"),
        (ENGLISH, "xx", "en"),
    ):
        response = server.http.get("/verify", params={"lang": lang} if lang else {}, headers=headers)
        elements = Elements(response.text)
        assert elements.of("html") == [{"lang": expected}]
        assert response.headers["content-language"] == expected
        other = elements.of("a")[1]
        assert other["href"] == f"/verify?lang={'zh' if expected == 'en' else 'en'}"
        assert all(hotline in elements.text for hotline in ("12333", "12345", "12366"))


def test_a_screen_reader_finds_its_way(server: Server, receipt: Answer) -> None:
    elements = Elements(checked(server, receipt["number"], receipt["verificationCode"]).text)
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    labels = {label["for"] for label in elements.of("label")}
    for field in elements.of("input"):
        assert field.get("type") in ("hidden", "submit") or field["id"] in labels
        assert field.get("aria-describedby", ids[0]) in ids
    assert len(elements.of("h1")) == len(elements.of("main")) == len(elements.of("title")) == 1
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in elements.of("meta")


def test_the_page_needs_no_script_and_loads_nothing(server: Server, receipt: Answer) -> None:
    response = checked(server, receipt["number"], receipt["verificationCode"])
    elements = Elements(response.text)
    assert elements.of("script", "link", "img", "iframe", "object", "embed", "base") == []
    for _, attributes in elements.found:
        assert not any(name.startswith("on") or name in ("style", "src") for name in attributes)
        for name in ("href", "action"):
            assert (attributes.get(name) or "/verify").startswith(("/verify", "#", "tel:"))
    policy = response.headers["content-security-policy"]
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/]{43}='; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'",
        policy,
    )
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("content_type", "content", "status"),
    [
        ("application/json", b"{}", 415),
        ("application/x-www-form-urlencoded", b"number=" + b"1" * 5000, 413),
        ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 9), 400),
        ("application/x-www-form-urlencoded", "number=证".encode(), 400),
    ],
)
def test_what_is_no_form_is_refused(server: Server, content_type: str, content: bytes, status: int) -> None:
    refused = server.http.post("/verify", content=content, headers={"content-type": content_type})
    assert refused.status_code == status


def test_wrong_codes_for_one_number_are_limited(server: Server, abc: Client, people: Iterator[Person]) -> None:
    receipt = pay(abc, quote(abc, next(people), "2020-01", "2020-01"), "VERIFY-GUESSED")["receipt"]
    number, code = receipt["number"], receipt["verificationCode"]
    # Right ones are not counted.
    for _ in range(12):
        assert checked(server, number, code).status_code == 200
    guesses = [checked(server, number, f"{WRONG_CODE[:-2]}{guess:02}", **ENGLISH) for guess in range(11)]
    assert [guess.status_code for guess in guesses] == [200] * 10 + [429]
    assert 1 <= int(guesses[-1].headers["retry-after"]) <= 6
    assert "Too many checks" in guesses[-1].text
    # Nobody learns whether a guess was right.
    assert checked(server, number, code).status_code == 429
    assert checked(server, UNKNOWN_NUMBER, code).status_code == 200


def test_checks_from_one_address_are_limited_also_behind_a_proxy(
    sandbox_database: str, master_key: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = {"GATEWAY_DATABASE_URL": sandbox_database, "GATEWAY_MASTER_KEY": master_key}
    log = tmp_path_factory.mktemp("proxied") / "server.log"
    with serving(log, GATEWAY_TRUSTED_PROXIES="127.0.0.1", **settings) as proxied:

        def from_address(address: str, number: int) -> int:
            told = {"x-forwarded-for": f"203.0.113.{number}, {address}"}
            return checked(proxied, f"{number:018}", WRONG_CODE, **told).status_code

        assert [from_address("198.51.100.1", number) for number in range(61)] == [200] * 60 + [429]
        assert from_address("198.51.100.2", 0) == 200
        assert proxied.http.get("/verify").status_code == 200
    assert WRONG_CODE not in log.read_text()
