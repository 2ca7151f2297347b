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

#: What a document's or an input object's own words look like, which may be told.
_NAME = r"[_A-Za-z][_0-9A-Za-z]{0,63}"

#: graphql-core's ways to repeat a value, each at the end of its message: what matches is left out.
_REPEATED = (
    (re.compile(rf"unknown field '(?!{_NAME}'[.,]).*\Z", re.DOTALL), "an unknown field."),
    (re.compile(rf"(unknown field '{_NAME}').*\Z", re.DOTALL), r"\1."),
    (re.compile(r",? (?:but encountered error .*?; )?found:? .*\Z", re.DOTALL), "."),
    (
        re.compile(r"( cannot represent [a-z0-9 -]*?)(?: value)?(?:: .*|\. Did you mean.*)\Z", re.DOTALL),
        r"\1 value.",
    ),
    (re.compile(r"Value '.*' does not exist in (?:'(\w+)' enum)?.*\Z", re.DOTALL), r"There is no such \1."),
)
#: Of a syntax error, what was expected or what kind of thing stood there. The rest is the document's text, and the
#: error's location says where to look.
_SYNTAX = re.compile(
    r"Syntax Error: (?:Expected (?:'[^\w'\"]{1,3}'|'[a-z]+'|\w+)"
    r"|Unexpected (?:'[^\w'\"]{1,3}'|<EOF>|[A-Za-z ]*[A-Za-z])"
    r"|Name '(?:true|false|null)' is reserved"
    r"|[A-Z][A-Za-z ]*(?:[0-9]{1,6} tokens|[A-Za-z]))",
    re.ASCII,
)
#: Whatever else might carry one: no message of ours has this many digits, or a character of a Chinese name.
_PERSONAL = re.compile(r"[0-9](?:[ -]?[0-9]){10,}(?:[ -]?[0-9Xx])?|[^\x00-\x7f]+")


def without_values(message: str) -> str:
    """Return a message of graphql-core without the value that it repeats."""
    if message.startswith("Syntax Error"):
        syntax = _SYNTAX.match(message)
        return f"{syntax[0]}." if syntax is not None else "Syntax Error."
    for pattern, replacement in _REPEATED:
        message = pattern.sub(replacement, message)
    return _PERSONAL.sub("***", message)


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
