"""Documents: parsed, validated, limited and searched for scopes once, and kept by their hash."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    ValuesOfCorrectTypeRule,
    parse,
    specified_rules,
    validate,
)
from graphql.validation import MaxIntrospectionDepthRule

from gateway.execution.compiled import Plans
from gateway.execution.cost import OperationCost, cost_of
from gateway.execution.limits import MAX_ERRORS, MAX_TOKENS, TooLarge, check_document, check_size
from gateway.execution.scopes import Needs, NeedsOfField, needs_of
from gateway.execution.values import ArgumentValuesRule

#: Fifteen banks with some forty documents each. Beyond it the least used are parsed anew.
MAX_DOCUMENTS = 600
#: A longer document is run and not kept: no bank's own is, and the store stays small.
MAX_KEPT_LENGTH = 16_384
#: Characters of all that are kept. One takes 60 to 90 bytes of memory, and six hundred of the longest documents would
#: take half a gigabyte of a worker's; six hundred of those that `docs/` shows have 0.3 million.
MAX_KEPT_CHARACTERS = 1_500_000

#: Made once: what is made anew for each request can't be cached.
RULES = [
    *(ArgumentValuesRule if rule is ValuesOfCorrectTypeRule else rule for rule in specified_rules),
    MaxIntrospectionDepthRule,
]


class InvalidDocument(Exception):
    """A document that can't be run, with the reasons."""

    def __init__(self, errors: list[GraphQLError], code: str) -> None:
        super().__init__(code)
        self.errors = errors
        self.code = code


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a document, ready to run."""

    document: DocumentNode
    name: str | None
    kind: OperationType
    #: The fields at its root, skipped or not.
    root_fields: frozenset[str]
    needs: Needs
    cost: OperationCost
    plans: Plans = field(default_factory=Plans, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Document:
    """A valid document: its operations by name."""

    operations: Mapping[str | None, Operation]
    length: int

    def operation(self, name: str | None) -> Operation:
        """Return the named operation, or the only one. Raises InvalidDocument."""
        if name is None:
            if len(self.operations) == 1:
                return next(iter(self.operations.values()))
            message = "operationName: must say which of the document's operations to run."
        elif name in self.operations:
            return self.operations[name]
        else:
            message = "operationName: the document has no such operation."
        raise InvalidDocument([GraphQLError(message)], "OPERATION_RESOLUTION_FAILURE")


class DocumentStore:
    """The documents that one process has seen, the most recently used first to stay."""

    def __init__(
        self,
        schema: GraphQLSchema,
        needs_of_field: NeedsOfField,
        *,
        hide_suggestions: bool,
        introspectable: bool,
    ) -> None:
        self._schema = schema
        self._needs_of_field = needs_of_field
        self._hide_suggestions = hide_suggestions
        self._rules = RULES if introspectable else [*RULES, NoSchemaIntrospectionCustomRule]
        #: By their text, which the parsed document holds as well.
        self._documents: OrderedDict[str, Document] = OrderedDict()
        self._characters = 0

    def load(self, text: str) -> Document:
        """Return a document ready to run. Raises InvalidDocument."""
        document = self._documents.get(text)
        if document is not None:
            self._documents.move_to_end(text)
            return document
        document = self._prepare(text)
        if len(text) <= MAX_KEPT_LENGTH:
            self._documents[text] = document
            self._characters += document.length
            while len(self._documents) > MAX_DOCUMENTS or self._characters > MAX_KEPT_CHARACTERS:
                _, oldest = self._documents.popitem(last=False)
                self._characters -= oldest.length
        return document

    def _prepare(self, text: str) -> Document:
        try:
            parsed = parse(text, max_tokens=MAX_TOKENS)
        except GraphQLError as error:
            raise InvalidDocument([error], "GRAPHQL_PARSE_FAILED") from error
        fragments = {node.name.value: node for node in parsed.definitions if isinstance(node, FragmentDefinitionNode)}
        # Before it is validated: some rules take time by the square of what repeats.
        try:
            check_document(parsed)
            for node in parsed.definitions:
                if isinstance(node, OperationDefinitionNode):
                    check_size(node, fragments)
        except TooLarge as error:
            raise InvalidDocument([error], "OPERATION_TOO_LARGE") from error
        errors = validate(
            self._schema, parsed, self._rules, max_errors=MAX_ERRORS, hide_suggestions=self._hide_suggestions
        )
        if errors:
            raise InvalidDocument(errors, "GRAPHQL_VALIDATION_FAILED")
        operations: dict[str | None, Operation] = {}
        for node in parsed.definitions:
            if isinstance(node, OperationDefinitionNode):
                name = node.name.value if node.name is not None else None
                needs = needs_of(self._schema, node, fragments, self._needs_of_field)
                cost = cost_of(self._schema, node, fragments)
                roots = frozenset(_root_fields(node.selection_set, fragments, set()))
                operations[name] = Operation(parsed, name, node.operation, roots, needs, cost)
        return Document(operations, len(text))


def _root_fields(
    selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], spread: set[str]
) -> Iterator[str]:
    for node in selections.selections:
        if isinstance(node, FieldNode):
            yield node.name.value
        elif isinstance(node, InlineFragmentNode):
            yield from _root_fields(node.selection_set, fragments, spread)
        else:
            assert isinstance(node, FragmentSpreadNode)
            # Each is needed once: fragments that spread one another twice and twice again are many.
            if node.name.value not in spread:
                spread.add(node.name.value)
                yield from _root_fields(fragments[node.name.value].selection_set, fragments, spread)
