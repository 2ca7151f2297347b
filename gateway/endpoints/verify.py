"""/verify: the public check of a voucher. A number and its code in; the masked facts, or "no such voucher", out.

GET is the QR code's link and the empty form, POST the form. An unknown number and a wrong code get the same page.
The second form takes the file: whether the gateway signed it as it is, and then what the book says of it.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import asyncpg
import structlog
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from auth.certificates import Network
from contributions import money, months, resident_id, words
from database.pool import DATABASE_AWAY
from gateway.endpoints.verify_form import FileDesk, FilesBusy, FileTooLarge, NoFile, carries_file, fields_of
from gateway.pages import locale_of, page_headers, render
from gateway.pages.forms import BadForm
from gateway.pages.texts import Texts
from gateway.pages.verify_texts import ALSO, TEXTS
from gateway.peers import client_of
from gateway.throttle import Throttle, Throttled
from gateway.vouchers.certificates import published
from gateway.vouchers.faults import Fault, NotGenuine
from resolvers.vouchers import VerifiedReceipt, verify

_RECEIPT_NUMBER: Final = re.compile(r"[0-9]{18}")
_CODE: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{12}")

#: Checks of one address in a minute: a counter that checks vouchers all day long needs fewer.
CHECKS_PER_MINUTE: Final = 60
#: Wrong codes for one number in a minute. A code has 60 bits: at this rate nobody guesses one in the age of the world.
WRONG_CODES_PER_MINUTE: Final = 10
#: Files of one address in a minute: each costs milliseconds of CPU, a thousand times what a code costs.
FILES_PER_MINUTE: Final = 10
#: Where the database is away.
RETRY_AFTER_SECONDS: Final = 5

_SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
#: People type spaces and hyphens between groups.
_BETWEEN: Final = re.compile(r"[\s\-‐-―　]+")
#: How Crockford's Base32 is read: letters that look like digits are those.
_LOOKALIKES: Final = str.maketrans("OIL", "011")
#: A new certificate is published before it signs, and old ones stay.
_PUBLIC: Final = {"cache-control": "public, max-age=300"}
_STATUSES: Final = {"THROTTLED": 429, "UNAVAILABLE": 503, "FILE_TOO_LARGE": 413}
_FAULTS: Final = {Fault.NO_PDF: "FILE_NO_PDF", Fault.FOREIGN: "FILE_FOREIGN", Fault.CHANGED: "FILE_CHANGED"}

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


class VerifyPage:
    """The page, for one process: its throttles are its own."""

    def __init__(self, pool: asyncpg.Pool, trusted_proxies: Sequence[Network]) -> None:
        self._pool = pool
        self._trusted_proxies = tuple(trusted_proxies)
        self._addresses = Throttle(CHECKS_PER_MINUTE)
        self._numbers = Throttle(WRONG_CODES_PER_MINUTE)
        self._files = Throttle(FILES_PER_MINUTE)
        self._desk = FileDesk()

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        number, code, lang = "", "", request.query_params.get("lang")
        facts: VerifiedReceipt | None = None
        more: dict[str, str] = {}
        try:
            if carries_file(request):
                outcome, number, facts = await self._check_file(request)
            else:
                fields = await fields_of(request)
                lang = fields.get("lang")
                number = _BETWEEN.sub("", fields.get("number", ""))
                code = _BETWEEN.sub("", fields.get("code", "")).upper().translate(_LOOKALIKES)
                outcome, facts = await self._check(request, number, code)
        except BadForm as error:
            return PlainTextResponse("This is no form of /verify.\n", error.status, {"connection": "close"})
        except Throttled as throttled:
            outcome, more = "THROTTLED", {"retry-after": str(throttled.retry_after_seconds)}
        except FilesBusy:
            outcome, more = "UNAVAILABLE", {"retry-after": str(RETRY_AFTER_SECONDS)}
        except (asyncpg.QueryCanceledError, *DATABASE_AWAY) as error:
            log.error("voucher not checked", exc_info=error)
            outcome, more = "UNAVAILABLE", {"retry-after": str(RETRY_AFTER_SECONDS)}
        if carries_file(request) and more:
            # It may not have been read.
            more["connection"] = "close"
        locale = locale_of(lang, request.headers.get("accept-language"))
        texts = TEXTS[locale]
        typed_number, typed_code = _shown(number), code if _CODE.fullmatch(code) else ""
        page = render(
            "verify.html",
            locale,
            t=texts,
            outcome=outcome,
            also=ALSO.get(outcome) if locale == "zh_CN" else None,
            facts=_told(texts, number, facts) if facts else (),
            number=typed_number,
            code=typed_code,
            other_url=_switched(typed_number, typed_code, locale),
        )
        return Response(page, _STATUSES.get(outcome, 200), page_headers(locale, more))

    async def _check(self, request: Request, number: str, code: str) -> tuple[str, VerifiedReceipt | None]:
        """Return the outcome, "" for the empty form. Raises Throttled, and as asyncpg does."""
        if not number and not code:
            return "", None
        if not number or not code:
            return "INCOMPLETE", None
        self._addresses.take(self._address_of(request))
        key = number[:40]
        # Taken before it is looked up, so that many at once are no way around it.
        self._numbers.take(key)
        found = await verify(self._pool, number, code)
        if found is None:
            return "UNKNOWN", None
        self._numbers.give_back(key)
        return "STANDS" if found.voided_at is None else "VOID", found

    async def _check_file(self, request: Request) -> tuple[str, str, VerifiedReceipt | None]:
        """Return the outcome, and of a genuine file its number and facts. Raises as `_check` and FileDesk do."""
        self._files.take(self._address_of(request))
        try:
            signed = await self._desk.check(request, await published(self._pool))
        except NoFile:
            return "FILE_MISSING", "", None
        except FileTooLarge:
            return "FILE_TOO_LARGE", "", None
        except NotGenuine as error:
            return _FAULTS[error.fault], "", None
        # Its code is signed with it: nobody guesses here.
        found = await verify(self._pool, signed.number, signed.verification_code)
        if found is None:
            return "FILE_UNKNOWN", signed.number, None
        return "FILE_STANDS" if found.voided_at is None else "FILE_VOID", signed.number, found

    def _address_of(self, request: Request) -> str:
        peer = request.client.host if request.client else None
        return client_of(peer, request.headers, self._trusted_proxies)


def _told(texts: Texts, number: str, facts: VerifiedReceipt) -> Sequence[tuple[str, str]]:
    first, last = months.text(facts.first_month), months.text(facts.last_month)
    told = [
        (texts.number, number),
        (texts.payer, facts.masked_name),
        (texts.resident_id, facts.masked_resident_id),
        (texts.insurance, texts[f"insurance.{facts.insurance}"]),
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
