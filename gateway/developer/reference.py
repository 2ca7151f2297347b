"""The schema as a reference to read and to search: made once of the SDL, of which every word is there."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from graphql import (
    DirectiveDefinitionNode,
    EnumTypeDefinitionNode,
    EnumValueDefinitionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    ScalarTypeDefinitionNode,
    StringValueNode,
    UnionTypeDefinitionNode,
    parse,
    print_ast,
)
from graphql.language.ast import ConstDirectiveNode, TypeDefinitionNode

#: What a reader looks for is a word or two.
MAX_QUERY_LENGTH: Final = 100

Kind = Literal["operation", "object", "interface", "union", "input", "enum", "scalar", "directive"]
#: The order in which they are told.
KINDS: Final[tuple[Kind, ...]] = ("operation", "object", "interface", "union", "input", "enum", "scalar", "directive")

_OPERATIONS: Final = frozenset({"Query", "Mutation"})
_KIND_OF: Final[dict[type, Kind]] = {
    ObjectTypeDefinitionNode: "object",
    InterfaceTypeDefinitionNode: "interface",
    UnionTypeDefinitionNode: "union",
    InputObjectTypeDefinitionNode: "input",
    EnumTypeDefinitionNode: "enum",
    ScalarTypeDefinitionNode: "scalar",
    DirectiveDefinitionNode: "directive",
}
_TYPE: Final = re.compile(r"(\[*)(\w+)([\]!]*)")


@dataclass(frozen=True, slots=True)
class TypeText:
    """A type as the SDL writes it, in three parts of which the middle one can be a link: "[", "BillInput", "!]!"."""

    before: str
    name: str
    after: str


@dataclass(frozen=True, slots=True)
class Member:
    """A field, an input field, an argument or an enum value. `deprecated` is the reason, None where it is not.

    `directives` are the others that stand at it, as the SDL writes them; `default` is a literal of GraphQL.
    """

    name: str
    anchor: str
    description: str
    type: TypeText | None
    arguments: tuple["Member", ...]
    default: str | None
    deprecated: str | None
    directives: tuple[str, ...]

    def texts(self) -> Iterable[str]:
        """Return what a search looks at."""
        yield self.name
        yield self.description
        yield self.deprecated or ""
        yield from self.directives
        if self.type:
            yield self.type.name
        for argument in self.arguments:
            yield from argument.texts()


@dataclass(frozen=True, slots=True)
class Entry:
    """A type or a directive. `related`: what an object implements, what an interface or a union can be.

    `locations` are a directive's; its name has the "@".
    """

    name: str
    kind: Kind
    description: str
    members: tuple[Member, ...]
    related: tuple[str, ...]
    directives: tuple[str, ...]
    locations: tuple[str, ...] = ()


def sdl() -> str:
    """Return the schema as the code prints it, which a test holds."""
    return files("schema").joinpath("schema.graphql").read_text(encoding="utf-8")


@cache
def entries() -> tuple[Entry, ...]:
    """Return every type and directive of the schema."""
    return entries_of(sdl())


def entries_of(text: str) -> tuple[Entry, ...]:
    """Return every type and directive of an SDL: operations first, then by kind, each in the SDL's order."""
    definitions = parse(text).definitions
    implementing: dict[str, list[str]] = {}
    for definition in definitions:
        if isinstance(definition, ObjectTypeDefinitionNode):
            for interface in definition.interfaces or ():
                implementing.setdefault(interface.name.value, []).append(definition.name.value)
    told = [
        _entry(definition, implementing)
        for definition in definitions
        if isinstance(definition, TypeDefinitionNode | DirectiveDefinitionNode)
    ]
    return tuple(sorted(told, key=lambda entry: (KINDS.index(entry.kind), entry.name == "Mutation")))


def search(query: str) -> Sequence[Entry]:
    """Return what a reader's words are found in: an entry whole where its own name has them all, else those members.

    Capitals or not. Nothing for words that are nowhere; everything for no words.
    """
    words = query[:MAX_QUERY_LENGTH].lower().split()
    if not words:
        return entries()
    return [found for entry in entries() if (found := _found(entry, words)) is not None]


def _found(entry: Entry, words: Sequence[str]) -> Entry | None:
    if _has(words, entry.name, entry.description, *entry.related, *entry.directives, *entry.locations):
        return entry
    members = tuple(member for member in entry.members if _has(words, entry.name, *member.texts()))
    if not members:
        return None
    return Entry(entry.name, entry.kind, entry.description, members, entry.related, entry.directives, entry.locations)


def _has(words: Sequence[str], *texts: str) -> bool:
    text = "\n".join(texts).lower()
    return all(word in text for word in words)


def _entry(definition: TypeDefinitionNode | DirectiveDefinitionNode, implementing: dict[str, list[str]]) -> Entry:
    name = definition.name.value
    members: tuple[Member, ...] = ()
    related: Iterable[str] = ()
    locations: tuple[str, ...] = ()
    match definition:
        case ObjectTypeDefinitionNode():
            members = tuple(_member(name, field) for field in definition.fields or ())
            related = [interface.name.value for interface in definition.interfaces or ()]
        case InterfaceTypeDefinitionNode():
            members = tuple(_member(name, field) for field in definition.fields or ())
            related = implementing.get(name, ())
        case UnionTypeDefinitionNode():
            related = [member.name.value for member in definition.types or ()]
        case InputObjectTypeDefinitionNode():
            members = tuple(_member(name, field) for field in definition.fields or ())
        case EnumTypeDefinitionNode():
            members = tuple(_member(name, value) for value in definition.values or ())
        case DirectiveDefinitionNode():
            members = tuple(_member(f"@{name}", argument) for argument in definition.arguments or ())
            locations = tuple(location.value for location in definition.locations)
            name = f"@{name}"
    return Entry(
        name,
        "operation" if name in _OPERATIONS else _KIND_OF[type(definition)],
        definition.description.value if definition.description else "",
        members,
        tuple(related),
        tuple(map(print_ast, getattr(definition, "directives", None) or ())),
        locations,
    )


def _member(owner: str, node: FieldDefinitionNode | InputValueDefinitionNode | EnumValueDefinitionNode) -> Member:
    name = node.name.value
    anchor = f"{owner}.{name}"
    default = node.default_value if isinstance(node, InputValueDefinitionNode) else None
    arguments = node.arguments or () if isinstance(node, FieldDefinitionNode) else ()
    directives = tuple(node.directives or ())
    return Member(
        name,
        anchor,
        node.description.value if node.description else "",
        None if isinstance(node, EnumValueDefinitionNode) else _type(print_ast(node.type)),
        tuple(_member(anchor, argument) for argument in arguments),
        print_ast(default) if default else None,
        next((_reason(directive) for directive in directives if directive.name.value == "deprecated"), None),
        tuple(print_ast(directive) for directive in directives if directive.name.value != "deprecated"),
    )


def _type(text: str) -> TypeText:
    match = _TYPE.fullmatch(text)
    assert match is not None, text
    return TypeText(*match.groups())


def _reason(deprecated: ConstDirectiveNode) -> str:
    """Return why it is deprecated; the specification's own words where the SDL has none."""
    for argument in deprecated.arguments or ():
        if isinstance(argument.value, StringValueNode):
            return argument.value.value
    return "No longer supported"
