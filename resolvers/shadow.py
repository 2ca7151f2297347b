"""How a statement that moves money reads what it has just written."""

from resolvers.call import Call
from resolvers.reading import Read, Reading, Record, Statement
from resolvers.retrying import retried
from resolvers.signatures import keeping


def shadow(table: str, key: str, written: str, *, alone: bool = False) -> str:
    """Return the CTE that stands for a table in which a function has written one row, under the table's own name.

    A statement can't see the rows that a function it calls has written. `written` is the column of the CTE `outcome`
    with the row as the function returned it (or NULL), `key` the table's primary key. `alone` is for a statement that
    asks for no other row of the table.
    """
    row = f"(o.{written})"
    if alone:
        return f"{table} AS NOT MATERIALIZED (SELECT {row}.* FROM outcome AS o WHERE {row}.{key} IS NOT NULL)"
    return f"""{table} AS NOT MATERIALIZED (
        SELECT s.* FROM public.{table} AS s
        WHERE s.{key} IS DISTINCT FROM (SELECT {row}.{key} FROM outcome AS o)
        UNION ALL
        SELECT {row}.* FROM outcome AS o WHERE {row}.{key} IS NOT NULL
    )"""


def moving(
    reading: Reading, function: str, shadows: tuple[str, ...], columns: str, read: Read[Record], *, signed: bool
) -> Statement[Record]:
    """Return the statement that runs a function that moves money, and reads `columns` of its `outcome AS o`.

    With `signed`, the signature that the call has is kept with what it moved.
    """
    kept = keeping(reading) if signed else ()
    sql = f"""
        WITH
        outcome AS MATERIALIZED (SELECT * FROM {function}),
        {", ".join((*shadows, *kept))}
        SELECT {columns} FROM outcome AS o
    """
    return reading.statement(sql, read)


async def move(call: Call, statement: Statement[Record], *given: object) -> Record:
    """Run a statement that moves money. A lost race is tried again: nothing was changed by it."""
    # Worked out once: what is kept of a signature is the same in every try.
    parameters = statement.parameters(call, given)
    row = await retried(lambda: call.pool.fetchrow(statement.sql, *parameters))
    assert row is not None  # a function that moves money returns one outcome
    return statement.read(row, call)
