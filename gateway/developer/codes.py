"""The codes that answers have, in both languages: problems from the code's own classes, errors from a table.

The tests hold the errors and the next actions to docs/problems.md, which they hold to the code.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final

from contributions import problems
from schema import messages


@dataclass(frozen=True, slots=True)
class ProblemCode:
    """A refusal: `type` is the GraphQL type that has the code."""

    code: str
    type: str
    next_action: str
    message: str


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """An error of `extensions.code`."""

    code: str
    when: str
    to_do: str


#: Codes that a refusal has instead of its class's own.
_OTHERS: Final = (
    problems.PeriodNotPayable((), code="SCHEDULE_MISSING"),
    problems.PaymentNotRefundable("ACCEPTED", code="PAYMENT_STILL_REVERSIBLE"),
    problems.BillsRejected((), code="BATCH_REUSED"),
)
#: In the place of what a message says of one payment.
_PLACEHOLDERS: Final = MappingProxyType({"months": "…", "expected": "…"})

#: By next action: Chinese, English.
_NEXT_ACTIONS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "CORRECT_REQUEST": (
            "修改请求；照原样再发仍会被拒绝",
            "change the request; as it is, it will be refused again",
        ),
        "REQUOTE": ("重新计价", "ask for another quote"),
        "RETURN_MONEY": (
            "网关没有也不会入账：把钱退还缴费人",
            "the gateway did not record the money and will not: give it back to the payer",
        ),
        "REQUEST_REFUND": (
            "款项已经入账：通过退费退回",
            "the money is in the ledger: it comes back by a refund",
        ),
        "RETRY_LATER": ("同样的请求改日可能被接受", "the same request may be accepted another day"),
    }
)

#: By code: when and what to do, in Chinese, then in English.
_ERRORS: Final[Mapping[str, tuple[str, str, str, str]]] = MappingProxyType(
    {
        "BAD_USER_INPUT": (
            "某个值读不懂：校验位不对、月份 2020-13、金额是数字或有三位小数、起止颠倒、每页超过 100。"
            "extensions.field 或文字指明位置",
            "改正；没有任何改动",
            "a value can't be read: a wrong check character, a month 2020-13, an amount that is a number or has three "
            "decimals, a run that ends before it begins, a page of more than 100. extensions.field, or the message, "
            "names where",
            "correct it; nothing has changed",
        ),
        "GRAPHQL_PARSE_FAILED": (
            "文档不是 GraphQL",
            "改正文档",
            "the document is no GraphQL",
            "correct the document",
        ),
        "GRAPHQL_VALIDATION_FAILED": (
            "文档不符合模式",
            "改正文档",
            "the document does not fit the schema",
            "correct the document",
        ),
        "OPERATION_RESOLUTION_FAILURE": (
            "operationName 缺失，或不是文档中的操作",
            "改正",
            "operationName is missing or names none of the operations",
            "correct it",
        ),
        "OPERATION_TOO_LARGE": (
            "操作超过限制",
            "一次少要一些",
            "the operation is over a limit",
            "ask for less at a time",
        ),
        "SIGNATURE_INVALID": (
            "HTTP 401：请求有签名而签名不成立，见文字；413：被签名的内容太大",
            "重新签名；没有执行",
            "HTTP 401: the request's signature is there and does not hold, as the message says; 413: what is signed is "
            "too large",
            "sign anew; nothing has run",
        ),
        "SIGNATURE_REQUIRED": (
            "HTTP 401：贵机构对资金操作须签名，而请求没有签名",
            "签名",
            "HTTP 401: your institution signs what moves money, and the request has no signature",
            "sign it",
        ),
        "CONTENT_DIGEST_INVALID": (
            "HTTP 400：Content-Digest 与正文不符，或既非 sha-256 也非 sha-512",
            "按实际发送的正文计算摘要",
            "HTTP 400: the Content-Digest is not the body's, or neither sha-256 nor sha-512",
            "send the digest of the body as it is sent",
        ),
        "PERSISTED_QUERY_NOT_FOUND": (
            "只发来散列值，而这台服务器没有对应的文档",
            "连同散列值发送文档",
            "the hash alone was sent, and this server has no document of it for you",
            "send the document with its hash",
        ),
        "DOCUMENT_NOT_TRUSTED": (
            "HTTP 403：客户端只能使用已登记的文档，而这不是其中之一",
            "请求登记",
            "HTTP 403: the client is limited to its trusted documents, and this is none of them",
            "have it registered",
        ),
        "OPERATION_TOO_COSTLY": (
            "HTTP 400：开销超过限制",
            "每页少一些，或每项少要一些",
            "HTTP 400: the cost is over the limit",
            "ask for shorter pages, or less of each member",
        ),
        "BUDGET_EXCEEDED": (
            "HTTP 429：客户端的额度用完",
            "按 Retry-After 等待，再发同样的请求",
            "HTTP 429: the client's budget is used up",
            "wait as Retry-After says, and send the same again",
        ),
        "TRY_AGAIN": (
            "数据库太慢",
            "再发同样的请求；缴费用同样的四个值",
            "the database took too long",
            "send the same again; a payment with the same four values",
        ),
        "INTERNAL_SERVER_ERROR": (
            "网关的故障；凭 extensions.reference 可在运营方日志中查到",
            "缴费按没有收到回答处理：再发同样的请求，并把编号告诉运营方",
            "a fault of the gateway's; extensions.reference finds it in the operator's logs",
            "treat a payment as unanswered: send the same again. Give the operator the reference",
        ),
    }
)


@cache
def problem_codes(locale: str) -> Sequence[ProblemCode]:
    """Return every code of a Problem, in the order of the code; `locale` is one of schema.messages.LOCALES."""
    refusals = [(kind.__name__, kind.code, kind.next_action) for kind in _kinds(problems.Refusal)]
    refusals += [(type(other).__name__, other.code, other.next_action) for other in _OTHERS]
    return tuple(
        ProblemCode(code, kind, next_action, messages.text(code, locale, **_PLACEHOLDERS))
        for kind, code, next_action in refusals
    )


def next_actions(locale: str) -> Sequence[tuple[str, str]]:
    """Return each next action and what it asks for."""
    return tuple((name, texts[_language(locale)]) for name, texts in _NEXT_ACTIONS.items())


def error_codes(locale: str) -> Sequence[ErrorCode]:
    """Return every code of an error."""
    first = 2 * _language(locale)
    return tuple(ErrorCode(code, *texts[first : first + 2]) for code, texts in _ERRORS.items())


def _language(locale: str) -> int:
    return 1 if locale == "en" else 0


def _kinds(kind: type[problems.Refusal]) -> Iterator[type[problems.Refusal]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _kinds(subclass)
