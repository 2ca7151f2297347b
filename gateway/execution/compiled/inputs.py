"""What Strawberry makes of an argument that graphql-core has read, with the types looked through once.

Strawberry looks through an input object's fields, their types and their names anew for each value.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any

from strawberry import UNSET
from strawberry.relay.types import GlobalID
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import _is_leaf_type
from strawberry.types.base import (
    StrawberryList,
    StrawberryMaybe,
    StrawberryOptional,
    has_object_definition,
)
from strawberry.types.enum import StrawberryEnumDefinition, has_enum_definition

#: Makes a resolver's argument. None: the value is handed on as it is.
Convert = Callable[[Any], Any] | None


class NotConverted(Exception):
    """A kind of argument that is Strawberry's to make."""


def conversion_of(argument_type: Any, converter: GraphQLCoreConverter, within: tuple[type, ...] = ()) -> Convert:
    """Return how Strawberry's `convert_argument` comes to the same. Raises NotConverted.

    `within` are the input objects in which this one lies.
    """
    if isinstance(argument_type, StrawberryMaybe) or argument_type is GlobalID:
        raise NotConverted
    if isinstance(argument_type, StrawberryOptional):
        return conversion_of(argument_type.of_type, converter, within)
    if isinstance(argument_type, StrawberryList):
        return _list(conversion_of(argument_type.of_type, converter, within))
    if isinstance(argument_type, StrawberryEnumDefinition) or has_enum_definition(argument_type):
        return None
    if _is_leaf_type(argument_type, converter.scalar_registry):
        return None
    if not has_object_definition(argument_type) or argument_type in within:
        raise NotConverted
    return _input_object(argument_type, converter, (*within, argument_type))


def _list(convert: Convert) -> Callable[[Any], Any]:
    def made(values: Any) -> Any:
        if values is None or values is UNSET:
            return values
        # A copy, where nothing is made of its items: what graphql-core takes from a default serves every request.
        return list(values) if convert is None else [convert(value) for value in values]

    return made


def _input_object(cls: Any, converter: GraphQLCoreConverter, within: tuple[type, ...]) -> Callable[[Any], Any]:
    definition = cls.__strawberry_definition__
    if definition.from_input is not None or not definition.is_input:
        raise NotConverted
    names = converter.config.name_converter
    fields = tuple(
        (
            names.from_field(field),
            field.python_name,
            conversion_of(field.resolve_type(type_definition=definition), converter, within),
        )
        for field in definition.fields
    )
    # As Strawberry has it: a nullable field without a default of its own is None where it was left out.
    left_out = {
        field.python_name: None
        for field in definition.fields
        if field.default_value is MISSING and field.default_factory is MISSING
    }

    def made(value: Mapping[str, Any] | None) -> Any:
        if value is None or value is UNSET:
            return value
        given = left_out.copy()
        for name, python_name, convert in fields:
            if name in value:
                one = value[name]
                given[python_name] = one if convert is None else convert(one)
        return cls(**given)

    return made
