"""Runs one case by both executors, and compares."""

from collections.abc import Sequence
from inspect import isawaitable
from typing import Any

import orjson
from graphql import DocumentNode, ExecutionResult, GraphQLSchema, execute, parse

from gateway.execution.compiled import Compiler, Plans
from tests.gateway.execution.differential.documents import Case
from tests.gateway.execution.differential.worlds import World

MAX_ERRORS = 10
#: Two of each degree of trouble.
WORLDS = 8


class Comparison:
    """Both executors over one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._compiler = Compiler(schema, max_coercion_errors=MAX_ERRORS, hide_suggestions=True, first_runs=0)
        self.compared = 0
        self.with_errors = 0
        self.not_covered = 0
        #: How many were compared before the first difference; a smaller one is looked for after it.
        self.differed_after: int | None = None

    async def compare(self, case: Case) -> None:
        """Compare over several worlds, by the same plan: what one run leaves behind must not show in the next."""
        document, plans = parse(case.text), Plans()
        for seed in range(case.world, case.world + WORLDS):
            await self._compare(document, plans, case, seed)

    async def compare_each(self, text: str, variables: Sequence[dict[str, Any]]) -> None:
        """Compare one operation with one variables after the other, by the same plan."""
        document, plans = parse(text), Plans()
        for each in variables:
            await self._compare(document, plans, Case(text, each, 0), 0)

    async def _compare(self, document: DocumentNode, plans: Plans, case: Case, seed: int) -> None:
        """Raise AssertionError where they differ: in the answer's bytes, or in what resolvers are told."""
        expected = await self._reference(document, case, seed)
        answered = await self._compiled(document, plans, case, seed)
        if answered is None:
            self.not_covered += 1
            return
        self.compared += 1
        self.with_errors += b'"errors":[]' not in expected[0]
        if answered != expected and self.differed_after is None:
            self.differed_after = self.compared
        assert answered == expected, f"{case}\ncompiled:  {answered}\nreference: {expected}"

    async def _reference(self, document: DocumentNode, case: Case, seed: int) -> tuple[bytes, list[str]]:
        world = World(self._schema, seed)
        outcome = execute(
            self._schema,
            document,
            context_value=world,
            variable_values=case.variables,
            max_coercion_errors=MAX_ERRORS,
            hide_suggestions=True,
        )
        result = await outcome if isawaitable(outcome) else outcome
        return _bytes(result), world.log

    async def _compiled(
        self, document: DocumentNode, plans: Plans, case: Case, seed: int
    ) -> tuple[bytes, list[str]] | None:
        world = World(self._schema, seed)
        planned = self._compiler.execute(document, None, plans, case.variables, world)
        return None if planned is None else (_bytes(await planned), world.log)


def _bytes(result: ExecutionResult) -> bytes:
    errors: list[dict[str, Any]] = [
        {
            "message": error.message,
            "locations": [[at.line, at.column] for at in error.locations or ()],
            "path": error.path,
            "original": f"{type(error.original_error).__name__}: {error.original_error}",
            "nodes": [type(node).__name__ for node in error.nodes or ()],
        }
        for error in result.errors or []
    ]
    return orjson.dumps({"data": result.data, "errors": errors})
