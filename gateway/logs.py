"""Logs: one JSON object a line on standard error. No operation's text, variable or answer is ever logged."""

import logging
import sys
import traceback
from types import TracebackType

import structlog

#: Exceptions whose message is told: of the system, or our own words. Any other may repeat a value that it was
#: given, as PostgreSQL's and asyncpg's do.
_TOLD = (OSError, AssertionError)
#: Of an exception's frames, the last: where it was raised.
MAX_FRAMES = 50
#: Of exceptions that led to one another, the last.
MAX_CAUSES = 10

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def configure_logs(level: str) -> None:
    """Send everything of this level and above, ours and the libraries', through structlog."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.ExceptionRenderer(_stack),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # Its debug lines hold tokens and client ids.
    logging.getLogger("authlib").setLevel(logging.WARNING)
    # Their lines hold the addresses of callbacks, which may have a secret in their path or query.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("httpcore").setLevel(logging.WARNING)


def _stack(exc_info: _ExcInfo) -> str:
    """Return what was raised, where, and why, without the values that a message may repeat."""
    told: list[str] = []
    error: BaseException | None = exc_info[1]
    while error is not None and len(told) < MAX_CAUSES:
        frames = traceback.format_list(traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:])
        told.append("".join([*frames, _named(error)]))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\nwhich led to:\n\n".join(reversed(told))


def _named(error: BaseException) -> str:
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}"
    # What PostgreSQL says without values: the condition, and the rule that stood in the way.
    for attribute in ("sqlstate", "table_name", "column_name", "constraint_name"):
        value = getattr(error, attribute, None)
        if isinstance(value, str):
            name += f" {attribute}={value}"
    return f"{name}: {error}" if isinstance(error, _TOLD) else name
