"""What the pages say: the same keys in both languages, each of them used, and the documents fit the schema."""

import re
import string
from importlib.resources import files

import pytest
from graphql import OperationDefinitionNode, parse, validate

from gateway.channels.documents import document
from gateway.channels.people import people
from gateway.channels.texts import Texts, catalogue
from gateway.channels.ways import CHANNELS
from schema.contract import schema

PACKAGE = files("gateway.channels")
TEMPLATES = {
    path.name: path.read_text(encoding="utf-8")
    for path in PACKAGE.joinpath("templates").iterdir()
    if path.name.endswith(".html")
}
DOCUMENTS = sorted(path.name.removesuffix(".graphql") for path in PACKAGE.joinpath("documents").iterdir())


def placeholders(text: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(text)} - {None}


def test_both_languages_have_the_same_keys_and_placeholders() -> None:
    chinese, english = catalogue("zh_CN"), catalogue("en")
    assert chinese.keys() == english.keys()
    for key, text in chinese.items():
        assert text
        assert placeholders(text) == placeholders(english[key]), key


def test_every_text_that_a_template_names_is_there_and_none_is_there_for_nothing() -> None:
    source = "\n".join(TEMPLATES.values())
    whole = set(re.findall(r"\bt\('([\w.]+)'[,)]", source))
    beginnings = set(re.findall(r"\bt(?:\.maybe)?\('([\w.]+\.)' ~", source))
    # Names of fields that are their labels' keys as well, and the word between two months.
    whole |= {"first_month", "last_month", "to"}
    keys = set(catalogue("en"))
    assert whole - keys == set()
    assert {begin for begin in beginnings if not any(key.startswith(begin) for key in keys)} == set()
    assert {key for key in keys - whole if not any(key.startswith(begin) for begin in beginnings)} == set()


def test_every_channel_module_and_person_has_its_words() -> None:
    keys = catalogue("zh_CN").keys()
    for channel in CHANNELS.values():
        assert {f"channel{of}.{channel.name}" for of in ("", ".short", ".about", ".title")} <= keys
        for module in channel.modules:
            assert {f"module.{module}", f"module.about.{module}"} <= keys
    assert {f"person.{person.resident_id[-4:]}" for person in people()} <= keys


def test_every_word_of_the_api_that_a_page_shows_has_its_own() -> None:
    enums = {
        "Insurance": "insurance",
        "PeriodMode": "mode",
        "BillOrigin": "origin",
        "PaymentStatus": "payment",
        "ReceiptStatus": "receipt",
        "SettlementStatus": "settlement",
        "DifferenceKind": "difference",
        "NextAction": "next",
        "Channel": "via",
    }
    keys = catalogue("en").keys()
    for name, prefix in enums.items():
        values = schema._schema.type_map[name].values  # type: ignore[attr-defined]
        assert {f"{prefix}.{value}" for value in values} <= keys


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_fits_the_schema_and_is_named_as_its_file(name: str) -> None:
    parsed = parse(document(name))
    assert validate(schema._schema, parsed) == []
    (operation,) = [node for node in parsed.definitions if isinstance(node, OperationDefinitionNode)]
    assert operation.name is not None
    assert operation.name.value.lower() == name.replace("_", "")


def test_no_document_is_the_guides_once_more() -> None:
    guides = {path.read_text(encoding="utf-8") for path in files("gateway.demo").joinpath("operations").iterdir()}
    assert [name for name in DOCUMENTS if document(name) in guides] == []


def test_every_document_is_used() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.iterdir() if path.name.endswith(".py"))
    assert {name for name in DOCUMENTS if f'"{name}"' not in code} == set()


def test_values_are_written_as_the_language_does() -> None:
    chinese, english = Texts("zh_CN"), Texts("en")
    assert chinese.yuan("12096.00") == "¥12,096.00"
    assert chinese.yuan(None) == "—"
    assert chinese.month("2020-04") == "2020年4月"
    assert english.month("2020-04") == "Apr 2020"
    assert chinese.run("2020-04", "2020-06").striptags() == "2020年4月至2020年6月"
    assert english.run("2020-04", "2020-06").striptags() == "Apr 2020 to Jun 2020"
    assert chinese.time("2020-11-16T09:30:00.123+08:00") == "2020-11-16 09:30:00"


def test_a_value_in_a_text_is_no_html() -> None:
    assert "<b>" not in Texts("en")("pay", amount="<b>")
