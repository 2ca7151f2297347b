"""Any object by its id, as far as the caller's institution may see it."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from contributions.problems import BadInput
from resolvers.asking import NOTHING, Asked
from resolvers.bills import INSURANCE_OF_AGENCY
from resolvers.call import Call
from resolvers.pages import MAX_PAGE_SIZE
from resolvers.reading import Reading, Row, Statement, composed, institution_id, shape
from resolvers.refunds import Sight, sight_of, visible_refund


def _anyone(_reading: Reading, _sight: Sight) -> str:
    # A payer's id is the institution's own: whoever holds it has named the person.
    return "TRUE"


def _own(reading: Reading, _sight: Sight) -> str:
    return f"n.institution_id = {reading.of_call(institution_id, 'integer')}"


def _named_or_assessed(reading: Reading, _sight: Sight) -> str:
    assessed = reading.of_call(lambda call: INSURANCE_OF_AGENCY.get(call.caller.institution_kind), "text")
    return f"""(
        EXISTS (
            SELECT 1 FROM named_payers AS x
            WHERE x.payer_id = n.payer_id AND x.institution_id = {reading.of_call(institution_id, "integer")}
        )
        OR n.insurance = {assessed}
    )"""


#: By kind: the table, and the condition under which a row is the institution's to see. An id is proof that
#: the row was shown to the institution; the condition is the lock behind it.
_TABLES: dict[str, tuple[str, Callable[[Reading, Sight], str]]] = {
    "Payer": ("payers", _anyone),
    "Quote": ("quotes", _own),
    "AssessedBill": ("bills", _named_or_assessed),
    "Payment": ("payments", _own),
    "Receipt": ("payments", _own),
    "Refund": ("refunds", lambda reading, sight: visible_refund(reading, "n", sight)),
}


async def nodes(
    call: Call, ids: Sequence[str], readable: frozenset[str], asked: Mapping[str, Asked]
) -> list[Any | None]:
    """Return the objects in the order of their ids, None for any that the caller may not see.

    `readable` names the kinds that the caller's scopes reach. One statement for each kind among the ids.
    """
    if len(ids) > MAX_PAGE_SIZE:
        raise BadInput("ids", f"must be at most {MAX_PAGE_SIZE} ids")
    places: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place, opaque_id in enumerate(ids):
        found = call.row_of(opaque_id)
        if found is not None and found[0] in readable:
            places[found[0]][found[1]].append(place)
    answers: list[Any | None] = [None] * len(ids)
    read = await asyncio.gather(
        *(_read(call, kind, list(row_ids), asked.get(kind, NOTHING)) for kind, row_ids in places.items())
    )
    for kind, records in zip(places, read, strict=True):
        for row_id, record in records.items():
            for place in places[kind][row_id]:
                answers[place] = record
    return answers


async def _read(call: Call, kind: str, row_ids: list[int], asked: Asked) -> dict[int, Any]:
    statement = _rows(asked, kind, sight_of(call))
    return dict([statement.read(row, call) for row in await statement.fetch(call, row_ids)])


@composed
def _rows(asked: Asked, kind: str, sight: Sight) -> Statement[tuple[int, Any]]:
    table, condition = _TABLES[kind]
    reading = Reading()
    found = shape(kind, reading, "n", asked)
    sql = f"""
        SELECT {found.row}, n.id FROM {table} AS n
        WHERE n.id = ANY({reading.given("bigint[]")}) AND {condition(reading, sight)}
    """

    def read(row: Row, call: Call) -> tuple[int, Any]:
        return row[1], found.read(row[0], call)

    return reading.statement(sql, read)
