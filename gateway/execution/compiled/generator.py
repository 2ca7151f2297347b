"""Writes the Python of one operation: a function for each kind of object under each selection."""

import keyword
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLField, GraphQLObjectType, OperationType, Undefined
from graphql.execution.collect_fields import (
    FieldDetails,
    FieldDetailsList,
    FragmentDetails,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues

from gateway.execution.compiled.arguments import Constant, planned_arguments, read_arguments
from gateway.execution.compiled.completion import Completion, NotCovered
from gateway.execution.compiled.fast_path import FastPath
from gateway.execution.compiled.resolvers import Attribute, Function, Resolver, resolver_of
from gateway.execution.compiled.running import (
    FieldInfo,
    PlannedField,
    PlannedOperation,
    Run,
    located,
    must_not_be_null,
)
from gateway.execution.compiled.source import Source, indented

#: Of one plan, each counted once for each kind of object that it is selected on. To compile so many takes some 50 ms,
#: in which a worker does nothing else; the longest of the documentation has some 60.
MAX_FIELDS = 500


@dataclass(frozen=True, slots=True)
class RootField:
    """A field of the operation itself: resolved, perhaps awaited, and completed."""

    planned: PlannedField
    resolve: Callable[[Run], Any]
    complete: Callable[[Any, Run], Any]


#: The fields that are selected of a record, with their definitions.
Selected = list[tuple[PlannedField, GraphQLField]]


def _identity(object_type: GraphQLObjectType, planned: PlannedField) -> tuple[object, ...]:
    return object_type.name, *map(id, planned.nodes)


def at(key: str) -> str:
    """Return the expression of a field's place, within its object's function."""
    return f"(path, {key!r})"


class Generator:
    """The functions of one operation, for one way in which its conditions come out."""

    def __init__(self, shared: PlannedOperation, variable_values: VariableValues, *, hide_suggestions: bool) -> None:
        self._shared = shared
        self._fragments = {name: FragmentDetails(node) for name, node in shared.fragments.items()}
        # Only conditions are read of them: a plan is made for each way in which these come out.
        self._variable_values = variable_values
        self._hide_suggestions = hide_suggestions
        self._source = Source()
        self._completion = Completion(self._source, shared.schema, self._object)
        self._fast_path = FastPath(self._source, self._completion, shared.schema, self._fields, self._resolve)
        self._functions: dict[tuple[object, ...], str] = {}
        #: The slow path being written, if it is one that a fast path is before.
        self._slow_path: str | None = None
        self._selections: dict[tuple[object, ...], Selected] = {}
        self.field_count = 0

    def roots(self) -> list[RootField]:
        """Return the operation's own fields, in order. Raises NotCovered."""
        schema, operation = self._shared.schema, self._shared.operation
        root_type = schema.get_root_type(operation.operation)
        if root_type is None or operation.operation is OperationType.SUBSCRIPTION:
            raise NotCovered("a root that is not there, or a subscription")
        grouped = collect_fields(
            schema, self._fragments, self._variable_values, root_type, operation, self._hide_suggestions
        ).grouped_field_set
        planned = [self._root(root_type, key, details) for key, details in grouped.items()]
        self._source.run()
        defined = self._source.namespace
        return [
            RootField(field, defined[f"resolve_{number}"], defined[f"complete_{number}"])
            for number, field in enumerate(planned)
        ]

    def _root(self, root_type: GraphQLObjectType, key: str, details: FieldDetailsList) -> PlannedField:
        planned, definition = self._planned(root_type, key, details)
        number = self._source.count("root")
        place = f"(None, {key!r})"
        if planned.name == "__typename":
            resolve, complete = [f"value = {root_type.name!r}"], ["done = value"]
        else:
            resolver = resolver_of(self._shared.schema, definition)
            resolve = ["source = run.root_value", *self._resolve(resolver, definition, planned, "source", place)]
            complete = self._completion.lines(definition.type, "value", "done", place, planned)
        self._source.add([f"def resolve_{number}(run):", *indented([*resolve, "return value"])])
        self._source.add([f"def complete_{number}(value, run):", *indented([*complete, "return done"])])
        return planned

    def _planned(
        self, parent_type: GraphQLObjectType, key: str, details: list[FieldDetails]
    ) -> tuple[PlannedField, GraphQLField]:
        self.field_count += 1
        if self.field_count > MAX_FIELDS:
            raise NotCovered("too many fields")
        nodes = tuple(each.node for each in details)
        name = nodes[0].name.value
        definition = self._shared.schema.get_field(parent_type, name)
        if definition is None or name in ("__schema", "__type"):
            raise NotCovered("introspection")
        return PlannedField(self._shared, key, name, nodes, parent_type, definition.type), definition

    def _fields(self, object_type: GraphQLObjectType, planned: PlannedField) -> Selected:
        """Return what is selected of a record of this type, in order. Raises NotCovered."""
        identity = _identity(object_type, planned)
        selected = self._selections.get(identity)
        if selected is None:
            grouped = collect_subfields(
                self._shared.schema,
                self._fragments,
                self._variable_values,
                self._shared.operation,
                object_type,
                [FieldDetails(node, None) for node in planned.nodes],
                self._hide_suggestions,
            ).grouped_field_set
            selected = [self._planned(object_type, key, details) for key, details in grouped.items()]
            self._selections[identity] = selected
        return selected

    def _object(self, object_type: GraphQLObjectType, planned: PlannedField) -> str:
        """Return the name of the function that makes the answer of a record: `f(source, path, run)`."""
        identity = (*_identity(object_type, planned), self._slow_path)
        name = self._functions.get(identity)
        if name is not None:
            return name
        name = self._functions[identity] = f"object_{len(self._functions)}"
        fast_path = None if self._slow_path else self._fast_path.function(object_type, planned)
        if fast_path is None:
            body = self._answer(object_type, planned)
        else:
            self._slow_path = f"{name}_slowly"
            body = [
                f"answer = {fast_path}(source, run)",
                f"return {self._slow_path}(source, path, run) if answer is {self._source.name(Undefined)} else answer",
            ]
            # It seldom runs, and takes longer to compile than the fast path.
            with self._source.put_off(self._slow_path):
                lines = self._answer(object_type, planned)
                self._source.add([f"def {self._slow_path}(source, path, run):", *indented(lines)])
            self._slow_path = None
        self._source.add([f"def {name}(source, path, run):", *indented(body)])
        return name

    def _answer(self, object_type: GraphQLObjectType, planned: PlannedField) -> list[str]:
        """Return the lines that make the answer field by field, and say what is wrong with which."""
        body: list[str] = []
        answer: list[str] = []
        required: list[PlannedField] = []
        for field, definition in self._fields(object_type, planned):
            target = f"f{len(answer)}"
            answer.append(f"{field.key!r}: {target}")
            if field.name == "__typename":
                body.append(f"{target} = {object_type.name!r}")
                continue
            steps = self._field(field, definition, target)
            if must_not_be_null(field):
                body += [f"step = {len(required)}", *steps]
                required.append(field)
            else:
                guard = self._completion.guard(field.return_type, target, at(field.key), field)
                body += ["try:", *indented(steps), *guard]
        if required:
            # One handler for all fields whose error is the whole object's, which halves the code.
            fields = self._source.name(tuple(required))
            raised = f"raise {self._source.name(located)}(error, {fields}[step], (path, {fields}[step].key))"
            body = ["try:", *indented(body), "except Exception as error:", *indented([raised])]
        return [*body, f"return {{{', '.join(answer)}}}"]

    def _field(self, planned: PlannedField, definition: GraphQLField, target: str) -> list[str]:
        """Return the lines that let `target` be a field's answer, or raise."""
        resolver = resolver_of(self._shared.schema, definition)
        may_await = not isinstance(resolver, Attribute)
        if not isinstance(resolver, Attribute) and resolver.is_async:
            raise NotCovered("a field below the root that is awaited")
        place = at(planned.key)
        steps = self._resolve(resolver, definition, planned, "source", place)
        return steps + self._completion.lines(definition.type, "value", target, place, planned, may_await=may_await)

    def _resolve(
        self, resolver: Resolver, definition: GraphQLField, planned: PlannedField, source: str, place: str
    ) -> list[str]:
        """Return the lines that let `value` be what the resolver returns of the record `source`."""
        name = self._source.name
        if isinstance(resolver, Attribute):
            return [f"value = {source}.{resolver.name}"]
        info = f"{name(FieldInfo)}({name(planned)}, {place}, run)"
        if isinstance(resolver, Function):
            parameters = dict(resolver.parameters)
            given = [source] if resolver.takes_self else []
            given += [f"{parent}={source}" for parent in resolver.parents]
            if resolver.info is not None:
                made = f"{name(resolver.make_info)}(_raw_info={info}, _field={name(resolver.field)})"
                given.append(f"{resolver.info}={made}")
        else:
            parameters = {each: each for each in definition.args}
            given = [source, info]
        return self._calling(name(resolver.call), given, definition, planned, parameters)

    def _calling(
        self, call: str, given: list[str], definition: GraphQLField, planned: PlannedField, parameters: dict[str, str]
    ) -> list[str]:
        """Return the lines that call a resolver with what is given to it, and the field's arguments."""
        name = self._source.name
        node = planned.nodes[0]
        if not definition.args:
            return [f"value = {call}({', '.join(given)})"]
        read = f"{name(definition)}, {name(node)}, run, {self._hide_suggestions}, {name(parameters)}"
        anew = f"value = {call}({', '.join([*given, f'**{name(read_arguments)}({read})'])})"
        arguments = planned_arguments(definition, node)
        if arguments is None:
            return [anew]
        lines: list[str] = []
        unusual: list[str] = []
        named = list(given)
        for argument_name, argument in arguments.items():
            if isinstance(argument, Constant):
                value = name(argument.value)
            else:
                value = f"a{len(unusual)}"
                lines.append(f"{value} = run.variables.get({argument.variable!r}, {name(Undefined)})")
                unusual.append(f"{value} is {name(Undefined)}")
                if not argument.nullable:
                    unusual[-1] += f" or {value} is None"
            parameter = parameters[argument_name]
            named.append(f"**{{{parameter!r}: {value}}}" if keyword.iskeyword(parameter) else f"{parameter}={value}")
        usual = f"value = {call}({', '.join(named)})"
        if not unusual:
            return [usual]
        return [*lines, f"if {' or '.join(unusual)}: {anew}", f"else: {usual}"]
