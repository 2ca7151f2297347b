"""Which scopes an operation needs: those of every field it selects, checked before any of it runs."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLSchema,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    visit,
)

#: Each member is one field's need: the token must hold all of at least one inner set.
Need = frozenset[frozenset[str]]
Needs = frozenset[Need]

#: What a field itself needs, as its schema says it.
NeedsOfField = Callable[[GraphQLField], Iterable[Need]]


class _Needs(Visitor):
    def __init__(self, type_info: TypeInfo, needs_of_field: NeedsOfField) -> None:
        super().__init__()
        self._type_info = type_info
        self._needs_of_field = needs_of_field
        self.needs: set[Need] = set()
        self.spreads: set[str] = set()

    def enter_field(self, _node: FieldNode, *_args: object) -> None:
        definition = self._type_info.get_field_def()
        if definition is not None:
            self.needs.update(self._needs_of_field(definition))

    def enter_fragment_spread(self, node: object, *_args: object) -> None:
        self.spreads.add(node.name.value)  # type: ignore[attr-defined]


def needs_of(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    needs_of_field: NeedsOfField,
) -> Needs:
    """Return what the operation needs, with all fragments that it spreads, skipped or not."""
    needs: set[Need] = set()
    waiting: list[OperationDefinitionNode | FragmentDefinitionNode] = [operation]
    seen: set[str] = set()
    while waiting:
        type_info = TypeInfo(schema)
        visitor = _Needs(type_info, needs_of_field)
        visit(waiting.pop(), TypeInfoVisitor(type_info, visitor))
        needs |= visitor.needs
        waiting += [fragments[name] for name in visitor.spreads - seen]
        seen |= visitor.spreads
    return frozenset(needs)


@lru_cache(maxsize=4096)  # operations that are kept, by the few sets of scopes that clients hold
def missing_scope(needs: Needs, held: frozenset[str]) -> str | None:
    """Return the scopes, separated by spaces, that the token lacks; None when it lacks none."""
    lacking: set[str] = set()
    for alternatives in needs:
        if not any(every <= held for every in alternatives):
            # Of several ways, the one with the fewest scopes is the one to ask for.
            lacking |= min(alternatives, key=lambda every: (len(every), sorted(every)))
    return " ".join(sorted(lacking)) or None
