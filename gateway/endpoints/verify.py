"""/verify: the public check of a voucher. A number and its code in; the masked facts, or "no such voucher", out.

GET is the QR code's link and the empty form, POST the form. An unknown number and a wrong code get the same page.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

import anyio
import asyncpg
import structlog
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from auth.certificates import Network
from contributions import money, months, resident_id, words
from database.pool import DATABASE_AWAY
from gateway.pages import locale_of, page_headers, render
from gateway.pages.verify_texts import TEXTS, Texts
from gateway.peers import client_of
from gateway.throttle import Throttle, Throttled
from gateway.vouchers.certificates import published
from resolvers.vouchers import VerifiedReceipt, verify

_RECEIPT_NUMBER: Final = re.compile(r"[0-9]{18}")
_CODE: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{12}")

#: Checks of one address in a minute: a counter that checks vouchers all day long needs fewer.
CHECKS_PER_MINUTE: Final = 60
#: Wrong codes for one number in a minute. A code has 60 bits: at this rate nobody guesses one in the age of the world.
WRONG_CODES_PER_MINUTE: Final = 10
#: A number, a code and a language, percent-encoded at the worst, are less.
MAX_FORM_BYTES: Final = 4096
MAX_FIELDS: Final = 8
#: A form is one packet.
FORM_TIMEOUT_SECONDS: Final = 10.0
#: Where the database is away.
RETRY_AFTER_SECONDS: Final = 5

_SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
#: People type spaces and hyphens between groups.
_BETWEEN: Final = re.compile(r"[\s\-‐-―　]+")
#: How Crockford's Base32 is read: letters that look like digits are those.
_LOOKALIKES: Final = str.maketrans("OIL", "011")
#: A new certificate is published before it signs, and old ones stay.
_PUBLIC: Final = {"cache-control": "public, max-age=300"}
_STATUSES: Final = {"THROTTLED": 429, "UNAVAILABLE": 503}

log = structlog.get_logger()


def voucher_routes(pool: asyncpg.Pool, trusted_proxies: Sequence[Network]) -> list[Route]:
    """Return the public routes: the page, and the certificates that vouchers were signed by."""

    async def certificates(_request: Request) -> Response:
        found = await published(pool)
        pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in found)
        if not pem:
            return PlainTextResponse("Vouchers are not signed here.\n", 404)
        return Response(pem, media_type="application/x-pem-file", headers=_PUBLIC)

    return [
        Route("/verify", VerifyPage(pool, trusted_proxies).answer, methods=["GET", "POST"]),
        Route("/.well-known/voucher-certificate.pem", certificates, methods=["GET"]),
    ]


class BadForm(Exception):
    """The body is no form of this page's; the HTTP status says why."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


class VerifyPage:
    """The page, for one process: its throttles are its own."""

    def __init__(self, pool: asyncpg.Pool, trusted_proxies: Sequence[Network]) -> None:
        self._pool = pool
        self._trusted_proxies = tuple(trusted_proxies)
        self._addresses = Throttle(CHECKS_PER_MINUTE)
        self._numbers = Throttle(WRONG_CODES_PER_MINUTE)

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        try:
            fields = await _fields(request)
        except BadForm as error:
            return PlainTextResponse("This is no form of /verify.\n", error.status, {"connection": "close"})
        locale = locale_of(fields.get("lang"), request.headers.get("accept-language"))
        number = _BETWEEN.sub("", fields.get("number", ""))
        code = _BETWEEN.sub("", fields.get("code", "")).upper().translate(_LOOKALIKES)
        facts: VerifiedReceipt | None = None
        more: dict[str, str] = {}
        try:
            outcome, facts = await self._check(request, number, code)
        except Throttled as throttled:
            outcome, more = "THROTTLED", {"retry-after": str(throttled.retry_after_seconds)}
        except (asyncpg.QueryCanceledError, *DATABASE_AWAY) as error:
            log.error("voucher not checked", exc_info=error)
            outcome, more = "UNAVAILABLE", {"retry-after": str(RETRY_AFTER_SECONDS)}
        texts = TEXTS[locale]
        page = render(
            "verify.html",
            locale,
            t=texts,
            outcome=outcome,
            facts=_told(texts, number, facts) if facts else (),
            number=_shown(number),
            code=code if _CODE.fullmatch(code) else "",
            other_url=_switched(_shown(number), code if _CODE.fullmatch(code) else "", locale),
        )
        return Response(page, _STATUSES.get(outcome, 200), page_headers(locale, more))

    async def _check(self, request: Request, number: str, code: str) -> tuple[str, VerifiedReceipt | None]:
        """Return the outcome, "" for the empty form. Raises Throttled, and as asyncpg does."""
        if not number and not code:
            return "", None
        if not number or not code:
            return "INCOMPLETE", None
        peer = request.client.host if request.client else None
        self._addresses.take(client_of(peer, request.headers, self._trusted_proxies))
        key = number[:40]
        # Taken before it is looked up, so that many at once are no way around it.
        self._numbers.take(key)
        found = await verify(self._pool, number, code)
        if found is None:
            return "UNKNOWN", None
        self._numbers.give_back(key)
        return "STANDS" if found.voided_at is None else "VOID", found


async def _fields(request: Request) -> Mapping[str, str]:
    """Return the fields of the query or the form; of a repeated one the last. Raises BadForm."""
    if request.method != "POST":
        return dict(request.query_params)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise BadForm(415)
    body = bytearray()
    try:
        with anyio.fail_after(FORM_TIMEOUT_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > MAX_FORM_BYTES:
                    raise BadForm(413)
    except TimeoutError:
        raise BadForm(408) from None
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        raise BadForm(400) from None


def _told(texts: Texts, number: str, facts: VerifiedReceipt) -> Sequence[tuple[str, str]]:
    first, last = months.text(facts.first_month), months.text(facts.last_month)
    told = [
        (texts.number, number),
        (texts.payer, facts.masked_name),
        (texts.resident_id, facts.masked_resident_id),
        (texts.insurance, texts.insurances[facts.insurance]),
        (texts.pooling_area, facts.pooling_area),
        (texts.months, first if first == last else f"{first} {texts.to} {last}"),
        (texts.amount, f"¥{money.text(facts.amount)} {words.in_words(facts.amount)}"),
        (texts.institution, facts.institution_name),
        (texts.issued_at, _time(facts.issued_at)),
    ]
    if facts.voided_at is not None:
        told.append((texts.voided_at, _time(facts.voided_at)))
    return told


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(_SHANGHAI):%Y-%m-%d %H:%M:%S} +08:00"


def _shown(number: str) -> str:
    """Return what was typed in if it can be a receipt's number: a person's own, or a name, is not repeated."""
    if _RECEIPT_NUMBER.fullmatch(number) is None:
        return ""
    try:
        resident_id.parse(number)
    except resident_id.InvalidResidentId:
        return number
    return ""


def _switched(number: str, code: str, locale: str) -> str:
    """Return the address of the same page in the other language."""
    kept = {name: value for name, value in (("number", number), ("code", code)) if value}
    return f"/verify?{urlencode({'lang': 'zh' if locale == 'en' else 'en', **kept})}"
