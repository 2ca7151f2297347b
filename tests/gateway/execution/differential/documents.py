"""Operations over the whole schema: hypothesis-graphql's, rewritten with what it does not write itself.

Literals become variables (given, null, wrong, left out, with a default), selections become fragments and inline
fragments, fields are selected twice and under other names, and any of them may stand under @skip or @include.
"""

from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import hypothesis_graphql
from graphql import (
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    NamedTypeNode,
    NameNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    is_non_null_type,
    parse,
    parse_type,
    print_ast,
    validate,
    value_from_ast_untyped,
    visit,
)
from graphql.language import ArgumentNode
from hypothesis import strategies as st

from gateway.execution.documents import RULES

_TEXTS = {
    "YearMonth": ["2020-04", "1999-12"],
    "Yuan": ["605", "605.00", "0.01"],
    "ResidentId": ["369999198503120010", "36999919660630004X"],
    "Date": ["2020-11-16", "2020-02-29"],
    "DateTime": ["2020-11-16T09:30:00+08:00", "2020-11-16T01:30:00.5Z"],
}
#: Of a hundred cases, those whose variables are all as they should be: the others seldom come to run.
_POLITE = 80
#: What no type of the schema but a few takes.
_WRONG: list[Any] = [None, 7, 2**40, 1.5, True, "", "x", [], [None], {}, {"nothing": 1}, "PENSION"]


@dataclass(frozen=True)
class Case:
    """An operation with its variables, and the seed of the records that it meets."""

    text: str
    variables: dict[str, Any]
    world: int


@dataclass
class _Rewriting(Visitor):
    type_info: TypeInfo
    random: Random
    variables: dict[str, Any] = field(default_factory=dict)
    definitions: list[VariableDefinitionNode] = field(default_factory=list)
    fragments: list[FragmentDefinitionNode] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.polite = self.random.randrange(100) < _POLITE

    def leave_argument(self, node: ArgumentNode, *_args: object) -> ArgumentNode | None:
        expected = self.type_info.get_input_type()
        if expected is None or self.random.random() < 0.4:
            return None
        given = value_from_ast_untyped(node.value)
        name = f"v{len(self.definitions)}"
        with_default = self.random.random() < 0.3
        declared = str(expected)
        if with_default and is_non_null_type(expected) and self.random.random() < 0.5:
            declared = str(expected.of_type)
        chance = self.random.random()
        if chance < 0.7 or (self.polite and not with_default):
            self.variables[name] = given
        elif chance < 0.85 and not self.polite:
            self.variables[name] = self.random.choice(_WRONG)
        self._define(name, declared, node.value if with_default else None)
        return ArgumentNode(name=node.name, value=VariableNode(name=NameNode(value=name)))

    def leave_field(self, node: FieldNode, *_args: object) -> FieldNode:
        alias = NameNode(value=f"a{self.random.randrange(3)}") if self.random.random() < 0.05 else node.alias
        return replace(node, directives=self._conditions(), alias=alias)

    def leave_inline_fragment(self, node: InlineFragmentNode, *_args: object) -> Any:
        if node.type_condition is not None and self.random.random() < 0.3:
            return self._fragment(node.type_condition.name.value, list(node.selection_set.selections))
        return replace(node, directives=self._conditions())

    def leave_selection_set(self, node: SelectionSetNode, *_args: object) -> SelectionSetNode:
        kind = self.type_info.get_parent_type()
        selections = list(node.selections)
        if kind is not None and self.random.random() < 0.3:
            place = self.random.randrange(len(selections) + 1)
            selections.insert(place, FieldNode(name=NameNode(value="__typename"), directives=self._conditions()))
        if kind is not None and self.random.random() < 0.25:
            some = [selection for selection in selections if self.random.random() < 0.5]
            if some and self.random.random() < 0.5:
                selections.append(self._fragment(kind.name, some))
            elif some:
                inside = SelectionSetNode(selections=tuple(some))
                condition = NamedTypeNode(name=NameNode(value=kind.name)) if self.random.random() < 0.5 else None
                selections.insert(
                    self.random.randrange(len(selections) + 1),
                    InlineFragmentNode(type_condition=condition, directives=self._conditions(), selection_set=inside),
                )
        return SelectionSetNode(selections=tuple(selections))

    def _fragment(self, kind: str, selections: list[Any]) -> FragmentSpreadNode:
        name = NameNode(value=f"F{len(self.fragments)}")
        self.fragments.append(
            FragmentDefinitionNode(
                name=name,
                type_condition=NamedTypeNode(name=NameNode(value=kind)),
                selection_set=SelectionSetNode(selections=tuple(selections)),
                directives=(),
            )
        )
        return FragmentSpreadNode(name=name, directives=self._conditions())

    def _conditions(self) -> tuple[DirectiveNode, ...]:
        if self.random.random() > 0.08:
            return ()
        value: Any = BooleanValueNode(value=self.random.random() < 0.5)
        if self.random.random() < 0.7:
            name = f"c{self.random.randrange(3)}"
            if all(each.variable.name.value != name for each in self.definitions):
                default = BooleanValueNode(value=True) if self.random.random() < 0.3 else None
                self._define(name, "Boolean" if default is not None else "Boolean!", default)
                if default is None or self.random.random() < 0.5:
                    self.variables[name] = self.random.choice([True, False] if self.polite else [True, False, None])
            value = VariableNode(name=NameNode(value=name))
        directive = NameNode(value=self.random.choice(["skip", "include"]))
        return (DirectiveNode(name=directive, arguments=(ArgumentNode(name=NameNode(value="if"), value=value),)),)

    def _define(self, name: str, declared: str, default: Any) -> None:
        self.definitions.append(
            VariableDefinitionNode(
                variable=VariableNode(name=NameNode(value=name)),
                type=parse_type(declared),
                default_value=default,
                directives=(),
            )
        )


def rewritten(schema: GraphQLSchema, document: DocumentNode, seed: int) -> tuple[str, dict[str, Any]]:
    """Return an operation's text with its variables."""
    type_info = TypeInfo(schema)
    rewriting = _Rewriting(type_info, Random(seed))
    document = visit(document, TypeInfoVisitor(type_info, rewriting))
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    operation = replace(operation, variable_definitions=tuple(rewriting.definitions))
    return print_ast(DocumentNode(definitions=(operation, *rewriting.fragments))), rewriting.variables


def cases(schema: GraphQLSchema) -> st.SearchStrategy[Case]:
    """Return valid operations over the whole schema."""
    scalars = {
        name: st.sampled_from(texts).map(lambda text: StringValueNode(value=text, block=False))
        for name, texts in _TEXTS.items()
    }
    common: Any = {"custom_scalars": scalars, "print_ast": lambda node: node, "allow_x00": False}
    documents = st.one_of(hypothesis_graphql.queries(schema, **common), hypothesis_graphql.mutations(schema, **common))

    def case(document: Any, seed: int, world: int) -> Case | None:
        for attempt in range(4):
            text, variables = rewritten(schema, document, seed + attempt)
            if not validate(schema, parse(text), RULES, max_errors=1):
                return Case(text, variables, world)
        text = print_ast(document)
        return Case(text, {}, world) if not validate(schema, parse(text), RULES, max_errors=1) else None

    seeds = st.integers(0, 2**32)
    return st.builds(case, documents, seeds, seeds).filter(lambda case: case is not None)
