"""Which variables decide, by @skip and @include, what an operation selects."""

from collections.abc import Iterator, Mapping

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLIncludeDirective,
    GraphQLSkipDirective,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
)

_CONDITIONS = (GraphQLSkipDirective.name, GraphQLIncludeDirective.name)


def condition_variables(
    operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> tuple[str, ...]:
    """Return the variables' names, sorted, of the operation and all fragments that it spreads."""
    return tuple(sorted(set(_of(operation.selection_set, fragments, set()))))


def _of(
    selections: SelectionSetNode | None, fragments: Mapping[str, FragmentDefinitionNode], seen: set[str]
) -> Iterator[str]:
    for selection in selections.selections if selections is not None else ():
        for directive in selection.directives or ():
            if directive.name.value in _CONDITIONS:
                for argument in directive.arguments or ():
                    if isinstance(argument.value, VariableNode):
                        yield argument.value.name.value
        if isinstance(selection, FragmentSpreadNode):
            # A fragment is looked through once, however often it is spread.
            if selection.name.value not in seen:
                seen.add(selection.name.value)
                yield from _of(fragments[selection.name.value].selection_set, fragments, seen)
        elif isinstance(selection, FieldNode | InlineFragmentNode):
            yield from _of(selection.selection_set, fragments, seen)
