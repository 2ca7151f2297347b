"""Runs one operation and words its errors: what a caller did wrong in clear, what we did wrong by a reference."""

import secrets
from collections.abc import Callable, Mapping
from inspect import isawaitable
from typing import Any

import structlog
from graphql import ExecutionResult, FieldNode, GraphQLError, GraphQLSchema, execute

from contributions.plain import record
from gateway.execution.compiled import FIRST_RUNS, Compiler
from gateway.execution.documents import InvalidDocument, Operation
from gateway.execution.values import without_values

log = structlog.get_logger()

#: What a known exception becomes: a code, a message and what else a program needs. None: a fault of ours.
Wording = Callable[[BaseException], tuple[str, str, dict[str, Any]] | None]


@record
class Answer:
    """The response to one request; `ran` tells whether any of the operation has run."""

    body: dict[str, Any]
    ran: bool


def refused(document: InvalidDocument) -> Answer:
    """Return the answer to a document that can't be run."""
    return Answer({"errors": [_formatted(error, document.code) for error in document.errors]}, ran=False)


class Runner:
    """Runs operations of one schema: by their compiled plans, and by graphql-core's executor what these don't cover."""

    def __init__(
        self, schema: GraphQLSchema, wording: Wording, *, hide_suggestions: bool, first_runs: int = FIRST_RUNS
    ) -> None:
        self._schema = schema
        self._compiler = Compiler(
            schema,
            max_coercion_errors=MAX_COERCION_ERRORS,
            hide_suggestions=hide_suggestions,
            first_runs=first_runs,
        )
        self._wording = wording
        self._hide_suggestions = hide_suggestions

    async def run(self, operation: Operation, variables: Mapping[str, Any], context: object) -> Answer:
        """Run an operation whose scopes have been checked."""
        document, name, plans = operation.document, operation.name, operation.plans
        planned = self._compiler.execute(document, name, plans, variables, context)
        result = await (self._execute(operation, variables, context) if planned is None else planned)
        errors = result.errors or []
        # Variables that can't be read come back as a plain result: nothing ran, and no error has a path.
        if result.data is None and errors and all(error.path is None for error in errors):
            return Answer({"errors": [_formatted(error, "BAD_USER_INPUT") for error in errors]}, ran=False)
        body: dict[str, Any] = {"data": result.data}
        if errors:
            body["errors"] = [self._worded(error) for error in errors]
        return Answer(body, ran=True)

    async def _execute(self, operation: Operation, variables: Mapping[str, Any], context: object) -> ExecutionResult:
        outcome = execute(
            self._schema,
            operation.document,
            context_value=context,
            variable_values=dict(variables),
            operation_name=operation.name,
            max_coercion_errors=MAX_COERCION_ERRORS,
            hide_suggestions=self._hide_suggestions,
        )
        return await outcome if isawaitable(outcome) else outcome

    def _worded(self, error: GraphQLError) -> dict[str, Any]:
        cause = error.original_error
        known = self._known(cause)
        if known is not None:
            code, message, more = known
            return _entry(message, error, {"code": code, **more})
        reference = secrets.token_hex(8)
        # The schema's name of the field: the path holds aliases, which are the caller's own words.
        field = error.nodes[0].name.value if error.nodes and isinstance(error.nodes[0], FieldNode) else None
        log.error("fault", reference=reference, field=field, exc_info=cause or error)
        message = f"The gateway failed. Its operator finds the reason under {reference}."
        return _entry(message, error, {"code": "INTERNAL_SERVER_ERROR", "reference": reference})

    def _known(self, cause: Exception | None) -> tuple[str, str, dict[str, Any]] | None:
        if isinstance(cause, GraphQLError):
            # The executor's own: of an argument that only the variables made wrong, or that an answer is not as
            # the schema has it, which is our fault and may repeat the answer.
            if cause.message.startswith("Argument '"):
                return "BAD_USER_INPUT", without_values(cause.message), {}
            return None
        return self._wording(cause) if cause is not None else None


#: As many as a validation reports.
MAX_COERCION_ERRORS = 10


def _formatted(error: GraphQLError, code: str) -> dict[str, Any]:
    return _entry(without_values(error.message), error, {"code": code})


def _entry(message: str, error: GraphQLError, extensions: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {"message": message}
    if error.locations:
        entry["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path is not None:
        entry["path"] = error.path
    entry["extensions"] = extensions
    return entry
