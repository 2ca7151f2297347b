"""Operations made of the schema alone, some of their values the sandbox's own, so that they find something."""

import hashlib
from collections.abc import Mapping
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    NameNode,
    ObjectFieldNode,
    StringValueNode,
    Visitor,
    print_ast,
    visit,
)
from hypothesis import strategies as st
from hypothesis_graphql import Mode, from_schema

from schema.contract import printed, schema
from tests.acceptance.bad_values import AMOUNTS, DATES, MOMENTS, MONTHS, RESIDENT_IDS
from tests.acceptance.people import SANDBOX

GOOD: Mapping[str, list[str]] = {
    "ResidentId": [person.resident_id for person in SANDBOX],
    "YearMonth": ["2020-04", "2020-11", "2020-12", "2018-03", "2019-07", "1900-01", "2999-12"],
    "Yuan": ["605", "605.00", "0.01", "999999999999.99"],
    "Date": ["2020-11-16", "2020-11-15", "2021-01-01", "0001-01-01", "9999-12-31"],
    "DateTime": ["2020-11-16T09:30:00+08:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"],
}
BAD: Mapping[str, list[Any]] = {
    "ResidentId": RESIDENT_IDS,
    "YearMonth": MONTHS,
    "Yuan": AMOUNTS,
    "Date": DATES,
    "DateTime": MOMENTS,
}


def _scalar(name: str) -> st.SearchStrategy[StringValueNode]:
    bad = [value for value in BAD[name] if isinstance(value, str) and len(value) < 100]
    values = st.one_of(
        st.sampled_from(GOOD[name]), st.sampled_from(GOOD[name]), st.sampled_from(bad), st.text(max_size=20)
    )
    return values.map(lambda value: StringValueNode(value=value))


class _Known(Visitor):
    """Puts what the sandbox knows where anything would be unknown: by chance, but the same each time."""

    def __init__(self, chance: int, ids: list[str]) -> None:
        super().__init__()
        self._person = SANDBOX[chance % len(SANDBOX)]
        self._chance = chance
        self._ids = ids

    def enter_field(self, node: FieldNode, *_args: object) -> FieldNode | None:
        if node.name.value != "payer" or self._chance % 3 == 0:
            return None
        person = {"residentId": self._person.resident_id, "name": self._person.name}
        arguments = tuple(
            ArgumentNode(name=NameNode(value=name), value=StringValueNode(value=value))
            for name, value in person.items()
        )
        return FieldNode(
            alias=node.alias,
            name=node.name,
            arguments=arguments,
            directives=node.directives,
            selection_set=node.selection_set,
        )

    def enter_object_field(self, node: ObjectFieldNode, *_args: object) -> ObjectFieldNode | None:
        if node.name.value in ("payerId", "payableId") and self._chance % 3 and self._ids:
            value = StringValueNode(value=self._ids[self._chance % len(self._ids)])
            return ObjectFieldNode(name=node.name, value=value)
        return None


def _printer(ids: list[str]) -> Any:
    def printed_with_known(document: DocumentNode) -> str:
        chance = int.from_bytes(hashlib.sha256(print_ast(document).encode("utf-8", "replace")).digest()[:4])
        return print_ast(visit(document, _Known(chance, ids)))

    return printed_with_known


def operations(ids: list[str]) -> st.SearchStrategy[str]:
    """Draw an operation of one root field: two of three as the schema has it, the third with one mistake."""
    core = schema._schema
    assert core.query_type is not None
    assert core.mutation_type is not None
    scalars = {name: _scalar(name) for name in GOOD}
    sdl = printed()
    fields = [*core.query_type.fields, *core.mutation_type.fields]
    printer = _printer(ids)
    fitting = [from_schema(sdl, fields=[field], custom_scalars=scalars, print_ast=printer) for field in fields]
    mistaken = from_schema(sdl, custom_scalars=scalars, print_ast=printer, mode=Mode.NEGATIVE)
    return st.one_of(*fitting, *fitting, *[mistaken] * len(fields))
