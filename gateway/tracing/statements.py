"""The span of a statement: what it does to which table, and how many rows it answered; nothing of its parameters.

Written here because OpenTelemetry's own instrumentation of asyncpg has the statement's whole text in the span, which is
of kilobytes here, and counts no rows.
"""

import re
from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.semconv.attributes import db_attributes
from opentelemetry.trace import SpanKind, Tracer

from database.lending import RequestConnection
from gateway.tracing.requests import failed

#: Rows of the answer; a statement without an answer, rows changed.
ROWS: Final = "db.response.returned_rows"

#: More than there are texts of statements; those of reads are as many as shapes of selections.
_MAX_SUMMARIES: Final = 2048
_MAX_NAME: Final = 64
_KEYWORD: Final = re.compile(r"\s*([A-Za-z]+)")
#: What a statement is about, as all of ours are written: the first table or function that it names.
_ABOUT: Final = re.compile(r"\b(?:FROM|INTO|UPDATE|SELECT)\s+([a-z_]+)\b(?=[\s(])")
_COUNTED: Final = re.compile(r"[A-Z]+ (?:0 )?([0-9]{1,18})")


@lru_cache(maxsize=_MAX_SUMMARIES)
def summary_of(sql: str) -> str:
    """Return a statement's keyword and what it is about: `SELECT payers`."""
    keyword = _KEYWORD.match(sql)
    about = _ABOUT.search(sql)
    words = [keyword[1].upper()] if keyword else []
    return " ".join([*words, *([about[1][:_MAX_NAME]] if about else [])])


def traced_connections(tracer: Tracer) -> type[RequestConnection]:
    """Return the class of connections whose statements are spans, inside a span that is recorded and nowhere else."""

    async def spanned(sql: str, run: Callable[[], Coroutine[Any, Any, Any]], rows: Callable[[Any], int | None]) -> Any:
        if not trace.get_current_span().is_recording():
            return await run()
        summary = summary_of(sql)
        attributes = {db_attributes.DB_SYSTEM_NAME: "postgresql", db_attributes.DB_QUERY_SUMMARY: summary}
        with tracer.start_as_current_span(
            summary, kind=SpanKind.CLIENT, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                result = await run()
            except BaseException as error:
                failed(span, error)
                raise
            count = rows(result)
            if count is not None:
                span.set_attribute(ROWS, count)
            return result

    class TracedConnection(RequestConnection):
        __slots__ = ()

        async def fetch(self, query: str, *args: object, **options: Any) -> Any:
            return await spanned(query, lambda: super(TracedConnection, self).fetch(query, *args, **options), len)

        async def fetchrow(self, query: str, *args: object, **options: Any) -> Any:
            return await spanned(query, lambda: super(TracedConnection, self).fetchrow(query, *args, **options), _one)

        async def fetchval(self, query: str, *args: object, **options: Any) -> Any:
            return await spanned(query, lambda: super(TracedConnection, self).fetchval(query, *args, **options), _none)

        async def execute(self, query: str, *args: object, **options: Any) -> Any:
            return await spanned(
                query, lambda: super(TracedConnection, self).execute(query, *args, **options), _of_status
            )

    return TracedConnection


def _one(row: object) -> int:
    return 0 if row is None else 1


def _none(_value: object) -> None:
    """A value may be NULL, in a row or for want of one."""


def _of_status(status: str) -> int | None:
    counted = _COUNTED.fullmatch(status)
    return int(counted[1]) if counted else None
