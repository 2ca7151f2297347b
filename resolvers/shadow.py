"""How a statement that moves money reads what it has just written."""

import asyncpg

from resolvers.reading import Reading
from resolvers.retrying import retried
from resolvers.signatures import keeping


def shadow(table: str, key: str, written: str) -> str:
    """Return the CTE that stands for a table in which a function has written one row, under the table's own name.

    A statement can't see the rows that a function it calls has written. `written` is the column of the CTE `outcome`
    with the row as the function returned it (or NULL), `key` the table's primary key.
    """
    row = f"(o.{written})"
    return f"""{table} AS NOT MATERIALIZED (
        SELECT s.* FROM public.{table} AS s
        WHERE s.{key} IS DISTINCT FROM (SELECT {row}.{key} FROM outcome AS o)
        UNION ALL
        SELECT {row}.* FROM outcome AS o WHERE {row}.{key} IS NOT NULL
    )"""


async def move(reading: Reading, function: str, shadows: tuple[str, ...], columns: str) -> asyncpg.Record:
    """Run one function that moves money and read `columns` of its `outcome AS o`, in one statement.

    The signature that the call has is kept with what it moved. A lost race is tried again: nothing was changed by it.
    """
    sql = f"""
        WITH
        outcome AS MATERIALIZED (SELECT * FROM {function}),
        {", ".join((*shadows, *keeping(reading)))}
        SELECT {columns} FROM outcome AS o
    """
    row = await retried(lambda: reading.call.pool.fetchrow(sql, *reading.parameters))
    assert row is not None  # a function that moves money returns one outcome
    return row
