"""Requests that ask PostgreSQL the same thing at the same time ask it together.

A statement's way to PostgreSQL and back, and its beginning and end there, take most of the time of a read that finds
its row by an index. So those that one turn of the event loop brings, and those that meanwhile wait for a connection, become
one statement: the same, for each row of what they ask for. Alone, a request asks by itself, and nobody waits for others
to come.
"""

import asyncio
import re
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

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


#: Instead of an answer: something that one of them asked for can't be asked, and it is not known whose.
_ALONE: Final[Any] = object()
_Asker = asyncio.Future[asyncpg.Record | None]


class _Group:
    """Those who ask together, until they are asked for."""

    __slots__ = ("askers", "parameters", "question")

    def __init__(self, question: Question, parameters: Sequence[object]) -> None:
        self.question = question
        self.parameters = parameters
        self.askers: list[tuple[_Asker, Sequence[object]]] = []


class Together:
    """Brings together those who act for the same institution."""

    __slots__ = ("_acquire", "_open", "_under_way")

    def __init__(self, acquire: Callable[[], AbstractAsyncContextManager[asyncpg.Connection]]) -> None:
        self._acquire = acquire
        self._open: dict[Hashable, _Group] = {}
        # The event loop itself holds no task.
        self._under_way: set[asyncio.Task[None]] = set()

    async def ask(self, question: Question, parameters: Sequence[object]) -> asyncpg.Record | None:
        """Return the row that answers, None without one. Raises what asking raises."""
        key = (question, *[parameters[place] for place in question.of_call])
        group = self._open.get(key)
        loop = asyncio.get_running_loop()
        if group is None or len(group.askers) == MAX_TOGETHER:
            group = self._open[key] = _Group(question, parameters)
            task = loop.create_task(self._answer(key, group))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        asker: _Asker = loop.create_future()
        group.askers.append((asker, parameters))
        answer = await asker
        if answer is not _ALONE:
            return answer
        async with self._acquire() as connection:
            return await connection.fetchrow(question.alone, *parameters)

    async def _answer(self, key: Hashable, group: _Group) -> None:
        try:
            async with self._acquire() as connection:
                self._close(key, group)
                await _answered(connection, group)
        except Exception as error:
            for asker, _ in group.askers:
                if not asker.done():
                    asker.set_exception(error)
        except BaseException:
            # Cancelled, and all who ask with it.
            for asker, _ in group.askers:
                asker.cancel()
            raise
        finally:
            self._close(key, group)

    def _close(self, key: Hashable, group: _Group) -> None:
        if self._open.get(key) is group:
            del self._open[key]


async def _answered(connection: asyncpg.Connection, group: _Group) -> None:
    # Nothing is asked for those who have gone away in the meantime.
    askers = [(asker, parameters) for asker, parameters in group.askers if not asker.done()]
    if not askers:
        return
    question = group.question
    answers: list[Any]
    if len(askers) == 1:
        answers = [await connection.fetchrow(question.alone, *askers[0][1])]
    else:
        shared = list(group.parameters)
        for place in question.given:
            shared[place] = [parameters[place] for _, parameters in askers]
        answers = [None] * len(askers)
        try:
            for row in await connection.fetch(question.together, *shared):
                answers[row[-1] - 1] = row
        except (asyncpg.PostgresError, asyncpg.InterfaceError):
            # What one asks for does not harm the others: each asks by itself, and is told its own error.
            answers = [_ALONE] * len(askers)
    for (asker, _), answer in zip(askers, answers, strict=True):
        if not asker.done():
            asker.set_result(answer)
