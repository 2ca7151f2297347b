"""The reference holds every word of the schema, and a search finds what has it."""

import datetime

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
)

from gateway.developer import assets, reference
from gateway.developer.reference import Entry, entries, entries_of, sdl, search
from gateway.developer.routes import Developer
from gateway.developer.texts import TEXTS
from gateway.pages import render

EXAMPLE = '''
"""What a client may ask."""
type Query {
  """Of a person."""
  months(
    """At the most."""
    first: Int = 12
    old: [Month!] @deprecated
  ): [Month!]!
  total: Int @deprecated(reason: "Add them up.")
}
enum Month { JANUARY MAY }
union Answer = Query
scalar Yuan @specifiedBy(url: "urn:yuan")
directive @cost(weight: String!) on FIELD_DEFINITION | ENUM
'''


def of(name: str, text: str = EXAMPLE) -> Entry:
    return next(entry for entry in entries_of(text) if entry.name == name)


def test_a_field_is_told_with_its_type_arguments_defaults_and_deprecation() -> None:
    months, total = of("Query").members
    assert months.type is not None
    assert (months.type.before, months.type.name, months.type.after) == ("[", "Month", "!]!")
    assert months.description == "Of a person."
    first, old = months.arguments
    assert (first.default, first.description, first.deprecated) == ("12", "At the most.", None)
    assert old.deprecated == "No longer supported"
    assert total.deprecated == "Add them up."


def test_the_other_kinds_are_told_as_well() -> None:
    assert [member.name for member in of("Month").members] == ["JANUARY", "MAY"]
    assert of("Answer").related == ("Query",)
    assert of("Yuan").directives == ('@specifiedBy(url: "urn:yuan")',)
    assert of("@cost").locations == ("FIELD_DEFINITION", "ENUM")


def test_every_type_field_argument_and_value_of_the_schema_is_there_with_its_description() -> None:
    told = {entry.name: entry for entry in entries()}
    schema = build_schema(sdl())
    defined = {name: kind for name, kind in schema.type_map.items() if kind.ast_node}
    assert {name for name in told if not name.startswith("@")} == defined.keys()
    for name, kind in defined.items():
        assert told[name].description == (kind.description or "")
        members = {member.name: member for member in told[name].members}
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            assert members.keys() == kind.fields.keys()
            for field_name, field in kind.fields.items():
                assert members[field_name].description == (field.description or "")
                arguments = getattr(field, "args", {})
                assert [one.name for one in members[field_name].arguments] == list(arguments)
        elif isinstance(kind, GraphQLEnumType):
            assert members.keys() == kind.values.keys()
        else:
            assert not members


def test_the_page_shows_a_deprecation_and_every_anchor() -> None:
    assert "Add them up." in _page(entries_of(EXAMPLE))
    page = _page(entries())
    for entry in entries():
        assert f'id="{entry.name}"' in page
        assert all(f'id="{member.anchor}"' in page for member in entry.members)


def _page(told: tuple[Entry, ...]) -> str:
    return render(
        "developer_reference.html",
        "en",
        t=TEXTS["en"],
        told=Developer("http://127.0.0.1", sandbox=True, introspectable=True, today=datetime.date.today),
        current="reference",
        asset=assets.path_of,
        chosen="",
        other_url="",
        entries=told,
        names=frozenset(),
        kinds=reference.KINDS,
        query="",
        throttled=False,
    ).decode()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("JANUARY", "Month"),
        ("january month", "Month"),
        ("add up", "Query"),
        ("  at MOST ", "Query"),
        ("urn:yuan", "Yuan"),
    ],
)
def test_a_search_finds_names_descriptions_arguments_and_values(
    words: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.developer.reference.entries", lambda: entries_of(EXAMPLE))
    assert found in [entry.name for entry in search(words)]


def test_a_search_leaves_out_what_has_not_all_the_words() -> None:
    assert search("January total nothing") == []
    (only,) = [entry for entry in search("maskedName") if entry.name == "Payer"]
    assert [member.name for member in only.members] == ["maskedName"]
    assert list(search("  ")) == list(entries())
