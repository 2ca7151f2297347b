"""What the tables of the pages say is what the code does."""

import datetime
import re
from collections.abc import Iterator
from importlib.resources import files

import pytest
from babel.messages.pofile import read_po
from pydantic_core import PydanticUndefined

from auth import assertions, documents, scopes, signature_keys, signatures, tokens
from contributions import addresses, names, problems
from database.loading import assessing, reasons, records, report
from gateway import redis_budgets
from gateway.developer import reference, routes
from gateway.developer import tokens as developer_tokens
from gateway.endpoints import graphql, oauth, signing, verify, verify_form
from gateway.execution import cost, limits, trusted
from gateway.outbox import notifying
from gateway.pages import forms
from gateway.settings import Settings
from gateway.vouchers import checking, desk
from resolvers import arrears, settlement
from resolvers import pages as connection_pages
from schema import inputs
from tests.docs.pages import code, rows, text

#: Codes that a refusal has instead of its class's own.
OTHER_CODES = {
    problems.PeriodNotPayable((), code="SCHEDULE_MISSING"): "RETRY_LATER",
    problems.BillsRejected((), code="BATCH_REUSED"): "CORRECT_REQUEST",
    problems.PaymentNotRefundable("ACCEPTED", code="PAYMENT_STILL_REVERSIBLE"): "CORRECT_REQUEST",
}


def refusals(kind: type[problems.Refusal] = problems.Refusal) -> Iterator[type[problems.Refusal]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from refusals(subclass)


def next_actions() -> dict[str, str]:
    """The next action of every code there is."""
    actions: dict[str, str] = {kind.code: kind.next_action for kind in refusals()}
    return actions | {refusal.code: refusal.next_action for refusal in OTHER_CODES}


def english() -> dict[str, str]:
    source = files("schema").joinpath("catalogues", "en.po").open("rb")
    with source:
        return {str(m.id): str(m.string) for m in read_po(source, locale="en") if m.id}


def test_every_problem_is_described_with_what_to_do_next() -> None:
    described = {code(row[0]): code(row[1]) for row in rows("docs/problems.md", "code")}
    assert described == next_actions()


def test_the_codes_that_differ_from_their_classes_are_as_the_pages_say() -> None:
    assert {refusal: refusal.next_action for refusal in OTHER_CODES} == OTHER_CODES


def test_every_next_action_is_explained() -> None:
    explained = {code(row[0]) for row in rows("docs/problems.md", "nextAction")}
    assert explained == set(problems.NextAction.__args__)  # type: ignore[attr-defined]


def test_every_code_of_an_error_is_described() -> None:
    described = {code(row[0]) for row in rows("docs/problems.md", "extensions.code")}
    found: set[str] = set()
    for module in (
        "app.py",
        "execution/runner.py",
        "execution/documents.py",
        "execution/trusted.py",
        "endpoints/graphql.py",
        "endpoints/signing.py",
    ):
        source = files("gateway").joinpath(*module.split("/")).read_text(encoding="utf-8")
        found |= set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', source))
    assert described == found


def test_every_reason_to_reject_a_row_is_described() -> None:
    described = {code(row[0]): row[1] for row in rows("docs/agencies.md", "code")}
    assert described == {reason: reasons.reason_text(reason) for reason in reasons.CODES}


def test_every_column_of_a_file_is_described() -> None:
    described = {code(row[0]): row[1] for row in rows("docs/agencies.md", "column")}
    told = {field: reasons.reason_text("INVALID_FIELD", field) for field in described}
    assert told == {field: f"{field} must be {how}" for field, how in described.items()}
    columns = re.findall(r"^    \w+: +(\S+)$", text("docs/agencies.md"), re.MULTILINE)
    assert {name for line in columns for name in line.split(",")} == described.keys()


def test_every_reason_to_reject_a_bill_over_the_api_is_quoted() -> None:
    quoted = set(re.findall(r"^- `(.+)`$", text("docs/agencies.md"), re.MULTILINE))
    # What withdrawBill says is no reason to reject a bill of a batch.
    others = next_actions().keys() | {"BILL_NOT_WITHDRAWABLE"}
    assert quoted == {message for key, message in english().items() if key not in others}


def test_every_setting_is_in_the_table_with_its_default() -> None:
    described = {code(row[0]): row[1:] for row in rows("README.md", "setting")}
    assert list(described) == [f"GATEWAY_{name.upper()}" for name in Settings.model_fields]
    for name, field in Settings.model_fields.items():
        default, description = described[f"GATEWAY_{name.upper()}"]
        assert description == field.description
        assert field.default is not PydanticUndefined
        if default == "none":
            assert field.default is None, name
        else:
            given = Settings.model_validate({name: code(default)})
            assert getattr(given, name) == field.default, name


@pytest.mark.parametrize(
    ("what", "limit"),
    [
        ("bytes of a request's body", graphql.MAX_BODY_BYTES),
        ("seconds for the body to arrive", graphql.BODY_TIMEOUT_SECONDS),
        ("tokens of a document", limits.MAX_TOKENS),
        ("nested selections", limits.MAX_DEPTH),
        ("fields of an operation, fragments counted each time", limits.MAX_FIELDS),
        ("selections at the root of an operation", limits.MAX_ROOT_FIELDS),
        ("aliases of an operation, fragments counted each time", limits.MAX_ALIASES),
        ("fields that repeat a name of their own selection, in an operation", limits.MAX_REPEATED_FIELDS),
        ("directives of an operation", limits.MAX_DIRECTIVES),
        ("directives of one field", limits.MAX_FIELD_DIRECTIVES),
        ("operations of a document", limits.MAX_OPERATIONS),
        ("fragments of a document", limits.MAX_FRAGMENTS),
        ("lists and objects inside one another in variables", limits.MAX_VALUE_DEPTH),
        ("values in variables, members of lists and objects counted", limits.MAX_VALUES),
        ("points of an operation's cost", cost.MAX_OPERATION_COST),
        ("points for a document that can't be run", graphql.INVALID_DOCUMENT_COST),
        ("seconds until Redis is tried again", redis_budgets.RETRY_SECONDS),
        (
            "seconds until another limit, budget or removed document of a client is seen everywhere",
            trusted.LOOK_UP_AGAIN_SECONDS,
        ),
        ("persisted queries that a server keeps of a client", trusted.MAX_PERSISTED_PER_CLIENT),
        ("trusted documents of a client", documents.MAX_TRUSTED_DOCUMENTS),
        ("characters of a document that is registered or persisted", documents.MAX_DOCUMENT_LENGTH),
        ("errors reported for one document", limits.MAX_ERRORS),
        ("nodes of a page (`first`), and ids of `nodes`", connection_pages.MAX_PAGE_SIZE),
        ("nodes of a page by default", connection_pages.DEFAULT_PAGE_SIZE),
        ("bills of a call of `assessBills`", assessing.MAX_BATCH),
        ("entries of a call of `reconcileDay`", settlement.MAX_ENTRIES),
        ("years of arrears that can be assessed", arrears.MAX_ARREARS_YEARS),
        (
            "characters of a bank reference, a branch, a teller, a batch, a bill number",
            inputs.MAX_LABEL_LENGTH,
        ),
        ("characters of a reason", inputs.MAX_REASON_LENGTH),
        ("characters of a name", names.MAX_LENGTH),
        ("characters of a callback's address", addresses.MAX_LENGTH),
        ("tries of a notification", notifying.MAX_TRIES),
        ("bytes of a signed request's body", signing.MAX_SIGNED_BODY_BYTES),
        ("seconds since a request was signed", signatures.MAX_AGE_SECONDS),
        ("keys that a client signs with", signature_keys.MAX_KEYS),
        ("seconds of an access token", tokens.LIFETIME_SECONDS),
        ("seconds until a revoked client or token is refused everywhere, behind PgBouncer", tokens.UNHEARD_SECONDS),
        ("seconds of a client's assertion", assertions.LIFETIME_SECONDS_MAX),
        ("bytes of a form to `/oauth/token`", oauth._BODY_BYTES_MAX),
        ("searches of `/reference` in a minute, for one address and worker", routes.SEARCHES_PER_MINUTE),
        ("characters of a search that are looked at", reference.MAX_QUERY_LENGTH),
        ("tokens for `/graphiql` in a minute, for one address and worker", developer_tokens.TOKENS_PER_MINUTE),
        ("bytes of a request for such a token", developer_tokens.MAX_BODY_BYTES),
        ("vouchers waiting or being drawn in a process", desk.MAX_DRAWINGS),
        ("bytes of a voucher's file that is checked", checking.MAX_FILE_BYTES),
        ("checks at `/verify` from one address in a minute", verify.CHECKS_PER_MINUTE),
        ("wrong codes for one number at `/verify` in a minute", verify.WRONG_CODES_PER_MINUTE),
        ("bytes of a form to `/verify`", verify_form.MAX_FORM_BYTES),
        ("fields of a form to `/verify`", verify_form.MAX_FIELDS),
        ("seconds for a form to `/verify` to arrive", forms.TIMEOUT_SECONDS),
        ("files to `/verify` from one address in a minute", verify.FILES_PER_MINUTE),
        ("bytes of a form with a file to `/verify`", verify_form.MAX_FILE_FORM_BYTES),
        ("bytes of one that are read, and dropped, beyond that", verify_form.MAX_DROPPED_BYTES),
        ("seconds for a form with a file to `/verify` to arrive", verify_form.FILE_TIMEOUT_SECONDS),
        ("files to `/verify` at once in a process", verify_form.MAX_FILES),
    ],
)
def test_a_limit_is_the_codes_own(what: str, limit: float) -> None:
    described = dict(rows("docs/problems.md", "what"))
    assert described[what] == f"{limit:,.0f}"


def test_every_limit_in_the_table_is_held_to_the_code() -> None:
    marks = test_a_limit_is_the_codes_own.pytestmark  # type: ignore[attr-defined]
    held = {what for what, _ in marks[0].args[1]}
    assert {row[0] for row in rows("docs/problems.md", "what")} == held


def test_the_limits_of_files_are_the_codes_own() -> None:
    page = text("docs/agencies.md")
    assert f"at most {records.MAX_ROWS:,} rows" in page
    assert f"the first {report.MAX_REJECTIONS_KEPT} bad rows" in page
    assert f"`{'`, `'.join(records.REJECT_COLUMNS)}`".replace("`, `", "` and `") in page


def test_every_scope_is_described() -> None:
    described = {code(row[0]) for row in rows("docs/getting-started.md", "scope")}
    assert described == set(scopes.ALL)


def test_a_quote_can_be_paid_for_as_long_as_the_page_says() -> None:
    default = Settings.model_fields["quote_ttl"].default
    assert default == datetime.timedelta(minutes=30)
    assert "(30 minutes, unless the operator set it" in text("docs/paying.md")
