"""The span of a GraphQL operation, and what the span of its request says of the caller and the refusal."""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from graphql import (
    REMOVE,
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    NullValueNode,
    OperationDefinitionNode,
    Visitor,
    print_ast,
    visit,
)
from opentelemetry import trace
from opentelemetry.trace import Status, StatusCode, Tracer
from starlette.datastructures import Headers
from starlette.types import Scope

from auth.documents import ClientLimits
from auth.tokens import Caller
from contributions import problems
from gateway.endpoints.bearer import Gate
from gateway.execution.documents import Document, InvalidDocument, Operation
from gateway.execution.runner import Answer, Runner
from gateway.execution.trusted import ClientDocuments, Named, NotTrusted
from gateway.tracing.requests import failed

CLIENT: Final = "gateway.client.id"
OPERATION_TYPE: Final = "graphql.operation.type"
OPERATION_NAME: Final = "graphql.operation.name"
OPERATION_HASH: Final = "gateway.operation.hash"
PROBLEMS: Final = "gateway.problem.codes"
ERRORS: Final = "gateway.error.codes"
REFERENCES: Final = "gateway.error.references"

#: Names and aliases are the caller's own words: no longer, and without as many digits as a part of a number has.
MAX_NAME_LENGTH: Final = 64
_DIGITS: Final = re.compile(r"[0-9]{4}")

#: As many as there are documents kept. A hash takes a walk of the document.
MAX_HASHES: Final = 600
#: Of one answer: an operation has no more fields at its root.
MAX_CODES: Final = 20


def _codes(kind: type[problems.Refusal]) -> set[str]:
    return {kind.code for kind in kind.__subclasses__()}.union(*map(_codes, kind.__subclasses__()))


#: What a problem's code can be; a few refusals have another than their class's.
PROBLEM_CODES: Final = frozenset(
    _codes(problems.Refusal) | {"SCHEDULE_MISSING", "BATCH_REUSED", "PAYMENT_STILL_REVERSIBLE"}
)


class TracedGate(Gate):
    """Says in the request's span which client calls."""

    def known_caller(self, scope: Scope, headers: Headers) -> Caller | None:
        """Return the holder of a token that was verified lately, as the gate does."""
        caller = super().known_caller(scope, headers)
        if caller is not None:
            trace.get_current_span().set_attribute(CLIENT, caller.client_id)
        return caller

    async def caller_of(self, scope: Scope, headers: Headers) -> Caller:
        """Return the holder of the request's token, as the gate does."""
        caller = await super().caller_of(scope, headers)
        trace.get_current_span().set_attribute(CLIENT, caller.client_id)
        return caller


class TracedDocuments(ClientDocuments):
    """Says in the request's span why a document was refused."""

    def sent(self, limits: ClientLimits, named: Named) -> Document | None:
        """Return the document of a request, as the clients' documents do."""
        with _refusals_told():
            return super().sent(limits, named)

    async def find(self, client_id: str, limits: ClientLimits, named: Named) -> Document:
        """Return the document, as the clients' documents do."""
        with _refusals_told():
            return await super().find(client_id, limits, named)


@contextmanager
def _refusals_told() -> Iterator[None]:
    try:
        yield
    except InvalidDocument as invalid:
        trace.get_current_span().set_attribute(ERRORS, [invalid.code])
        raise
    except NotTrusted:
        trace.get_current_span().set_attribute(ERRORS, ["DOCUMENT_NOT_TRUSTED"])
        raise


def traced_runner(tracer: Tracer) -> type[Runner]:
    """Return the class of runners whose operations are spans."""
    hashes: OrderedDict[int, tuple[DocumentNode, str]] = OrderedDict()

    def hash_of(document: DocumentNode) -> str:
        known = hashes.get(id(document))
        # The document is kept with its hash, so that no other one has its id.
        if known is None:
            known = hashes[id(document)] = document, shape_hash(document)
            if len(hashes) > MAX_HASHES:
                hashes.popitem(last=False)
        return known[1]

    class TracedRunner(Runner):
        """Runs each operation within its span."""

        async def run(self, operation: Operation, variables: Mapping[str, Any], context: object) -> Answer:
            """Run an operation, as the runner does."""
            kind, name = operation.kind.value, telling_name(operation.name)
            with tracer.start_as_current_span(
                kind if name is None else f"{kind} {name}", record_exception=False, set_status_on_exception=False
            ) as span:
                if not span.is_recording():
                    return await super().run(operation, variables, context)
                span.set_attribute(OPERATION_TYPE, kind)
                span.set_attribute(OPERATION_HASH, hash_of(operation.document))
                if name is not None:
                    span.set_attribute(OPERATION_NAME, name)
                try:
                    answer = await super().run(operation, variables, context)
                except BaseException as error:
                    failed(span, error)
                    raise
                tell(span, answer)
                return answer

    return TracedRunner


def telling_name(name: str | None) -> str | None:
    """Return an operation's name, if there is one that can be told."""
    if name is None or len(name) > MAX_NAME_LENGTH or _DIGITS.search(name):
        return None
    return name


def tell(span: trace.Span, answer: Answer) -> None:
    """Write down which problems and errors an answer has: by codes of ours, of what the document has asked for."""
    data = answer.body.get("data") or {}
    at_root = [value for value in data.values() if isinstance(value, dict)]
    codes = {code for value in at_root for code in value.values() if isinstance(code, str) and code in PROBLEM_CODES}
    if codes:
        span.set_attribute(PROBLEMS, sorted(codes)[:MAX_CODES])
    extensions = [error["extensions"] for error in answer.body.get("errors", ())]
    if extensions:
        span.set_attribute(ERRORS, sorted({told["code"] for told in extensions})[:MAX_CODES])
    # By which a fault stands in the log, and was told to the client.
    references = [told["reference"] for told in extensions if "reference" in told]
    if references:
        span.set_attribute(REFERENCES, references[:MAX_CODES])
        span.set_status(Status(StatusCode.ERROR))


class _Shape(Visitor):
    """Takes out of a document what its author has chosen: literals, aliases, and names but the schema's."""

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> OperationDefinitionNode:
        return replace(node, name=None, variable_definitions=())

    def enter_fragment_definition(self, node: FragmentDefinitionNode, *_: Any) -> FragmentDefinitionNode:
        return replace(node, name=replace(node.name, value="fragment"))

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> FragmentSpreadNode:
        return replace(node, name=replace(node.name, value="fragment"))

    def enter_field(self, node: FieldNode, *_: Any) -> FieldNode:
        return replace(node, alias=None)

    def enter_argument(self, node: ArgumentNode, *_: Any) -> ArgumentNode:
        return replace(node, value=NullValueNode())

    def enter_directive(self, *_: Any) -> Any:
        return REMOVE


def shape_hash(document: DocumentNode) -> str:
    """Return a hash, 16 hexadecimal digits, that documents share which differ in values and names of their own alone.

    The hash of a text with a number in it would give the number away: there are few enough to try them all.
    """
    shape = print_ast(visit(document, _Shape()))
    return hashlib.sha256(shape.encode()).hexdigest()[:16]
