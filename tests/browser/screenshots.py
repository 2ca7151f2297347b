"""`make screenshots`: a picture of each page, on a phone and on a desk, into docs/images/.

A page is one entry of PICTURES: a name and what a person does to get there, with months that no other picture pays,
since all are of one sandbox. Names given as arguments are taken alone.
"""

import io
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import Browser, Page

from tests.acceptance.gateway import Client, Server, serving
from tests.acceptance.operations import PAYER, PAYMENT_OF, Answer, pay, quote, reverse
from tests.acceptance.people import CHEN, LIU, OUYANG, WANG, ZHAO, Person
from tests.browser.chromium import DESK, PHONE, browsing, chromium

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
BUSINESS_DATE: Final = "2020-11-16"
RECONCILE: Final = "mutation ($input: ReconcileDayInput!) { reconcileDay(input: $input) { __typename } }"
#: A page that is longer is cut: nobody looks at more of it in a document.
MAX_HEIGHT: Final = 2400
#: What a page of a document may weigh.
MAX_BYTES: Final = 300_000
#: As many colours as a PNG's palette has; a page of text and flat areas has fewer.
COLOURS: Final = 256


@dataclass(frozen=True, slots=True)
class Picture:
    """A page to take, at both sizes: `go` leads there, once, from a new page of a browser in that locale."""

    name: str
    go: Callable[[Page, Server], None]
    locale: str = "zh-CN"


def paid(client: Client, person: Person, first: str, last: str, reference: str) -> Answer:
    """Return the payment of that reference, made unless it was for another picture of this run."""
    found: Answer | None = client.run(PAYMENT_OF, bankReference=reference)["payment"]
    return found or pay(client, quote(client, person, first, last), reference)


def _verify_form(page: Page, _server: Server) -> None:
    page.goto("/verify")


def _verify_stands(page: Page, server: Server) -> None:
    abc = server.client("abc-counter")
    _check(page, paid(abc, CHEN, "2020-04", "2020-06", "PICTURE")["receipt"])


def _verify_void(page: Page, server: Server) -> None:
    abc = server.client("abc-counter")
    payment = paid(abc, LIU, "2020-01", "2020-03", "PICTURE-VOID")
    reverse(abc, "PICTURE-VOID")
    _check(page, payment["receipt"])


def _verify_file(page: Page, server: Server) -> None:
    abc = server.client("abc-counter")
    path = urlsplit(paid(abc, CHEN, "2020-04", "2020-06", "PICTURE")["receipt"]["pdfUrl"]).path
    voucher = abc.http.get(path, headers={"Authorization": f"Bearer {abc.token}"}).content
    page.goto("/verify")
    page.locator("#file").set_input_files(
        {"name": "voucher.pdf", "mimeType": "application/pdf", "buffer": voucher + b"\n"}  # type: ignore[arg-type]
    )
    page.locator("input[type=submit]").click()
    page.locator("#outcome").wait_for()


def _check(page: Page, receipt: dict[str, str]) -> None:
    page.goto("/verify")
    page.locator("#number").fill(receipt["number"])
    page.locator("#code").fill(receipt["verificationCode"])
    page.locator("#code").press("Enter")
    page.locator("#outcome").wait_for()


def _operator_form(page: Page, _server: Server) -> None:
    page.goto("/operator")


def _operator(page: Page, server: Server) -> None:
    abc, mobile, window = (server.client(name) for name in ("abc-counter", "abc-mobile", "tax-window"))
    icbc = server.client("icbc-mobile")
    paid(abc, CHEN, "2020-07", "2020-08", "PICTURE-COUNTER")
    paid(mobile, CHEN, "2020-09", "2020-09", "PICTURE-MOBILE")
    paid(window, LIU, "2020-04", "2020-04", "PICTURE-WINDOW")
    paid(icbc, LIU, "2020-05", "2020-07", "PICTURE-ICBC")
    for _ in range(3):
        icbc.run(PAYER, **LIU.variables | {"name": CHEN.name})
    abc.run(RECONCILE, input={"date": BUSINESS_DATE, "entries": []})
    page.goto("/operator")
    page.locator("#client_id").fill("operator")
    page.locator("#client_secret").fill("sandbox")
    page.locator("#client_secret").press("Enter")
    page.locator("#payments").wait_for()
    page.locator("summary").click()


def _page(path: str) -> Callable[[Page, Server], None]:
    return lambda page, _server: page.goto(path) and None


def _graphiql(page: Page, _server: Server) -> None:
    page.goto("/graphiql")
    page.locator("#example").select_option("find_payer")
    page.locator(".graphiql-execute-button").click()
    page.locator(".result-window .cm-property").first.wait_for()


def _channel_index(page: Page, _server: Server) -> None:
    page.goto("/sandbox")


def _wechat(page: Page, _server: Server) -> None:
    page.goto("/sandbox/wechat")


def _wechat_arrears(page: Page, _server: Server) -> None:
    page.goto("/sandbox/wechat/arrears")
    page.get_by_role("button", name=LIU.name).click()
    page.get_by_role("button", name="核定缴费金额").last.click()
    page.get_by_role("heading", name="确认缴费信息").wait_for()
    page.locator("main summary").click()


def _ganfutong(page: Page, _server: Server) -> None:
    page.goto("/sandbox/ganfutong/choose")
    page.get_by_role("button", name=WANG.name).click()
    page.get_by_role("heading", name="选择险种").wait_for()


def _mobile(page: Page, _server: Server) -> None:
    page.goto("/sandbox/mobile/pay")
    page.get_by_role("button", name=ZHAO.name).click()
    page.get_by_role("heading", name="选择缴费内容").wait_for()


def _mobile_receipt(page: Page, _server: Server) -> None:
    page.goto("/sandbox/mobile/pay")
    page.get_by_role("button", name=OUYANG.name).click()
    page.get_by_role("button", name="Check and pay").click()
    page.get_by_role("button", name="Pay ¥").click()
    page.get_by_role("heading", name="Paid").wait_for()
    page.get_by_role("group").first.locator("summary").click()


def _counter_day(page: Page, server: Server) -> None:
    abc = server.client("abc-counter")
    pay(abc, quote(abc, CHEN, "2020-10", "2020-12"), "ABC-20201116-DAY")
    page.goto("/sandbox/counter/day")


def _counter_settlement(page: Page, server: Server) -> None:
    abc = server.client("abc-counter")
    pay(abc, quote(abc, ZHAO, "2020-06", "2020-08"), "ABC-20201116-PICTURE")
    page.goto("/sandbox/counter/settlement")
    page.get_by_role("button", name="漏记一笔").click()
    page.get_by_role("button", name="多记一笔").click()
    page.get_by_role("button", name="提交对账").click()
    page.get_by_role("heading", name="差异", exact=True).wait_for()


def _window(page: Page, _server: Server) -> None:
    page.goto("/sandbox/window/bills")


def _window_receipts(page: Page, server: Server) -> None:
    wechat = server.client("tax-wechat")
    pay(wechat, quote(wechat, LIU, "2020-08", "2020-10"), "WX-20201116-PICTURE")
    page.goto("/sandbox/window/receipts")
    page.get_by_role("button", name=LIU.name).click()
    page.get_by_role("link", name="打印缴费凭证").first.wait_for()


PICTURES: Final = (
    Picture("developer", _page("/")),
    Picture("graphiql", _graphiql, locale="en-GB"),
    Picture("reference", _page("/reference?q=refund"), locale="en-GB"),
    Picture("guide", _page("/docs/getting-started"), locale="en-GB"),
    Picture("problem-codes", _page("/reference/problems")),
    Picture("verify", _verify_form),
    Picture("verify-authentic", _verify_stands),
    Picture("verify-void", _verify_void, locale="en-US"),
    Picture("verify-file-changed", _verify_file, locale="en-US"),
    Picture("operator-sign-in", _operator_form),
    Picture("operator", _operator),
    Picture("operator-english", _operator, locale="en-US"),
    Picture("channels", _channel_index),
    Picture("channels-wechat", _wechat),
    Picture("channels-wechat-confirm", _wechat_arrears),
    Picture("channels-ganfutong", _ganfutong),
    Picture("channels-mobile", _mobile),
    Picture("channels-mobile-receipt", _mobile_receipt, locale="en-US"),
    Picture("channels-counter-settlement", _counter_settlement),
    Picture("channels-counter-day", _counter_day),
    Picture("channels-window", _window),
    Picture("channels-window-receipts", _window_receipts),
)


def take(browser: Browser, server: Server, picture: Picture) -> None:
    """Take a page at both sizes."""
    context = browser.new_context(base_url=server.base_url, locale=picture.locale, timezone_id="Asia/Shanghai")
    try:
        page = context.new_page()
        for width, height in (DESK, PHONE):
            page.set_viewport_size({"width": width, "height": height})
            if page.url == "about:blank":
                picture.go(page, server)
            _save(page.screenshot(full_page=True, animations="disabled"), f"{picture.name}-{width}.png")
    finally:
        context.close()


def _save(screenshot: bytes, name: str) -> None:
    """Write a PNG with a palette, cut at MAX_HEIGHT."""
    image = Image.open(io.BytesIO(screenshot)).convert("RGB")
    image = image.crop((0, 0, image.width, min(image.height, MAX_HEIGHT)))
    written = io.BytesIO()
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(written, "PNG", optimize=True)
    size = written.tell()
    assert size <= MAX_BYTES, f"{name} is {size} bytes"
    IMAGES.mkdir(exist_ok=True)
    (IMAGES / name).write_bytes(written.getvalue())
    sys.stdout.write(f"docs/images/{name} {size // 1000} kB\n")


def main(names: list[str]) -> int:
    """Take the pages of these names, or all, of a sandbox of their own."""
    path = chromium()
    if path is None:
        sys.stderr.write("no Chromium here: apt-get install --no-install-recommends chromium fonts-noto-cjk\n")
        return 1
    if unknown := set(names) - {picture.name for picture in PICTURES}:
        sys.stderr.write(f"no such page: {' '.join(sorted(unknown))}\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="gateway-pictures-") as directory:
        # Where root runs this, the embedded server's own user is to reach its cluster.
        Path(directory).chmod(0o711)
        data = str(Path(directory, "data"))
        with serving(Path(directory, "server.log"), GATEWAY_DATA_DIR=data) as server, browsing(path) as browser:
            for picture in PICTURES:
                if not names or picture.name in names:
                    take(browser, server, picture)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
