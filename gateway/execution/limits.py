"""What an operation may ask for at the most, measured before any of it is validated or run."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

#: A lexer's tokens. The longest document of `docs/` has some 300; a batch of bills belongs into variables. Some rules
#: of validation take time by their square: of this many, a fraction of a second.
MAX_TOKENS = 4_000
#: Nested selections: `payer` to the receipt of a bill's payment takes 8, the introspection query 13.
MAX_DEPTH = 15
#: Fields, counted each time a fragment is spread: a few screens of everything that the schema has.
MAX_FIELDS = 1_000
#: Fields of the operation itself: each is a statement of its own.
MAX_ROOT_FIELDS = 20
#: Fields that are written under another name: asking for the same thing of several objects, and not of hundreds.
MAX_ALIASES = 100
#: Fields under a name that the same selection has already: what fragments have in common. Validation compares each
#: with each, so that a thousand would take most of a second.
MAX_REPEATED_FIELDS = 100
#: Directives of an operation: skip and include, at one field in twenty.
MAX_DIRECTIVES = 50
#: Directives of one field: there are two, and each stands once.
MAX_FIELD_DIRECTIVES = 4
#: A file with all the operations of a bank.
MAX_OPERATIONS = 50
MAX_FRAGMENTS = 100
#: More errors help nobody, and each is work.
MAX_ERRORS = 10
#: Nested objects and lists in variables: a batch's bills take 3.
MAX_VALUE_DEPTH = 10
#: Values in variables: ten thousand entries of a bank's list are 40,000, in objects and lists.
MAX_VALUES = 50_000


class TooLarge(GraphQLError):
    """Over a limit."""


@dataclass(frozen=True, slots=True)
class _Size:
    #: Fields of this selection itself, and those that its fragments bring into it, by the name of their answer.
    names: Counter[str] = field(default_factory=Counter)
    #: Fields in all, those below included.
    fields: int = 0
    depth: int = 0
    aliases: int = 0
    directives: int = 0
    #: Of the selections below this one.
    repeated_below: int = 0

    @property
    def repeated(self) -> int:
        return self.repeated_below + self.names.total() - len(self.names)


class _Measure:
    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._measured: dict[str, _Size] = {}

    def size(self, selections: SelectionSetNode | None) -> _Size:
        names: Counter[str] = Counter()
        fields, depth, aliases, directives, repeated = 0, 0, 0, 0, 0
        for selection in selections.selections if selections is not None else ():
            if isinstance(selection, FieldNode):
                below = self.size(selection.selection_set)
                name = (selection.alias or selection.name).value
                aliased = selection.alias is not None
                size = _Size(
                    Counter((name,)),
                    1 + below.fields,
                    1 + below.depth,
                    aliased + below.aliases,
                    below.directives,
                    below.repeated,
                )
            elif isinstance(selection, InlineFragmentNode):
                size = self.size(selection.selection_set)
            else:
                assert isinstance(selection, FragmentSpreadNode)
                size = self._fragment(selection.name.value)
            own = len(selection.directives or ())
            if own > MAX_FIELD_DIRECTIVES:
                raise TooLarge(
                    f"A selection has too many directives: {own}, at most {MAX_FIELD_DIRECTIVES}.", selection
                )
            names.update(size.names)
            fields += size.fields
            depth = max(depth, size.depth)
            aliases += size.aliases
            directives += own + size.directives
            repeated += size.repeated_below
        return _Size(names, fields, depth, aliases, directives, repeated)

    def _fragment(self, name: str) -> _Size:
        # A fragment is measured once, however often it is spread: a chain that doubles would never end. One that
        # spreads itself, or is not there, is for the validation to refuse.
        if name not in self._measured:
            self._measured[name] = _Size()
            if name in self._fragments:
                self._measured[name] = self.size(self._fragments[name].selection_set)
        return self._measured[name]


def check_document(document: DocumentNode) -> None:
    """Raise TooLarge for a document with more definitions than there is a use for."""
    fragments = sum(isinstance(node, FragmentDefinitionNode) for node in document.definitions)
    for what, counted, limit in (
        ("operations", len(document.definitions) - fragments, MAX_OPERATIONS),
        ("fragments", fragments, MAX_FRAGMENTS),
    ):
        if counted > limit:
            raise TooLarge(f"The document has too many {what}: {counted}, at most {limit}.")


def check_size(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
    """Raise TooLarge for an operation over a limit. The document may be invalid in any other way."""
    size = _Measure(fragments).size(operation.selection_set)
    for what, measured, limit in (
        ("is nested too deeply", size.depth, MAX_DEPTH),
        ("selects too many fields", size.fields, MAX_FIELDS),
        ("selects too much at its root", size.names.total(), MAX_ROOT_FIELDS),
        ("has too many aliases", size.aliases, MAX_ALIASES),
        ("repeats too many fields", size.repeated, MAX_REPEATED_FIELDS),
        ("has too many directives", size.directives + len(operation.directives or ()), MAX_DIRECTIVES),
    ):
        if measured > limit:
            raise TooLarge(f"The operation {what}: {measured}, at most {limit}.", operation)


_NESTING = frozenset({dict, list})


def variables_too_large(variables: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the size of variables, without a word of theirs; None when nothing is."""
    if len(variables) <= MAX_VALUES and _NESTING.isdisjoint(map(type, variables.values())):
        return None
    count = 0
    level: list[Any] = [variables]
    for _ in range(MAX_VALUE_DEPTH + 1):
        below: list[Any] = []
        for container in level:
            values = container.values() if isinstance(container, dict) else container
            count += len(container)
            below += [value for value in values if isinstance(value, (dict, list))]
        if count > MAX_VALUES:
            return f"variables: hold too many values, at most {MAX_VALUES}."
        if not below:
            return None
        level = below
    return f"variables: are nested too deeply, at most {MAX_VALUE_DEPTH} lists and objects inside one another."
