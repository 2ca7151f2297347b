"""A plan: an operation that runs without its document being walked."""

from collections.abc import Awaitable, Sequence
from types import CoroutineType
from typing import Any

from graphql import ExecutionResult, GraphQLError
from graphql.pyutils import gather_with_cancel, is_awaitable

from gateway.execution.compiled.generator import RootField
from gateway.execution.compiled.running import Run, located, must_not_be_null, settle_in_background


class Plan:
    """The root fields of an operation, run together or one after the other."""

    def __init__(self, roots: Sequence[RootField], *, serial: bool, field_count: int) -> None:
        self.field_count = field_count
        self._roots = roots
        self._serial = serial

    async def execute(self, run: Run) -> ExecutionResult:
        """Run the operation once."""
        try:
            if len(self._roots) == 1:
                (root,) = self._roots
                data = {root.planned.key: await _answered(root, run)}
            else:
                data = await (self._serially(run) if self._serial else self._together(run))
        except GraphQLError as error:
            run.keep(error, None)
            return ExecutionResult(None, run.errors)
        return ExecutionResult(data, run.errors or None)

    async def _serially(self, run: Run) -> dict[str, Any]:
        return {root.planned.key: await _answered(root, run) for root in self._roots}

    async def _together(self, run: Run) -> dict[str, Any]:
        data: dict[str, Any] = {}
        waiting: list[str] = []
        try:
            for root in self._roots:
                key = root.planned.key
                data[key] = _started(root, run)
                if isinstance(data[key], CoroutineType):
                    waiting.append(key)
        except GraphQLError:
            if waiting:
                settle_in_background([data[key] for key in waiting])
            raise
        if len(waiting) == 1:
            data[waiting[0]] = await data[waiting[0]]
        elif waiting:
            answers = await gather_with_cancel(*(data[key] for key in waiting))
            data.update(zip(waiting, answers, strict=True))
        return data


async def _answered(root: RootField, run: Run) -> Any:
    """Return a root field's answer."""
    try:
        value = root.resolve(run)
        # The first of the two is what is_awaitable finds out more slowly, of nearly all.
        if value.__class__ is CoroutineType or is_awaitable(value):
            value = await value
        return root.complete(value, run)
    except Exception as error:
        return _null(root, error, run)


def _started(root: RootField, run: Run) -> Any:
    """Return a root field's answer, or the coroutine that has it."""
    try:
        value = root.resolve(run)
        if is_awaitable(value):
            return _finished(root, value, run)
        return root.complete(value, run)
    except Exception as error:
        return _null(root, error, run)


async def _finished(root: RootField, value: Awaitable[Any], run: Run) -> Any:
    try:
        return root.complete(await value, run)
    except Exception as error:
        return _null(root, error, run)


def _null(root: RootField, error: Exception, run: Run) -> None:
    place = (None, root.planned.key)
    if must_not_be_null(root.planned):
        raise located(error, root.planned, place)
    run.add(error, root.planned, place)
