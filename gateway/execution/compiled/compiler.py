"""Makes plans of operations, and keeps them with the operation that they belong to."""

from collections import OrderedDict
from collections.abc import Awaitable, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
)
from graphql.type.directives import GraphQLDisableErrorPropagationDirective

from gateway.execution.compiled.arguments import ReadVariables, Variables
from gateway.execution.compiled.completion import NotCovered
from gateway.execution.compiled.conditions import condition_variables
from gateway.execution.compiled.generator import Generator
from gateway.execution.compiled.plan import Plan
from gateway.execution.compiled.running import PlannedOperation, Run

#: Runs by graphql-core before an operation is compiled: to compile takes as long as some ten runs, and a document
#: that is too long to be kept comes as a new one each time.
FIRST_RUNS = 1
#: Ways in which the conditions of one operation come out: four switches. Beyond them graphql-core runs it.
MAX_PLANS = 16
#: Of all plans of a process together, each some 1 KiB. Beyond it the plan that was used longest ago is made anew.
MAX_KEPT_FIELDS = 30_000


class Plans:
    """What is kept of one operation: nothing at first, then a plan for each way in which its conditions came out."""

    __slots__ = ("by_conditions", "operation", "runs")

    def __init__(self) -> None:
        self.runs = 0
        self.operation: _Operation | None = None
        #: None: this way is not covered.
        self.by_conditions: dict[tuple[object, ...], Plan | None] = {}


class _Operation:
    """What all plans of one operation share."""

    __slots__ = ("conditions", "shared", "variables")

    def __init__(self, shared: PlannedOperation, variables: Variables, conditions: tuple[str, ...]) -> None:
        self.shared = shared
        self.variables = variables
        self.conditions = conditions


class Compiler:
    """Runs operations of one schema by plans.

    Not covered, and left to graphql-core: introspection, subscriptions, incremental delivery, fragment variables,
    resolvers below the root that are awaited, and what is over a limit of this package. Below the root, and of
    `is_type_of` and `resolve_type`, an awaitable that comes from a plain `def` is an error.

    An operation is compiled when it comes for the second time (`first_runs`): one that comes once isn't worth it.
    """

    def __init__(
        self, schema: GraphQLSchema, *, max_coercion_errors: int, hide_suggestions: bool, first_runs: int = FIRST_RUNS
    ) -> None:
        self._schema = schema
        self._max_coercion_errors = max_coercion_errors
        self._hide_suggestions = hide_suggestions
        self._first_runs = first_runs
        #: Where each plan is kept, the one used longest ago first.
        self._kept: OrderedDict[Plan, tuple[Plans, tuple[object, ...]]] = OrderedDict()
        self._kept_fields = 0
        self._is_incremental = any(schema.get_directive(name) for name in ("defer", "stream"))

    def execute(
        self,
        document: DocumentNode,
        name: str | None,
        plans: Plans,
        variables: Mapping[str, Any],
        context: object,
    ) -> Awaitable[ExecutionResult] | None:
        """Return what runs a validated operation when it is awaited; None where graphql-core has to run it."""
        if plans.runs < self._first_runs or self._is_incremental:
            plans.runs += 1
            return None
        if plans.operation is None:
            plans.operation = self._operation(document, name)
        operation = plans.operation
        values = operation.variables.read(variables)
        if isinstance(values, list):
            return _failed(values)
        plan = self._plan(plans, operation, values)
        return None if plan is None else plan.execute(Run(values, context))

    def _plan(self, plans: Plans, operation: _Operation, values: ReadVariables) -> Plan | None:
        conditions: tuple[object, ...] = ()
        if operation.conditions:
            conditions = tuple(values.coerced.get(name) for name in operation.conditions)
            if not all(isinstance(condition, bool) for condition in conditions):
                return None
        if conditions in plans.by_conditions:
            plan = plans.by_conditions[conditions]
            if plan is not None:
                self._kept.move_to_end(plan)
            return plan
        if len(plans.by_conditions) >= MAX_PLANS:
            return None
        plan = plans.by_conditions[conditions] = self._compiled(operation, values)
        if plan is not None:
            self._keep(plan, plans, conditions)
        return plan

    def _keep(self, plan: Plan, plans: Plans, conditions: tuple[object, ...]) -> None:
        self._kept[plan] = plans, conditions
        self._kept_fields += plan.field_count
        while self._kept_fields > MAX_KEPT_FIELDS:
            oldest, (holder, key) = self._kept.popitem(last=False)
            self._kept_fields -= oldest.field_count
            del holder.by_conditions[key]

    def _compiled(self, operation: _Operation, values: ReadVariables) -> Plan | None:
        node = operation.shared.operation
        special = GraphQLDisableErrorPropagationDirective.name
        if any(directive.name.value == special for directive in node.directives or ()) or any(
            fragment.variable_definitions for fragment in operation.shared.fragments.values()
        ):
            return None
        try:
            generator = Generator(operation.shared, values.with_sources(), hide_suggestions=self._hide_suggestions)
            roots = generator.roots()
        except (NotCovered, RecursionError):
            return None
        serial = node.operation is OperationType.MUTATION
        return Plan(roots, serial=serial, field_count=generator.field_count)

    def _operation(self, document: DocumentNode, name: str | None) -> _Operation:
        fragments: dict[str, FragmentDefinitionNode] = {}
        found: OperationDefinitionNode | None = None
        for node in document.definitions:
            if isinstance(node, FragmentDefinitionNode):
                fragments[node.name.value] = node
            elif isinstance(node, OperationDefinitionNode) and (
                name is None or (node.name is not None and node.name.value == name)
            ):
                found = node
        assert found is not None, "a validated document has the operation that it was asked for"
        variables = Variables(
            self._schema,
            found.variable_definitions or (),
            max_errors=self._max_coercion_errors,
            hide_suggestions=self._hide_suggestions,
        )
        shared = PlannedOperation(self._schema, fragments, found)
        return _Operation(shared, variables, condition_variables(found, fragments))


async def _failed(errors: list[GraphQLError]) -> ExecutionResult:
    """Return what is wrong with the variables: nothing runs."""
    return ExecutionResult(None, errors)
