"""A record is read without what nobody asked for; who asks for one thing gets what those get who ask for all."""

from typing import Any

import pytest
from graphql import GraphQLObjectType, get_named_type, is_leaf_type

from schema.contract import schema
from tests.desk import CountingDesk as Desk

pytestmark = pytest.mark.anyio

WANG = {"residentId": "369999199001010035", "name": "王芳"}
EVERYTHING_PAID = {"residentId": "369999199508170054", "name": "李静"}
BILL = schema._schema.type_map["AssessedBill"]
assert isinstance(BILL, GraphQLObjectType)
PLAIN = sorted(name for name, field in BILL.fields.items() if is_leaf_type(get_named_type(field.type)))


def bills(selection: str, arguments: str = "") -> str:
    arguments = f"({arguments})" if arguments else ""
    return f"""query ($residentId: ResidentId!, $name: String!) {{
      payer(residentId: $residentId, name: $name) {{ assessedBills{arguments} {{ {selection} }} }}
    }}"""


async def nodes(desk: Desk, fields: str, arguments: str) -> list[dict[str, Any]]:
    payer = await desk.run(bills(f"edges {{ node {{ {fields} }} }}", arguments), **WANG)
    return [edge["node"] for edge in payer["assessedBills"]["edges"]]


async def test_each_plain_value_of_a_bill_is_the_same_alone_and_among_all(desk: Desk) -> None:
    for arguments in ("status: PAYABLE", "status: null", "first: 100", "status: null, first: 100"):
        whole = await nodes(desk, " ".join(PLAIN), arguments)
        assert len(whole) == 2
        for name in PLAIN:
            assert await nodes(desk, name, arguments) == [{name: bill[name]} for bill in whole]
        assert await nodes(desk, "id lines { month }", arguments) == [{"id": bill["id"], "lines": []} for bill in whole]


async def test_cursors_are_the_same_beside_any_node_and_without_one(desk: Desk) -> None:
    every = "edges { cursor node { id } } pageInfo { startCursor endCursor hasNextPage }"
    page = (await desk.run(bills(every), **WANG))["assessedBills"]
    cursors = [edge["cursor"] for edge in page["edges"]]
    assert cursors == [edge["node"]["id"] for edge in page["edges"]]
    assert page["pageInfo"] == {"startCursor": cursors[0], "endCursor": cursors[-1], "hasNextPage": False}
    for selection in ("edges { cursor }", "edges { cursor node { status } }", "edges { node { status } cursor }"):
        found = (await desk.run(bills(selection), **WANG))["assessedBills"]
        assert [edge["cursor"] for edge in found["edges"]] == cursors
    for name in ("startCursor", "endCursor"):
        for selection in (f"pageInfo {{ {name} }}", f"edges {{ node {{ status }} }} pageInfo {{ {name} }}"):
            found = (await desk.run(bills(selection), **WANG))["assessedBills"]
            assert found["pageInfo"] == {name: page["pageInfo"][name]}


async def test_a_long_list_is_as_short_ones_are(desk: Desk) -> None:
    selection = "edges { cursor node { billNumber payBy amount firstMonth } } pageInfo { hasNextPage hasPreviousPage }"
    short = (await desk.run(bills(selection, "first: 20"), **WANG))["assessedBills"]
    assert (await desk.run(bills(selection, "first: 21"), **WANG))["assessedBills"] == short
    assert await desk.run(bills(selection, "first: 100"), **EVERYTHING_PAID) == {
        "assessedBills": {"edges": [], "pageInfo": {"hasNextPage": False, "hasPreviousPage": False}}
    }
    first, last = short["edges"]
    rest = (await desk.run(bills(selection, f'first: 21, after: "{first["cursor"]}"'), **WANG))["assessedBills"]
    assert rest == {"edges": [last], "pageInfo": {"hasNextPage": False, "hasPreviousPage": True}}


async def test_a_long_list_is_read_below_a_node_as_well(desk: Desk) -> None:
    payer = "query ($residentId: ResidentId!, $name: String!) { payer(residentId: $residentId, name: $name) { id } }"
    found = await desk.run(payer, **WANG)
    selection = "assessedBills(first: 100) { edges { node { id amount assessedAt } } }"
    node = await desk.run(f"query ($id: ID!) {{ node(id: $id) {{ ... on Payer {{ {selection} }} }} }}", id=found["id"])
    assert [edge["node"] for edge in node["assessedBills"]["edges"]] == await nodes(desk, "id amount assessedAt", "")


async def test_ids_and_times_of_bills_are_read_where_they_are_asked_for_alone(desk: Desk) -> None:
    await desk.run(bills("edges { node { status } }"), **WANG)
    for fields, read in (("status", False), ("id assessedAt", True)):
        await desk.run(bills(f"edges {{ node {{ {fields} }} }}"), **WANG)
        (statement,) = desk.statements
        row = statement[statement.index("ROW(") : statement.index("FROM bills")]
        assert ("assessed_at" in row, "b1.id" in row) == (read, read)
