"""Errors about values that name where the value stood, and never what it was.

graphql-core repeats a value that it can't read. Here that may be an identity number or a name.
"""

import re
from typing import Any

from graphql import (
    ArgumentNode,
    DirectiveNode,
    FieldNode,
    GraphQLError,
    GraphQLInputType,
    ValueNode,
    ValuesOfCorrectTypeRule,
    VariableDefinitionNode,
)
from graphql.language import SKIP
from graphql.pyutils import print_path_list
from graphql.utilities import validate_input_literal

#: graphql-core's ways to repeat a value.
_REPEATED = (
    (re.compile(r",? (?:but encountered error .*?; )?found:? .*\Z", re.DOTALL), "."),
    (
        re.compile(r"( cannot represent [a-z0-9 -]*?)(?: value)?(?:: .*|\. Did you mean.*)\Z", re.DOTALL),
        r"\1 value.",
    ),
    (re.compile(r"Value '.*' does not exist in", re.DOTALL), "This value does not exist in"),
)
#: Whatever else might carry one: no message of ours has this many digits in a row.
_DIGITS = re.compile(r"[0-9]{11,}[0-9Xx]")


def without_values(message: str) -> str:
    """Return a message of graphql-core without the value that it repeats."""
    for pattern, replacement in _REPEATED:
        message = pattern.sub(replacement, message)
    return _DIGITS.sub("***", message)


class ArgumentValuesRule(ValuesOfCorrectTypeRule):
    """The rule that literals have the type of their argument, with the argument's name in the message."""

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self._argument = ""

    def enter_argument(self, node: ArgumentNode, *_args: object) -> None:
        """Remember whose value comes next."""
        self._argument = f"Argument '{node.name.value}'"

    def enter_variable_definition(self, node: VariableDefinitionNode, *_args: object) -> None:
        """Remember whose default comes next."""
        self._argument = f"The default of variable '${node.variable.name.value}'"

    def enter_directive(self, _node: DirectiveNode, *_args: object) -> None:
        """Forget the field's arguments."""
        self._argument = ""

    def enter_field(self, _node: FieldNode, *_args: object) -> None:
        """Forget the arguments of the field before."""
        self._argument = ""

    def is_valid_value_node(self, node: ValueNode, input_type: GraphQLInputType | None) -> Any:
        """Report a literal that its type can't read."""

        def on_error(error: GraphQLError, path: list[str | int]) -> None:
            message = f"{self._argument} has an invalid value{print_path_list(path)}: {error.message}"
            self.report_error(GraphQLError(message, error.nodes or node, original_error=error))

        if input_type:
            validate_input_literal(node, input_type, on_error, None, None, self.context.hide_suggestions)
        return SKIP
