"""What an operation may ask for at the most, measured before any of it runs."""

from collections.abc import Mapping
from dataclasses import dataclass

from graphql import (
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
#: More errors help nobody, and each is work.
MAX_ERRORS = 10


@dataclass(frozen=True, slots=True)
class _Size:
    #: Fields of this selection itself, and those that its fragments bring into it.
    width: int
    #: Fields in all, those below included.
    fields: int
    depth: int


class _Measure:
    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._measured: dict[str, _Size] = {}

    def size(self, selections: SelectionSetNode | None) -> _Size:
        width, fields, depth = 0, 0, 0
        for selection in selections.selections if selections is not None else ():
            if isinstance(selection, FieldNode):
                below = self.size(selection.selection_set)
                size = _Size(1, 1 + below.fields, 1 + below.depth)
            elif isinstance(selection, InlineFragmentNode):
                size = self.size(selection.selection_set)
            else:
                assert isinstance(selection, FragmentSpreadNode)
                size = self._fragment(selection.name.value)
            width += size.width
            fields += size.fields
            depth = max(depth, size.depth)
        return _Size(width, fields, depth)

    def _fragment(self, name: str) -> _Size:
        # A fragment is measured once, however often it is spread: a chain that doubles would never end.
        if name not in self._measured:
            self._measured[name] = self.size(self._fragments[name].selection_set)
        return self._measured[name]


def check_size(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
    """Raise GraphQLError for an operation over a limit. The document has been validated: no fragment cycles."""
    size = _Measure(fragments).size(operation.selection_set)
    for what, measured, limit in (
        ("is nested too deeply", size.depth, MAX_DEPTH),
        ("selects too many fields", size.fields, MAX_FIELDS),
        ("selects too much at its root", size.width, MAX_ROOT_FIELDS),
    ):
        if measured > limit:
            raise GraphQLError(f"The operation {what}: {measured}, at most {limit}.", operation)
