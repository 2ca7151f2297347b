"""Arguments and variables: read once where the document alone decides, and quickly where a variable does."""

import datetime
import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLSchema,
    Undefined,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    get_argument_values,
    get_named_type,
    get_nullable_type,
    get_variable_values,
    is_input_object_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, coerce_argument
from graphql.language import ListValueNode, ObjectValueNode
from graphql.utilities import coerce_input_value
from graphql.utilities.coerce_input_value import coerce_default_value

from gateway.execution.compiled.running import Run

#: What no resolver can change, so that one value serves every run.
_UNCHANGING = (str, int, float, bool, type(None), Decimal, datetime.date, datetime.time, enum.Enum)


@dataclass(frozen=True, slots=True)
class Constant:
    """An argument that is the same in every run."""

    value: Any


@dataclass(frozen=True, slots=True)
class FromVariable:
    """An argument that is one variable's value."""

    variable: str
    nullable: bool


Argument = Constant | FromVariable


def planned_arguments(definition: GraphQLField, node: FieldNode) -> dict[str, Argument] | None:
    """Return a field's arguments by name; None where graphql-core has to read them in each run."""
    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    planned: dict[str, Argument] = {}
    for name, argument in definition.args.items():
        if argument.out_name not in (None, name):
            return None
        value = given.get(name)
        if isinstance(value, VariableNode):
            planned[name] = FromVariable(value.name.value, not is_non_null_type(argument.type))
            continue
        if value is not None and has_variable(value):
            return None
        read: dict[str, Any] = {}
        argument_node = next((each for each in node.arguments or () if each.name.value == name), None)
        try:
            coerce_argument(read, node, name, argument, argument_node, None, None)
        except GraphQLError:
            # It is raised anew in each run, with what that run is told of it.
            return None
        if read:
            if not isinstance(read[name], _UNCHANGING):
                return None
            planned[name] = Constant(read[name])
    return planned


def read_arguments(
    definition: GraphQLField, node: FieldNode, run: Run, hide_suggestions: bool, parameters: Mapping[str, str]
) -> dict[str, Any]:
    """Return a field's arguments as graphql-core reads them, by the resolver's parameters."""
    read = get_argument_values(definition, node, run.variable_values, hide_suggestions=hide_suggestions)
    return {parameters.get(name, name): value for name, value in read.items()}


def has_variable(value: ValueNode) -> bool:
    """Return whether a value has a variable anywhere in it."""
    if isinstance(value, ListValueNode):
        return any(map(has_variable, value.values))
    if isinstance(value, ObjectValueNode):
        return any(has_variable(field.value) for field in value.fields)
    return isinstance(value, VariableNode)


class Variables:
    """The variables of one operation: their types looked up once."""

    def __init__(
        self,
        schema: GraphQLSchema,
        definitions: Sequence[VariableDefinitionNode],
        *,
        max_errors: int,
        hide_suggestions: bool,
    ) -> None:
        self._schema = schema
        self._definitions = definitions
        self._max_errors = max_errors
        self._hide_suggestions = hide_suggestions
        signatures = [get_variable_signature(schema, definition) for definition in definitions]
        self._signatures: list[tuple[GraphQLVariableSignature, _Coerce, bool]] | None = []
        for signature, definition in zip(signatures, definitions, strict=True):
            if isinstance(signature, GraphQLError) or _may_nest_without_end(signature.type, ()):
                # graphql-core counts how deep such a value goes.
                self._signatures = None
                break
            self._signatures.append((signature, _coercer(signature.type), definition.default_value is not None))

    def read(self, inputs: Mapping[str, Any]) -> "ReadVariables | list[GraphQLError]":
        """Return the values, or what graphql-core says is wrong with them."""
        coerced = self._read_quickly(inputs)
        if coerced is not None:
            return ReadVariables(coerced, self, inputs)
        values = get_variable_values(
            self._schema,
            self._definitions,
            dict(inputs),
            max_errors=self._max_errors,
            hide_suggestions=self._hide_suggestions,
        )
        return values if isinstance(values, list) else ReadVariables(values.coerced, self, inputs, values)

    def sources(self, inputs: Mapping[str, Any]) -> dict[str, VariableValueSource]:
        """Return what each variable was read from, of inputs that could be read quickly."""
        return {
            signature.name: VariableValueSource(signature, inputs.get(signature.name, Undefined))
            for signature, _, _ in self._signatures or ()
        }

    def _read_quickly(self, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
        if self._signatures is None:
            return None
        coerced: dict[str, Any] = {}
        for signature, coerce, has_default in self._signatures:
            name = signature.name
            if name in inputs:
                value = coerce(inputs[name])
                if value is Undefined:
                    return None
                coerced[name] = value
                continue
            if has_default:
                try:
                    value = coerce_default_value(signature)
                except TypeError:
                    return None
                if not isinstance(value, _UNCHANGING):
                    # graphql-core keeps it beside the signature, which here serves every run.
                    return None
                coerced[name] = value
            elif is_non_null_type(signature.type):
                return None
        return coerced


class ReadVariables:
    """The variables of one execution; what each was read from is put together when somebody asks for it."""

    __slots__ = ("_inputs", "_read_with_sources", "_variables", "coerced")

    def __init__(
        self,
        coerced: dict[str, Any],
        variables: Variables,
        inputs: Mapping[str, Any],
        with_sources: VariableValues | None = None,
    ) -> None:
        self.coerced = coerced
        self._variables = variables
        self._inputs = inputs
        self._read_with_sources = with_sources

    def with_sources(self) -> VariableValues:
        """Return them with what each was read from, as graphql-core has them."""
        values = self._read_with_sources
        if values is None:
            values = VariableValues(self._variables.sources(self._inputs), self.coerced)
            self._read_with_sources = values
        return values


#: Reads a value as graphql-core does, with the type looked through once. Undefined: graphql-core says what is wrong.
_Coerce = Callable[[Any], Any]


def _coercer(input_type: GraphQLInputType) -> _Coerce:
    """Return what reads values of a type that has no end of nesting in it."""
    required = is_non_null_type(input_type)
    named: Any = get_nullable_type(input_type)
    if is_leaf_type(named):
        return _leaf_coercer(named.coerce_input_value, Undefined if required else None)
    if is_input_object_type(named) and not named.is_one_of and named.out_type is GraphQLInputObjectType.out_type:
        return _object_coercer(named, input_type)
    return lambda given: coerce_input_value(given, input_type)


def _leaf_coercer(coerce: _Coerce, null: Any) -> _Coerce:
    def read(given: Any) -> Any:
        if given is None:
            return null
        try:
            return coerce(given)
        except Exception:  # whatever a scalar raises: graphql-core then says what it was
            return Undefined

    return read


def _object_coercer(named: GraphQLInputObjectType, input_type: GraphQLInputType) -> _Coerce:
    fields: list[tuple[str, str, _Coerce, bool, Any]] = []
    for name, field in named.fields.items():
        try:
            default = coerce_default_value(field)
        except TypeError:
            return lambda given: coerce_input_value(given, input_type)
        if default is not Undefined and not isinstance(default, _UNCHANGING):
            return lambda given: coerce_input_value(given, input_type)
        fields.append((name, field.out_name or name, _coercer(field.type), is_required_input_field(field), default))

    def read(given: Any) -> Any:
        if given.__class__ is not dict:
            return coerce_input_value(given, input_type)
        read_fields: dict[str, Any] = {}
        known = 0
        for name, out_name, coerce, required, default in fields:
            if name in given:
                known += 1
                value = coerce(given[name])
                if value is Undefined:
                    return Undefined
                read_fields[out_name] = value
            elif required:
                return Undefined
            elif default is not Undefined:
                read_fields[out_name] = default
        return read_fields if known == len(given) else Undefined

    return read


def _may_nest_without_end(input_type: GraphQLInputType, above: tuple[str, ...]) -> bool:
    """Return whether an input object has itself somewhere in it, or a list is one of lists."""
    named = get_named_type(input_type)
    if is_list_type(input_type) and above and above[-1] == "[":
        return True
    if is_non_null_type(input_type):
        return _may_nest_without_end(input_type.of_type, above)
    if is_list_type(input_type):
        return _may_nest_without_end(input_type.of_type, (*above, "["))
    if not is_input_object_type(named):
        return False
    if named.name in above:
        return True
    return any(_may_nest_without_end(field.type, (*above, named.name)) for field in named.fields.values())
