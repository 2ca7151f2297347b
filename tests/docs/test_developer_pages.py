"""The developer's pages say of a code what docs/problems.md says, and their examples are the pages' documents."""

import re

from gateway.developer import codes
from gateway.developer.examples import examples
from tests.docs.pages import code, fenced, pages, rows


def plain(cell: str) -> str:
    """A cell as text: the names of links, no backticks, and nothing that stands further down its own page."""
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", cell).replace("`", "").replace(" below", "")


def test_every_problem_is_told_with_its_next_action() -> None:
    described = {code(row[0]): code(row[1]) for row in rows("docs/problems.md", "code")}
    assert {one.code: one.next_action for one in codes.problem_codes("en")} == described


def test_what_a_next_action_asks_for_is_what_the_page_says() -> None:
    assert dict(codes.next_actions("en")) == {code(row[0]): row[1] for row in rows("docs/problems.md", "nextAction")}


def test_every_error_is_told_as_in_the_page() -> None:
    described = {code(row[0]): plain(row[1]) for row in rows("docs/problems.md", "extensions.code")}
    assert {one.code: one.when for one in codes.error_codes("en")} == described


def test_every_document_of_the_pages_is_an_example() -> None:
    shown = {document for page in pages() for document in fenced(page, "graphql")}
    assert {example.query for example in examples()} == shown
