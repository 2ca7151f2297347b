"""Finding a person, and what hangs on one."""

from collections.abc import Callable

from contributions import names
from contributions.problems import BadInput
from resolvers import bills, lookups, periods, receipts
from resolvers.asking import Ask, Asked
from resolvers.call import Call
from resolvers.identified import identified
from resolvers.reading import (
    Column,
    Reading,
    Shape,
    Statement,
    client_id,
    composed,
    institution_id,
    shape_of,
)
from resolvers.records import Enrolment, Payer, PoolingArea


@shape_of("Payer")
def payer_shape(reading: Reading, at: str, asked: Asked) -> Shape[Payer]:
    """Read a payer from the row of `payers` at this alias."""
    payer_id = f"{at}.id"
    answers = [_ANSWERS[ask.name](reading, payer_id, ask) for ask in asked if ask.name in _ANSWERS]
    return identified(Payer, (payer_id, f"{at}.masked_name", f"{at}.masked_resident_id"), answers)


def _enrolments(_reading: Reading, payer_id: str, ask: Ask) -> Column:
    sql = f"""ARRAY(
        SELECT ROW(e.insurance, a.code, a.name, lower(e.months), upper(e.months) - 1)
        FROM enrolments AS e
        INNER JOIN pooling_areas AS a ON e.pooling_area = a.code
        WHERE e.payer_id = {payer_id}
        ORDER BY e.insurance DESC, lower(e.months)
    )"""
    return Column(
        ask.key,
        sql,
        lambda rows, _call: tuple(Enrolment(r[0], PoolingArea(r[1], r[2]), r[3], r[4]) for r in rows),
    )


_ANSWERS: dict[str, Callable[[Reading, str, Ask], Column]] = {
    "enrolments": _enrolments,
    "payable_periods": periods.answer,
    "assessed_bills": bills.bills_of_payer,
    "receipts": receipts.receipts_of_payer,
}


async def payer(call: Call, resident_id: str, name: str, asked: Asked) -> Payer | None:
    """Return the person of this identity number and name, None when either is not right or there is a lock.

    The three take the same statements and the same work: PostgreSQL looks for the name's index, which is made of
    number and name together, and then counts the failure. The institution that finds the person has named it: it may
    see the person's bills. Raises BadInput for a name that can't be one.
    """
    try:
        name = names.normalise(name)
    except ValueError as error:
        raise BadInput("name", str(error).removeprefix("name: ")) from error
    caller_id = call.caller.client_id
    number_index = call.vault.resident_id_index(resident_id)
    name_index = call.vault.name_index(resident_id, name)
    if not call.lookups.begun(caller_id, number_index, name_index):
        await call.lookups.begin(caller_id, number_index, name_index)
    try:
        found = await _find(call, number_index, name_index, asked)
        delay = 0.0 if found is not None else await call.lookups.failed(call.pool, caller_id, number_index)
    finally:
        call.lookups.end(caller_id, number_index)
    if delay > 0:
        await call.lookups.hold_back(delay)
    return found


async def _find(call: Call, number_index: bytes, name_index: bytes, asked: Asked) -> Payer | None:
    statement = _named_payer(asked)
    row = await statement.row(call, number_index, name_index)
    if row is None:
        return None
    payer_id, named, failed_before, payer = statement.read(row, call)
    if failed_before:
        await lookups.forget(call.pool, call.caller.client_id, number_index)
    if not named:
        # Only the first time that an institution names a person: later on the read is one statement.
        await call.pool.execute(
            """
            INSERT INTO named_payers (institution_id, payer_id) VALUES ($1, $2)
            ON CONFLICT (payer_id, institution_id) DO NOTHING
            """,
            call.caller.institution_id,
            payer_id,
        )
    return payer


@composed
def _named_payer(asked: Asked) -> Statement[tuple[int, bool, bool, Payer]]:
    """Read the payer of a number and a name: its row, whether it is named already, whether it was failed before."""
    reading = Reading()
    found = payer_shape(reading, "p", asked)
    client = reading.of_call(client_id, "text")
    number = reading.given("bytea")
    sql = f"""
        SELECT
            {", ".join(found.columns)},
            EXISTS (
                SELECT 1 FROM named_payers AS n
                WHERE n.payer_id = p.id AND n.institution_id = {reading.of_call(institution_id, "integer")}
            ),
            EXISTS (
                SELECT 1 FROM lookup_failures AS f
                WHERE f.client_id = {client} AND f.resident_id_index = {number}
            )
        FROM payers AS p
        WHERE
            p.name_index = {reading.given("bytea")}
            AND NOT EXISTS (
                SELECT 1 FROM lookup_failures AS f
                WHERE
                    f.client_id = {client} AND f.resident_id_index IN ({number}, ''::bytea)
                    AND f.locked_until > now()
            )
    """
    width = len(found.columns)
    read_payer = found.read
    return reading.statement(
        sql, lambda row, call: (row[0], row[width], row[width + 1], read_payer(row, call)), together=True
    )
