"""Which kind of object a value of an interface or union is: Strawberry's own default, without its detours."""

from collections.abc import Callable, Mapping
from typing import Any

from graphql import GraphQLAbstractType
from strawberry.types.base import StrawberryObjectDefinition, has_object_definition
from strawberry.types.cast import TYPE_CAST_ATTRIBUTE
from strawberry.types.union import StrawberryUnion

#: Classes of which it is remembered whether they are plain. A schema meets fewer.
MAX_CLASSES = 256

#: An `is_type_of`, and the function that answers with its kind: `f(source, path, run)`.
Test = tuple[Callable[[Any, Any], Any], Callable[..., Any]]


def has_default(abstract_type: GraphQLAbstractType) -> bool:
    """Return whether Strawberry's default tells the kinds, which asks each `is_type_of` in turn."""
    definition = abstract_type.extensions.get("strawberry-definition")
    if type(definition) is StrawberryUnion:
        return True
    return isinstance(definition, StrawberryObjectDefinition) and definition.resolve_type is None


class Kinds:
    """Finds the function for a value of a plain class; None where Strawberry has to look at more than `is_type_of`."""

    __slots__ = ("_origin", "_plain", "_tests")

    def __init__(self, abstract_type: GraphQLAbstractType, tests: tuple[Test, ...]) -> None:
        self._origin = getattr(abstract_type.extensions["strawberry-definition"], "origin", None)
        self._tests = tests
        self._plain: dict[type, bool] = {}

    def find(self, value: Any, info: Any) -> Callable[..., Any] | None:
        """Return the function of the first kind that the value is."""
        cls = value.__class__
        plain = self._plain.get(cls)
        if plain is None:
            plain = is_plain(cls, self._origin)
            if len(self._plain) < MAX_CLASSES:
                self._plain[cls] = plain
        if plain:
            for is_kind, complete in self._tests:
                answer = is_kind(value, info)
                if answer is True:
                    return complete
                if answer is not False:
                    break
        return None


def is_plain(cls: type, origin: type | None) -> bool:
    """Return whether nothing about an instance but `is_type_of` can say of which kind it is.

    It has no attributes beyond its class's own, so it was not cast and names no type; it is no Strawberry type; and it
    is not of the interface's class, `origin`.
    """
    return (
        cls.__dictoffset__ == 0
        and not any("__getattribute__" in vars(each) for each in cls.__mro__[:-1])
        and not hasattr(cls, "__getattr__")
        and not hasattr(cls, TYPE_CAST_ATTRIBUTE)
        and not has_object_definition(cls)
        and not issubclass(cls, Mapping)
        and not any(hasattr(cls, f"_{each.__name__}__typename") for each in cls.__mro__)
        and (origin is None or (type(origin) is type and not issubclass(cls, origin)))
    )
