"""The GraphQL documents that banks copy from the pages are those that the demo runs."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from graphql import OperationDefinitionNode, parse, validate

from schema.contract import schema
from tests.docs.pages import ROOT, fenced, pages

OPERATIONS = ROOT / "gateway" / "demo" / "operations"


def documents() -> dict[str, Path]:
    return {path.read_text(encoding="utf-8"): path for path in sorted(OPERATIONS.glob("*.graphql"))}


def shown() -> Counter[str]:
    return Counter(code for page in pages() for code in fenced(page, "graphql"))


def test_every_document_in_a_page_is_a_file_of_the_demo() -> None:
    strangers = [code.splitlines()[0] for code in shown() if code not in documents()]
    assert strangers == []


def test_every_document_of_the_demo_is_shown_once() -> None:
    counts = shown()
    wrong = {path.name: counts[document] for document, path in documents().items() if counts[document] != 1}
    assert wrong == {}


@pytest.mark.parametrize("document", documents(), ids=lambda document: documents()[document].stem)
def test_a_document_fits_the_schema_and_is_named_as_its_file(document: str) -> None:
    parsed = parse(document)
    assert validate(schema._schema, parsed) == []
    (operation,) = parsed.definitions
    assert isinstance(operation, OperationDefinitionNode)
    assert operation.name is not None
    assert operation.name.value.lower() == documents()[document].stem.replace("_", "")


def test_every_example_in_a_page_is_json_but_for_what_was_left_out() -> None:
    for page in pages():
        for block in fenced(page, "json"):
            # What was left out stood behind a comma.
            whole = re.sub(r",\s*…(?=\s*[\]}])", "", block)
            try:
                json.loads(whole)
            except ValueError as error:
                pytest.fail(f"{page.name}: {error}\n{whole}")
