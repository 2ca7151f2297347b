"""How a field is resolved: its attribute read, its function called, or graphql-core's resolver as it is bound."""

import keyword
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any

from graphql import GraphQLField, GraphQLSchema
from graphql.execution import default_field_resolver
from strawberry.types.field import StrawberryField

from gateway.execution.compiled.inputs import NotConverted, conversion_of


@dataclass(frozen=True, slots=True)
class Attribute:
    """Strawberry's default: an attribute of the record."""

    name: str


@dataclass(frozen=True, slots=True)
class Function:
    """A Strawberry resolver's own function, called without what Strawberry wraps around it."""

    call: Callable[..., Any]
    is_async: bool
    #: The parameters by the names of the GraphQL arguments.
    parameters: Mapping[str, str]
    takes_self: bool
    #: The parameters that take the record, and the one that takes Strawberry's Info.
    parents: tuple[str, ...]
    info: str | None
    make_info: Callable[..., Any]
    field: StrawberryField


@dataclass(frozen=True, slots=True)
class Bound:
    """Whatever the schema has: called as graphql-core calls it."""

    call: Callable[..., Any]
    is_async: bool


Resolver = Attribute | Function | Bound


def resolver_of(schema: GraphQLSchema, definition: GraphQLField) -> Resolver:
    """Return the shortest way to a field's value that has the same outcome."""
    resolve = definition.resolve or default_field_resolver
    bound = Bound(resolve, iscoroutinefunction(resolve))
    strawberry_schema = getattr(schema, "_strawberry_schema", None)
    field = definition.extensions.get("strawberry-definition")
    if strawberry_schema is None or type(field) is not StrawberryField or field.extensions:
        return bound
    converter = strawberry_schema.schema_converter
    if converter._exception_handler_specs:
        return bound
    if field.base_resolver is None:
        plain = field.default_resolver is getattr and _can_be_written(field.python_name)
        return Attribute(field.python_name) if plain else bound
    call = field.base_resolver.wrapped_func
    names = converter.config.name_converter
    arguments = {names.from_argument(argument): argument for argument in field.arguments}
    if not callable(call) or not all(name in definition.args for name in arguments):
        return bound
    try:
        conversions = {each.python_name: conversion_of(each.type, converter) for each in field.arguments}
    except NotConverted:
        return bound
    resolver = field.base_resolver
    return Function(
        call=_converting(call, {name: convert for name, convert in conversions.items() if convert is not None}),
        is_async=field.is_async,
        parameters={name: argument.python_name for name, argument in arguments.items()},
        takes_self=resolver.self_parameter is not None,
        parents=tuple(
            dict.fromkeys(each.name for each in (resolver.parent_parameter, resolver.root_parameter) if each)
        ),
        info=resolver.info_parameter.name if resolver.info_parameter is not None else None,
        make_info=converter.config.info_class,
        field=field,
    )


def _converting(call: Callable[..., Any], conversions: Mapping[str, Callable[[Any], Any]]) -> Callable[..., Any]:
    """Return the function, called with what Strawberry makes of some of its arguments."""
    if not conversions:
        return call
    converted = tuple(conversions.items())

    def converting(*positional: Any, **arguments: Any) -> Any:
        for name, convert in converted:
            if name in arguments:
                arguments[name] = convert(arguments[name])
        return call(*positional, **arguments)

    return converting


def _can_be_written(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)
