"""Requests that ask PostgreSQL the same thing at the same time ask it together.

A statement's way to PostgreSQL and back, and its beginning and end there, take most of the time of a read that finds
its row by an index. So those that one turn of the event loop brings, and those that meanwhile wait for a connection,
become one statement: the same, for each row of what they ask for. Alone, a request asks by itself, and nobody waits for
others to come.
"""

import asyncio
import re
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeAlias

import asyncpg

# A statement answers everybody at once, and takes the longer the more ask: with so many, most of what can be gained is.
MAX_TOGETHER = 16

_PLACEHOLDER: Final = re.compile(r"\$(\d+)::(\w+)(?!\w|\[)")


class Question:
    """A statement with one row or none that several may ask together.

    Of its parameters, each asks for its own at the places `given`, and those at the places `of_call` tell apart who
    may ask together; the rest is always the same. `given` are written `$1::text` in the statement, and are no arrays.
    Asked together, its rows have one more column, the last: whose answer it is.
    """

    __slots__ = ("alone", "given", "of_call", "together")

    def __init__(self, sql: str, given: Sequence[int], of_call: Sequence[int]) -> None:
        self.alone = sql
        self.given = tuple(given)
        self.of_call = tuple(of_call)
        types: dict[int, str] = {}

        def asked(found: re.Match[str]) -> str:
            place = int(found[1]) - 1
            if place not in self.given:
                return found[0]
            types[place] = found[2]
            return f"asked.given_{place}"

        answer = _PLACEHOLDER.sub(asked, sql)
        arrays = ", ".join(f"${place + 1}::{types[place]}[]" for place in self.given)
        names = ", ".join(f"given_{place}" for place in self.given)
        # LIMIT keeps the planner from pulling the statement apart: it is run as it would be alone, once for each.
        self.together = (
            f"SELECT answer.*, asked.place FROM unnest({arrays}) WITH ORDINALITY AS asked ({names}, place) "
            f"CROSS JOIN LATERAL ({answer} LIMIT 1) AS answer"
        )


_Row: TypeAlias = "asyncpg.Record | None"
#: Who asks, and all the parameters of the question.
_Asker = tuple["asyncio.Future[_Row]", Sequence[object]]


class _Group:
    """Those who ask together; others may join them while it is open."""

    __slots__ = ("askers", "key", "question")

    def __init__(self, key: Hashable, question: Question, *askers: _Asker) -> None:
        self.key = key
        self.question = question
        self.askers = list(askers)


class Together:
    """Brings together those who act for the same institution."""

    __slots__ = ("_acquire", "_loop", "_open", "_under_way")

    def __init__(self, acquire: Callable[[], AbstractAsyncContextManager[asyncpg.Connection]]) -> None:
        self._acquire = acquire
        self._open: dict[Hashable, _Group] = {}
        #: That of the pool, which has one only: to ask for the loop is a call of the kernel.
        self._loop: asyncio.AbstractEventLoop | None = None
        # The event loop itself holds no task.
        self._under_way: set[asyncio.Task[None]] = set()

    def ask(self, question: Question, parameters: Sequence[object]) -> "asyncio.Future[_Row]":
        """Return what will be the row that answers, None without one. Awaiting it raises what asking raises."""
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        key = (question, *[parameters[place] for place in question.of_call])
        group = self._open.get(key)
        if group is None or len(group.askers) == MAX_TOGETHER:
            group = self._open[key] = _Group(key, question)
            self._begin(group)
        answer: asyncio.Future[_Row] = loop.create_future()
        group.askers.append((answer, parameters))
        return answer

    def _begin(self, group: _Group) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(group))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _answer(self, group: _Group) -> None:
        is_asking = False
        try:
            async with self._acquire() as connection:
                self._close(group)
                is_asking = True
                # Nothing is asked for those who have gone away in the meantime.
                askers = [asker for asker in group.askers if not asker[0].done()]
                rows = await _rows(connection, group.question, [parameters for _, parameters in askers])
            for (answer, _), row in zip(askers, rows, strict=True):
                if not answer.done():
                    answer.set_result(row)
        except Exception as error:
            if is_asking and len(group.askers) > 1:
                # What one asks for does not harm the others: each asks by itself, and is told its own error.
                for asker in group.askers:
                    self._begin(_Group(None, group.question, asker))
                return
            for answer, _ in group.askers:
                if not answer.done():
                    answer.set_exception(error)
        except BaseException:
            # Cancelled, and all who ask with it.
            for answer, _ in group.askers:
                answer.cancel()
            raise
        finally:
            # Where no connection was to be had: else it was closed before.
            self._close(group)

    def _close(self, group: _Group) -> None:
        if self._open.get(group.key) is group:
            del self._open[group.key]


async def _rows(connection: asyncpg.Connection, question: Question, asked: list[Sequence[object]]) -> list[_Row]:
    """Return the rows that answer, for each who asks."""
    if len(asked) == 1:
        return [await connection.fetchrow(question.alone, *asked[0])]
    rows: list[_Row] = [None] * len(asked)
    if asked:
        parameters = list(asked[0])
        for place in question.given:
            parameters[place] = [each[place] for each in asked]
        for row in await connection.fetch(question.together, *parameters):
            rows[row[-1] - 1] = row
    return rows
